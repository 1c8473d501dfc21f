//! Making a thread runnable, and telling as few CPUs as possible.

use super::{IDLE, WAKING, online_mask, prod, queue};
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
    let now = clock::now_ns();
    let nobody_waits = online >> here & 1 != 0 && queue(here).is_empty();
    let running = now.saturating_sub(this.switched_at.load(Ordering::Relaxed));
    // SAFETY: the current thread stays that, and lives, as long as preemption is disabled.
    let (here_free, here_soon) = match unsafe { this.current.load(Ordering::Relaxed).as_ref() } {
        None => (nobody_waits, false),
        Some(waker) => (false, nobody_waits && waker.habit.sleeps_within(WAKING.get(), running)),
    };
    let situation = Situation { last: thread.last_cpu(), here, here_free, here_soon, allowed, idle: IDLE.snapshot() };
    let target = place(&situation, |cpu| queue(cpu).len());
    let urgent = arrive(this, thread, target, now);
    if here_soon && target == here {
        // Nobody else is told, unless the waker stays: then it makes place at the end of its slice.
        arm_slice(this, GRAIN_NS);
    } else {
        announce(this, target, allowed, urgent);
    }
    percpu::preempt_enable();
}

/// Puts a thread that nobody else has into the queue of CPU `target`. By the scheduler.
pub(super) fn move_to(thread: Arc<Thread>, target: usize) {
    let allowed = thread.affinity() & online_mask();
    let this = percpu::this();
    let urgent = arrive(this, thread, target, clock::now_ns());
    announce(this, target, allowed, urgent);
}

fn chosen(target: usize) -> &'static PerCpu {
    let Some(cpu) = percpu::get(target) else { unreachable!("only CPUs that are up are chosen") };
    cpu
}

/// Puts a thread into the queue of CPU `target`; true if it should not wait for the end of the slice there.
fn arrive(this: &PerCpu, thread: Arc<Thread>, target: usize, now: u64) -> bool {
    this.ring.note(Event::Wake, thread.id().into(), target as u64);
    let lag = thread.vruntime.load(Ordering::Relaxed) - queue(thread.last_cpu()).floor();
    let running = chosen(target).running_vruntime(now);
    let arrived = queue(target).arrive(thread, lag, running);
    running.is_some_and(|running| arrived + (GRAIN_NS as i64) < running)
}

/// A thread was added to the queue of CPU `target`: makes sure that it is looked at in time.
fn announce(this: &PerCpu, target: usize, allowed: u64, urgent: bool) {
    let (here, cpu) = (this.index(), chosen(target));
    if IDLE.claim(target) {
        if target != here {
            wake(cpu);
        }
        return;
    }
    // Either nobody has told the CPU yet that its thread has a competitor, or this one should not wait for the end of the slice.
    if urgent || !cpu.slice.ends() {
        if target == here {
            arm_slice(this, u64::MAX);
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
            wake(helper);
        }
    }
}

/// Wakes another CPU, which has been claimed.
fn wake(cpu: &PerCpu) {
    cpu.woken_at.store(clock::now_ns(), Ordering::Relaxed);
    crate::smp::send_wake(cpu);
}

/// By the wake-up interrupt: a waker has put a thread into this CPU's queue while its own was running.
pub(crate) fn on_wake_interrupt(this: &PerCpu) {
    if this.pending.fetch_and(!pending::QUEUED, Ordering::SeqCst) & pending::QUEUED != 0 {
        arm_slice(this, u64::MAX);
    }
}

/// Limits the time of the calling CPU's thread, which has a competitor now, to `most` ns from now at most. In the scheduler there is
/// nothing to do: it looks at the queue before it resumes a thread.
fn arm_slice(this: &PerCpu, most: u64) {
    without_interrupts(|| {
        let now = clock::now_ns();
        let (Some(mine), Some(first)) = (this.running_vruntime(now), queue(this.index()).first()) else { return };
        let since = this.switched_at.load(Ordering::Relaxed);
        this.slice.limit(slice_end(now, since, mine, first).min(now.saturating_add(most)));
        super::timers::program(this, now, u64::MAX);
    });
}
