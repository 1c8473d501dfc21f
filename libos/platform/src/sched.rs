//! The scheduler: what a CPU does between two threads, on a stack of its own.
//!
//! A CPU comes here by [`enter`], from [`crate::context`], with interrupts off and the preemption counter at 1, and leaves by resuming
//! a thread. In between it finishes with the thread that left, runs timers and softirqs with no lock held, and picks the next thread
//! from its own queue, else from others', else halts.

mod idle;
mod run;
mod timers;
mod wake;

pub(crate) use run::enter;
pub(crate) use timers::{arm_observer, arm_thread, cancel};
pub(crate) use wake::{make_runnable, on_wake_interrupt};

use crate::context;
use crate::percpu::{self, MAX_CPUS, PerCpu, pending};
use crate::thread::{self, Thread};
use crate::x86::X86;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use trapless_abi::SysResult;
use trapless_logic::sched::{IdleSet, RunQueue, SLICE_NS, Typical};

/// How long a thread may run while others wait for its CPU (sched_rr_get_interval(2)).
pub const SLICE: Duration = Duration::from_nanos(SLICE_NS);

/// Why a thread leaves its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Reason {
    /// Something else is due; the thread stays runnable.
    Preempted = 0,
    /// It lets others go first.
    Yield = 1,
    /// It waits to be unparked.
    Park = 2,
    /// It has ended.
    Exit = 3,
}

impl Reason {
    fn from_bits(bits: u64) -> Self {
        [Self::Preempted, Self::Yield, Self::Park].into_iter().find(|&r| r as u64 == bits).unwrap_or(Self::Exit)
    }
}

/// One CPU's queue, on cache lines of its own.
#[repr(align(128))]
struct Queue(RunQueue<X86, Arc<Thread>>);

static QUEUES: [Queue; MAX_CPUS] = [const { Queue(RunQueue::new()) }; MAX_CPUS];
static IDLE: IdleSet = IdleSet::new();
/// From the moment that one CPU wakes another until that one goes on.
static WAKING: Typical = Typical::new(0);
/// CPUs whose scheduler runs.
static ONLINE: AtomicU64 = AtomicU64::new(0);
/// Every queue has room for this many threads.
static RESERVED: AtomicUsize = AtomicUsize::new(0);

/// How long it takes to wake a CPU that halts, ns, as a rule.
pub fn waking_ns() -> u64 {
    WAKING.get()
}

fn queue(cpu: usize) -> &'static RunQueue<X86, Arc<Thread>> {
    &QUEUES[cpu].0
}

/// CPUs that run threads, as a bit mask.
pub fn online_mask() -> u64 {
    ONLINE.load(Ordering::Acquire)
}

/// CPUs that halt for want of work at this moment, as a bit mask.
pub fn idle_mask() -> u64 {
    IDLE.snapshot()
}

/// The virtual run time that a new thread starts with on CPU `cpu`.
pub(crate) fn floor_of(cpu: usize) -> i64 {
    queue(cpu).floor()
}

/// Threads that wait for CPU `cpu`.
pub fn queue_len(cpu: usize) -> usize {
    queue(cpu).len()
}

/// Makes room in every queue for `total` threads. Called with the thread registry locked, so one at a time.
pub(crate) fn reserve(total: usize) -> SysResult<()> {
    if total > RESERVED.load(Ordering::Relaxed) {
        let room = total.next_power_of_two().max(64);
        for cpu in percpu::all() {
            queue(cpu.index()).reserve(room)?;
        }
        RESERVED.store(room, Ordering::Relaxed);
    }
    Ok(())
}

/// Makes a new thread runnable.
pub fn start(thread: &Arc<Thread>) {
    if thread.park.unpark() {
        make_runnable(thread.clone());
    }
}

/// The calling CPU leaves the code it was started with, for good, and runs threads from now on.
pub fn run_threads() -> ! {
    x86_64::instructions::interrupts::disable();
    let cpu = percpu::this();
    assert_eq!(cpu.preempt.load(Ordering::Relaxed), 1, "start-up code holds a lock");
    ONLINE.fetch_or(1 << cpu.index(), Ordering::SeqCst);
    // SAFETY: interrupts are off and the counter is 1, as `enter` wants it; no thread runs, and the start-up stack is left for good.
    unsafe { run::enter_from_boot() }
}

/// sched_yield(2): the calling thread goes to the end of its CPU's queue. Returns at once if nobody waits there.
pub fn yield_now() {
    if queue(percpu::this().index()).is_empty() {
        return;
    }
    leave(Reason::Yield);
}

/// Takes the calling thread off its CPU until something resumes it.
pub(crate) fn leave(reason: Reason) {
    assert!(percpu::preemptible(), "a thread that may not be moved tries to sleep");
    let context = thread::with_current(Thread::context);
    // SAFETY: the calling thread's own context; preemption is enabled, so no lock is held.
    unsafe { context::switch_out(context, reason as u64) };
}

/// The slow path of enabling preemption: visits the scheduler unless this is start-up code or interrupts are off (whoever turned
/// them off goes on, and the next interrupt makes the visit).
#[cold]
pub(crate) fn reschedule_if_due() {
    if !thread::current_ptr().is_null() && x86_64::instructions::interrupts::are_enabled() && percpu::preemptible() {
        leave(Reason::Preempted);
    }
}

/// Asks `cpu` to look at its queue and at its current thread's rights.
fn prod(cpu: &PerCpu, why: u32) {
    cpu.pending.fetch_or(why, Ordering::SeqCst);
    if cpu.index() != percpu::this().index() {
        crate::smp::send_wake(cpu);
    }
}

/// A thread's affinity has changed: if it runs where it must not, it is to leave.
pub(crate) fn affinity_changed(thread: &Thread) {
    percpu::preempt_disable();
    if let Some(cpu) = percpu::get(thread.last_cpu())
        && core::ptr::eq(cpu.current.load(Ordering::Relaxed), thread)
        && thread.affinity() >> cpu.index() & 1 == 0
    {
        prod(cpu, pending::RESCHED);
    }
    percpu::preempt_enable();
}
