//! The one door from the algorithms to the machine.
//!
//! Everything in this crate is generic over a [`Platform`]. The real one lives in `trapless-platform`; the fake one for host tests
//! is in [`crate::fake`]. There is exactly one machine per process image, so the methods are associated functions: a call costs
//! what a plain function call costs and nothing has to be threaded through.

use crate::time::Instant;
use crate::wait::Observer;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Names an armed timer so that it can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerId {
    /// CPU whose heap holds the timer.
    pub cpu: u32,
    /// When it fires.
    pub at: Instant,
    /// Tells timers of one instant apart.
    pub seq: u64,
}

/// The largest length for [`Platform::sparse_bytes`].
pub const SPARSE_MAX: usize = 128 * 1024;

/// Which of the buffers of [`Platform::sparse_bytes`], as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseName(pub usize);

impl SparseName {
    /// The name of a buffer: its address.
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes.as_ptr().addr())
    }
}

/// How much memory there is to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Supply {
    /// Enough.
    Ample,
    /// What is left should serve those who are there, not more of them.
    Scarce,
    /// What is left is for what cannot be refused.
    Short,
}

/// What the algorithms need from the machine.
pub trait Platform: Sized + Send + Sync + 'static {
    /// A counted handle to a thread; cloning it is cheap.
    type Thread: Clone + Send + Sync + PartialEq + 'static;

    /// Monotonic time since boot (CLOCK_MONOTONIC).
    fn now() -> Instant;

    /// Wall-clock time in nanoseconds since 1970-01-01 UTC (CLOCK_REALTIME).
    fn realtime_ns() -> u64;

    /// Logical index of the calling CPU, from 0. Only stable while preemption is disabled.
    fn cpu() -> usize;

    /// Keeps the calling thread on its CPU and defers softirq work until the matching [`Platform::preempt_enable`]. Nests.
    fn preempt_disable();

    /// Ends the innermost [`Platform::preempt_disable`]; a reschedule that became due meanwhile happens here.
    fn preempt_enable();

    /// Halts this CPU until [`Platform::kick`] was called for it (or any interrupt). A kick that came before the halt makes it return at
    /// once: kicks are remembered. Called with preemption disabled.
    fn halt();

    /// Makes a past or coming [`Platform::halt`] on `cpu` return.
    fn kick(cpu: usize);

    /// The calling thread.
    fn current() -> Self::Thread;

    /// Blocks the calling thread until it is unparked or `deadline` has passed. An unpark that came first is consumed and makes
    /// this return at once (one token, as in `std::thread::park`). May return early for no reason: callers loop on their own
    /// condition. Must be called with preemption enabled and no lock held.
    fn park(deadline: Option<Instant>);

    /// Gives `thread` its token and makes it runnable. Never blocks; may be called with locks held.
    fn unpark(thread: &Self::Thread);

    /// Whether a signal that is not blocked waits for the calling thread: interruptible waits end with `EINTR` then.
    fn signal_pending() -> bool;

    /// Calls `target.notify(Ready::TIMER)` once `at` has passed, from softirq context: no locks held, must not block.
    fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId;

    /// Forgets a timer. Returns false when it has already fired or is firing now.
    fn timer_cancel(id: TimerId) -> bool;

    /// Fills `buf` with cryptographically strong random bytes (getrandom(2)).
    fn random(buf: &mut [u8]);

    /// Bytes of any contents that take memory only where they are touched, `len` being at most [`SPARSE_MAX`]. None when there is no
    /// memory. Who touches them cannot be refused, so who may be refused asks [`Platform::memory`] first.
    fn sparse_bytes(len: usize) -> Option<Vec<u8>>;

    /// Takes back the memory of these buffers. Their contents become others, so nobody may need them.
    fn sparse_discard(buffers: &mut dyn Iterator<Item = SparseName>);

    /// How much memory there is to be had.
    fn memory() -> Supply;
}
