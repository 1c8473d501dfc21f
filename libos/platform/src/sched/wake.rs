//! Making a thread runnable, and telling as few CPUs as possible.

use super::{IDLE, online_mask, prod, queue};
use crate::clock;
use crate::percpu::{self, PerCpu, pending};
use crate::ring::Event;
use crate::thread::Thread;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use trapless_logic::sched::{GRAIN_NS, Situation, place, slice_end};
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
    let situation = Situation { last: thread.last_cpu(), here, here_free, allowed, idle: IDLE.snapshot() };
    let target = place(&situation, |cpu| queue(cpu).len());
    enqueue(this, thread, target, allowed);
    percpu::preempt_enable();
}

/// Puts a thread that nobody else has into the queue of CPU `target`. By the scheduler.
pub(super) fn move_to(thread: Arc<Thread>, target: usize) {
    let allowed = thread.affinity() & online_mask();
    enqueue(percpu::this(), thread, target, allowed);
}

fn enqueue(this: &PerCpu, thread: Arc<Thread>, target: usize, allowed: u64) {
    let Some(cpu) = percpu::get(target) else { unreachable!("only CPUs that are up are chosen") };
    this.ring.note(Event::Wake, thread.id().into(), target as u64);
    let now = clock::now_ns();
    let lag = thread.vruntime.load(Ordering::Relaxed) - queue(thread.last_cpu()).floor();
    let running = cpu.running_vruntime(now);
    let arrived = queue(target).arrive(thread, lag, running);
    // Either nobody has told the CPU yet that its thread has a competitor, or this one should not wait for the end of the slice.
    let urgent = running.is_some_and(|running| arrived + (GRAIN_NS as i64) < running);
    announce(this, cpu, allowed, urgent);
}

/// A thread was added to the queue of `cpu`: makes sure that it is looked at in time.
fn announce(this: &PerCpu, cpu: &PerCpu, allowed: u64, urgent: bool) {
    let (here, target) = (this.index(), cpu.index());
    if IDLE.claim(target) {
        if target != here {
            crate::smp::send_wake(cpu);
        }
        return;
    }
    if urgent || !cpu.slice_armed.load(Ordering::SeqCst) {
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

/// By the wake-up interrupt: a waker has put a thread into this CPU's queue while its own was running.
pub(crate) fn on_wake_interrupt(this: &PerCpu) {
    if this.pending.fetch_and(!pending::QUEUED, Ordering::SeqCst) & pending::QUEUED != 0 {
        arm_slice(this);
    }
}

/// Limits the time of the calling CPU's thread, which has a competitor now. In the scheduler there is nothing to do: it looks at the
/// queue before it resumes a thread.
fn arm_slice(this: &PerCpu) {
    without_interrupts(|| {
        let now = clock::now_ns();
        let (Some(mine), Some(first)) = (this.running_vruntime(now), queue(this.index()).first()) else { return };
        let end = slice_end(now, this.switched_at.load(Ordering::Relaxed), mine, first);
        let known =
            if this.slice_armed.load(Ordering::Relaxed) { this.slice_end.load(Ordering::Relaxed) } else { u64::MAX };
        this.slice_end.store(end.min(known), Ordering::Relaxed);
        this.slice_armed.store(true, Ordering::SeqCst);
        super::timers::program(this, now, u64::MAX);
    });
}
