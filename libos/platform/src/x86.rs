//! The machine behind the algorithms: [`Platform`] on x86-64.

use crate::percpu::{self, count};
use crate::sched::{self, Reason};
use crate::thread::{self, Thread};
use crate::{clock, entropy, smp};
use alloc::sync::Arc;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::platform::{Platform, TimerId};
use trapless_logic::time::Instant;
use trapless_logic::wait::Observer;
use x86_64::instructions::interrupts;

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
}
