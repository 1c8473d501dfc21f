//! Signals in flight: sending them, waking who takes them, and running handlers at the edge of a system call.

use crate::kernel::kernel;
use crate::power;
use crate::task::{self, PID, Task};
use alloc::sync::Arc;
use core::fmt;
use trapless_abi::flags::{SI_KERNEL, SI_USER, Signal};
use trapless_abi::structs::{Mcontext, Sigaction, Siginfo, Sigset, StackT, Ucontext};
use trapless_abi::{Errno, SysResult};
use trapless_logic::platform::Platform;
use trapless_logic::signal::Delivery;
use trapless_platform::entry::{self, Handler};
use trapless_platform::thread::{self, Thread};
use trapless_platform::x86::X86;
use zerocopy::FromZeros;

const SA_RESTART: u64 = 0x1000_0000;
const SA_ONSTACK: u64 = 0x0800_0000;

/// What [`deliver`] did.
#[derive(Clone, Copy, Debug)]
pub struct Delivered {
    /// A handler ran.
    pub handled: bool,
    /// No handler ran, or the first has SA_RESTART: the interrupted call starts again.
    pub restart: bool,
}

/// Recomputes whether the calling thread has a signal to take.
pub fn refresh() {
    task::current(|thread, task| kernel().signals.refresh(&task.signals, thread.attention()));
}

/// Makes the calling thread block exactly `mask`, and returns what it blocked before.
pub fn set_mask(mask: Sigset) -> Sigset {
    let old = task::current(|_, task| task.signals.set_mask(mask));
    refresh();
    // A signal of the process that this thread was chosen to take is for another one now.
    let turned_away = kernel().signals.pending().0 & mask.0 & !old.0;
    if turned_away != 0 {
        wake_one_open_to(Sigset(turned_away));
    }
    old
}

/// Sends a signal of the libos's own to the process: of a timer, the terminal, the power button.
pub fn send_process(signo: u32) {
    let sent = send(Siginfo::sent(signo as i32, SI_KERNEL, 0, 0));
    debug_assert!(sent.is_ok(), "only real-time signals are refused");
}

/// Sends to the process: a thread that does not block the signal will take it, the first thread rather than another. EAGAIN if too
/// many wait already.
pub fn send(info: Siginfo) -> SysResult<()> {
    let main = first(|_| true);
    let main = main.as_ref().and_then(|thread| task::of(thread)).map(|task| &task.signals);
    if kernel().signals.send(main, info)? {
        wake_one_open_to(Sigset::of(info.si_signo as u32));
    }
    Ok(())
}

/// Writes which signals wait for the program, a bit each as SigPnd of proc(5) has them (/proc/trapless/signal).
pub fn write_pending(w: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(w, "pending {:016x}", kernel().signals.pending().0)
}

/// Sends the program the signal whose number is written there, as kill(2) does.
///
/// # Errors
/// EINVAL for what is no signal's number; those of [`send`].
pub fn obey(command: &[u8]) -> SysResult<()> {
    let number = core::str::from_utf8(command).ok().and_then(|number| number.parse::<u8>().ok());
    let signal = number.and_then(Signal::new).ok_or(Errno::EINVAL)?;
    send(Siginfo::sent(signal.number().into(), SI_USER, PID, 0))
}

/// The C thread with the lowest number among those that are `wanted`.
fn first(wanted: impl Fn(&Task) -> bool) -> Option<Arc<Thread>> {
    let candidates = thread::all().into_iter().filter(|thread| task::of(thread).is_some_and(&wanted));
    candidates.min_by_key(|thread| thread.id())
}

/// Wakes the first thread that does not block one of `set`, if there is any.
fn wake_one_open_to(set: Sigset) {
    if let Some(thread) = first(|task| set.0 & !task.signals.mask().0 != 0) {
        wake(&thread);
    }
}

