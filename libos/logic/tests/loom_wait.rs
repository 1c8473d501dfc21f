//! Wait queues: INV-WAIT-1, no change falls between a look and a sleep.
#![cfg(loom)]

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;
use trapless_abi::Errno;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::fake::model::{run_on, signal};
use trapless_logic::sync::Lock;
use trapless_logic::wait::{Observer, Ready, WaitQueue, block_on};

/// The simplest thing to wait for: a number.
struct Counter {
    count: Lock<Fake, u32>,
    queue: WaitQueue<Fake>,
}

impl Counter {
    fn new() -> Arc<Self> {
        Arc::new(Self { count: Lock::new(0), queue: WaitQueue::new() })
    }

    fn increment(&self) {
        *self.count.lock() += 1;
        self.queue.notify(Ready::READABLE);
    }

    /// Sleeps until the number is `n`, then takes it away.
    fn take(&self, n: u32) -> Result<(), Errno> {
        block_on(&self.queue, Ready::READABLE, None, || {
            let mut count = self.count.lock();
            if *count < n {
                return Err(Errno::EAGAIN);
            }
            *count -= n;
            Ok(())
        })
    }
}

#[test]
fn a_change_wakes_a_sleeper() {
    explore(None, || {
        let counter = Counter::new();
        let sleeper = thread::spawn({
            let counter = counter.clone();
            move || counter.take(1)
        });
        counter.increment();
        assert_eq!(sleeper.join().unwrap(), Ok(()));
    });
}

#[test]
fn changes_that_do_not_suffice_are_no_end_of_the_waiting() {
    explore(None, || {
        let counter = Counter::new();
        let sleeper = thread::spawn({
            let counter = counter.clone();
            move || counter.take(2)
        });
        counter.increment();
        counter.increment();
        assert_eq!(sleeper.join().unwrap(), Ok(()));
    });
}

#[test]
fn two_changes_wake_two_sleepers() {
    explore(Some(2), || {
        let counter = Counter::new();
        let sleepers = [(); 2].map(|()| {
            let counter = counter.clone();
            thread::spawn(move || counter.take(1))
        });
        counter.increment();
        counter.increment();
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), Ok(()));
        }
        assert_eq!(*counter.count.lock(), 0);
    });
}

/// A signal ends the sleep, but what came before it is not lost: it is taken, or still there.
#[test]
fn a_signal_ends_the_sleep_and_takes_nothing_along() {
    explore(Some(3), || {
        let counter = Counter::new();
        let sleeper = thread::spawn({
            let counter = counter.clone();
            move || {
                run_on(1);
                counter.take(1)
            }
        });
        let waker = thread::spawn({
            let counter = counter.clone();
            move || counter.increment()
        });
        signal(1);
        waker.join().unwrap();
        match sleeper.join().unwrap() {
            Ok(()) => assert_eq!(*counter.count.lock(), 0),
            other => assert_eq!((other, *counter.count.lock()), (Err(Errno::EINTR), 1)),
        }
    });
}

/// Fails when it is told anything after its owner has left.
#[derive(Default)]
struct Watcher(AtomicBool);

impl Observer for Watcher {
    fn notify(&self, _: Ready) {
        assert!(!self.0.load(Ordering::Acquire), "told after it has left");
    }
}

#[test]
fn who_has_left_is_told_nothing() {
    explore(None, || {
        let counter = Counter::new();
        let watcher = Arc::new(Watcher::default());
        let token = counter.queue.register(Ready::READABLE, watcher.clone()).unwrap();
        let notifier = thread::spawn({
            let counter = counter.clone();
            move || counter.increment()
        });
        counter.queue.unregister(token);
        watcher.0.store(true, Ordering::Release);
        notifier.join().unwrap();
    });
}

#[test]
fn a_look_only_before_registering_is_found() {
    must_fail("a_change_wakes_a_sleeper", "wait_trusts_first_attempt", "deadlock");
}

#[test]
fn leaving_the_queue_before_the_sleep_is_found() {
    must_fail("a_change_wakes_a_sleeper", "wait_unregister_early", "deadlock");
}

#[test]
fn a_flag_that_is_cleared_after_the_look_is_found() {
    must_fail("a_change_wakes_a_sleeper", "wait_clears_fired", "deadlock");
}

#[test]
fn telling_without_the_lock_is_found() {
    must_fail("who_has_left_is_told_nothing", "wait_notify_unlocked", "told after it has left");
}
