//! A machine that is not there, as a [`Platform`]: its threads are the host's or, with `--cfg loom`, the model checker's.

use crate::platform::{Platform, SparseName, Supply, TimerId};
use crate::time::Instant;
use crate::wait::Observer;
use alloc::sync::Arc;
use alloc::vec::Vec;

#[cfg(not(loom))]
mod host;
#[cfg(not(loom))]
use host as machine;

#[cfg(loom)]
pub mod explore;
#[cfg(loom)]
pub mod model;
#[cfg(loom)]
use model as machine;

pub use machine::FakeThread;

/// The fake machine.
#[derive(Debug)]
pub struct Fake;

impl Platform for Fake {
    type Thread = FakeThread;

    fn now() -> Instant {
        machine::now()
    }

    fn realtime_ns() -> u64 {
        1_700_000_000_000_000_000
    }

    fn cpu() -> usize {
        machine::cpu()
    }

    fn preempt_disable() {}

    fn preempt_enable() {}

    fn halt() {
        machine::halt();
    }

    fn kick(cpu: usize) {
        machine::kick(cpu);
    }

    fn current() -> FakeThread {
        FakeThread::current()
    }

    fn park(deadline: Option<Instant>) {
        FakeThread::park(deadline);
    }

    fn unpark(thread: &FakeThread) {
        thread.unpark();
    }

    fn signal_pending() -> bool {
        machine::signal_pending()
    }

    fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId {
        machine::timer_arm(at, target)
    }

    fn timer_cancel(id: TimerId) -> bool {
        machine::timer_cancel(id)
    }

    fn random(buf: &mut [u8]) {
        for (i, b) in buf.iter_mut().enumerate() {
            *b = (i as u8).wrapping_mul(167).wrapping_add(41);
        }
    }

    fn sparse_bytes(len: usize) -> Option<Vec<u8>> {
        Some(alloc::vec![0; len])
    }

    fn sparse_discard(_: &mut dyn Iterator<Item = SparseName>) {}

    fn memory() -> Supply {
        Supply::Ample
    }
}
