//! Timers of each CPU, and its one-shot interrupt.

use crate::clock;
use crate::percpu::{self, MAX_CPUS, PerCpu, pending};
use crate::profile;
use crate::thread::Thread;
use crate::x86::X86;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use trapless_logic::platform::TimerId;
use trapless_logic::sync::Lock;
use trapless_logic::time::Instant;
use trapless_logic::timer::Timers;
use trapless_logic::wait::{Observer, Ready};
use x86_64::instructions::interrupts::without_interrupts;

/// Timers that fire in one visit; the rest waits for the next round.
const BATCH: usize = 64;

enum Target {
    Thread(Arc<Thread>),
    Observer(Arc<dyn Observer>),
}

#[repr(align(128))]
struct PerCpuTimers {
    timers: Lock<X86, Timers<Target>>,
    /// When the earliest goes off, ns; written with the lock held.
    next: AtomicU64,
}

static TIMERS: [PerCpuTimers; MAX_CPUS] =
    [const { PerCpuTimers { timers: Lock::new(Timers::new()), next: AtomicU64::new(u64::MAX) } }; MAX_CPUS];

/// Unparks `thread` at `at`.
pub(crate) fn arm_thread(at: Instant, thread: Arc<Thread>) -> TimerId {
    arm(at, Target::Thread(thread))
}

/// Notifies `target` at `at`.
pub(crate) fn arm_observer(at: Instant, target: Arc<dyn Observer>) -> TimerId {
    arm(at, Target::Observer(target))
}

fn arm(at: Instant, target: Target) -> TimerId {
    percpu::preempt_disable();
    let cpu = percpu::this();
    let mine = &TIMERS[cpu.index()];
    let (id, earliest) = {
        let mut timers = mine.timers.lock();
        let id = timers.arm(cpu.index() as u32, at, target);
        let earliest = timers.next() == at;
        mine.next.store(timers.next().as_nanos(), Ordering::Relaxed);
        (id, earliest)
    };
    // The scheduler programs the interrupt before it resumes a thread or halts.
    if earliest && !cpu.current.load(Ordering::Relaxed).is_null() {
        without_interrupts(|| program(cpu, clock::now_ns(), u64::MAX));
    }
    percpu::preempt_enable();
    id
}

/// Disarms a timer; false when it has gone off already, or is about to.
pub(crate) fn cancel(id: TimerId) -> bool {
    let Some(of_cpu) = TIMERS.get(id.cpu as usize) else { return false };
    let found = {
        let mut timers = of_cpu.timers.lock();
        let found = timers.cancel(&id);
        of_cpu.next.store(timers.next().as_nanos(), Ordering::Relaxed);
        found
    };
    // Dropped here, outside the lock: the last handle may free memory.
    found.is_some()
}

/// Fires what is due on `cpu`, the calling one. In the scheduler, with no lock held.
pub(super) fn run(cpu: &PerCpu) {
    let mine = &TIMERS[cpu.index()];
    for _ in 0..BATCH {
        let now = Instant::from_nanos(clock::now_ns());
        if mine.next.load(Ordering::Relaxed) > now.as_nanos() {
            return;
        }
        let due = {
            let mut timers = mine.timers.lock();
            let due = timers.pop_due(now);
            mine.next.store(timers.next().as_nanos(), Ordering::Relaxed);
            due
        };
        match due {
            Some(Target::Thread(thread)) => super::start(&thread),
            Some(Target::Observer(target)) => target.notify(Ready::TIMER),
            None => return,
        }
    }
    cpu.pending.fetch_or(pending::TIMER, Ordering::SeqCst);
}

/// What the interrupt is needed for: the earliest timer, the end of the slice, or `soonest`.
fn wanted(cpu: &PerCpu, soonest: u64) -> u64 {
    let timer = TIMERS[cpu.index()].next.load(Ordering::Relaxed);
    timer.min(cpu.slice.end()).min(soonest)
}

/// Programs the calling CPU's interrupt, unless it comes early enough anyway: one that comes too early costs less than setting it at
/// every switch. Interrupts are off.
pub(super) fn program(cpu: &PerCpu, now: u64, soonest: u64) {
    let want = wanted(cpu, soonest.min(profile::due(cpu, now)));
    let set = cpu.timer_at.load(Ordering::Relaxed);
    if want < set || (set <= now && want != u64::MAX) {
        set_timer(cpu, want);
    }
}

/// Programs the calling CPU's interrupt for exactly what is needed: before a halt, an early one would wake the CPU for nothing.
/// Interrupts are off.
pub(super) fn program_exactly(cpu: &PerCpu) {
    let want = wanted(cpu, u64::MAX);
    if want != cpu.timer_at.load(Ordering::Relaxed) {
        set_timer(cpu, want);
    }
}

fn set_timer(cpu: &PerCpu, at: u64) {
    cpu.timer_at.store(at, Ordering::Relaxed);
    crate::apic::set_timer(at);
}
