//! What shards leave for each other: whoever finds something that is another's puts it here, and asks that one to look.

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, Lock, Ordering};
use alloc::collections::VecDeque;
use core::sync::atomic::AtomicU64;

/// Things, and bytes of them, that may wait: as many as in the ring of a card.
const DEPTH: usize = 256;
const BYTES: usize = 512 * 1024;

struct Waiting<T> {
    things: VecDeque<T>,
    bytes: usize,
}

/// What waits for one shard.
///
/// INV-NET-4: who puts something in says so before letting go of the lock; who takes all there is takes that back under the same lock.
/// So what is in is also said to be, and the shard finds it when it is asked to work afterwards (INV-NET-2).
pub struct Inbox<P: Platform, T> {
    waiting: Lock<P, Waiting<T>>,
    /// There is something: a look that costs no lock.
    filled: AtomicBool,
    /// How much has come so far, and of that how much was lost. Nothing depends on them, so the checker need not know of them.
    put: AtomicU64,
    lost: AtomicU64,
}

impl<P: Platform, T> Inbox<P, T> {
    /// With nothing in it.
    pub fn new() -> Self {
        Self {
            waiting: Lock::new(Waiting { things: VecDeque::new(), bytes: 0 }),
            filled: AtomicBool::new(false),
            put: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Puts in a thing of so many bytes. When it is full the thing is lost, as in a full ring of a card.
    pub fn put(&self, thing: T, bytes: usize) {
        self.put.fetch_add(1, Ordering::Relaxed);
        if mutant("inbox_says_early") {
            self.filled.store(true, Ordering::Release);
        }
        let mut waiting = self.waiting.lock();
        let room = waiting.things.len() < DEPTH && waiting.bytes + bytes <= BYTES;
        if !room || waiting.things.try_reserve(1).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.bytes += bytes;
        waiting.things.push_back(thing);
        if !mutant("inbox_says_early") {
            self.filled.store(true, Ordering::Release);
        }
    }

    /// Takes all there is into `to`, which is empty.
    pub fn take(&self, to: &mut VecDeque<T>) {
        if !self.filled.load(Ordering::Acquire) {
            return;
        }
        let mut waiting = self.waiting.lock();
        waiting.bytes = 0;
        core::mem::swap(&mut waiting.things, to);
        if mutant("inbox_clears_late") {
            drop(waiting);
            self.filled.store(false, Ordering::Release);
            return;
        }
        self.filled.store(false, Ordering::Release);
    }

    /// How much was put in so far, and of that how much was lost.
    pub fn counts(&self) -> (u64, u64) {
        (self.put.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}

impl<P: Platform, T> Default for Inbox<P, T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn taken<T>(inbox: &Inbox<Fake, T>) -> VecDeque<T> {
        let mut all = VecDeque::new();
        inbox.take(&mut all);
        all
    }

    #[test]
    fn things_come_in_the_order_in_which_they_were_put() {
        let inbox = Inbox::<Fake, _>::new();
        assert!(taken(&inbox).is_empty());
        (0..3).for_each(|thing| inbox.put(thing, 1));
        assert_eq!(taken(&inbox), [0, 1, 2]);
        inbox.put(3, 1);
        assert_eq!((taken(&inbox), taken(&inbox).len(), inbox.counts()), ([3].into(), 0, (4, 0)));
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let inbox = Inbox::<Fake, _>::new();
        (0..DEPTH + 5).for_each(|thing| inbox.put(thing, 1));
        assert_eq!((taken(&inbox).len(), inbox.counts()), (DEPTH, (DEPTH as u64 + 5, 5)));
        (0..9).for_each(|thing| inbox.put(thing, BYTES / 8));
        assert_eq!((taken(&inbox).len(), inbox.counts().1), (8, 6));
        // There is room again.
        inbox.put(9, BYTES);
        assert_eq!(taken(&inbox), [9]);
    }
}
