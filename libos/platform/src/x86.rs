//! The machine behind the algorithms: [`Platform`] on x86-64.

use crate::percpu::{self, count};
use crate::sched::{self, Reason};
use crate::thread::{self, Thread};
use crate::{clock, entropy, frames, smp, sparse};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::platform::{Platform, SPARSE_MAX, SparseName, Supply, TimerId};
use trapless_logic::time::Instant;
use trapless_logic::wait::Observer;
use x86_64::instructions::interrupts;

/// So many frames are never scarce: 128 MiB.
const MUCH: usize = 32768;

const _: () = assert!(SPARSE_MAX <= sparse::SLOT);

/// This machine.
#[derive(Debug)]
pub struct X86;

impl Platform for X86 {
    type Thread = Arc<Thread>;

    #[inline]
    fn now() -> Instant {
        Instant::from_nanos(clock::now_ns())
    }

    fn realtime_ns() -> u64 {
        clock::realtime_ns()
    }

    #[inline]
    fn cpu() -> usize {
        percpu::this().index()
    }

    #[inline]
    fn preempt_disable() {
        percpu::preempt_disable();
    }

    #[inline]
    fn preempt_enable() {
        percpu::preempt_enable();
    }

    /// Interrupts are let in during the halt even if they were off before.
    fn halt() {
        let cpu = percpu::this();
        let enabled = interrupts::are_enabled();
        interrupts::disable();
        cpu.halting.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !cpu.kicked.swap(false, Ordering::SeqCst) {
            count(&cpu.stats.lock_halts);
            // Enabled together with the halt, so the kick's interrupt cannot come in between.
            interrupts::enable_and_hlt();
            interrupts::disable();
            cpu.kicked.store(false, Ordering::SeqCst);
        }
        cpu.halting.store(false, Ordering::SeqCst);
        if enabled {
            interrupts::enable();
        }
    }

    fn kick(index: usize) {
        let Some(cpu) = percpu::get(index) else { return };
        cpu.kicked.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if cpu.halting.load(Ordering::SeqCst) {
            smp::send_wake(cpu);
        }
    }

    fn current() -> Arc<Thread> {
        thread::current()
    }

    fn park(deadline: Option<Instant>) {
        if thread::with_current(|me| me.park.take_token()) {
            return;
        }
        let timer = match deadline.filter(|&at| at != Instant::FAR) {
            Some(at) if at <= Self::now() => return,
            Some(at) => Some(sched::arm_thread(at, thread::current())),
            None => None,
        };
        sched::leave(Reason::Park);
        if let Some(id) = timer {
            sched::cancel(id);
        }
    }

    fn unpark(thread: &Arc<Thread>) {
        sched::start(thread);
    }

    fn signal_pending() -> bool {
        thread::with_current(|thread| thread.attention().load(Ordering::SeqCst))
    }

    fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId {
        sched::arm_observer(at, target)
    }

    fn timer_cancel(id: TimerId) -> bool {
        sched::cancel(id)
    }

    fn random(buf: &mut [u8]) {
        entropy::fill(buf);
    }

    fn sparse_bytes(len: usize) -> Option<Vec<u8>> {
        sparse::bytes(len)
    }

    fn sparse_discard(buffers: &mut dyn Iterator<Item = SparseName>) {
        sparse::discard(buffers);
    }

    fn memory() -> Supply {
        // What the slots that nobody has keep is as good as free.
        if frames::is_short() {
            sparse::trim();
            if frames::is_short() {
                return Supply::Short;
            }
        }
        let few = (frames::total_frames() / 8).min(MUCH);
        if frames::available_frames() + sparse::kept_frames() < few { Supply::Scarce } else { Supply::Ample }
    }
}
