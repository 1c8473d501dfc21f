//! The threads that wait for one CPU, those first that have had the least of it.
//!
//! Every thread carries a virtual run time: the CPU time it has used, in the reckoning of the queue it is in. The queue keeps a
//! *floor* that follows the smallest of them; only distances to the floor mean anything on another CPU. A thread that slept comes back
//! at most [`CREDIT_NS`] below the floor: it runs soon, but cannot live on what it did not use.

use super::share::{CREDIT_NS, MOST_LAG_NS};
use crate::platform::Platform;
use crate::sync::{AtomicU64, AtomicUsize, Lock, Ordering};
use alloc::collections::VecDeque;
use trapless_abi::Errno;

struct Items<T> {
    /// In order of virtual run time, but for threads put first by [`RunQueue::push_front`].
    list: VecDeque<(i64, T)>,
    floor: i64,
}

/// One CPU's queue. Its length, floor and first virtual run time can be read without the lock.
pub struct RunQueue<P: Platform, T> {
    items: Lock<P, Items<T>>,
    len: AtomicUsize,
    floor: AtomicU64,
    first: AtomicU64,
}

/// What [`RunQueue::first`] mirrors for an empty queue.
const NOBODY: u64 = i64::MAX as u64;

impl<P: Platform, T> RunQueue<P, T> {
    /// An empty queue.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self {
            items: Lock::new(Items { list: VecDeque::new(), floor: 0 }),
            len: AtomicUsize::new(0),
            floor: AtomicU64::new(0),
            first: AtomicU64::new(NOBODY),
        }
    }

    /// An empty queue.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            items: Lock::new(Items { list: VecDeque::new(), floor: 0 }),
            len: AtomicUsize::new(0),
            floor: AtomicU64::new(0),
            first: AtomicU64::new(NOBODY),
        }
    }

    /// Makes room for `total` threads, so that no wake-up has to find memory. ENOMEM.
    pub fn reserve(&self, total: usize) -> Result<(), Errno> {
        let mut items = self.items.lock();
        let more = total.saturating_sub(items.list.len());
        items.list.try_reserve(more).map_err(|_| Errno::ENOMEM)
    }

    /// Threads waiting. May be out of date at once; [`crate::sched::IdleSet`] says how an idle CPU still misses nothing.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::SeqCst)
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The virtual run time that others are measured against.
    pub fn floor(&self) -> i64 {
        self.floor.load(Ordering::Relaxed) as i64
    }

    /// The virtual run time of the thread that is next, if there is one.
    pub fn first(&self) -> Option<i64> {
        Some(self.first.load(Ordering::Relaxed)).filter(|&v| v != NOBODY).map(|v| v as i64)
    }

    /// Adds a thread in its place; behind others with the same virtual run time.
    pub fn push(&self, thread: T, vruntime: i64) {
        self.change(|items| items.insert(thread, vruntime));
    }

    /// Adds a thread as the next one: it was only interrupted.
    pub fn push_front(&self, thread: T, vruntime: i64) {
        self.change(|items| items.list.push_front((vruntime, thread)));
    }

    /// Adds a thread behind all others (sched_yield(2)), even if it has had less than they.
    pub fn push_last(&self, thread: T, vruntime: i64) {
        self.change(|items| {
            let last = items.list.iter().map(|(v, _)| *v).max().unwrap_or(vruntime);
            items.list.push_back((last.max(vruntime), thread));
        });
    }

    /// Adds a thread that comes from sleep or from another queue, where it stood `lag` above the floor. `running` is the virtual run
    /// time of the thread that this CPU runs at the moment. Returns the thread's new virtual run time.
    pub fn arrive(&self, thread: T, lag: i64, running: Option<i64>) -> i64 {
        self.change(|items| {
            if let Some(running) = running {
                items.raise_floor(running);
            }
            let vruntime = items.floor + lag.clamp(-CREDIT_NS, MOST_LAG_NS);
            items.insert(thread, vruntime);
            vruntime
        })
    }

    /// The next thread, with its virtual run time.
    pub fn pop(&self) -> Option<(T, i64)> {
        if self.is_empty() {
            return None;
        }
        self.change(|items| {
            let (vruntime, thread) = items.list.pop_front()?;
            items.raise_floor(vruntime);
            Some((thread, vruntime))
        })
    }

    /// The first thread that `allowed` lets go, for another CPU, with its distance to the floor. None also if somebody else holds the
    /// lock.
    pub fn steal(&self, allowed: impl Fn(&T) -> bool) -> Option<(T, i64)> {
        if self.is_empty() {
            return None;
        }
        let mut items = self.items.try_lock()?;
        let at = items.list.iter().position(|(_, thread)| allowed(thread))?;
        let (vruntime, thread) = items.list.remove(at)?;
        self.publish(&items);
        Some((thread, vruntime - items.floor))
    }

    /// Whether a thread waits that satisfies `wanted`, or somebody holds the lock and may be adding one.
    pub fn any_or_busy(&self, wanted: impl Fn(&T) -> bool) -> bool {
        if self.is_empty() {
            return false;
        }
        self.items.try_lock().is_none_or(|items| items.list.iter().any(|(_, thread)| wanted(thread)))
    }

    fn change<R>(&self, f: impl FnOnce(&mut Items<T>) -> R) -> R {
        let mut items = self.items.lock();
        let result = f(&mut items);
        self.publish(&items);
        result
    }

    fn publish(&self, items: &Items<T>) {
        self.first.store(items.list.front().map_or(NOBODY, |(v, _)| *v as u64), Ordering::Relaxed);
        self.floor.store(items.floor as u64, Ordering::Relaxed);
        self.len.store(items.list.len(), Ordering::SeqCst);
    }
}

