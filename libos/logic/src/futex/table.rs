//! The table of waiters.

use super::Policy;
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, AtomicUsize, Guard, Lock, Ordering};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// One thread that sleeps on a futex word.
struct Waiter<P: Platform> {
    thread: P::Thread,
    /// The word it sleeps on; FUTEX_REQUEUE changes it, under both bucket locks.
    key: AtomicUsize,
    bitset: u32,
    woken: AtomicBool,
}

type Queue<P> = VecDeque<Arc<Waiter<P>>>;
type BucketGuard<'a, P> = Guard<'a, P, Queue<P>>;

/// The operation and comparison of FUTEX_WAKE_OP, decoded from its `val3` (futex(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WakeOp {
    op: u32,
    cmp: u32,
    oparg: u32,
    cmparg: u32,
}

impl WakeOp {
    /// Decodes `val3`; ENOSYS for an operation or comparison that does not exist, as Linux answers.
    pub fn decode(val3: u32) -> SysResult<Self> {
        let sign_extend = |v: u32| ((v << 20) as i32 >> 20) as u32;
        let (op, cmp) = ((val3 >> 28) & 15, (val3 >> 24) & 15);
        if op & 7 > 4 || cmp > 5 {
            return Err(Errno::ENOSYS);
        }
        let mut oparg = sign_extend((val3 >> 12) & 0xfff);
        if op & 8 != 0 {
            oparg = 1u32.checked_shl(oparg & 31).unwrap_or(0);
        }
        Ok(Self { op: op & 7, cmp, oparg, cmparg: sign_extend(val3 & 0xfff) })
    }

    /// The word's new value.
    pub fn apply(self, old: u32) -> u32 {
        match self.op {
            0 => self.oparg,
            1 => old.wrapping_add(self.oparg),
            2 => old | self.oparg,
            3 => old & !self.oparg,
            _ => old ^ self.oparg,
        }
    }

    /// Whether the second queue is woken too.
    pub fn compare(self, old: u32) -> bool {
        let (old, arg) = (old as i32, self.cmparg as i32);
        match self.cmp {
            0 => old == arg,
            1 => old != arg,
            2 => old < arg,
            3 => old <= arg,
            4 => old > arg,
            _ => old >= arg,
        }
    }
}

/// All futex waiters of the one address space, hashed by the word's address.
pub struct FutexTable<P: Platform> {
    buckets: Vec<Lock<P, Queue<P>>>,
    /// The boot policy.
    pub policy: Policy,
}

impl<P: Platform> FutexTable<P> {
    /// A table with `buckets` buckets, a power of two.
    pub fn new(buckets: usize, policy: Policy) -> Self {
        assert!(buckets.is_power_of_two(), "the hash masks");
        Self { buckets: (0..buckets).map(|_| Lock::new(VecDeque::new())).collect(), policy }
    }

    fn index(&self, key: usize) -> usize {
        // Words are 4-byte aligned; a Fibonacci hash spreads neighbours.
        let hash = (key as u64 >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> 32) as usize & (self.buckets.len() - 1)
    }

