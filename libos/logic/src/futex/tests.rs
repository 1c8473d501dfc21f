//! Futex behaviour with host threads.

use super::{FutexTable, Policy, WakeOp};
use crate::fake::Fake;
use crate::platform::Platform;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::thread;
use trapless_abi::Errno;

fn table() -> Arc<FutexTable<Fake>> {
    Arc::new(FutexTable::new(64, Policy::block()))
}

/// Waits until `n` threads sleep in the table.
fn until_waiting(table: &FutexTable<Fake>, n: usize) {
    while table.waiters() != n {
        thread::yield_now();
    }
}

fn sleeper(table: &Arc<FutexTable<Fake>>, key: usize, bitset: u32) -> thread::JoinHandle<Result<(), Errno>> {
    let table = table.clone();
    thread::spawn(move || table.wait(key, 7, bitset, None, || Ok(7)))
}

#[test]
fn a_changed_word_is_eagain() {
    assert_eq!(table().wait(4, 1, u32::MAX, None, || Ok(2)), Err(Errno::EAGAIN));
}

#[test]
fn a_fault_is_passed_on_and_leaves_no_waiter() {
    let t = table();
    assert_eq!(t.wait(4, 1, u32::MAX, None, || Err(Errno::EFAULT)), Err(Errno::EFAULT));
    assert_eq!(t.waiters(), 0);
}

#[test]
fn an_empty_bitset_is_einval() {
    assert_eq!(table().wait(4, 1, 0, None, || Ok(1)), Err(Errno::EINVAL));
}

#[test]
fn a_deadline_in_the_past_times_out_and_withdraws() {
    let t = table();
    assert_eq!(t.wait(4, 1, u32::MAX, Some(Fake::now()), || Ok(1)), Err(Errno::ETIMEDOUT));
    assert_eq!(t.waiters(), 0);
}

#[test]
fn wake_counts_and_leaves_the_rest() {
    let t = table();
    let threads: Vec<_> = (0..3).map(|_| sleeper(&t, 64, u32::MAX)).collect();
    until_waiting(&t, 3);
    assert_eq!(t.wake(64, 2, u32::MAX), 2);
    assert_eq!(t.waiters(), 1);
    assert_eq!(t.wake(64, usize::MAX, u32::MAX), 1);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
}

#[test]
fn a_bitset_selects() {
    let t = table();
    let one = sleeper(&t, 64, 1);
    until_waiting(&t, 1);
    assert_eq!(t.wake(64, 9, 2), 0);
    assert_eq!(t.wake(64, 9, 3), 1);
    assert_eq!(one.join().unwrap(), Ok(()));
}

#[test]
fn requeue_moves_waiters_that_can_then_be_woken_there() {
    for target in [68, 4096 * 7] {
        let t = table();
        let threads: Vec<_> = (0..3).map(|_| sleeper(&t, 64, u32::MAX)).collect();
        until_waiting(&t, 3);
        assert_eq!(t.requeue(64, target, 1, usize::MAX, || Ok(true)), Ok(3));
        assert_eq!(t.wake(64, 9, u32::MAX), 0);
        assert_eq!(t.wake(target, 9, u32::MAX), 2);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), Ok(()));
        }
    }
}

#[test]
fn requeue_with_a_failed_comparison_moves_nobody() {
    let t = table();
    assert_eq!(t.requeue(64, 68, 1, 1, || Ok(false)), Err(Errno::EAGAIN));
}

#[test]
fn a_requeued_waiter_still_times_out() {
    let t = table();
    let sleeper = {
        let t = t.clone();
        thread::spawn(move || t.wait(64, 7, u32::MAX, Some(Fake::now() + Duration::from_millis(50)), || Ok(7)))
    };
    until_waiting(&t, 1);
    t.requeue(64, 4096, 0, 1, || Ok(true)).unwrap();
    assert_eq!(sleeper.join().unwrap(), Err(Errno::ETIMEDOUT));
    assert_eq!(t.waiters(), 0);
}

#[test]
fn wake_op_applies_compares_and_wakes_both() {
    let t = table();
    let (a, b) = (sleeper(&t, 64, u32::MAX), sleeper(&t, 128, u32::MAX));
    until_waiting(&t, 2);
    let word = AtomicU32::new(5);
    // FUTEX_OP_ADD 3, compare old > 4
    let op = WakeOp::decode(1 << 28 | 4 << 24 | 3 << 12 | 4).unwrap();
    let update = || Ok(word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| Some(op.apply(old))).unwrap());
    assert_eq!(t.wake_op(64, 128, 1, 1, op, update), Ok(2));
    assert_eq!(word.load(Ordering::Relaxed), 8);
    assert_eq!((a.join().unwrap(), b.join().unwrap()), (Ok(()), Ok(())));
}

#[test]
fn unknown_wake_ops_are_refused() {
    assert_eq!(WakeOp::decode(5 << 28), Err(Errno::ENOSYS));
    assert_eq!(WakeOp::decode(6 << 24), Err(Errno::ENOSYS));
}

#[test]
fn the_seed_policy_returns_at_once_until_its_opens_are_used_up() {
    let t = FutexTable::<Fake>::new(64, Policy::seed(2));
    assert_eq!(t.wait(4, 1, u32::MAX, None, || Ok(1)), Ok(()));
    assert_eq!(t.wait(4, 1, u32::MAX, None, || Ok(2)), Err(Errno::EAGAIN));
    t.policy.note_open();
    t.policy.note_open();
    t.policy.note_open();
    assert_eq!(t.wait(4, 1, u32::MAX, Some(Fake::now()), || Ok(1)), Err(Errno::ETIMEDOUT));
}