impl<T> Items<T> {
    fn insert(&mut self, thread: T, vruntime: i64) {
        let behind = self.list.iter().rev().take_while(|(v, _)| *v > vruntime).count();
        self.list.insert(self.list.len() - behind, (vruntime, thread));
    }

    /// The floor follows the least of the running thread and those that wait, and never sinks.
    fn raise_floor(&mut self, running: i64) {
        let least = self.list.iter().map(|(v, _)| *v).min().unwrap_or(running);
        self.floor = self.floor.max(least.min(running));
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

    const MS: i64 = 1_000_000;

    fn drain(q: &RunQueue<Fake, char>) -> alloc::string::String {
        core::iter::from_fn(|| q.pop().map(|(t, _)| t)).collect()
    }

    #[test]
    fn least_first_then_in_order_of_arrival() {
        let q = RunQueue::<Fake, char>::new();
        for (t, v) in [('b', 2), ('d', 4), ('a', 1), ('c', 2)] {
            q.push(t, v);
        }
        assert_eq!((q.len(), q.first()), (4, Some(1)));
        assert_eq!(drain(&q), "abcd");
        assert_eq!((q.len(), q.first()), (0, None));
    }

    #[test]
    fn an_interrupted_thread_stays_first_but_not_before_one_with_a_claim() {
        let q = RunQueue::<Fake, char>::new();
        q.push('b', 10);
        q.push_front('a', 50);
        q.push('c', 20);
        assert_eq!(drain(&q), "abc");
        q.push_front('a', 50);
        q.push('c', 20);
        assert_eq!(drain(&q), "ca");
    }

    #[test]
    fn yielding_goes_last() {
        let q = RunQueue::<Fake, char>::new();
        q.push('b', 10);
        q.push_last('a', 1);
        q.push('c', 10);
        assert_eq!(drain(&q), "bac");
    }

    #[test]
    fn a_sleeper_gets_limited_credit() {
        let q = RunQueue::<Fake, char>::new();
        q.push('b', 100 * MS);
        let (b, v) = q.pop().unwrap();
        assert_eq!(q.floor(), 100 * MS);
        q.push(b, v + 10 * MS);
        assert_eq!(q.arrive('s', -5000 * MS, None), 100 * MS - CREDIT_NS);
        assert_eq!(drain(&q), "sb");
    }

    #[test]
    fn the_floor_follows_a_thread_that_runs_alone() {
        let q = RunQueue::<Fake, char>::new();
        assert_eq!(q.arrive('s', -MS, Some(9000 * MS)), 8999 * MS);
    }

    #[test]
    fn the_floor_does_not_pass_a_thread_that_waits() {
        let q = RunQueue::<Fake, char>::new();
        q.push('w', 5);
        q.arrive('s', 0, Some(9000 * MS));
        assert_eq!(q.floor(), 5);
    }

    #[test]
    fn steal_respects_the_affinity_and_takes_the_distance_along() {
        let q = RunQueue::<Fake, char>::new();
        q.push('a', 5);
        assert_eq!(q.pop(), Some(('a', 5)));
        for (t, v) in [('b', 7), ('c', 8)] {
            q.push(t, v);
        }
        assert_eq!(q.steal(|t| *t == 'c'), Some(('c', 3)));
        assert_eq!(q.steal(|t| *t == 'c'), None);
        assert_eq!((q.pop(), q.len()), (Some(('b', 7)), 0));
    }

    #[test]
    fn reserved_room_is_for_the_total() {
        let q = RunQueue::<Fake, u32>::new();
        assert_eq!(q.reserve(8), Ok(()));
        assert_eq!(q.reserve(usize::MAX), Err(Errno::ENOMEM));
    }
}
