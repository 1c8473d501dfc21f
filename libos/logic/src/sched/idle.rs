//! How a CPU goes to sleep without missing work.
//!
//! INV-IDLE-1: a CPU enters the set first and looks at all run queues second; whoever makes a thread runnable puts it into a queue
//! first and looks at the set second (both sequentially consistent). One of the two always sees the other: either the CPU finds the
//! thread, or the waker finds the CPU, takes it out of the set ([`IdleSet::claim`]) and sends it an interrupt. The CPU's last look
//! happens with interrupts off, and it enables them with the halt itself, so the interrupt cannot fall in between.
//!
//! A waker that sleeps soon keeps the thread for its own CPU and looks at nothing ([`Habit`](super::Habit)). Then the end of its slice does,
//! which it arms first: who makes place goes to an idle CPU ([`elsewhere`](super::elsewhere)).

use crate::mutant::mutant;
use crate::sync::{AtomicU64, Ordering, fence};

/// The CPUs that halt, or are about to, for want of work.
#[derive(Debug)]
pub struct IdleSet(AtomicU64);

impl IdleSet {
    /// No CPU is idle.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// No CPU is idle.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// By `cpu` itself: from now on wakers may claim it. It looks at the queues after this.
    fn enter(&self, cpu: usize) {
        self.0.fetch_or(1 << cpu, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// By `cpu` itself: enters the set, then calls `work` to look at the run queues. True if the CPU may halt now, provided that it is
    /// still [undisturbed](IdleSet::undisturbed) when interrupts are off; false if there is work, and it is out of the set again.
    pub fn prepare(&self, cpu: usize, work: impl FnOnce() -> bool) -> bool {
        if mutant("idle_looks_first") {
            let work = work();
            self.enter(cpu);
            return !work;
        }
        self.enter(cpu);
        if work() {
            self.leave(cpu);
            return false;
        }
        true
    }

    /// By `cpu` itself: it is awake.
    pub fn leave(&self, cpu: usize) {
        self.0.fetch_and(!(1 << cpu), Ordering::SeqCst);
    }

    /// By `cpu` itself: whether nobody has claimed it since [`IdleSet::enter`].
    pub fn undisturbed(&self, cpu: usize) -> bool {
        self.0.load(Ordering::SeqCst) & (1 << cpu) != 0
    }

    /// The idle CPUs. Called by wakers after they have put the thread into a queue, or to choose that queue.
    pub fn snapshot(&self) -> u64 {
        if !mutant("idle_snapshot_unfenced") {
            fence(Ordering::SeqCst);
        }
        self.0.load(Ordering::SeqCst)
    }

    /// Takes `cpu` out of the set; true if this call did, and so has to wake it.
    #[must_use = "a claimed CPU that nobody wakes sleeps on"]
    pub fn claim(&self, cpu: usize) -> bool {
        self.0.fetch_and(!(1 << cpu), Ordering::SeqCst) & (1 << cpu) != 0
    }
}

impl Default for IdleSet {
    fn default() -> Self {
        Self::new()
    }
}
