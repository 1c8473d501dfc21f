//! The host as a [`Platform`]: threads are the host's (or, with `--cfg loom`, the model checker's).

use crate::platform::{Platform, TimerId};
use crate::time::Instant;
use crate::wait::Observer;
#[cfg(not(loom))]
use crate::wait::Ready;
use alloc::sync::Arc;

#[cfg(loom)]
use loom::thread;
#[cfg(not(loom))]
use std::thread;

/// The fake machine.
#[derive(Debug)]
pub struct Fake;

/// Whether this process is to run with a known fault, so that a model can show that it would find it: the child process of such a
/// test names the fault in the environment.
#[cfg(loom)]
pub fn mutant(name: &str) -> bool {
    std::env::var("TRAPLESS_MUTANT").is_ok_and(|v| v == name)
}

/// A host thread.
#[derive(Clone, Debug)]
pub struct FakeThread(thread::Thread);

impl PartialEq for FakeThread {
    fn eq(&self, other: &Self) -> bool {
        self.0.id() == other.0.id()
    }
}

#[cfg(not(loom))]
mod timers {
    use std::collections::BTreeSet;
    use std::sync::Mutex;

    /// Sequence numbers of timers that are armed and have not fired.
    pub static ARMED: Mutex<(u64, BTreeSet<u64>)> = Mutex::new((0, BTreeSet::new()));
}

impl Platform for Fake {
    type Thread = FakeThread;

    #[cfg(not(loom))]
    fn now() -> Instant {
        use std::sync::OnceLock;
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        Instant::ZERO + START.get_or_init(std::time::Instant::now).elapsed()
    }

    #[cfg(loom)]
    fn now() -> Instant {
        Instant::ZERO
    }

    fn realtime_ns() -> u64 {
        1_700_000_000_000_000_000
    }

    fn cpu() -> usize {
        0
    }

    fn preempt_disable() {}

    fn preempt_enable() {}

    fn halt() {
        thread::yield_now();
    }

    fn kick(_cpu: usize) {}

    fn current() -> FakeThread {
        FakeThread(thread::current())
    }

    #[cfg(not(loom))]
    fn park(deadline: Option<Instant>) {
        match deadline {
            Some(at) => thread::park_timeout(at - Self::now()),
            None => thread::park(),
        }
    }

    /// The model checker has no clock: a deadline never passes.
    #[cfg(loom)]
    fn park(_deadline: Option<Instant>) {
        thread::park();
    }

    fn unpark(thread: &FakeThread) {
        thread.0.unpark();
    }

    fn signal_pending() -> bool {
        false
    }

    #[cfg(not(loom))]
    fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId {
        let seq = {
            let mut armed = timers::ARMED.lock().unwrap();
            armed.0 += 1;
            let seq = armed.0;
            armed.1.insert(seq);
            seq
        };
        thread::spawn(move || {
            thread::sleep(at - Self::now());
            if timers::ARMED.lock().unwrap().1.remove(&seq) {
                target.notify(Ready::TIMER);
            }
        });
        TimerId { cpu: 0, at, seq }
    }

    #[cfg(loom)]
    fn timer_arm(at: Instant, _target: Arc<dyn Observer>) -> TimerId {
        TimerId { cpu: 0, at, seq: 0 }
    }

    #[cfg(not(loom))]
    fn timer_cancel(id: TimerId) -> bool {
        timers::ARMED.lock().unwrap().1.remove(&id.seq)
    }

    #[cfg(loom)]
    fn timer_cancel(_id: TimerId) -> bool {
        true
    }

    fn random(buf: &mut [u8]) {
        for (i, b) in buf.iter_mut().enumerate() {
            *b = (i as u8).wrapping_mul(167).wrapping_add(41);
        }
    }
}