    fn bucket(&self, key: usize) -> BucketGuard<'_, P> {
        self.buckets[self.index(key)].lock()
    }

    /// FUTEX_WAIT and FUTEX_WAIT_BITSET: sleeps if `load()` still gives `expected`.
    ///
    /// EAGAIN if the word has changed, ETIMEDOUT, EINTR, EINVAL for an empty bitset, ENOMEM, and what `load` returns (EFAULT).
    #[inline(never)] // A wake shares a row with it, and needs no stack for it.
    pub fn wait(
        &self,
        key: usize,
        expected: u32,
        bitset: u32,
        deadline: Option<Instant>,
        load: impl FnOnce() -> SysResult<u32>,
    ) -> SysResult<()> {
        if bitset == 0 {
            return Err(Errno::EINVAL);
        }
        if self.policy.spinning() {
            return if load()? == expected { Ok(()) } else { Err(Errno::EAGAIN) };
        }
        let waiter = Arc::new(Waiter {
            thread: P::current(),
            key: AtomicUsize::new(key),
            bitset,
            woken: AtomicBool::new(false),
        });
        {
            let mut queue = self.bucket(key);
            if load()? != expected {
                return Err(Errno::EAGAIN);
            }
            if mutant("futex_compare_unlocked") {
                drop(queue);
                queue = self.bucket(key);
            }
            queue.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            queue.push_back(waiter.clone());
        }
        loop {
            if waiter.woken.load(Ordering::Acquire) {
                return Ok(());
            }
            let give_up = if P::signal_pending() {
                Errno::EINTR
            } else if deadline.is_some_and(|d| P::now() >= d) {
                Errno::ETIMEDOUT
            } else {
                P::park(deadline);
                continue;
            };
            // Not woken after all, unless a waker was faster: then its wake must not be lost (INV-FUTEX-2).
            return if self.withdraw(&waiter) || mutant("futex_gives_up_blindly") { Err(give_up) } else { Ok(()) };
        }
    }

    /// Takes a waiter out of whatever queue it is in; false if a waker already did.
    fn withdraw(&self, waiter: &Arc<Waiter<P>>) -> bool {
        loop {
            let key = waiter.key.load(Ordering::Acquire);
            let mut queue = self.bucket(key);
            if waiter.key.load(Ordering::Acquire) != key && !mutant("futex_withdraw_ignores_requeue") {
                continue; // requeued in between
            }
            let found = queue.iter().position(|w| Arc::ptr_eq(w, waiter));
            return found.is_some_and(|at| queue.remove(at).is_some());
        }
    }

    /// FUTEX_WAKE and FUTEX_WAKE_BITSET: wakes up to `count` waiters, first come first served; returns how many.
    pub fn wake(&self, key: usize, count: usize, bitset: u32) -> usize {
        let mut queue = self.bucket(key);
        if queue.is_empty() { 0 } else { wake_in(&mut queue, key, count, bitset) }
    }

    /// Locks the buckets of two words in the order of their indexes; the second is None when they share one.
    fn two_buckets(&self, a: usize, b: usize) -> (BucketGuard<'_, P>, Option<BucketGuard<'_, P>>) {
        let (ia, ib) = (self.index(a), self.index(b));
        if ia == ib {
            return (self.buckets[ia].lock(), None);
        }
        if ia < ib || mutant("futex_locks_as_given") {
            let first = self.buckets[ia].lock();
            (first, Some(self.buckets[ib].lock()))
        } else {
            let second = self.buckets[ib].lock();
            (self.buckets[ia].lock(), Some(second))
        }
    }

    /// FUTEX_REQUEUE and FUTEX_CMP_REQUEUE: wakes up to `wake` waiters of `from` and moves up to `moved` of the others to `to`.
    /// Returns how many were woken or moved. EAGAIN if `check` (the comparison of CMP_REQUEUE, under the lock) says false.
    #[inline(never)]
    pub fn requeue(
        &self,
        from: usize,
        to: usize,
        wake: usize,
        moved: usize,
        check: impl FnOnce() -> SysResult<bool>,
    ) -> SysResult<usize> {
        let (mut source, mut target) = self.two_buckets(from, to);
        if !check()? {
            return Err(Errno::EAGAIN);
        }
        let woken = wake_in(&mut source, from, wake, u32::MAX);
        let mut n = 0;
        let mut at = 0;
        while at < source.len() && n < moved {
            if source[at].key.load(Ordering::Relaxed) != from {
                at += 1;
                continue;
            }
            match &mut target {
                None => {
                    source[at].key.store(to, Ordering::Release);
                    at += 1;
                }
                Some(target) => {
                    target.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    if let Some(waiter) = source.remove(at) {
                        waiter.key.store(to, Ordering::Release);
                        target.push_back(waiter);
                    }
                }
            }
            n += 1;
        }
        Ok(woken + n)
    }

    /// FUTEX_WAKE_OP: `update` atomically applies the operation to the second word and returns its old value; then up to `count`
    /// waiters of `first` are woken and, if the comparison holds for the old value, up to `count2` of `second`.
    #[inline(never)]
    pub fn wake_op(
        &self,
        first: usize,
        second: usize,
        count: usize,
        count2: usize,
        op: WakeOp,
        update: impl FnOnce() -> SysResult<u32>,
    ) -> SysResult<usize> {
        let (mut a, mut b) = self.two_buckets(first, second);
        let old = update()?;
        let mut woken = wake_in(&mut a, first, count, u32::MAX);
        if op.compare(old) {
            woken += wake_in(b.as_mut().unwrap_or(&mut a), second, count2, u32::MAX);
        }
        Ok(woken)
    }

    /// Threads that sleep on futexes now (for /proc).
    pub fn waiters(&self) -> usize {
        self.buckets.iter().map(|b| b.lock().len()).sum()
    }
}

/// Wakes waiters of `key` in its locked queue.
#[inline(never)]
fn wake_in<P: Platform>(queue: &mut Queue<P>, key: usize, count: usize, bitset: u32) -> usize {
    let mut woken = 0;
    let mut at = 0;
    while at < queue.len() && woken < count {
        let waiter = &queue[at];
        if waiter.key.load(Ordering::Relaxed) != key || waiter.bitset & bitset == 0 {
            at += 1;
            continue;
        }
        if let Some(waiter) = queue.remove(at) {
            if mutant("futex_unpark_first") {
                P::unpark(&waiter.thread);
            }
            waiter.woken.store(true, Ordering::Release);
            if !mutant("futex_unpark_first") {
                P::unpark(&waiter.thread);
            }
            woken += 1;
        }
    }
    woken
}
