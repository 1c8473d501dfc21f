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

/// Sends to the process: a thread that does not block the signal will take it, the first thread rather than another.
pub fn send_process(signo: u32) {
    let signals = &kernel().signals;
    if signals.ignores(signo) {
        return;
    }
    signals.send(signo);
    wake_one_open_to(Sigset::of(signo));
}

/// Wakes the first thread that does not block one of `set`, if there is any.
fn wake_one_open_to(set: Sigset) {
    let open = |t: &Arc<Thread>| task::of(t).is_some_and(|task| set.0 & !task.signals.mask().0 != 0);
    if let Some(thread) = thread::all().into_iter().filter(open).min_by_key(|t| t.id()) {
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
    if let Some(task) = task::of(thread) {
        kernel().signals.alert(&task.signals, thread.attention());
    }
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
    let old = set_mask(mask);
    let result = call();
    if result == Err(trapless_abi::Errno::EINTR) {
        deliver();
    }
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
    refresh();
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
    set_mask(context.uc_sigmask);
}
