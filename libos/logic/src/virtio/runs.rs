//! Who has which of a ring of buffers that lie side by side in memory: frames take runs of neighbours.

/// A ring of `N` buffers. Runs are taken in the order of the buffers and become free in the order in which they were taken, even
/// when they come back in another.
pub struct Runs<const N: usize> {
    /// Length of the run that begins at a buffer, 0 for none.
    len: [u16; N],
    /// The run that begins at a buffer has come back.
    back: [bool; N],
    /// First buffer of the oldest run, and how many from there on are taken.
    oldest: usize,
    taken: usize,
}

impl<const N: usize> Default for Runs<N> {
    fn default() -> Self {
        Self { len: [0; N], back: [false; N], oldest: 0, taken: 0 }
    }
}

impl<const N: usize> Runs<N> {
    /// Where a run of `count` would begin, and how many buffers are left out before it because it would reach over the end.
    fn place(&self, count: usize) -> Option<(usize, usize)> {
        let next = (self.oldest + self.taken) % N;
        let skipped = if next + count > N { N - next } else { 0 };
        let fits = count > 0 && self.taken + skipped + count <= N;
        fits.then_some(((next + skipped) % N, skipped))
    }

    /// Whether [`Runs::take`] would find room.
    pub fn has_room(&self, count: usize) -> bool {
        self.place(count).is_some()
    }

    /// Takes `count` neighbours; returns the first.
    pub fn take(&mut self, count: usize) -> Option<usize> {
        let (first, skipped) = self.place(count)?;
        if skipped > 0 {
            let gap = N - skipped;
            (self.len[gap], self.back[gap]) = (skipped as u16, true);
        }
        (self.len[first], self.back[first]) = (count as u16, false);
        self.taken += skipped + count;
        Some(first)
    }

    /// Gives back the run that begins at `first`; false when there is none.
    pub fn give(&mut self, first: usize) -> bool {
        if self.len.get(first).is_none_or(|&len| len == 0) || self.back[first] {
            return false;
        }
        self.back[first] = true;
        while self.taken > 0 && self.back[self.oldest] {
            let len = usize::from(core::mem::take(&mut self.len[self.oldest]));
            self.back[self.oldest] = false;
            self.oldest = (self.oldest + len) % N;
            self.taken -= len;
        }
        if self.taken == 0 {
            self.oldest = 0;
        }
        true
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;

    #[test]
    fn runs_follow_each_other_and_do_not_reach_over_the_end() {
        let mut runs = Runs::<8>::default();
        assert_eq!([runs.take(3), runs.take(3)], [Some(0), Some(3)]);
        assert!(!runs.has_room(3) && runs.has_room(2));
        assert!(runs.give(0));
        // Six and seven are left out.
        assert_eq!(runs.take(3), Some(0));
        assert_eq!(runs.take(1), None);
        assert!(runs.give(3));
        assert_eq!([runs.take(6), runs.take(5), runs.take(1)], [None, Some(3), None]);
    }

    #[test]
    fn what_comes_back_early_waits_for_its_elders() {
        let mut runs = Runs::<8>::default();
        let taken: Vec<_> = (0..4).map(|_| runs.take(2).unwrap()).collect();
        assert!(runs.give(taken[1]) && runs.give(taken[2]));
        assert!(!runs.has_room(1));
        assert!(runs.give(taken[0]));
        assert!(runs.has_room(6) && !runs.has_room(7));
    }

    #[test]
    fn only_what_is_out_comes_back() {
        let mut runs = Runs::<8>::default();
        assert!(!runs.give(0));
        assert_eq!([runs.take(0), runs.take(9), runs.take(4)], [None, None, Some(0)]);
        assert!(!runs.give(1) && !runs.give(8) && !runs.give(usize::MAX));
        // Not even when it waits for its elder.
        assert!(runs.take(2).is_some_and(|young| runs.give(young) && !runs.give(young)));
        assert!(runs.give(0) && !runs.give(0));
        assert!(runs.has_room(8));
    }

    #[test]
    fn no_buffer_has_two_owners() {
        let mut state = 1u32;
        let mut next = |limit: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % limit
        };
        let (mut runs, mut out) = (Runs::<32>::default(), VecDeque::new());
        for _ in 0..20_000 {
            let count = next(12) as usize + 1;
            let has_room = runs.has_room(count);
            if next(2) == 0 {
                let first = runs.take(count);
                assert_eq!(first.is_some(), has_room);
                let Some(first) = first else { continue };
                assert!(first + count <= 32);
                assert!(out.iter().all(|&(other, len)| first + count <= other || other + len <= first));
                out.push_back((first, count));
            } else if !out.is_empty() {
                // As few devices do: not always the oldest.
                let at = next(2.min(out.len() as u32)) as usize;
                assert!(out.remove(at).is_some_and(|(first, _)| runs.give(first)));
            }
        }
        out.into_iter().for_each(|(first, _)| assert!(runs.give(first)));
        assert!(runs.has_room(32));
    }
}
