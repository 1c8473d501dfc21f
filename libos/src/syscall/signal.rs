//! Signals.
//!
//! A call that lets a signal through, or sends one to its own thread, takes it before it returns; one that waits ends with
//! EINTR, and the dispatch takes the signal (see [`crate::signals`]).

mod timer;

pub use timer::*;

use crate::kernel::kernel;
use crate::power;
use crate::signals::{self, deliver, refresh, set_mask, take_pending};
use crate::task::{self, PID};
use crate::user::{Get, Put};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::platform::Platform;
use trapless_logic::time::{Instant, duration_from_timespec};
use trapless_logic::wait::Waiter;
use trapless_platform::x86::X86;
use trapless_platform::{entry, thread};

/// rt_sigaction(2).
pub fn rt_sigaction(signum: Signal, act: In<Sigaction>, oldact: Out<Sigaction>, _: SigsetSize) -> SysResult {
    // What came before this call is still for the old disposition.
    take_pending();
    let signals = &kernel().signals;
    let (signo, new) = (signum.number().into(), act.get_opt()?);
    let old = signals.action(signo, new)?;
    if new.is_some() && signals.ignores(signo) {
        signals::discard(signo);
    }
    oldact.put_opt(&old)?;
    Ok(0)
}

/// sigreturn(2): ends a signal handler. Without one it ends the program, as on Linux, where a frame is missing on the stack then.
pub fn rt_sigreturn() -> SysResult {
    entry::return_from_handler();
    power::killed(Signal::SIGSEGV.number().into())
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

/// sigaltstack(2). EPERM to change the stack that the caller runs on.
pub fn sigaltstack(ss: In<StackT>, old_ss: Out<StackT>) -> SysResult {
    let new = ss.get_opt()?;
    let old = task::current(|_, task| *task.signals.altstack.lock());
    let ss_flags = match signals::runs_on(&old) {
        true => SS_ONSTACK,
        false if old.ss_size == 0 => SS_DISABLE,
        false => 0,
    };
    if let Some(new) = new {
        if ss_flags == SS_ONSTACK {
            return Err(Errno::EPERM);
        }
        let new = checked_stack(new)?;
        task::current(|_, task| *task.signals.altstack.lock() = new);
    }
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
        signals::send(Siginfo::sent(sig.number().into(), SI_USER, PID, 0))?;
        take_pending();
    }
    Ok(0)
}

/// Sends to a thread, or only looks whether there is such a thread. EINVAL, ESRCH, EAGAIN.
fn send_thread(tid: Tid, info: Option<Siginfo>) -> SysResult {
    let id = u32::try_from(tid.0).ok().filter(|&id| id != 0).ok_or(Errno::EINVAL)?;
    let thread = thread::find(id).filter(|thread| task::of(thread).is_some()).ok_or(Errno::ESRCH)?;
    if let Some(info) = info {
        signals::send_thread(&thread, info)?;
        take_pending();
    }
    Ok(0)
}

/// tkill(2).
pub fn tkill(tid: Tid, sig: Option<Signal>) -> SysResult {
    send_thread(tid, sig.map(|sig| Siginfo::sent(sig.number().into(), SI_TKILL, PID, 0)))
}

/// The thread group must be the one process. EINVAL, ESRCH.
fn this_group(tgid: Pid) -> SysResult<()> {
    match tgid.0 {
        PID => Ok(()),
        ..=0 => Err(Errno::EINVAL),
        _ => Err(Errno::ESRCH),
    }
}

/// tgkill(2).
pub fn tgkill(tgid: Pid, tid: Tid, sig: Option<Signal>) -> SysResult {
    this_group(tgid)?;
    tkill(tid, sig)
}

/// The information that a program made up, for the signal it names. EPERM if it pretends to come from kill(2) or the kernel and is
/// not for the sender itself.
fn made_up(info: Siginfo, sig: Option<Signal>, to_self: bool) -> SysResult<Option<Siginfo>> {
    let pretends = info.si_code >= SI_USER || info.si_code == SI_TKILL;
    if pretends && !to_self {
        return Err(Errno::EPERM);
    }
    Ok(sig.map(|sig| Siginfo { si_signo: sig.number().into(), ..info }))
}

/// rt_sigqueueinfo(2), sigqueue(3).
pub fn rt_sigqueueinfo(pid: Pid, sig: Option<Signal>, info: In<Siginfo>) -> SysResult {
    let info = made_up(info.get()?, sig, pid.0 == PID)?;
    if pid.0 != PID {
        return Err(Errno::ESRCH);
    }
    if let Some(info) = info {
        signals::send(info)?;
        take_pending();
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
pub fn rt_tgsigqueueinfo(tgid: Pid, tid: Tid, sig: Option<Signal>, info: In<Siginfo>) -> SysResult {
    let info = info.get()?;
    if tid.0 <= 0 {
        return Err(Errno::EINVAL);
    }
    let info = made_up(info, sig, tid.0 == X86::current().id() as i32)?;
    this_group(tgid)?;
    send_thread(tid, info)
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
    let blocked = mask();
    task::current(|_, task| task.signals.reserve(blocked));
    set_mask(Sigset(blocked.0 & !set.0));
    let taken = wait_for_one_of(set, timeout.map(|timeout| X86::now() + timeout));
    set_mask(blocked);
    task::current(|_, task| task.signals.reserve(Sigset(0)));
    let taken = taken?;
    info.put_opt(&taken)?;
    Ok(taken.si_signo as usize)
}

/// Waits for one of `set` and takes it off the pending signals. EAGAIN after `deadline`, EINTR for another signal.
fn wait_for_one_of(set: Sigset, deadline: Option<Instant>) -> SysResult<Siginfo> {
    let waiter = Waiter::<X86>::current();
    loop {
        let taken = task::current(|_, task| kernel().signals.take(&task.signals, set));
        refresh();
        match taken {
            Some(info) => return Ok(info),
            None if X86::signal_pending() => return Err(Errno::EINTR),
            None => {}
        }
        if waiter.wait(deadline) == Err(Errno::ETIMEDOUT) {
            return Err(Errno::EAGAIN);
        }
    }
}
