//! When the thread that has a CPU is to make place.
//!
//! INV-SLICE-1: a CPU that begins a slice first forgets the end of the one before and looks at its queue second; whoever puts a thread
//! into that queue does so first and looks whether the slice [ends](Slice::ends) second. One of the two always sees the other: either the
//! CPU finds that somebody waits, or the waker finds that the CPU does not know, and tells it.
//!
//! INV-SLICE-2: while a thread goes on, the end of its slice never moves to a later time, however often it is interrupted.

use super::slice_end;
use crate::mutant::mutant;
use crate::sync::{AtomicU64, Ordering, fence};

/// No end, as long as nobody waits.
const NEVER: u64 = u64::MAX;

/// The slice of one CPU's thread. Changed by that CPU alone, looked at by others.
#[derive(Debug)]
pub struct Slice {
    /// Of the thread that runs, ns.
    end: AtomicU64,
    /// Of the one that has left last and goes on, ns.
    kept: AtomicU64,
}

impl Slice {
    /// Nobody runs, and nobody waits.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { end: AtomicU64::new(NEVER), kept: AtomicU64::new(NEVER) }
    }

    /// Nobody runs, and nobody waits.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { end: AtomicU64::new(NEVER), kept: AtomicU64::new(NEVER) }
    }

    /// When the timer is to end it, ns; `u64::MAX` if nobody waits.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Relaxed)
    }

    /// By a waker that has put a thread into this CPU's queue: whether the CPU knows that somebody waits.
    pub fn ends(&self) -> bool {
        if !mutant("slice_ends_unfenced") {
            fence(Ordering::SeqCst);
        }
        self.end() != NEVER
    }

    /// A thread whose virtual run time is `mine` is given the CPU at `now`, ns. `first` looks for the virtual run time of the one that is
    /// next, if there is one.
    pub fn begin(&self, now: u64, mine: i64, first: impl Fn() -> Option<i64>) {
        let early = mutant("slice_looks_first").then(&first);
        self.end.store(NEVER, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(first) = early.unwrap_or_else(first) {
            self.limit(slice_end(now, now, mine, first).min(self.kept.load(Ordering::Relaxed)));
        }
    }

    /// It ends at `end`, ns, or sooner.
    pub fn limit(&self, end: u64) {
        self.end.store(end.min(self.end()), Ordering::Relaxed);
    }

    /// The thread leaves the CPU. Returns when it should have, ns.
    pub fn stop(&self) -> u64 {
        self.kept.store(NEVER, Ordering::Relaxed);
        self.end.swap(NEVER, Ordering::Relaxed)
    }

    /// The thread that has left goes on next, and its slice with it, which ends at `end`, ns.
    pub fn keep(&self, end: u64) {
        self.kept.store(end, Ordering::Relaxed);
    }
}

impl Default for Slice {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sched::{GRAIN_NS, SLICE_NS};
    use proptest::prelude::*;

    #[test]
    fn it_ends_only_if_somebody_waits() {
        let slice = Slice::new();
        slice.begin(1000, 0, || None);
        assert!(!slice.ends() && slice.end() == u64::MAX);
        slice.begin(1000, 0, || Some(0));
        assert!(slice.ends() && slice.end() == 1000 + SLICE_NS);
        slice.limit(5000);
        slice.limit(6000);
        assert_eq!(slice.stop(), 5000);
        assert!(!slice.ends());
    }

    #[test]
    fn what_was_kept_is_for_the_next_slice_only() {
        let slice = Slice::new();
        slice.keep(5000);
        slice.begin(1000, 0, || Some(0));
        assert_eq!(slice.stop(), 5000);
        slice.begin(1000, 0, || Some(0));
        assert_eq!(slice.stop(), 1000 + SLICE_NS);
    }

    proptest! {
        /// A thread wakes another, tells nobody, and goes on in spite of what was expected of it; interrupts come as often as they like.
        #[test]
        fn who_is_kept_waits_for_a_grain_at_most(pauses in prop::collection::vec(1..GRAIN_NS, 1..50)) {
            let slice = Slice::new();
            let (woken, mut now) = (1_000_000, 1_000_000);
            slice.begin(0, 0, || None);
            slice.limit(woken + GRAIN_NS);
            for pause in pauses {
                now += pause.min(slice.end() - now);
                let end = slice.stop();
                if now >= end {
                    break;
                }
                slice.keep(end);
                slice.begin(now, now as i64, || Some(0));
                prop_assert!(slice.end() <= woken + GRAIN_NS);
            }
        }
    }
}
