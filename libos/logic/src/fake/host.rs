//! The fake machine in ordinary tests: the host's threads and clock, one CPU, no signals.

use crate::platform::TimerId;
use crate::time::Instant;
use crate::wait::{Observer, Ready};
use alloc::sync::Arc;
use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock};
use std::thread;

/// A host thread.
#[derive(Clone, Debug)]
pub struct FakeThread(thread::Thread);

impl PartialEq for FakeThread {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

impl FakeThread {
    pub(super) fn current() -> Self {
        Self(thread::current())
    }

    pub(super) fn park(deadline: Option<Instant>) {
        match deadline {
            Some(at) => thread::park_timeout(at - now()),
            None => thread::park(),
        }
    }

    pub(super) fn unpark(&self) {
        self.0.unpark();
    }
}

pub(super) fn now() -> Instant {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    Instant::ZERO + START.get_or_init(std::time::Instant::now).elapsed()
}

pub(super) fn cpu() -> usize {
    0
}

/// All threads share the one CPU, so what the caller waits for can only happen once another thread runs.
pub(super) fn halt() {
    thread::yield_now();
}

pub(super) fn kick(_cpu: usize) {}

pub(super) fn signal_pending() -> bool {
    false
}

/// The last sequence number given to a timer, and those of the timers that are armed and have not fired.
static ARMED: Mutex<(u64, BTreeSet<u64>)> = Mutex::new((0, BTreeSet::new()));

pub(super) fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId {
    let seq = {
        let mut armed = ARMED.lock().unwrap();
        armed.0 += 1;
        let seq = armed.0;
        armed.1.insert(seq);
        seq
    };
    thread::spawn(move || {
        thread::sleep(at - now());
        if ARMED.lock().unwrap().1.remove(&seq) {
            target.notify(Ready::TIMER);
        }
    });
    TimerId { cpu: 0, at, seq }
}

pub(super) fn timer_cancel(id: TimerId) -> bool {
    ARMED.lock().unwrap().1.remove(&id.seq)
}
