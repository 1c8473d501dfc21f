//! Waiting for something to become ready, and telling those who wait.
//!
//! Every object that a thread can wait for owns a [`WaitQueue`]. Whoever waits registers an [`Observer`] first and looks at the
//! object's state second; whoever changes the state changes it first and notifies second. Both go through the queue's lock, so one
//! of the two always sees the other (INV-WAIT-1).

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, Lock, Ordering};
use crate::time::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bitflags::bitflags;
use trapless_abi::Errno;

bitflags! {
    /// What a file is ready for, in the encoding that poll(2) and epoll(7) share, plus internal bits above 16.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
    pub struct Ready: u32 {
        /// POLLIN: a read would not block.
        const IN = 0x001;
        /// POLLPRI: urgent data.
        const PRI = 0x002;
        /// POLLOUT: a write would not block.
        const OUT = 0x004;
        /// POLLERR: an error is pending; always reported.
        const ERR = 0x008;
        /// POLLHUP: the other side is gone; always reported.
        const HUP = 0x010;
        /// POLLRDNORM.
        const RDNORM = 0x040;
        /// POLLRDBAND.
        const RDBAND = 0x080;
        /// POLLWRNORM.
        const WRNORM = 0x100;
        /// POLLWRBAND.
        const WRBAND = 0x200;
        /// POLLRDHUP: the other side will send no more.
        const RDHUP = 0x2000;
        /// An armed timer has fired (internal).
        const TIMER = 1 << 16;
    }
}

impl Ready {
    /// Reported whether asked for or not (poll(2)).
    pub const ALWAYS: Self = Self::ERR.union(Self::HUP);
    /// A read would return at once, with data, end of file or an error.
    pub const READABLE: Self = Self::IN.union(Self::RDNORM);
    /// A write would return at once.
    pub const WRITABLE: Self = Self::OUT.union(Self::WRNORM);
}

/// Somebody who wants to know about events.
pub trait Observer: Send + Sync {
    /// Tells about `events`. Called with the lock of the notifying queue held and preemption off: short, and never blocking. May be
    /// called for events that are over by now: the observer looks at the object itself.
    fn notify(&self, events: Ready);
}

/// Names a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(u64);

struct Entry {
    token: Token,
    interest: Ready,
    observer: Arc<dyn Observer>,
}

struct Entries {
    list: Vec<Entry>,
    next: u64,
}

/// Those who wait for one object.
pub struct WaitQueue<P: Platform> {
    entries: Lock<P, Entries>,
}

impl<P: Platform> WaitQueue<P> {
    /// A queue nobody waits in.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { entries: Lock::new(Entries { list: Vec::new(), next: 0 }) }
    }

    /// A queue nobody waits in.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { entries: Lock::new(Entries { list: Vec::new(), next: 0 }) }
    }

    /// Adds an observer of `interest` ([`Ready::ALWAYS`] is implied). ENOMEM when there is no memory for one more entry.
    pub fn register(&self, interest: Ready, observer: Arc<dyn Observer>) -> Result<Token, Errno> {
        let mut entries = self.entries.lock();
        entries.list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let token = Token(entries.next);
        entries.next += 1;
        entries.list.push(Entry { token, interest: interest | Ready::ALWAYS | Ready::TIMER, observer });
        Ok(token)
    }

    /// Removes an observer. Once this has returned it is not called any more.
    pub fn unregister(&self, token: Token) {
        let removed = {
            let mut entries = self.entries.lock();
            entries.list.iter().position(|e| e.token == token).map(|at| entries.list.swap_remove(at))
        };
        // The last handle to an observer may free memory: outside the lock.
        drop(removed);
    }

    /// Tells everybody who is interested in one of `events`.
    pub fn notify(&self, events: Ready) {
        if mutant("wait_notify_unlocked") {
            let told: Vec<_> = self.entries.lock().list.iter().map(|entry| entry.observer.clone()).collect();
            return told.iter().for_each(|observer| observer.notify(events));
        }
        for entry in &self.entries.lock().list {
            if entry.interest.intersects(events) {
                entry.observer.notify(events);
            }
        }
    }
}

impl<P: Platform> Default for WaitQueue<P> {
    fn default() -> Self {
        Self::new()
    }
}

/// A thread as an observer: wakes the thread that made it.
pub struct Waiter<P: Platform> {
    thread: P::Thread,
    fired: AtomicBool,
}

impl<P: Platform> Waiter<P> {
    /// A waiter for the calling thread.
    pub fn current() -> Arc<Self> {
        Arc::new(Self { thread: P::current(), fired: AtomicBool::new(false) })
    }

    /// Blocks until notified since the last call (ok), a signal is pending (EINTR) or `deadline` has passed (ETIMEDOUT).
    pub fn wait(&self, deadline: Option<Instant>) -> Result<(), Errno> {
        if mutant("wait_clears_fired") {
            self.fired.store(false, Ordering::Release);
        }
        loop {
            if self.fired.swap(false, Ordering::AcqRel) {
                return Ok(());
            }
            if P::signal_pending() {
                return Err(Errno::EINTR);
            }
            if deadline.is_some_and(|d| P::now() >= d) {
                return Err(Errno::ETIMEDOUT);
            }
            P::park(deadline);
        }
    }
}

impl<P: Platform> Observer for Waiter<P> {
    fn notify(&self, _events: Ready) {
        if !self.fired.swap(true, Ordering::AcqRel) {
            P::unpark(&self.thread);
        }
    }
}

/// Runs `attempt` until it gives anything but EAGAIN, sleeping in `queue` for `interest` in between.
///
/// The waiter is registered before the decisive attempt, so a change that falls between the two is not missed.
/// Errors: those of `attempt`, EINTR, and EAGAIN once `deadline` has passed (as SO_RCVTIMEO asks for, socket(7)).
pub fn block_on<P: Platform, T>(
    queue: &WaitQueue<P>,
    interest: Ready,
    deadline: Option<Instant>,
    mut attempt: impl FnMut() -> Result<T, Errno>,
) -> Result<T, Errno> {
    match attempt() {
        Err(Errno::EAGAIN) => {}
        done => return done,
    }
    // Whoever has no time to wait need not be told of changes.
    if deadline == Some(Instant::ZERO) {
        return Err(if P::signal_pending() { Errno::EINTR } else { Errno::EAGAIN });
    }
    let waiter = Waiter::<P>::current();
    let token = queue.register(interest, waiter.clone())?;
    if mutant("wait_trusts_first_attempt") {
        waiter.wait(deadline)?;
    }
    let result = loop {
        match attempt() {
            Err(Errno::EAGAIN) => {}
            done => break done,
        }
        if mutant("wait_unregister_early") {
            queue.unregister(token);
        }
        match waiter.wait(deadline) {
            Ok(()) => {}
            Err(Errno::ETIMEDOUT) => break Err(Errno::EAGAIN),
            Err(e) => break Err(e),
        }
    };
    queue.unregister(token);
    result
}
