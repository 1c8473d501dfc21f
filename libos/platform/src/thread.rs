//! Threads: what the scheduler moves between CPUs.

mod spawn;

pub use spawn::{UserEntry, prepare_user, spawn_kernel};

use crate::context::{self, Context};
use crate::entry;
use crate::percpu;
use crate::sched::{self, Reason};
use crate::stack::Stack;
use crate::x86::X86;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use spin::Once;
use trapless_logic::sched::{Habit, Ids, ParkState};
use trapless_logic::sync::Lock;

/// Largest thread number: Linux's PID_MAX_LIMIT is 2^22.
const LAST_USER_ID: u32 = (1 << 22) - 1;

/// Bytes of a thread's name, as of prctl(2), PR_SET_NAME: 15 and a zero.
pub type Name = [u8; 16];

/// What is done once a thread is off its own stack for good: a function and its arguments.
pub type Farewell = (fn([usize; 3]), [usize; 3]);

/// A thread of the libos or of C.
pub struct Thread {
    id: u32,
    name: Lock<X86, Name>,
    pub(crate) park: ParkState,
    context: UnsafeCell<Context>,
    farewell: Cell<Option<Farewell>>,
    affinity: AtomicU64,
    pub(crate) last_cpu: AtomicU32,
    on_cpu: AtomicBool,
    cpu_ns: AtomicU64,
    /// Virtual run time, in the reckoning of `last_cpu`'s queue (see [`trapless_logic::sched::RunQueue`]).
    pub(crate) vruntime: AtomicI64,
    pub(crate) habit: Habit,
    attention: AtomicBool,
    /// The libos's own data about the thread.
    pub ext: Once<Box<dyn Any + Send + Sync>>,
    pub(crate) entry: entry::ThreadPart,
    _xsave: XsaveArea,
    _stack: Option<Stack>,
}

// SAFETY: `context` and `farewell` are accessed by the CPU that owns the thread only (INV-CTX-1); the rest is Sync by itself. The raw
// pointer in the context is to memory that the thread owns.
unsafe impl Send for Thread {}
// SAFETY: as above.
unsafe impl Sync for Thread {}

impl PartialEq for Thread {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

/// Numbers of C threads (as gettid(2) tells them) and of libos threads, which are out of their range.
static REGISTRY: Lock<X86, Registry> =
    Lock::new(Registry { user: Ids::new(1, LAST_USER_ID), kernel: Ids::new(LAST_USER_ID + 1, u32::MAX >> 1) });

struct Registry {
    user: Ids<Arc<Thread>>,
    kernel: Ids<Arc<Thread>>,
}

/// All threads that have not ended, at this moment.
pub fn all() -> Vec<Arc<Thread>> {
    let registry = REGISTRY.lock();
    registry.user.iter().chain(registry.kernel.iter()).cloned().collect()
}

/// Visits all threads if the list of them is not locked; false if it is. For a machine that is dying.
pub(crate) fn try_for_each(visit: impl FnMut(&Arc<Thread>)) -> bool {
    let registry = REGISTRY.try_lock();
    registry.map(|registry| registry.user.iter().chain(registry.kernel.iter()).for_each(visit)).is_some()
}

/// The thread with number `id`.
pub fn find(id: u32) -> Option<Arc<Thread>> {
    let registry = REGISTRY.lock();
    registry.user.get(id).or_else(|| registry.kernel.get(id)).cloned()
}

/// How many C threads have not ended.
pub fn user_count() -> usize {
    REGISTRY.lock().user.len()
}

/// How many threads, of C and of the libos, run or could run now.
pub fn active_count() -> usize {
    let registry = REGISTRY.lock();
    registry.user.iter().chain(registry.kernel.iter()).filter(|thread| thread.status() != Status::Parked).count()
}

impl Thread {
    /// The number: gettid(2).
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The name, padded with zeros.
    pub fn name(&self) -> Name {
        *self.name.lock()
    }

    /// The name, unless somebody is changing it.
    pub(crate) fn try_name(&self) -> Option<Name> {
        self.name.try_lock().map(|name| *name)
    }

    /// Sets the name; what is too long is cut.
    pub fn set_name(&self, name: &[u8]) {
        *self.name.lock() = padded(name);
    }

    /// The CPUs the thread may run on, as a bit mask.
    pub fn affinity(&self) -> u64 {
        self.affinity.load(Ordering::Relaxed)
    }

    /// Restricts the thread to the CPUs in `mask` that are up (sched_setaffinity(2)); false if there are none, and nothing changes.
    /// A thread that runs elsewhere leaves that CPU soon.
    pub fn set_affinity(&self, mask: u64) -> bool {
        let mask = mask & sched::online_mask();
        if mask == 0 {
            return false;
        }
        self.affinity.store(mask, Ordering::SeqCst);
        sched::affinity_changed(self);
        true
    }

