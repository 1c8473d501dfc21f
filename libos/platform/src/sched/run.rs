//! From one thread to the next.

use super::wake::{make_runnable, move_to};
use super::{IDLE, Reason, idle, online_mask, queue, timers};
use crate::context;
use crate::percpu::{self, PerCpu, count, offset, pending};
use crate::ring::Event;
use crate::thread::Thread;
use crate::{clock, entry, irq};
use alloc::sync::Arc;
use core::arch::naked_asm;
use core::sync::atomic::Ordering;
use trapless_logic::sched::{Commit, elsewhere};
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
    let here = cpu.index();
    let now = clock::now_ns();
    let vruntime = thread.depart(now.saturating_sub(cpu.switched_at.load(Ordering::Relaxed)));
    cpu.ring.note(Event::Leave, thread.id().into(), reason as u64);
    let end = cpu.slice.stop();
    match reason {
        Reason::Preempted => {
            count(&cpu.stats.preemptions);
            if thread.affinity() >> here & 1 == 0 {
                make_runnable(thread);
            } else if now < end {
                // It goes on, and so does its slice: nobody else's turn is put off by interrupts.
                cpu.slice.keep(end);
                queue(here).push_front(thread, vruntime);
            } else {
                make_place(here, thread, |thread| queue(here).push(thread, vruntime));
            }
        }
        Reason::Yield => make_place(here, thread, |thread| queue(here).push_last(thread, vruntime)),
        Reason::Park => {
            thread.habit.sleeps();
            match thread.park.commit() {
                // From here on the thread may run elsewhere; this only drops our handle.
                Commit::Parked => drop(thread),
                Commit::GoOn => {
                    cpu.slice.keep(end);
                    queue(here).push_front(thread, vruntime);
                }
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

/// Lets those run that wait for this CPU: the thread that has left it goes to one that has less to do, or is put `back`. This CPU has a
/// timer running because it has too much to do, or because nobody was told of who waits here; the others need none to get their share.
fn make_place(here: usize, thread: Arc<Thread>, back: impl FnOnce(Arc<Thread>)) {
    thread.habit.makes_place();
    match elsewhere(here, thread.affinity() & online_mask(), IDLE.snapshot(), |cpu| queue(cpu).len()) {
        Some(target) => move_to(thread, target),
        None => back(thread),
    }
}

/// Looks for something to do until it is a thread.
extern "C" fn run() -> ! {
    loop {
        interrupts::enable();
        let cpu = percpu::this();
        let left_over = settle(cpu);
        match next(cpu) {
            Some((thread, vruntime)) => switch_to(cpu, thread, vruntime, left_over),
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

/// The next thread for this CPU: its own, else one that waits elsewhere; with its virtual run time.
fn next(cpu: &PerCpu) -> Option<(Arc<Thread>, i64)> {
    let here = cpu.index();
    queue(here).pop().or_else(|| steal(cpu))
}

/// Takes a thread from the queue of another CPU.
fn steal(cpu: &PerCpu) -> Option<(Arc<Thread>, i64)> {
    let here = cpu.index();
    let count_all = percpu::cpu_count();
    for step in 1..count_all {
        let victim = queue((here + step) % count_all);
        if let Some((thread, lag)) = victim.steal(|t| t.affinity() >> here & 1 != 0) {
            count(&cpu.stats.steals);
            return Some((thread, queue(here).floor() + lag));
        }
    }
    None
}

/// Resumes `thread`; comes back only if something became pending in the last moment, with the thread put back.
fn switch_to(cpu: &'static PerCpu, thread: Arc<Thread>, vruntime: i64, left_over: bool) {
    let here = cpu.index();
    if thread.affinity() >> here & 1 == 0 && thread.affinity() & online_mask() != 0 {
        return make_runnable(thread);
    }
    interrupts::disable();
    if !left_over && cpu.pending.load(Ordering::SeqCst) != 0 {
        return queue(here).push_front(thread, vruntime);
    }
    let now = clock::now_ns();
    cpu.slice.begin(now, vruntime, || queue(here).first());
    let soonest = if left_over { now + BREATHER_NS } else { u64::MAX };
    timers::program(cpu, now, soonest);
    cpu.switched_at.store(now, Ordering::Relaxed);
    cpu.vruntime.store(vruntime, Ordering::Relaxed);
    count(&cpu.stats.switches);
    thread.arrive(here, vruntime);
    entry::arrive(cpu, &thread.entry);
    // SAFETY: the context is this CPU's to read now (INV-CTX-1).
    cpu.ring.note(Event::Run, thread.id().into(), unsafe { (*thread.context()).frame.rip });
    let context = thread.context();
    cpu.current.store(Arc::into_raw(thread).cast_mut(), Ordering::Relaxed);
    // SAFETY: interrupts are off, this is the scheduler's stack with the counter at 1, and the thread is the current one.
    unsafe { context::resume(context) }
}
