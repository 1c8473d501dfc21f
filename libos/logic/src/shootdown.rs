//! Requests that every CPU has to follow before the one that asks may go on: the bookkeeping of TLB shootdowns.
//!
//! Every request is a new generation. A CPU answers by doing what is asked (forgetting translations) *after* it has read the generation; then
//! it has followed all requests up to that one.
//!
//! INV-SHOOT-1: what a CPU has answered never goes back. It answers in interrupts as well as by itself, and an interrupt may come between
//! the reading of the generation and the note that it was answered: then the older note comes later. Whoever asked has been told by
//! then, and would be told no more.
//! INV-SHOOT-2: who asks notes that it waits before its last look, and who answers notes the answer before it looks who waits, with a
//! sequentially consistent fence on both sides: one of the two sees the other.

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicU64, Ordering, fence, spin_hint};

/// Looks before a waiting CPU halts. None for the model checker, as in [`crate::gate`].
const SPINS: u32 = if cfg!(loom) { 0 } else { 200 };

/// The requests, and the CPUs that wait for answers.
#[derive(Debug)]
pub struct Requests {
    generation: AtomicU64,
    /// One bit for each CPU.
    waiting: AtomicU64,
}

/// The last request that one CPU has answered.
#[derive(Debug)]
pub struct Answered(AtomicU64);

impl Requests {
    /// No request was made yet.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { generation: AtomicU64::new(0), waiting: AtomicU64::new(0) }
    }

    /// No request was made yet.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { generation: AtomicU64::new(0), waiting: AtomicU64::new(0) }
    }

    /// Makes a request and returns its generation. The caller then interrupts those who have to answer it.
    pub fn make(&self) -> u64 {
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        fence(Ordering::SeqCst);
        generation
    }

    /// Whether a CPU has requests to answer.
    pub fn is_behind(&self, own: &Answered) -> bool {
        self.generation.load(Ordering::SeqCst) != own.0.load(Ordering::Relaxed)
    }

    /// By a CPU: follows all requests there are, by `act`. May be interrupted, and called again by the interrupt.
    pub fn answer(&self, own: &Answered, act: impl FnOnce()) {
        let generation = self.generation.load(Ordering::SeqCst);
        act();
        if mutant("shootdown_goes_back") {
            own.0.store(generation, Ordering::SeqCst);
        } else {
            own.0.fetch_max(generation, Ordering::SeqCst);
        }
    }

    /// By the interrupt, once it has answered: wakes those who wait.
    pub fn tell<P: Platform>(&self) {
        if !mutant("shootdown_answerer_unfenced") {
            fence(Ordering::SeqCst);
        }
        let waiting = self.waiting.load(Ordering::SeqCst);
        (0..64).filter(|cpu| waiting >> cpu & 1 != 0).for_each(P::kick);
    }

    /// Halts the calling CPU until `done`. Called with preemption disabled; interrupts are on, for two CPUs may wait for each other.
    pub fn wait<P: Platform>(&self, done: impl Fn() -> bool) {
        let mut left = SPINS;
        while left > 0 {
            if done() {
                return;
            }
            spin_hint();
            left -= 1;
        }
        let bit = 1 << (P::cpu() % 64);
        self.waiting.fetch_or(bit, Ordering::SeqCst);
        if !mutant("shootdown_waiter_unfenced") {
            fence(Ordering::SeqCst);
        }
        while !done() {
            P::halt();
        }
        self.waiting.fetch_and(!bit, Ordering::SeqCst);
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self::new()
    }
}

impl Answered {
    /// A CPU that has answered nothing.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// A CPU that has answered nothing.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Whether the CPU has answered the request of that generation, and so all before it.
    pub fn has(&self, generation: u64) -> bool {
        self.0.load(Ordering::SeqCst) >= generation
    }
}

impl Default for Answered {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_for_all_requests_before_it() {
        let (requests, own) = (Requests::new(), Answered::new());
        assert!(!requests.is_behind(&own) && own.has(0));
        let (first, second) = (requests.make(), requests.make());
        assert!(requests.is_behind(&own) && !own.has(first));
        requests.answer(&own, || ());
        assert!(!requests.is_behind(&own) && own.has(first) && own.has(second) && !own.has(second + 1));
    }

    #[test]
    fn what_an_interrupt_has_answered_stays_answered() {
        let (requests, own) = (Requests::new(), Answered::new());
        requests.make();
        let mut asked = 0;
        requests.answer(&own, || {
            asked = requests.make();
            requests.answer(&own, || ());
            assert!(own.has(asked));
        });
        assert!(own.has(asked));
    }
}
