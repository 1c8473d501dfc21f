//! Signals (signal(7)): dispositions of the process, masks and pending sets of threads.
//!
//! A signal is taken at the edge of a system call: when a wait is interrupted, and on the way out of the calls that can make one
//! deliverable. This is what ERTS and musl need, and it keeps handlers off the stacks that JIT code owns.

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, AtomicU64, Lock, Ordering, fence};
use trapless_abi::Errno;
use trapless_abi::structs::{Sigaction, Siginfo, Sigset, StackT};

/// Highest signal number.
pub const NSIG: u32 = 64;
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
    pending: AtomicU64,
}

/// The signal state of one thread.
pub struct ThreadSignals<P: Platform> {
    mask: AtomicU64,
    pending: AtomicU64,
    /// The alternate stack (sigaltstack(2)); size 0: none.
    pub altstack: Lock<P, StackT>,
}

impl<P: Platform> ThreadSignals<P> {
    /// A thread with an inherited mask and nothing pending.
    pub fn new(mask: Sigset) -> Self {
        Self { mask: AtomicU64::new(mask.0), pending: AtomicU64::new(0), altstack: Lock::new(StackT::default()) }
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

    /// Signals sent to this thread and not yet taken.
    pub fn pending(&self) -> Sigset {
        Sigset(self.pending.load(Ordering::Acquire))
    }
}

impl<P: Platform> ProcessSignals<P> {
    /// Every disposition at its default.
    pub fn new() -> Self {
        Self { actions: Lock::new([Sigaction::default(); NSIG as usize]), pending: AtomicU64::new(0) }
    }

    /// rt_sigaction(2): the disposition, and optionally a new one. EINVAL for a bad number or an attempt to catch SIGKILL or SIGSTOP.
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
                self.pending.fetch_and(!Sigset::of(signo).0, Ordering::AcqRel);
            }
        }
        Ok(old)
    }

    /// Whether sending `signo` would have no effect at all.
    pub fn ignores(&self, signo: u32) -> bool {
        ignored(signo, &self.actions.lock()[signo as usize - 1])
    }

    /// Signals sent to the process and not yet taken by a thread.
    pub fn pending(&self) -> Sigset {
        Sigset(self.pending.load(Ordering::Acquire))
    }

    /// Marks `signo` pending for the process. The caller then picks a thread that does not block it and wakes that one.
    pub fn send(&self, signo: u32) {
        self.pending.fetch_or(Sigset::of(signo).0, Ordering::AcqRel);
    }

    /// Marks `signo` pending for one thread.
    pub fn send_thread(&self, thread: &ThreadSignals<P>, signo: u32) {
        thread.pending.fetch_or(Sigset::of(signo).0, Ordering::AcqRel);
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

    /// Takes one signal of `set` out of the pending sets, lowest number first (sigwait(3) and delivery).
    pub fn take(&self, thread: &ThreadSignals<P>, set: Sigset) -> Option<u32> {
        loop {
            let (own, shared) = (thread.pending().0 & set.0, self.pending().0 & set.0);
            let all = own | shared;
            if all == 0 {
                return None;
            }
            let bit = all & all.wrapping_neg();
            let from = if own & bit != 0 { &thread.pending } else { &self.pending };
            // Another thread may have taken a signal of the process in between.
            if from.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
                return Some(bit.trailing_zeros() + 1);
            }
        }
    }

    /// Takes the next signal that `thread` does not block and applies its disposition; for a handler, blocks what it asks for.
    pub fn next_delivery(&self, thread: &ThreadSignals<P>, pid: i32) -> Option<Delivery> {
        loop {
            let signo = self.take(thread, Sigset(!thread.mask().0))?;
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
                    let info = Siginfo::sent(signo as i32, 0, pid, 0);
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