    /// The CPU it runs on, or ran on last.
    pub fn last_cpu(&self) -> usize {
        self.last_cpu.load(Ordering::Relaxed) as usize
    }

    /// What it is doing.
    pub fn status(&self) -> Status {
        if self.on_cpu.load(Ordering::Relaxed) {
            Status::Running
        } else if self.park.is_parked() {
            Status::Parked
        } else {
            Status::Queued
        }
    }

    /// CPU time used so far, ns; up to the last time it left its CPU.
    pub fn cpu_ns(&self) -> u64 {
        self.cpu_ns.load(Ordering::Relaxed)
    }

    /// Says whether a signal that is not blocked waits for the thread; setting it does not wake the thread (see
    /// [`unpark`](trapless_logic::platform::Platform::unpark)).
    pub fn attention(&self) -> &AtomicBool {
        &self.attention
    }

    pub(crate) fn context(&self) -> *mut Context {
        self.context.get()
    }

    pub(crate) fn arrive(&self, cpu: usize, vruntime: i64) {
        self.vruntime.store(vruntime, Ordering::Relaxed);
        self.last_cpu.store(cpu as u32, Ordering::Relaxed);
        self.on_cpu.store(true, Ordering::Relaxed);
    }

    /// Notes that the thread has left its CPU after `ran_ns`; returns its virtual run time.
    pub(crate) fn depart(&self, ran_ns: u64) -> i64 {
        self.on_cpu.store(false, Ordering::Relaxed);
        self.habit.ran(ran_ns);
        self.cpu_ns.store(self.cpu_ns.load(Ordering::Relaxed) + ran_ns, Ordering::Relaxed);
        let vruntime = self.vruntime.load(Ordering::Relaxed) + ran_ns as i64;
        self.vruntime.store(vruntime, Ordering::Relaxed);
        vruntime
    }

    pub(crate) fn take_farewell(&self) -> Option<Farewell> {
        self.farewell.take()
    }
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// On a CPU.
    Running,
    /// In a run queue.
    Queued,
    /// Waits to be unparked.
    Parked,
}

fn padded(name: &[u8]) -> Name {
    let mut out = [0; 16];
    let n = name.len().min(15);
    out[..n].copy_from_slice(&name[..n]);
    out
}

/// The calling thread. Panics outside of threads: at boot and in softirqs.
pub fn current() -> Arc<Thread> {
    with_current(|thread| {
        // SAFETY: the pointer came from Arc::into_raw, and the CPU's count keeps the thread alive while it runs.
        unsafe {
            Arc::increment_strong_count(thread);
            Arc::from_raw(thread)
        }
    })
}

/// Calls `f` with the calling thread, without counting a reference. Panics outside of threads.
pub fn with_current<R>(f: impl FnOnce(&Thread) -> R) -> R {
    // SAFETY: the CPU holds one count of its current thread until the scheduler has taken it off, which the thread itself, executing
    // here, cannot be.
    f(unsafe { current_ptr().as_ref() }.expect("only threads have a current thread"))
}

/// Whether the caller may be put to sleep: it is a thread, holds no lock, and is no interrupt handler.
pub fn may_sleep() -> bool {
    !current_ptr().is_null() && percpu::preemptible() && x86_64::instructions::interrupts::are_enabled()
}

/// The calling thread, null outside of threads. One instruction: a thread that is moved in between still finds itself.
pub(crate) fn current_ptr() -> *mut Thread {
    let thread: *mut Thread;
    // SAFETY: reads this CPU's block.
    unsafe {
        core::arch::asm!("mov {}, gs:[{o}]", out(reg) thread, o = const percpu::offset::CURRENT,
            options(nostack, preserves_flags, readonly));
    }
    thread
}

/// Ends the calling thread. Its memory is freed once it is off its stack.
pub fn exit_current() -> ! {
    exit_then(|_| {}, [0; 3])
}

/// Ends the calling thread and calls `farewell(args)` once it is off its stack, which may therefore free that stack. It runs in the
/// scheduler: it may take locks, but must not block.
pub fn exit_then(farewell: fn([usize; 3]), args: [usize; 3]) -> ! {
    let context = with_current(|me| {
        let gone = {
            let mut registry = REGISTRY.lock();
            registry.user.remove(me.id).or_else(|| registry.kernel.remove(me.id))
        };
        drop(gone);
        me.farewell.set(Some((farewell, args)));
        me.context()
    });
    // SAFETY: the calling thread's own context; no lock is held.
    unsafe { context::switch_out(context, Reason::Exit as u64) };
    unreachable!("a thread that has ended runs")
}

/// A zeroed, 64-byte aligned area for XSAVE.
struct XsaveArea {
    at: *mut u8,
    layout: core::alloc::Layout,
}

impl Drop for XsaveArea {
    fn drop(&mut self) {
        // SAFETY: allocated with the same layout by `XsaveArea::new`.
        unsafe { alloc::alloc::dealloc(self.at, self.layout) };
    }
}
