//! Halting for want of work.

use super::{IDLE, WAKING, queue, timers};
use crate::clock;
use crate::percpu::{self, PerCpu, count};
use crate::ring::Event;
use core::sync::atomic::Ordering;
use x86_64::instructions::interrupts;

/// Halts until there may be something to do. See [`trapless_logic::sched::IdleSet`] for why no wake-up is missed.
pub(super) fn wait(cpu: &'static PerCpu) {
    let here = cpu.index();
    cpu.woken_at.store(0, Ordering::Relaxed);
    if !IDLE.prepare(here, || somebody_waits_for(here)) {
        return;
    }
    interrupts::disable();
    timers::program_exactly(cpu);
    if IDLE.undisturbed(here) && cpu.pending.load(Ordering::SeqCst) == 0 && queue(here).is_empty() {
        let asleep = clock::now_ns();
        count(&cpu.stats.halts);
        cpu.ring.note(Event::Idle, 0, 0);
        crate::smp::tlb::enter_lazy(cpu);
        // The interrupt that ends the halt cannot come before it: interrupts are enabled together with the halt.
        interrupts::enable_and_hlt();
        crate::smp::tlb::leave_lazy(cpu);
        let awake = clock::now_ns();
        let woken = cpu.woken_at.load(Ordering::Relaxed);
        if woken > 0 {
            WAKING.add(awake.saturating_sub(woken));
        }
        let slept = awake.saturating_sub(asleep);
        cpu.stats.idle_ns.store(cpu.stats.idle_ns.load(Ordering::Relaxed) + slept, Ordering::Relaxed);
    }
    interrupts::enable();
    IDLE.leave(here);
}

/// Whether a queue holds a thread that may run on CPU `here`. Stays awake when a queue is locked at the moment: its owner is about to
/// change it.
fn somebody_waits_for(here: usize) -> bool {
    percpu::all().any(|other| queue(other.index()).any_or_busy(|t| t.affinity() >> here & 1 != 0))
}
