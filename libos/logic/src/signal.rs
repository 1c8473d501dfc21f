//! Signals (signal(7)): dispositions of the process, masks and pending sets of threads.
//!
//! A signal is taken at the edge of a system call: when a wait is interrupted, and on the way out of the calls that can make one
//! deliverable. This is what ERTS and musl need, and it keeps handlers off the stacks that JIT code owns.

mod pending;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, AtomicU64, Lock, Ordering, fence};
use pending::{Pending, Quota};
use trapless_abi::Errno;
use trapless_abi::structs::{Sigaction, Siginfo, Sigset, StackT};

/// Highest signal number.
pub const NSIG: u32 = 64;
/// Signals that may wait with their information, if nobody sets RLIMIT_SIGPENDING.
pub const SIGPENDING: usize = 4096;
/// SIG_DFL.
pub const SIG_DFL: usize = 0;
/// SIG_IGN.
pub const SIG_IGN: usize = 1;

/// Numbers used by the libos itself.
pub mod signo {
    /// Interrupt key.
    pub const SIGINT: u32 = 2;
    /// Kill.
    pub const SIGKILL: u32 = 9;
    /// Write to a pipe or socket that nobody reads.
    pub const SIGPIPE: u32 = 13;
    /// Request to end.
    pub const SIGTERM: u32 = 15;
    /// A child ended.
    pub const SIGCHLD: u32 = 17;
    /// Continue.
    pub const SIGCONT: u32 = 18;
    /// Stop.
    pub const SIGSTOP: u32 = 19;
}

/// What happens to a signal nobody handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultAction {
    /// The machine ends.
    Terminate,
    /// Nothing.
    Ignore,
}

/// The default action: there is one process and no job control, so stopping is ignoring.
pub fn default_action(signo: u32) -> DefaultAction {
    match signo {
        signo::SIGCHLD | signo::SIGCONT | signo::SIGSTOP | 20..=23 | 28 => DefaultAction::Ignore,
        _ => DefaultAction::Terminate,
    }
}

/// What a thread has to do about a signal it has taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Delivery {
    /// End the machine with 128 + this number.
    Terminate(u32),
    /// Run the handler.
    Handle {
        /// What to tell the handler.
        info: Siginfo,
        /// The disposition.
        action: Sigaction,
        /// The mask to restore when the handler returns.
        old_mask: Sigset,
    },
}

/// Dispositions and the signals sent to the process as a whole.
pub struct ProcessSignals<P: Platform> {
    actions: Lock<P, [Sigaction; NSIG as usize]>,
    pending: Pending<P>,
    quota: Quota,
}

/// The signal state of one thread.
pub struct ThreadSignals<P: Platform> {
    mask: AtomicU64,
    /// What it blocks but for a wait for some of it, sigtimedwait(2).
    reserved: AtomicU64,
    pending: Pending<P>,
    /// The alternate stack (sigaltstack(2)); size 0: none.
    pub altstack: Lock<P, StackT>,
}

impl<P: Platform> ThreadSignals<P> {
    /// A thread with an inherited mask and nothing pending.
    pub fn new(mask: Sigset) -> Self {
        Self {
            mask: AtomicU64::new(mask.0),
            reserved: AtomicU64::new(0),
            pending: Pending::new(),
            altstack: Lock::new(StackT::default()),
        }
    }

    /// Blocked signals.
    pub fn mask(&self) -> Sigset {
        Sigset(self.mask.load(Ordering::Relaxed))
    }

    /// Blocks exactly `mask`; SIGKILL and SIGSTOP cannot be blocked.
    pub fn set_mask(&self, mask: Sigset) -> Sigset {
        let unblockable = Sigset::of(signo::SIGKILL).0 | Sigset::of(signo::SIGSTOP).0;
        Sigset(self.mask.swap(mask.0 & !unblockable, Ordering::Relaxed))
    }

    /// Says that the thread is about to unblock some signals only to wait for them: meanwhile they are kept as if they were blocked.
    /// The empty set when the wait is over.
    pub fn reserve(&self, signals: Sigset) {
        self.reserved.store(signals.0, Ordering::Relaxed);
    }

    /// Signals sent to this thread and not yet taken.
    pub fn pending(&self) -> Sigset {
        self.pending.set()
    }

    /// Whether the thread wants a signal kept that would be ignored.
    fn keeps(&self, signo: u32) -> bool {
        Sigset(self.mask.load(Ordering::Relaxed) | self.reserved.load(Ordering::Relaxed)).contains(signo)
    }
}

impl<P: Platform> ProcessSignals<P> {
    /// Every disposition at its default.
    pub fn new() -> Self {
        Self {
            actions: Lock::new([Sigaction::default(); NSIG as usize]),
            pending: Pending::new(),
            quota: Quota::new(SIGPENDING),
        }
    }

    /// How many signals may wait with their information, in all threads together.
    pub fn limit(&self) -> usize {
        self.quota.limit()
    }

    /// Sets [`ProcessSignals::limit`], RLIMIT_SIGPENDING. What waits already stays.
    pub fn set_limit(&self, limit: usize) {
        self.quota.set_limit(limit);
    }

