//! Signals in flight: sending them, waking who takes them, and running handlers at the edge of a system call.

use crate::kernel::kernel;
use crate::power;
use crate::task::{self, PID};
use alloc::sync::Arc;
use trapless_abi::SysResult;
use trapless_abi::structs::{Mcontext, Siginfo, Sigset, Ucontext};
use trapless_logic::platform::Platform;
use trapless_logic::signal::Delivery;
use trapless_platform::handler::call_handler;
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
    /// Every handler that ran has SA_RESTART: the interrupted call starts again.
    pub restart: bool,
}

/// Recomputes whether a thread has a signal to take.
pub fn refresh(thread: &Thread) {
    if let Some(task) = task::of(thread) {
        thread.set_attention(kernel().signals.deliverable(&task.signals));
    }
}

/// Sends to the process: a thread that does not block the signal will take it, the first thread rather than another.
pub fn send_process(signo: u32) {
    let signals = &kernel().signals;
    if signals.ignores(signo) {
        return;
    }
    signals.send(signo);
    let open = |t: &Arc<Thread>| task::of(t).is_some_and(|task| !task.signals.mask().contains(signo));
    let mut threads = thread::all();
    threads.sort_by_key(|t| t.id());
    if let Some(thread) = threads.into_iter().find(open) {
        wake(&thread);
    }
}

/// Sends to one thread. False if it is not a C thread.
pub fn send_thread(thread: &Arc<Thread>, signo: u32) -> bool {
    let Some(task) = task::of(thread) else { return false };
    if !kernel().signals.ignores(signo) {
        kernel().signals.send_thread(&task.signals, signo);
        wake(thread);
    }
    true
}

fn wake(thread: &Arc<Thread>) {
    refresh(thread);
    X86::unpark(thread);
}

/// Sends to the calling thread, which takes it now unless it blocks it.
pub fn raise(signo: u32) {
    send_thread(&X86::current(), signo);
    deliver();
}

/// Runs a call under another signal mask, as ppoll(2) and its relatives do: a signal that only the new mask lets in is taken before
/// the old one is back.
pub fn with_mask(mask: Option<Sigset>, call: impl FnOnce() -> SysResult) -> SysResult {
    let Some(mask) = mask else { return call() };
    let old = task::current(|thread, task| {
        let old = task.signals.set_mask(mask);
        refresh(thread);
        old
    });
    let result = call();
    if result == Err(trapless_abi::Errno::EINTR) {
        deliver();
    }
    task::current(|thread, task| {
        task.signals.set_mask(old);
        refresh(thread);
    });
    result
}

/// Takes every signal the calling thread does not block: runs handlers, or ends the machine.
pub fn deliver() -> Delivered {
    let (mut handled, mut restart) = (false, true);
    while let Some(delivery) = task::current(|_, task| kernel().signals.next_delivery(&task.signals, PID)) {
        match delivery {
            Delivery::Terminate(signo) => power::killed(signo),
            Delivery::Handle { info, action, old_mask } => {
                handled = true;
                restart &= action.sa_flags & SA_RESTART != 0;
                run_handler(&info, action.sa_handler, action.sa_flags & SA_ONSTACK != 0, old_mask);
            }
        }
    }
    task::current(|thread, _| refresh(thread));
    Delivered { handled, restart }
}

fn run_handler(info: &Siginfo, handler: usize, on_altstack: bool, old_mask: Sigset) {
    // A handler may look at the interrupted registers; at the edge of a call they are all dead, so zeros serve.
    let mut context = Ucontext::new_zeroed();
    context.uc_mcontext = Mcontext::new_zeroed();
    context.uc_sigmask = old_mask;
    let stack = task::current(|_, task| *task.signals.altstack.lock());
    let top = (on_altstack && stack.ss_size != 0).then(|| stack.ss_sp + stack.ss_size);
    call_handler(handler, info, &mut context, top);
    // The handler may have changed the mask to restore (pthread_cancel does).
    task::current(|thread, task| {
        task.signals.set_mask(context.uc_sigmask);
        refresh(thread);
    });
}
