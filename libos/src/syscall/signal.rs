//! Signals.
//!
//! A call that lets a signal through, or sends one to its own thread, takes it before it returns; one that waits ends with
//! EINTR, and the dispatch takes the signal (see [`crate::signals`]).

mod timer;

pub use timer::*;

use crate::kernel::kernel;
use crate::signals::{self, deliver, refresh, set_mask, take_pending};
use crate::task::{self, PID};
use crate::user::{Get, Put};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::platform::Platform;
use trapless_logic::time::{Instant, duration_from_timespec};
use trapless_logic::wait::Waiter;
use trapless_platform::thread;
use trapless_platform::x86::X86;

/// rt_sigaction(2).
pub fn rt_sigaction(signum: Signal, act: In<Sigaction>, oldact: Out<Sigaction>, _: SigsetSize) -> SysResult {
    // What came before this call is still for the old disposition.
    take_pending();
    let old = kernel().signals.action(signum.number().into(), act.get_opt()?)?;
    oldact.put_opt(&old)?;
    Ok(0)
}

/// The signals the calling thread blocks.
fn mask() -> Sigset {
    task::current(|_, task| task.signals.mask())
}

/// rt_sigprocmask(2).
pub fn rt_sigprocmask(how: Option<SigProcmaskHow>, set: In<Sigset>, oldset: Out<Sigset>, _: SigsetSize) -> SysResult {
    take_pending();
    let old = mask();
    if let Some(set) = set.get_opt()? {
        set_mask(match how.ok_or(Errno::EINVAL)? {
            SigProcmaskHow::SIG_BLOCK => Sigset(old.0 | set.0),
            SigProcmaskHow::SIG_UNBLOCK => Sigset(old.0 & !set.0),
            SigProcmaskHow::SIG_SETMASK => set,
        });
        take_pending();
    }
    oldset.put_opt(&old)?;
    Ok(0)
}

/// rt_sigpending(2).
pub fn rt_sigpending(set: Out<Sigset>, _: SigsetSize) -> SysResult {
    let pending = task::current(|_, task| task.signals.pending().0 & task.signals.mask().0);
    set.put(&Sigset(pending | kernel().signals.pending().0 & mask().0))?;
    Ok(0)
}

/// sigaltstack(2).
pub fn sigaltstack(ss: In<StackT>, old_ss: Out<StackT>) -> SysResult {
    let new = ss.get_opt()?.map(checked_stack).transpose()?;
    let old = task::current(|_, task| {
        let mut stack = task.signals.altstack.lock();
        let old = *stack;
        *stack = new.unwrap_or(old);
        old
    });
    let ss_flags = if old.ss_size == 0 { SS_DISABLE } else { 0 };
    old_ss.put_opt(&StackT { ss_flags, ..old })?;
    Ok(0)
}

/// The alternate stack to set; size 0 is none. EINVAL, ENOMEM if it is too small.
fn checked_stack(stack: StackT) -> SysResult<StackT> {
    match stack.ss_flags {
        SS_DISABLE => Ok(StackT::default()),
        0 | SS_ONSTACK if stack.ss_size < MINSIGSTKSZ => Err(Errno::ENOMEM),
        0 | SS_ONSTACK => Ok(stack),
        _ => Err(Errno::EINVAL),
    }
}

/// kill(2): to the one process or its group. `-1` means all others, of which there are none.
pub fn kill(pid: Pid, sig: Option<Signal>) -> SysResult {
    if !matches!(pid.0, 0 | PID) {
        return Err(Errno::ESRCH);
    }
    if let Some(sig) = sig {
        signals::send_process(sig.number().into());
        take_pending();
    }
    Ok(0)
}

/// tkill(2).
pub fn tkill(tid: Tid, sig: Option<Signal>) -> SysResult {
    let id = u32::try_from(tid.0).ok().filter(|&id| id != 0).ok_or(Errno::EINVAL)?;
    let thread = thread::find(id).filter(|thread| task::of(thread).is_some()).ok_or(Errno::ESRCH)?;
    if let Some(sig) = sig {
        signals::send_thread(&thread, sig.number().into());
        take_pending();
    }
    Ok(0)
}

/// tgkill(2).
pub fn tgkill(tgid: Pid, tid: Tid, sig: Option<Signal>) -> SysResult {
    match tgid.0 {
        PID => tkill(tid, sig),
        ..=0 => Err(Errno::EINVAL),
        _ => Err(Errno::ESRCH),
    }
}

/// Blocks the calling thread until it has a signal to take, and takes it.
fn wait_for_signal() -> Errno {
    let waiter = Waiter::<X86>::current();
    loop {
        if waiter.wait(None) == Err(Errno::EINTR) && deliver().handled {
            return Errno::EINTR;
        }
    }
}

/// pause(2).
pub fn pause() -> SysResult {
    Err(wait_for_signal())
}

/// sigsuspend(2): handlers run with the mask of the call still in force.
pub fn rt_sigsuspend(mask: In<Sigset>, _: SigsetSize) -> SysResult {
    let old = set_mask(mask.get()?);
    let errno = wait_for_signal();
    set_mask(old);
    Err(errno)
}

/// sigtimedwait(2).
pub fn rt_sigtimedwait(set: In<Sigset>, info: Out<Siginfo>, timeout: In<Timespec>, _: SigsetSize) -> SysResult {
    let set = set.get()?;
    let timeout = timeout.get_opt()?.map(|t| duration_from_timespec(t.tv_sec, t.tv_nsec)).transpose()?;
    // While it waits the thread does not block the signals: whoever sends one looks for such a thread. No handler can run
    // meanwhile.
    let old = set_mask(Sigset(mask().0 & !set.0));
    let taken = wait_for_one_of(set, timeout.map(|timeout| X86::now() + timeout));
    set_mask(old);
    let signo = taken?;
    info.put_opt(&Siginfo::sent(signo as i32, SI_USER, PID, 0))?;
    Ok(signo as usize)
}

/// Waits for one of `set` and takes it off the pending signals. EAGAIN after `deadline`, EINTR for another signal.
fn wait_for_one_of(set: Sigset, deadline: Option<Instant>) -> SysResult<u32> {
    let waiter = Waiter::<X86>::current();
    loop {
        let taken = task::current(|_, task| kernel().signals.take(&task.signals, set));
        refresh();
        match taken {
            Some(signo) => return Ok(signo),
            None if X86::signal_pending() => return Err(Errno::EINTR),
            None => {}
        }
        if waiter.wait(deadline) == Err(Errno::ETIMEDOUT) {
            return Err(Errno::EAGAIN);
        }
    }
}
