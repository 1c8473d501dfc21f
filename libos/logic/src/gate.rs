//! How a CPU that finds a lock taken goes to sleep instead of spinning.
//!
//! Virtual CPUs outnumber host cores as a rule, and then a spinning waiter burns the very time the holder needs. After a short
//! spin the waiter leaves its CPU number in the gate, tries once more and halts; whoever releases the lock kicks one waiter.
//!
//! INV-GATE-1: a waiter publishes its bit before its last try, and a releaser frees the lock before it reads the bits; with a
//! sequentially consistent fence on both sides one of the two sees the other, so no waiter sleeps on a free lock.

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicU64, Ordering, fence};

/// Tries before a waiter halts. None for the model checker: it takes the hint to yield for "nothing happens before another thread has
/// run", and leaves orders out.
const SPINS: u32 = if cfg!(loom) { 0 } else { 100 };

/// One bit for every CPU that halts until a lock becomes free.
#[derive(Debug)]
pub struct Gate {
    waiters: AtomicU64,
}

impl Gate {
    /// A gate nobody waits at.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { waiters: AtomicU64::new(0) }
    }

    /// A gate nobody waits at.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { waiters: AtomicU64::new(0) }
    }

    /// Calls `attempt` until it succeeds, halting between attempts. Called with preemption disabled, so the CPU cannot change.
    #[cold]
    pub fn pass<P: Platform, G>(&self, mut attempt: impl FnMut() -> Option<G>) -> G {
        let mut left = SPINS;
        while left > 0 {
            if let Some(guard) = attempt() {
                return guard;
            }
            crate::sync::spin_hint();
            left -= 1;
        }
        let bit = 1u64 << (P::cpu() % 64);
        loop {
            if !mutant("gate_publish_late") {
                self.waiters.fetch_or(bit, Ordering::SeqCst);
            }
            if !mutant("gate_waiter_unfenced") {
                fence(Ordering::SeqCst);
            }
            if let Some(guard) = attempt() {
                self.waiters.fetch_and(!bit, Ordering::SeqCst);
                return guard;
            }
            if mutant("gate_publish_late") {
                self.waiters.fetch_or(bit, Ordering::SeqCst);
            }
            P::halt();
        }
    }

    /// Wakes one halted waiter, if any. Called right after the lock was freed.
    #[inline]
    pub fn open<P: Platform>(&self) {
        if !mutant("gate_releaser_unfenced") {
            fence(Ordering::SeqCst);
        }
        let waiting = self.waiters.load(Ordering::SeqCst);
        if waiting != 0 {
            self.open_slow::<P>(waiting);
        }
    }

    #[cold]
    fn open_slow<P: Platform>(&self, waiting: u64) {
        let cpu = waiting.trailing_zeros() as usize;
        // The waiter sets its bit again if it loses the race for the lock; clearing it here keeps one kick per release.
        self.waiters.fetch_and(!(1u64 << cpu), Ordering::SeqCst);
        P::kick(cpu);
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
