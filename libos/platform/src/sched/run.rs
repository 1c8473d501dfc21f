//! From one thread to the next.

use super::{ONLINE, QUEUES, Reason, idle, make_runnable, queue, timers};
use crate::context;
use crate::percpu::{self, PerCpu, count, offset, pending};
use crate::ring::Event;
use crate::thread::Thread;
use crate::{clock, irq};
use alloc::sync::Arc;
use core::arch::naked_asm;
use core::sync::atomic::Ordering;
use trapless_logic::sched::{Commit, SLICE_NS};
use x86_64::instructions::interrupts;

/// Rounds of softirqs before a waiting thread gets its turn.
const SOFTIRQ_ROUNDS: usize = 4;
/// How long it gets while softirqs are left over, ns.
const BREATHER_NS: u64 = 500_000;

/// From start-up code to an empty scheduler stack.
///
/// # Safety
/// As for [`enter`], but without a current thread.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn enter_from_boot() -> ! {
    naked_asm!(
        "mov rsp, gs:[{top}]",
        "xor ebp, ebp",
        "call {run}",
        "ud2",
        top = const offset::SCHED_TOP,
        run = sym run,
    )
}

/// Called by [`crate::context`] on the empty scheduler stack, interrupts off, preemption counter 1, after the current thread's
/// registers are saved.
pub(crate) extern "C" fn enter(reason: u64) -> ! {
    let cpu = percpu::this();
    let current = cpu.current.swap(core::ptr::null_mut(), Ordering::Relaxed);
    // SAFETY: `switch_to` stored the pointer with Arc::into_raw; this takes back that count.
    let previous = unsafe { Arc::from_raw(current.cast_const()) };
    interrupts::enable();
    finish(cpu, previous, Reason::from_bits(reason));
    run()
}

/// Puts away the thread that has just left.
fn finish(cpu: &PerCpu, thread: Arc<Thread>, reason: Reason) {
    let ran = clock::now_ns().saturating_sub(cpu.switched_at.load(Ordering::Relaxed));
    thread.depart(ran);
    cpu.ring.note(Event::Leave, thread.id().into(), reason as u64);
    cpu.slice_armed.store(false, Ordering::SeqCst);
    let used = thread.slice_used.load(Ordering::Relaxed) + ran;
    thread.slice_used.store(used, Ordering::Relaxed);
    match reason {
        Reason::Preempted => {
            count(&cpu.stats.preemptions);
            if thread.affinity() >> cpu.index() & 1 == 0 {
                make_runnable(thread);
            } else if used >= SLICE_NS {
                thread.slice_used.store(0, Ordering::Relaxed);
                queue(cpu.index()).push_back(thread);
            } else {
                queue(cpu.index()).push_front(thread);
            }
        }
        Reason::Yield => {
            thread.slice_used.store(0, Ordering::Relaxed);
            queue(cpu.index()).push_back(thread);
        }
        Reason::Park => {
            thread.slice_used.store(0, Ordering::Relaxed);
            match thread.park.commit() {
                // From here on the thread may run elsewhere; this only drops our handle.
                Commit::Parked => drop(thread),
                Commit::GoOn => queue(cpu.index()).push_front(thread),
            }
        }
        Reason::Exit => {
            cpu.ring.note(Event::Exit, thread.id().into(), 0);
            if let Some((farewell, args)) = thread.take_farewell() {
                farewell(args);
            }
            drop(thread);
        }
    }
}

/// Looks for something to do until it is a thread.
extern "C" fn run() -> ! {
    loop {
        interrupts::enable();
        let cpu = percpu::this();
        let left_over = settle(cpu);
        match next(cpu) {
            Some(thread) => switch_to(cpu, thread, left_over),
            None if left_over => {}
            None => idle::wait(cpu),
        }
    }
}

/// Runs what is pending; true if there is still something left.
fn settle(cpu: &PerCpu) -> bool {
    for _ in 0..SOFTIRQ_ROUNDS {
        let bits = cpu.pending.swap(0, Ordering::SeqCst);
        if bits == 0 {
            return false;
        }
        if bits & pending::TIMER != 0 {
            timers::run(cpu);
        }
        if bits >> pending::SOFTIRQ_SHIFT != 0 {
            irq::run_softirqs(bits);
        }
    }
    cpu.pending.load(Ordering::SeqCst) != 0
}

/// The next thread for this CPU: its own, else one that waits elsewhere.
fn next(cpu: &PerCpu) -> Option<Arc<Thread>> {
    let here = cpu.index();
    queue(here).pop().or_else(|| steal(cpu))
}

/// Takes a thread from the queue of another CPU.
fn steal(cpu: &PerCpu) -> Option<Arc<Thread>> {
    let here = cpu.index();
    let count_all = percpu::cpu_count();
    for step in 1..count_all {
        let victim = &QUEUES[(here + step) % count_all].0;
        if let Some(thread) = victim.steal(|t| t.affinity() >> here & 1 != 0) {
            count(&cpu.stats.steals);
            return Some(thread);
        }
    }
    None
}

/// Resumes `thread`; comes back only if something became pending in the last moment, with the thread put back.
fn switch_to(cpu: &'static PerCpu, thread: Arc<Thread>, left_over: bool) {
    let here = cpu.index();
    if thread.affinity() >> here & 1 == 0 && thread.affinity() & ONLINE.load(Ordering::Relaxed) != 0 {
        return make_runnable(thread);
    }
    interrupts::disable();
    if !left_over && cpu.pending.load(Ordering::SeqCst) != 0 {
        return queue(here).push_front(thread);
    }
    let now = clock::now_ns();
    let used = thread.slice_used.load(Ordering::Relaxed);
    cpu.slice_end.store(now + SLICE_NS.saturating_sub(used), Ordering::Relaxed);
    // Disarmed first, looked second: a waker that adds to the queue looks at the flag after it has done so.
    cpu.slice_armed.store(false, Ordering::SeqCst);
    cpu.slice_armed.store(!queue(here).is_empty(), Ordering::SeqCst);
    let soonest = if left_over { now + BREATHER_NS } else { u64::MAX };
    timers::program(cpu, now, soonest);
    cpu.switched_at.store(now, Ordering::Relaxed);
    count(&cpu.stats.switches);
    thread.arrive(here);
    // SAFETY: the context is this CPU's to read now (INV-CTX-1).
    cpu.ring.note(Event::Run, thread.id().into(), unsafe { (*thread.context()).frame.rip });
    let context = thread.context();
    cpu.current.store(Arc::into_raw(thread).cast_mut(), Ordering::Relaxed);
    // SAFETY: interrupts are off, this is the scheduler's stack with the counter at 1, and the thread is the current one.
    unsafe { context::resume(context) }
}
