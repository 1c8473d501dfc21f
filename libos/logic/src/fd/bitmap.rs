//! Which numbers are taken, and the lowest that is not.

use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// A growing set of small numbers.
#[derive(Default)]
pub struct Bitmap {
    words: Vec<u64>,
    /// All words before this one are full: what makes "the lowest free" cheap when many are taken.
    full_below: usize,
}

impl Bitmap {
    /// An empty set.
    pub const fn new() -> Self {
        Self { words: Vec::new(), full_below: 0 }
    }

    /// The lowest number from `min` on that is not in the set.
    pub fn lowest_free(&self, min: usize) -> usize {
        let first = min / 64;
        let (mut word, mut low) = if first < self.full_below { (self.full_below, 0) } else { (first, min % 64) };
        while let Some(bits) = self.words.get(word) {
            let free = !bits & (u64::MAX << low);
            if free != 0 {
                return word * 64 + free.trailing_zeros() as usize;
            }
            (word, low) = (word + 1, 0);
        }
        word * 64 + low
    }

    /// Adds a number. ENOMEM.
    pub fn insert(&mut self, n: usize) -> SysResult<()> {
        let word = n / 64;
        if word >= self.words.len() {
            self.words.try_reserve(word + 1 - self.words.len()).map_err(|_| Errno::ENOMEM)?;
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (n % 64);
        while self.words.get(self.full_below) == Some(&u64::MAX) {
            self.full_below += 1;
        }
        Ok(())
    }

    /// Takes a number out.
    pub fn remove(&mut self, n: usize) {
        let word = n / 64;
        if let Some(bits) = self.words.get_mut(word) {
            *bits &= !(1 << (n % 64));
            self.full_below = self.full_below.min(word);
        }
    }

    /// The lowest number from `min` on that is in the set.
    pub fn next_taken(&self, min: usize) -> Option<usize> {
        let mut low = min % 64;
        for word in min / 64..self.words.len() {
            let taken = self.words[word] & (u64::MAX << low);
            if taken != 0 {
                return Some(word * 64 + taken.trailing_zeros() as usize);
            }
            low = 0;
        }
        None
    }
}
