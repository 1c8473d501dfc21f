//! The futex table: INV-FUTEX-1 (compared and queued under one lock) and INV-FUTEX-2 (woken once, by whom says so).
//!
//! The checker has no clock: a wait that gives up is one that a signal ends, which takes the same way out as a time-out.
#![cfg(loom)]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use trapless_abi::{Errno, SysResult};
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::fake::model::{run_on, signal};
use trapless_logic::futex::{FutexTable, Policy};

/// Two addresses in different buckets of a table of two.
const A: usize = 4;
const B: usize = 12;
const ANY: u32 = u32::MAX;

type Table = Arc<FutexTable<Fake>>;

fn table() -> Table {
    Arc::new(FutexTable::new(2, Policy::block()))
}

/// A thread on CPU `cpu` that sleeps on `A`, whose word does not change.
fn sleeper(table: &Table, cpu: usize) -> JoinHandle<SysResult<()>> {
    let table = table.clone();
    thread::spawn(move || {
        run_on(cpu);
        table.wait(A, 0, ANY, None, || Ok(0))
    })
}

/// Whether a sleeper says that it was woken.
fn woken(sleeper: JoinHandle<SysResult<()>>) -> usize {
    match sleeper.join().unwrap() {
        Ok(()) => 1,
        gave_up => {
            assert_eq!(gave_up, Err(Errno::EINTR));
            0
        }
    }
}

/// As a mutex is handed over: the word is changed first, its waiter woken second.
#[test]
fn a_changed_word_is_seen_or_its_waker_comes() {
    explore(None, || {
        let (table, word) = (table(), Arc::new(AtomicU32::new(0)));
        let sleeper = thread::spawn({
            let (table, word) = (table.clone(), word.clone());
            move || table.wait(A, 0, ANY, None, || Ok(word.load(Ordering::Relaxed)))
        });
        word.store(1, Ordering::Relaxed);
        let told = table.wake(A, 1, ANY);
        let answer = sleeper.join().unwrap();
        assert_eq!(answer, if told == 1 { Ok(()) } else { Err(Errno::EAGAIN) });
    });
}

#[test]
fn a_wake_and_a_signal_agree_on_who_was_first() {
    explore(None, || {
        let table = table();
        let sleeper = sleeper(&table, 1);
        let waker = thread::spawn({
            let table = table.clone();
            move || table.wake(A, 1, ANY)
        });
        signal(1);
        let told = waker.join().unwrap();
        assert_eq!(told, woken(sleeper));
        assert_eq!(table.waiters(), 0);
    });
}

/// The wake must not go to one that gives up while the other sleeps on.
#[test]
fn one_wake_of_two_sleepers_is_used_once() {
    explore(Some(2), || {
        let table = table();
        let sleepers = [1, 2].map(|cpu| sleeper(&table, cpu));
        let waker = thread::spawn({
            let table = table.clone();
            move || table.wake(A, 1, ANY)
        });
        signal(1);
        signal(2);
        let told = waker.join().unwrap();
        assert_eq!(told, sleepers.map(woken).into_iter().sum());
        assert_eq!(table.waiters(), 0);
    });
}

#[test]
fn a_requeued_sleeper_is_woken_at_its_new_place_or_gives_up() {
    explore(Some(3), || {
        let table = table();
        let sleeper = sleeper(&table, 1);
        let mover = thread::spawn({
            let table = table.clone();
            move || {
                let moved = table.requeue(A, B, 0, 1, || Ok(true)).unwrap();
                let told = table.wake(B, 1, ANY);
                assert!(told <= moved);
                told
            }
        });
        signal(1);
        let told = mover.join().unwrap();
        assert_eq!(told, woken(sleeper));
        assert_eq!(table.waiters(), 0);
    });
}

#[test]
fn a_requeued_sleeper_that_nobody_wakes_gives_up() {
    explore(None, || {
        let table = table();
        let sleeper = sleeper(&table, 1);
        let mover = thread::spawn({
            let table = table.clone();
            move || table.requeue(A, B, 0, 1, || Ok(true)).unwrap()
        });
        signal(1);
        assert_eq!(woken(sleeper), 0);
        mover.join().unwrap();
        assert_eq!(table.waiters(), 0);
    });
}

/// As a condition variable is signalled and broadcast at once (FUTEX_WAKE against FUTEX_REQUEUE).
#[test]
fn a_requeue_and_a_wake_lose_nobody() {
    explore(Some(3), || {
        let table = table();
        let sleeper = sleeper(&table, 1);
        let mover = thread::spawn({
            let table = table.clone();
            move || table.requeue(A, B, 0, 1, || Ok(true)).unwrap()
        });
        let first = table.wake(A, 1, ANY);
        let moved = mover.join().unwrap();
        assert!(first + moved <= 1, "neither woken twice nor moved after that");
        if first == 0 {
            // It may sleep at either place, or not yet: a signal for that case.
            signal(1);
            let second = table.wake(B, 1, ANY);
            assert!(second <= moved);
            assert_eq!(second, woken(sleeper));
        } else {
            assert_eq!(woken(sleeper), 1);
        }
        assert_eq!(table.waiters(), 0);
    });
}

#[test]
fn requeues_both_ways_do_not_block_each_other() {
    explore(None, || {
        let table = table();
        let other = thread::spawn({
            let table = table.clone();
            move || table.requeue(B, A, 1, 1, || Ok(true))
        });
        assert_eq!(table.requeue(A, B, 1, 1, || Ok(true)), Ok(0));
        assert_eq!(other.join().unwrap(), Ok(0));
    });
}

#[test]
fn the_addresses_are_in_different_buckets() {
    // Or the model above would show nothing.
    must_fail("requeues_both_ways_do_not_block_each_other", "futex_locks_as_given", "deadlock");
}

#[test]
fn a_comparison_outside_the_lock_is_found() {
    must_fail("a_changed_word_is_seen_or_its_waker_comes", "futex_compare_unlocked", "deadlock");
}

#[test]
fn an_unpark_before_the_flag_is_found() {
    must_fail("a_changed_word_is_seen_or_its_waker_comes", "futex_unpark_first", "deadlock");
}

#[test]
fn giving_up_whoever_was_first_is_found() {
    let symptom = "assertion `left == right` failed";
    must_fail("a_wake_and_a_signal_agree_on_who_was_first", "futex_gives_up_blindly", symptom);
    must_fail("one_wake_of_two_sleepers_is_used_once", "futex_gives_up_blindly", symptom);
}

#[test]
fn giving_up_at_the_old_place_is_found() {
    let symptom = "assertion `left == right` failed";
    must_fail("a_requeued_sleeper_that_nobody_wakes_gives_up", "futex_withdraw_ignores_requeue", symptom);
}
