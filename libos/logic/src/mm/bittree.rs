//! A set of small integers that finds its smallest member in a few steps, however large it is.

/// Bits in a word of storage.
const BITS: usize = 64;
/// Enough levels for 64^6 members.
const MAX_LEVELS: usize = 6;

/// A bitmap with summaries: a bit of level `n + 1` says whether a word of level `n` has any bit set.
#[derive(Debug)]
pub struct BitTree<'a> {
    words: &'a mut [u64],
    /// Where each level starts in `words`; the top level is one word.
    starts: [usize; MAX_LEVELS],
    levels: usize,
    len: usize,
}

/// Words that a set of the numbers below `len` needs.
pub const fn words_for(len: usize) -> usize {
    let mut level = len.div_ceil(BITS);
    let mut total = level;
    while level > 1 {
        level = level.div_ceil(BITS);
        total += level;
    }
    if total == 0 { 1 } else { total }
}

impl<'a> BitTree<'a> {
    /// An empty set of numbers below `len`, kept in `words`, of which [`words_for`]`(len)` are used. Panics if there are fewer.
    pub fn new(words: &'a mut [u64], len: usize) -> Self {
        assert!(words.len() >= words_for(len));
        words.fill(0);
        let mut starts = [0; MAX_LEVELS];
        let (mut levels, mut at, mut level) = (1, 0, len.div_ceil(BITS).max(1));
        while level > 1 {
            at += level;
            level = level.div_ceil(BITS);
            starts[levels] = at;
            levels += 1;
        }
        Self { words, starts, levels, len }
    }

    /// Whether `n` is a member; false if it is out of range.
    pub fn contains(&self, n: usize) -> bool {
        n < self.len && self.words[n / BITS] >> (n % BITS) & 1 == 1
    }

    /// Adds `n`, which must be in range.
    pub fn insert(&mut self, n: usize) {
        assert!(n < self.len);
        let mut n = n;
        for level in 0..self.levels {
            let word = &mut self.words[self.starts[level] + n / BITS];
            let was_empty = *word == 0;
            *word |= 1 << (n % BITS);
            if !was_empty {
                return;
            }
            n /= BITS;
        }
    }

    /// Removes `n`; returns whether it was a member.
    pub fn remove(&mut self, n: usize) -> bool {
        if !self.contains(n) {
            return false;
        }
        let mut n = n;
        for level in 0..self.levels {
            let word = &mut self.words[self.starts[level] + n / BITS];
            *word &= !(1 << (n % BITS));
            if *word != 0 {
                break;
            }
            n /= BITS;
        }
        true
    }

    /// The smallest member.
    pub fn first(&self) -> Option<usize> {
        let mut n = 0;
        for level in (0..self.levels).rev() {
            let word = self.words[self.starts[level] + n];
            if word == 0 {
                return None;
            }
            n = n * BITS + word.trailing_zeros() as usize;
        }
        Some(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(len in 1usize..300_000, ops in prop::collection::vec((any::<bool>(), any::<usize>()), 1..200)) {
            let mut words = vec![!0; words_for(len)];
            let mut tree = BitTree::new(&mut words, len);
            let mut model = BTreeSet::new();
            for (insert, n) in ops {
                let n = n % len;
                if insert {
                    tree.insert(n);
                    model.insert(n);
                } else {
                    prop_assert_eq!(tree.remove(n), model.remove(&n));
                }
                prop_assert_eq!(tree.first(), model.first().copied());
                prop_assert_eq!(tree.contains(n), model.contains(&n));
            }
        }
    }

    #[test]
    fn the_borders_of_words_and_levels_work() {
        for len in [2, 63, 64, 65, 4095, 4096, 4097, 262_144, 262_145] {
            let mut words = vec![0; words_for(len)];
            let mut tree = BitTree::new(&mut words, len);
            tree.insert(len - 1);
            assert_eq!(tree.first(), Some(len - 1));
            tree.insert(0);
            assert_eq!(tree.first(), Some(0));
            assert!(tree.remove(0) && tree.remove(len - 1) && !tree.remove(len - 1));
            assert_eq!(tree.first(), None);
        }
    }
}
