//! A lock whose holder also does the work of those who did not get it.

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, Lock, Ordering, fence};
use core::sync::atomic::AtomicU64;

/// A value behind a lock, and a wish to have work done on it.
///
/// INV-NET-2: who wants work done says so before trying the lock; who had the lock looks for wishes after freeing it. With a
/// sequentially consistent fence on both sides one of the two does the work. Wishes are made and taken by
/// exchanges, each of which sees what those before it saw: so who takes several at once sees what was changed before each of them.
pub struct Relay<P: Platform, T> {
    value: Lock<P, T>,
    wanted: AtomicBool,
    /// How often somebody had to wait for the lock, and how often work was left to the one who had it. Nothing depends on them, so the
    /// checker need not know of them.
    waits: AtomicU64,
    left: AtomicU64,
    /// The checker only tries orders of accesses to the same thing, and does not take freeing a lock for one: this is touched by
    /// whoever is about to free the lock or to try it.
    #[cfg(loom)]
    touched: crate::sync::AtomicU32,
}

impl<P: Platform, T> Relay<P, T> {
    /// A free lock and no wish.
    pub fn new(value: T) -> Self {
        Self {
            value: Lock::new(value),
            wanted: AtomicBool::new(false),
            waits: AtomicU64::new(0),
            left: AtomicU64::new(0),
            #[cfg(loom)]
            touched: crate::sync::AtomicU32::new(0),
        }
    }

    fn touch(&self) {
        #[cfg(loom)]
        self.touched.fetch_add(1, Ordering::Relaxed);
    }

    /// Has `work` done: here, or, when another has the lock, by that one. What was changed
    /// before this call is seen by the work that follows it.
    pub fn request(&self, work: impl FnMut(&mut T)) {
        #[cfg(loom)]
        if crate::fake::explore::mutant("relay_try_first") {
            self.touch();
            if let Some(mut value) = self.value.try_lock() {
                let mut work = work;
                work(&mut value);
            } else {
                self.wanted.store(true, Ordering::SeqCst);
            }
            return;
        }
        self.wanted.swap(true, Ordering::SeqCst);
        self.fulfil(work);
    }

    /// Runs `f` with the lock, then `work` if somebody has requested it meanwhile.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R, work: impl FnMut(&mut T)) -> R {
        let mut value = self.value.try_lock().unwrap_or_else(|| {
            self.waits.fetch_add(1, Ordering::Relaxed);
            self.value.lock()
        });
        let result = f(&mut value);
        self.touch();
        #[cfg(loom)]
        if crate::fake::explore::mutant("relay_look_early") {
            let wanted = self.wanted.load(Ordering::SeqCst);
            drop(value);
            if wanted {
                self.fulfil(work);
            }
            return result;
        }
        drop(value);
        fence(Ordering::SeqCst);
        self.fulfil(work);
        result
    }

    /// How often somebody had to wait for the lock so far, and how often work was left to who had it.
    pub fn contention(&self) -> (u64, u64) {
        (self.waits.load(Ordering::Relaxed), self.left.load(Ordering::Relaxed))
    }

    /// Works as long as work is wanted and nobody else has the lock.
    fn fulfil(&self, mut work: impl FnMut(&mut T)) {
        while self.wanted.load(Ordering::SeqCst) {
            fence(Ordering::SeqCst);
            self.touch();
            let Some(mut value) = self.value.try_lock() else {
                self.left.fetch_add(1, Ordering::Relaxed);
                return;
            };
            // Cleared before the work: a wish that comes during it may be about something it has passed by.
            if mutant("relay_clears_blindly") {
                self.wanted.store(false, Ordering::SeqCst);
            } else {
                self.wanted.swap(false, Ordering::SeqCst);
            }
            work(&mut value);
            self.touch();
            drop(value);
            fence(Ordering::SeqCst);
        }
    }
}
