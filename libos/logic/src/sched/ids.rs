//! Thread numbers, as Linux hands them out: upwards, wrapping around, skipping those in use.

use alloc::collections::BTreeMap;

/// Things by number.
#[derive(Debug)]
pub struct Ids<T> {
    used: BTreeMap<u32, T>,
    next: u32,
    first: u32,
    last: u32,
}

impl<T> Ids<T> {
    /// Nothing yet; numbers go from `first` to `last`, both included.
    pub const fn new(first: u32, last: u32) -> Self {
        Self { used: BTreeMap::new(), next: first, first, last }
    }

    /// The number that comes next; None when all are in use. A number is not used again before all others were.
    pub fn reserve(&mut self) -> Option<u32> {
        if self.used.len() > (self.last - self.first) as usize {
            return None;
        }
        let mut id = self.next;
        while self.used.contains_key(&id) {
            id = self.after(id);
        }
        self.next = self.after(id);
        Some(id)
    }

    fn after(&self, id: u32) -> u32 {
        if id == self.last { self.first } else { id + 1 }
    }

    /// Enters a thing under a number from [`Ids::reserve`].
    pub fn insert(&mut self, id: u32, thing: T) {
        self.used.insert(id, thing);
    }

    /// Takes a thing out and frees its number.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        self.used.remove(&id)
    }

    /// The thing with that number.
    pub fn get(&self, id: u32) -> Option<&T> {
        self.used.get(&id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// All things, by number.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.used.values()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_late() {
        let mut ids = Ids::new(1, 4);
        for want in [1, 2, 3] {
            assert_eq!(ids.reserve(), Some(want));
            ids.insert(want, ());
        }
        ids.remove(1);
        assert_eq!(ids.reserve(), Some(4));
        ids.insert(4, ());
        assert_eq!(ids.reserve(), Some(1));
        ids.insert(1, ());
        assert_eq!(ids.reserve(), None);
        ids.remove(3);
        assert_eq!(ids.reserve(), Some(3));
        assert_eq!(ids.len(), 3);
    }
}
