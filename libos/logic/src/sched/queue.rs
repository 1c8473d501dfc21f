//! The threads that wait for one CPU.

use crate::platform::Platform;
use crate::sync::{AtomicUsize, Lock, Ordering};
use alloc::collections::VecDeque;
use trapless_abi::Errno;

/// First in, first out, with a length that can be read without the lock.
pub struct RunQueue<P: Platform, T> {
    items: Lock<P, VecDeque<T>>,
    len: AtomicUsize,
}

impl<P: Platform, T> RunQueue<P, T> {
    /// An empty queue.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { items: Lock::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    /// An empty queue.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { items: Lock::new(VecDeque::new()), len: AtomicUsize::new(0) }
    }

    /// Makes room for `total` threads, so that no wake-up has to find memory. ENOMEM.
    pub fn reserve(&self, total: usize) -> Result<(), Errno> {
        let mut items = self.items.lock();
        let more = total.saturating_sub(items.len());
        items.try_reserve(more).map_err(|_| Errno::ENOMEM)
    }

    /// Threads waiting. May be out of date at once; [`crate::sched::IdleSet`] says how an idle CPU still misses nothing.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Last in line.
    pub fn push_back(&self, thread: T) {
        let mut items = self.items.lock();
        items.push_back(thread);
        self.len.store(items.len(), Ordering::SeqCst);
    }

    /// First in line: a thread that was only interrupted.
    pub fn push_front(&self, thread: T) {
        let mut items = self.items.lock();
        items.push_front(thread);
        self.len.store(items.len(), Ordering::SeqCst);
    }

    /// The next thread.
    pub fn pop(&self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let mut items = self.items.lock();
        let thread = items.pop_front();
        self.len.store(items.len(), Ordering::SeqCst);
        thread
    }

    /// The longest-waiting thread that `allowed` lets go, for another CPU. None also if somebody else holds the lock.
    pub fn steal(&self, allowed: impl Fn(&T) -> bool) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        let mut items = self.items.try_lock()?;
        let at = items.iter().position(allowed)?;
        let thread = items.remove(at);
        self.len.store(items.len(), Ordering::SeqCst);
        thread
    }
}

impl<P: Platform, T> RunQueue<P, T> {
    /// Whether a thread waits that satisfies `wanted`, or somebody holds the lock and may be adding one.
    pub fn any_or_busy(&self, wanted: impl Fn(&T) -> bool) -> bool {
        if self.is_empty() {
            return false;
        }
        self.items.try_lock().is_none_or(|items| items.iter().any(wanted))
    }
}

impl<P: Platform, T> Default for RunQueue<P, T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;

    #[test]
    fn order() {
        let q = RunQueue::<Fake, u32>::new();
        q.push_back(1);
        q.push_back(2);
        q.push_front(0);
        assert_eq!(q.len(), 3);
        assert_eq!((q.pop(), q.pop(), q.pop(), q.pop()), (Some(0), Some(1), Some(2), None));
    }

    #[test]
    fn steal_respects_the_affinity() {
        let q = RunQueue::<Fake, u32>::new();
        (1..=4).for_each(|t| q.push_back(t));
        assert_eq!(q.steal(|t| t % 2 == 0), Some(2));
        assert_eq!(q.steal(|t| *t > 9), None);
        assert_eq!((q.pop(), q.len()), (Some(1), 2));
    }

    #[test]
    fn reserved_room_is_for_the_total() {
        let q = RunQueue::<Fake, u32>::new();
        assert_eq!(q.reserve(8), Ok(()));
        assert_eq!(q.reserve(usize::MAX), Err(Errno::ENOMEM));
    }
}
