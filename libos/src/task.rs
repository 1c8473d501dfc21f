//! What the libos knows about a C thread beside what the scheduler knows.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::AtomicUsize;
use trapless_abi::structs::Sigset;
use trapless_logic::platform::Platform;
use trapless_logic::signal::ThreadSignals;
use trapless_platform::thread::Thread;
use trapless_platform::x86::X86;

/// The process id: there is one process.
pub const PID: i32 = 1;

/// Per-thread data.
pub struct Task {
    /// Signal mask, pending signals, alternate stack.
    pub signals: ThreadSignals<X86>,
    /// The word to clear and wake when the thread ends (set_tid_address(2), CLONE_CHILD_CLEARTID); 0: none.
    pub clear_child_tid: AtomicUsize,
    /// set_robust_list(2).
    pub robust_list: AtomicUsize,
}

impl Task {
    /// A thread's data with the mask it inherits.
    pub fn new(mask: Sigset, clear_child_tid: usize) -> Self {
        Self {
            signals: ThreadSignals::new(mask),
            clear_child_tid: AtomicUsize::new(clear_child_tid),
            robust_list: AtomicUsize::new(0),
        }
    }

    /// Attaches the data to its thread, before the thread runs.
    pub fn attach(self, thread: &Thread) {
        thread.ext.call_once(|| Box::new(self));
    }
}

/// The data of a thread; None for threads of the libos itself.
pub fn of(thread: &Thread) -> Option<&Task> {
    thread.ext.get()?.downcast_ref()
}

/// Runs `f` with the calling thread and its data. Only C threads make system calls.
pub fn current<R>(f: impl FnOnce(&Arc<Thread>, &Task) -> R) -> R {
    let thread = X86::current();
    let task = of(&thread).unwrap_or_else(|| panic!("a libos thread made a system call"));
    f(&thread, task)
}
