//! Signals that were sent and not yet taken, each with its information (siginfo_t).

use crate::platform::Platform;
use crate::sync::{AtomicU64, Lock, Ordering};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::AtomicUsize;
use trapless_abi::Errno;
use trapless_abi::flags::{SI_USER, Signal};
use trapless_abi::structs::{Siginfo, Sigset};

/// The first real-time signal (signal(7)): from here on each one sent is kept.
const SIGRTMIN: u32 = 32;

/// The signals that are taken before all others, as Linux does it: those that a thread's own faults cause.
const FIRST: u64 = bit(Signal::SIGILL)
    | bit(Signal::SIGTRAP)
    | bit(Signal::SIGBUS)
    | bit(Signal::SIGFPE)
    | bit(Signal::SIGSEGV)
    | bit(Signal::SIGSYS);

const fn bit(signal: Signal) -> u64 {
    Sigset::of(signal.number() as u32).0
}

/// How many signals with information may wait in the whole process (RLIMIT_SIGPENDING, getrlimit(2)).
pub(super) struct Quota {
    // Only a number: nothing else is ordered by it, so the model checker need not know of it.
    used: Arc<AtomicUsize>,
    limit: AtomicUsize,
}

/// The right to be one of them, given back on drop.
struct Ticket(Arc<AtomicUsize>);

impl Quota {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: Arc::default(), limit: AtomicUsize::new(limit) }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn ticket(&self, whatever_the_limit: bool) -> Option<Ticket> {
        let before = self.used.fetch_add(1, Ordering::Relaxed);
        let ticket = Ticket(self.used.clone());
        (whatever_the_limit || before < self.limit()).then_some(ticket)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Entry {
    info: Siginfo,
    _ticket: Ticket,
}

/// The pending signals of a thread, or of the process as a whole.
pub(super) struct Pending<P: Platform> {
    /// Which there are, to be looked at without the lock and changed with it.
    set: AtomicU64,
    /// The information of each, oldest first. A signal of the set that has none here was sent when there was no room for it.
    queue: Lock<P, VecDeque<Entry>>,
}

impl<P: Platform> Pending<P> {
    pub(super) fn new() -> Self {
        Self { set: AtomicU64::new(0), queue: Lock::new(VecDeque::new()) }
    }

    pub(super) fn set(&self) -> Sigset {
        Sigset(self.set.load(Ordering::Acquire))
    }

    /// Adds one. A standard signal that is pending already is not added again.
    ///
    /// Beyond the quota a signal loses its information and is not counted, but a real-time one that a program sent otherwise than by
    /// kill(2) is refused with EAGAIN (sigqueue(3)).
    pub(super) fn push(&self, info: Siginfo, quota: &Quota) -> Result<(), Errno> {
        let signo = info.si_signo as u32;
        let mut queue = self.queue.lock();
        let real_time = signo >= SIGRTMIN;
        if !real_time && self.set().contains(signo) {
            return Ok(());
        }
        match quota.ticket(!real_time && info.si_code >= SI_USER) {
            Some(ticket) if queue.try_reserve(1).is_ok() => queue.push_back(Entry { info, _ticket: ticket }),
            _ if real_time && info.si_code != SI_USER => return Err(Errno::EAGAIN),
            _ => {}
        }
        self.set.fetch_or(Sigset::of(signo).0, Ordering::AcqRel);
        Ok(())
    }

    /// Takes one of `wanted`: the lowest number first, of one number the oldest.
    pub(super) fn take(&self, wanted: Sigset) -> Option<Siginfo> {
        if self.set().0 & wanted.0 == 0 {
            return None;
        }
        let mut queue = self.queue.lock();
        let all = self.set().0 & wanted.0;
        let candidates = if all & FIRST != 0 { all & FIRST } else { all };
        if candidates == 0 {
            // Another thread has taken it in between.
            return None;
        }
        let signo = candidates.trailing_zeros() + 1;
        let is_it = |entry: &Entry| entry.info.si_signo == signo as i32;
        let taken = queue.iter().position(is_it).and_then(|at| queue.remove(at));
        if !queue.iter().any(is_it) {
            self.set.fetch_and(!Sigset::of(signo).0, Ordering::AcqRel);
        }
        // What is known of one that lost its information.
        Some(taken.map_or(Siginfo::sent(signo as i32, SI_USER, 0, 0), |entry| entry.info))
    }

    /// Drops every `signo`.
    pub(super) fn discard(&self, signo: u32) {
        if !self.set().contains(signo) {
            return;
        }
        let mut queue = self.queue.lock();
        queue.retain(|entry| entry.info.si_signo != signo as i32);
        self.set.fetch_and(!Sigset::of(signo).0, Ordering::AcqRel);
    }
}
