//! Making a thread runnable, and telling as few CPUs as possible.

use super::{IDLE, online_mask, prod, queue};
use crate::clock;
use crate::percpu::{self, PerCpu, pending};
use crate::ring::Event;
use crate::thread::Thread;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use trapless_logic::sched::{SLICE_NS, Situation, place};
use x86_64::instructions::interrupts::without_interrupts;

/// Puts a thread that nobody else has into a run queue, and sees to it that a CPU knows. Callable with locks held, but not by
/// interrupt handlers.
pub(crate) fn make_runnable(thread: Arc<Thread>) {
    percpu::preempt_disable();
    let this = percpu::this();
    let here = this.index();
    let online = online_mask();
    // Threads made before any CPU runs threads wait for the first that does.
    let allowed =
        if online == 0 { 1 << here } else { Some(thread.affinity() & online).filter(|&m| m != 0).unwrap_or(online) };
    let here_free = this.current.load(Ordering::Relaxed).is_null() && online >> here & 1 != 0 && queue(here).is_empty();
    let target = place(&Situation { last: thread.last_cpu(), here, here_free, allowed, idle: IDLE.snapshot() });
    this.ring.note(Event::Wake, thread.id().into(), target as u64);
    queue(target).push_back(thread);
    announce(this, target, allowed);
    percpu::preempt_enable();
}

/// A thread was added to the queue of `target`: makes sure that it is looked at in time.
fn announce(this: &PerCpu, target: usize, allowed: u64) {
    let here = this.index();
    let Some(cpu) = percpu::get(target) else { return };
    if IDLE.claim(target) {
        if target != here {
            crate::smp::send_wake(cpu);
        }
        return;
    }
    if !cpu.slice_armed.load(Ordering::SeqCst) {
        if target == here {
            arm_slice(this);
        } else {
            prod(cpu, pending::QUEUED);
        }
    }
    // A CPU that went idle after the target was chosen may have looked at the queue too early: it gets the thread by stealing.
    let idle = IDLE.snapshot() & allowed & !(1 << here);
    let here_is_free = target == here && this.current.load(Ordering::Relaxed).is_null();
    if idle != 0 && !here_is_free {
        let helper = idle.trailing_zeros() as usize;
        if IDLE.claim(helper)
            && let Some(helper) = percpu::get(helper)
        {
            crate::smp::send_wake(helper);
        }
    }
}

/// By the wake-up interrupt: a waker has put a thread into this CPU's queue while its own was running alone.
pub(crate) fn on_wake_interrupt(this: &PerCpu) {
    if this.pending.fetch_and(!pending::QUEUED, Ordering::SeqCst) & pending::QUEUED != 0 {
        arm_slice(this);
    }
}

/// The calling CPU's thread has a competitor now: its slice ends after the usual time. The scheduler does this by itself.
fn arm_slice(this: &PerCpu) {
    if this.current.load(Ordering::Relaxed).is_null() {
        return;
    }
    without_interrupts(|| {
        let now = clock::now_ns();
        this.slice_end.fetch_max(now + SLICE_NS / 4, Ordering::Relaxed);
        this.slice_armed.store(true, Ordering::SeqCst);
        super::timers::program(this, now, u64::MAX);
    });
}
