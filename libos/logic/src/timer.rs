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
    use alloc::vec::Vec;
    use proptest::prelude::*;

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
        let mut fired = Vec::new();
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

    #[derive(Clone, Debug)]
    enum Op {
        Arm(u64),
        /// The n-th of the timers armed so far, which may be gone.
        Cancel(usize),
        PopDue(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => (0..30u64).prop_map(Op::Arm),
            1 => (0..100usize).prop_map(Op::Cancel),
            2 => (0..30u64).prop_map(Op::PopDue),
        ]
    }

    proptest! {
        /// Against a list that is searched from end to end. What is armed stands for itself: the number it was armed as.
        #[test]
        fn behaves_like_a_list(ops in proptest::collection::vec(op(), 1..100)) {
            let (mut timers, mut list, mut ids) = (Timers::new(), Vec::new(), Vec::new());
            for op in ops {
                match op {
                    Op::Arm(ns) => {
                        list.push((ns, ids.len()));
                        ids.push(timers.arm(0, at(ns), ids.len()));
                    }
                    Op::Cancel(nth) => {
                        let Some(id) = ids.get(nth) else { continue };
                        let armed = list.iter().position(|&(_, n)| n == nth).map(|i| list.remove(i).1);
                        prop_assert_eq!(timers.cancel(id), armed);
                    }
                    Op::PopDue(now) => {
                        let first = list.iter().copied().filter(|&(ns, _)| ns <= now).min();
                        list.retain(|&entry| Some(entry) != first);
                        prop_assert_eq!(timers.pop_due(at(now)), first.map(|(_, n)| n));
                    }
                }
                prop_assert_eq!(timers.next(), list.iter().map(|&(ns, _)| at(ns)).min().unwrap_or(Instant::FAR));
                prop_assert_eq!((timers.len(), timers.is_empty()), (list.len(), list.is_empty()));
            }
        }
    }
}
