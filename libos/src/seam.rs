//! Threads that begin and end, and what musl calls by name instead of by number in the direct variant: clone(2), the end of a detached
//! thread, fork(2). The C side of these contracts is `musl-shim/entry/direct/libos.h`.

use crate::kernel::kernel;
use crate::task::{self, Task};
use crate::{dispatch, forker, power};
use trapless_abi::args::Arg;
use trapless_abi::flags::CloneFlags;
use trapless_abi::table::{SYS_clone, SYS_vfork};
use trapless_abi::{Errno, SysResult, to_raw};
use trapless_platform::thread::{self, UserEntry, exit_then};
use trapless_platform::{context, mm, sched, user};

/// Arguments of clone(2) beside where the new thread starts.
pub struct Clone {
    /// What is shared and what is set.
    pub flags: CloneFlags,
    /// Where the thread's id goes with CLONE_PARENT_SETTID.
    pub parent_tid: usize,
    /// The word of CLONE_CHILD_SETTID and CLONE_CHILD_CLEARTID.
    pub child_tid: usize,
    /// The thread pointer of CLONE_SETTLS.
    pub tls: usize,
}

/// clone(2) with CLONE_THREAD: a thread that starts at `start`, with the caller's thread pointer unless it is to have another.
///
/// # Errors
/// ENOSYS for anything but a thread: there is no second address space. EPERM: the thread pointer is no address of a program. EFAULT,
/// EAGAIN, ENOMEM.
pub fn clone(c: &Clone, start: UserEntry) -> SysResult {
    if !c.flags.contains(CloneFlags::CLONE_VM | CloneFlags::CLONE_THREAD | CloneFlags::CLONE_SIGHAND) {
        return Err(Errno::ENOSYS);
    }
    let mask = task::current(|_, task| task.signals.mask());
    let fs_base = if c.flags.contains(CloneFlags::CLONE_SETTLS) { c.tls as u64 } else { context::fs_base() };
    // As Linux: one that no program can have. One that is not canonical could not even be loaded.
    if fs_base >= 1 << 47 {
        return Err(Errno::EPERM);
    }
    let thread = thread::prepare_user(&UserEntry { fs_base, ..start })?;
    let tid = thread.id() as i32;
    let clear = if c.flags.contains(CloneFlags::CLONE_CHILD_CLEARTID) { c.child_tid } else { 0 };
    Task::new(mask, clear).attach(&thread);
    if c.flags.contains(CloneFlags::CLONE_PARENT_SETTID) {
        user::write(c.parent_tid, &tid)?;
    }
    if c.flags.contains(CloneFlags::CLONE_CHILD_SETTID) {
        user::write(c.child_tid, &tid)?;
    }
    sched::start(&thread);
    Ok(tid as usize)
}

extern "C" fn after_thread() -> ! {
    end_thread(None)
}

/// exit(2): the calling thread ends; `unmap` is its stack if it must free that itself (a detached thread).
pub fn end_thread(unmap: Option<(usize, usize)>) -> ! {
    let word = task::current(|_, task| task.clear_child_tid.swap(0, core::sync::atomic::Ordering::AcqRel));
    let (base, size) = unmap.unwrap_or((0, 0));
    exit_then(farewell, [word, base, size])
}

/// What happens once a thread is off its stack. Only then may the word be cleared: whoever waits for it frees the stack.
fn farewell([word, base, size]: [usize; 3]) {
    if size != 0 {
        // It was mapped by the C library for this thread: there is nothing to be said if it is gone.
        let _ = mm::munmap(base as u64, size as u64);
    }
    if word != 0 && user::write(word, &0u32).is_ok() {
        kernel().futex.wake(word, 1, u32::MAX);
    }
    if thread::user_count() == 0 {
        power::exit_process(0);
    }
}

/// `__clone` of musl: a thread that runs `function(argument)` on `stack`.
#[unsafe(no_mangle)]
extern "C" fn libos_clone(
    function: usize,
    stack: usize,
    flags: usize,
    argument: usize,
    parent_tid: usize,
    tls: usize,
    child_tid: usize,
) -> isize {
    let start = || {
        // The function finds a return address, as the ABI has it: it leads to exit(2).
        let rsp = (stack & !15).checked_sub(8).ok_or(Errno::EINVAL)?;
        user::write(rsp, &(after_thread as extern "C" fn() -> ! as usize))?;
        Ok(UserEntry { rip: function as u64, rsp: rsp as u64, rdi: argument as u64, ..UserEntry::default() })
    };
    let clone = |flags| clone(&Clone { flags, parent_tid, child_tid, tls }, start()?);
    dispatch::by_name(SYS_clone, [flags, stack, parent_tid, child_tid, tls, 0], || {
        to_raw(CloneFlags::decode(flags).and_then(clone))
    })
}

/// `__unmapself` of musl: unmaps the calling thread's stack and ends the thread.
#[unsafe(no_mangle)]
extern "C" fn libos_unmapself(base: usize, size: usize) -> ! {
    end_thread(Some((base, size)))
}

/// fork(2) and vfork(2) of musl.
#[unsafe(no_mangle)]
extern "C" fn libos_vfork() -> isize {
    dispatch::by_name(SYS_vfork, [0; 6], || to_raw(forker::fork()))
}

/// `__restore_rt` of musl: never reached, since handlers return to the libos by a plain return.
#[unsafe(no_mangle)]
extern "C" fn libos_sigreturn(_context: usize) -> isize {
    Errno::ENOSYS.to_raw()
}
