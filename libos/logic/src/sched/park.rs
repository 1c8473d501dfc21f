//! The state machine behind park and unpark.
//!
//! A thread owns one token. `unpark` gives it; `park` takes it, waiting for it if need be. A thread that waits is taken off its CPU
//! *first*, and only then, on the scheduler's stack, declared parked ([`ParkState::commit`]): whoever finds it parked may run it on
//! another CPU at once, because its registers are saved (INV-PARK-1). A token that arrives before that makes `commit` fail, and the
//! thread goes on: no wake-up is lost (INV-PARK-2). Of all who unpark a parked thread exactly one is told to enqueue it (INV-PARK-3).

use crate::mutant::mutant;
use crate::sync::{AtomicU32, Ordering};

/// Runs, or waits in a run queue; no token.
const ACTIVE: u32 = 0;
/// As before, with a token.
const TOKEN: u32 = 1;
/// In no run queue, on no CPU; no token.
const PARKED: u32 = 2;

/// What came of the attempt to park.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The thread is parked; it belongs to whoever unparks it.
    Parked,
    /// A token came first and has been taken: the thread goes on.
    GoOn,
}

/// One thread's token and whether it waits for it.
#[derive(Debug)]
pub struct ParkState(AtomicU32);

impl ParkState {
    /// The state of a thread that is runnable, without a token.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU32::new(ACTIVE))
    }

    /// The state of a thread that is runnable, without a token.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU32::new(ACTIVE))
    }

    /// The state of a thread that has not been started: the first [`ParkState::unpark`] says to enqueue it.
    #[cfg(not(loom))]
    pub const fn new_parked() -> Self {
        Self(AtomicU32::new(PARKED))
    }

    /// By the thread itself: takes a token that is already there.
    pub fn take_token(&self) -> bool {
        self.0.compare_exchange(TOKEN, ACTIVE, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// By the scheduler, after the thread's registers are saved.
    pub fn commit(&self) -> Commit {
        if mutant("park_commit_stores") {
            self.0.store(PARKED, Ordering::Release);
            return Commit::Parked;
        }
        match self.0.compare_exchange(ACTIVE, PARKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Commit::Parked,
            Err(_) => {
                if mutant("park_commit_forgets") {
                    self.0.store(ACTIVE, Ordering::Relaxed);
                    return Commit::GoOn;
                }
                // A swap, not a store: a second token may have come by now, and what its giver wrote must be seen as well.
                self.0.swap(ACTIVE, Ordering::AcqRel);
                Commit::GoOn
            }
        }
    }

    /// Gives the token. True if the caller has to enqueue the thread, whose registers it may then rely on.
    #[must_use = "a thread that nobody enqueues sleeps for ever"]
    pub fn unpark(&self) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let next = if state == PARKED { ACTIVE } else { TOKEN };
            match self.0.compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return state == PARKED,
                Err(now) => state = now,
            }
        }
    }

    /// Whether the thread is parked at this moment.
    pub fn is_parked(&self) -> bool {
        self.0.load(Ordering::Relaxed) == PARKED
    }
}

impl Default for ParkState {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn token_first() {
        let p = ParkState::new();
        assert!(!p.unpark());
        assert!(!p.unpark(), "tokens do not add up");
        assert!(p.take_token());
        assert!(!p.take_token());
    }

    #[test]
    fn token_between_leaving_and_commit() {
        let p = ParkState::new();
        assert!(!p.take_token());
        assert!(!p.unpark());
        assert_eq!(p.commit(), Commit::GoOn);
        assert!(!p.take_token(), "the token was used up");
    }

    #[test]
    fn one_of_two_wakers_enqueues() {
        let p = ParkState::new();
        assert_eq!(p.commit(), Commit::Parked);
        assert!(p.unpark());
        assert!(!p.unpark());
        assert!(p.take_token(), "the second wake-up is kept for the next park");
    }

    #[test]
    fn a_new_thread_is_started_by_unpark() {
        assert!(ParkState::new_parked().unpark());
    }
}