    /// rt_sigaction(2): the disposition, and optionally a new one. EINVAL for a bad number or an attempt to catch SIGKILL or SIGSTOP.
    /// If the new one is to ignore the signal, the caller has every thread [discard](Self::discard) it.
    pub fn action(&self, signo: u32, new: Option<Sigaction>) -> Result<Sigaction, Errno> {
        if !(1..=NSIG).contains(&signo) || (new.is_some() && matches!(signo, signo::SIGKILL | signo::SIGSTOP)) {
            return Err(Errno::EINVAL);
        }
        let mut actions = self.actions.lock();
        let slot = &mut actions[signo as usize - 1];
        let old = *slot;
        if let Some(new) = new {
            *slot = new;
            if ignored(signo, &new) {
                self.pending.discard(signo);
            }
        }
        Ok(old)
    }

    /// Whether the disposition of `signo` is to ignore it.
    pub fn ignores(&self, signo: u32) -> bool {
        ignored(signo, &self.actions.lock()[signo as usize - 1])
    }

    /// Drops `signo` where it is pending for one thread.
    pub fn discard(&self, thread: &ThreadSignals<P>, signo: u32) {
        thread.pending.discard(signo);
    }

    /// Signals sent to the process and not yet taken by a thread.
    pub fn pending(&self) -> Sigset {
        self.pending.set()
    }

    /// Sends to the process, whose first thread is `main`. True: the caller picks a thread that does not block the signal and wakes
    /// that one. False: it is ignored, and as the first thread does not block it either, it is gone (as on Linux). EAGAIN if too many
    /// are waiting.
    pub fn send(&self, main: Option<&ThreadSignals<P>>, info: Siginfo) -> Result<bool, Errno> {
        let signo = info.si_signo as u32;
        if self.ignores(signo) && !main.is_some_and(|main| main.keeps(signo)) {
            return Ok(false);
        }
        self.pending.push(info, &self.quota).map(|()| true)
    }

    /// Sends to one thread. True: the caller wakes it. False and EAGAIN as for [`ProcessSignals::send`].
    pub fn send_thread(&self, thread: &ThreadSignals<P>, info: Siginfo) -> Result<bool, Errno> {
        let signo = info.si_signo as u32;
        if self.ignores(signo) && !thread.keeps(signo) {
            return Ok(false);
        }
        thread.pending.push(info, &self.quota).map(|()| true)
    }

    /// Whether a signal waits that `thread` does not block.
    pub fn deliverable(&self, thread: &ThreadSignals<P>) -> bool {
        (thread.pending().0 | self.pending().0) & !thread.mask().0 != 0
    }

    /// Lowers or raises `attention`, by which `thread` sees without a search whether it has a signal to take. For the thread itself,
    /// after it has taken signals or changed its mask.
    pub fn refresh(&self, thread: &ThreadSignals<P>, attention: &AtomicBool) {
        if mutant("refresh_looks_first") {
            return attention.store(self.deliverable(thread), Ordering::SeqCst);
        }
        // Down before the look: what is sent after the look raises it again.
        attention.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.deliverable(thread) {
            attention.store(true, Ordering::SeqCst);
        }
    }

    /// Raises `attention` if `thread` has a signal to take. For whoever has just sent one.
    pub fn alert(&self, thread: &ThreadSignals<P>, attention: &AtomicBool) {
        // Pairs with the fence of `refresh`: either the thread sees the signal, or its new mask is seen here.
        if !mutant("alert_without_fence") {
            fence(Ordering::SeqCst);
        }
        if self.deliverable(thread) {
            attention.store(true, Ordering::SeqCst);
        }
    }

    /// Takes one signal of `set` out of the pending sets (sigwait(3) and delivery), of those sent to the thread before those sent to
    /// the process.
    pub fn take(&self, thread: &ThreadSignals<P>, set: Sigset) -> Option<Siginfo> {
        thread.pending.take(set).or_else(|| self.pending.take(set))
    }

    /// Takes the next signal that `thread` does not block and applies its disposition; for a handler, blocks what it asks for.
    pub fn next_delivery(&self, thread: &ThreadSignals<P>) -> Option<Delivery> {
        loop {
            let info = self.take(thread, Sigset(!thread.mask().0))?;
            let signo = info.si_signo as u32;
            let action = {
                const SA_RESETHAND: u64 = 0x8000_0000;
                let mut actions = self.actions.lock();
                let slot = &mut actions[signo as usize - 1];
                let action = *slot;
                if action.sa_flags & SA_RESETHAND != 0 && action.sa_handler > SIG_IGN {
                    slot.sa_handler = SIG_DFL;
                }
                action
            };
            match action.sa_handler {
                _ if ignored(signo, &action) => continue,
                SIG_DFL => return Some(Delivery::Terminate(signo)),
                _ => {
                    const SA_NODEFER: u64 = 0x4000_0000;
                    let own = if action.sa_flags & SA_NODEFER != 0 { 0 } else { Sigset::of(signo).0 };
                    let old_mask = thread.mask();
                    thread.set_mask(Sigset(old_mask.0 | action.sa_mask.0 | own));
                    return Some(Delivery::Handle { info, action, old_mask });
                }
            }
        }
    }
}

impl<P: Platform> Default for ProcessSignals<P> {
    fn default() -> Self {
        Self::new()
    }
}

fn ignored(signo: u32, action: &Sigaction) -> bool {
    match action.sa_handler {
        SIG_IGN => true,
        SIG_DFL => default_action(signo) == DefaultAction::Ignore,
        _ => false,
    }
}
