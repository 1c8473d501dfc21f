//! The timers of one CPU, earliest first.

use crate::platform::TimerId;
use crate::time::Instant;
use alloc::collections::BTreeMap;

/// Armed timers with what each is for.
#[derive(Debug)]
pub struct Timers<T> {
    armed: BTreeMap<(Instant, u64), T>,
    next_seq: u64,
}

impl<T> Timers<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self { armed: BTreeMap::new(), next_seq: 0 }
    }

    /// Arms a timer on behalf of CPU `cpu`.
    pub fn arm(&mut self, cpu: u32, at: Instant, target: T) -> TimerId {
        let seq = self.next_seq;
        self.next_seq += 1;
        self.armed.insert((at, seq), target);
        TimerId { cpu, at, seq }
    }

    /// Disarms a timer; None when it has gone off already.
    pub fn cancel(&mut self, id: &TimerId) -> Option<T> {
        self.armed.remove(&(id.at, id.seq))
    }

    /// When the earliest goes off; [`Instant::FAR`] without any.
    pub fn next(&self) -> Instant {
        self.armed.first_key_value().map_or(Instant::FAR, |((at, _), _)| *at)
    }

    /// Takes out the earliest that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        let first = self.armed.first_entry()?;
        if first.key().0 > now { None } else { Some(first.remove()) }
    }

    /// How many are armed.
    pub fn len(&self) -> usize {
        self.armed.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    #[test]
    fn earliest_first_and_in_order_of_arming() {
        let mut t = Timers::new();
        for (ns, name) in [(30, 'c'), (10, 'a'), (20, 'b'), (10, 'd')] {
            t.arm(0, at(ns), name);
        }
        assert_eq!(t.next(), at(10));
        let mut fired = alloc::vec::Vec::new();
        while let Some(name) = t.pop_due(at(20)) {
            fired.push(name);
        }
        assert_eq!(fired, ['a', 'd', 'b']);
        assert_eq!((t.next(), t.len()), (at(30), 1));
    }

    #[test]
    fn cancelled_once() {
        let mut t = Timers::new();
        let id = t.arm(3, at(5), ());
        assert_eq!(id.cpu, 3);
        assert_eq!(t.cancel(&id), Some(()));
        assert_eq!(t.cancel(&id), None);
        assert_eq!((t.next(), t.pop_due(Instant::FAR)), (Instant::FAR, None));
    }
}