/// Sends to one thread. ESRCH if it is not a C thread, EAGAIN as for [`send`].
pub fn send_thread(thread: &Arc<Thread>, info: Siginfo) -> SysResult<()> {
    let task = task::of(thread).ok_or(Errno::ESRCH)?;
    if kernel().signals.send_thread(&task.signals, info)? {
        wake(thread);
    }
    Ok(())
}

/// Drops a signal that is ignored from now on wherever it is pending.
pub fn discard(signo: u32) {
    for thread in thread::all() {
        if let Some(task) = task::of(&thread) {
            kernel().signals.discard(&task.signals, signo);
        }
    }
    refresh();
}

fn wake(thread: &Arc<Thread>) {
    if let Some(task) = task::of(thread) {
        kernel().signals.alert(&task.signals, thread.attention());
    }
    X86::unpark(thread);
}

/// Sends to the calling thread what comes of its own call, such as SIGPIPE; it takes it now unless it blocks it.
pub fn raise(signo: u32) {
    let sent = send_thread(&X86::current(), Siginfo::sent(signo as i32, SI_USER, PID, 0));
    debug_assert!(sent.is_ok(), "only real-time signals are refused");
    deliver();
}

/// Runs a call under another signal mask, as ppoll(2) and its relatives do: a signal that only the new mask lets in is taken before
/// the old one is back.
pub fn with_mask(mask: Option<Sigset>, mut call: impl FnMut() -> SysResult) -> SysResult {
    let Some(mask) = mask else { return call() };
    let old = set_mask(mask);
    let result = loop {
        let result = call();
        // A signal that no handler took, being ignored or another thread's by now, interrupts nothing.
        if result != Err(Errno::EINTR) || deliver().handled {
            break result;
        }
    };
    set_mask(old);
    result
}

/// Takes what the calling thread does not block, if there is anything.
pub fn take_pending() {
    if X86::signal_pending() {
        deliver();
    }
}

/// Takes every signal the calling thread does not block: runs handlers, or ends the machine.
pub fn deliver() -> Delivered {
    let mut restart = None;
    while let Some(delivery) = task::current(|_, task| kernel().signals.next_delivery(&task.signals)) {
        match delivery {
            Delivery::Terminate(signo) => power::killed(signo),
            Delivery::Handle { info, action, old_mask } => {
                // As on Linux, the first one decides whether the interrupted call starts again.
                restart.get_or_insert(action.sa_flags & SA_RESTART != 0);
                // What this handler does not block comes before it: Linux puts a frame for each on the stack and returns to the
                // last.
                deliver();
                run_handler(&info, &action, old_mask);
            }
        }
    }
    refresh();
    Delivered { handled: restart.is_some(), restart: restart.unwrap_or(true) }
}

/// Whether the program runs on this stack.
pub fn runs_on(stack: &StackT) -> bool {
    (stack.ss_sp..stack.ss_sp.saturating_add(stack.ss_size)).contains(&entry::program_sp())
}

fn run_handler(info: &Siginfo, action: &Sigaction, old_mask: Sigset) {
    // A handler may look at the interrupted registers; at the edge of a call they are all dead, so zeros serve.
    let mut context = Ucontext::new_zeroed();
    context.uc_mcontext = Mcontext::new_zeroed();
    context.uc_sigmask = old_mask;
    let stack = task::current(|_, task| *task.signals.altstack.lock());
    // A handler that interrupts another on the alternate stack goes on below it.
    let already = runs_on(&stack);
    let switch = action.sa_flags & SA_ONSTACK != 0 && stack.ss_size != 0 && !already;
    let handler = Handler {
        function: action.sa_handler,
        restorer: action.sa_restorer,
        stack_top: switch.then(|| stack.ss_sp + stack.ss_size),
        stack_bottom: if switch || already { stack.ss_sp } else { 0 },
    };
    if entry::call_handler(&handler, info, &mut context).is_err() {
        // As Linux ends a program that has no stack for its handler.
        power::killed(Signal::SIGSEGV.number().into());
    }
    // The handler may have changed the mask to restore (pthread_cancel does).
    set_mask(context.uc_sigmask);
}
