//! The lock of a shard of the network stack: INV-NET-2, a request that finds the lock taken is not forgotten.
#![cfg(loom)]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use std::sync::Arc;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::net::relay::Relay;

/// A card with frames that wait, and what a stack has taken.
struct Stack {
    waiting: AtomicU32,
    taken: Relay<Fake, u32>,
}

impl Stack {
    fn new() -> Arc<Self> {
        Arc::new(Self { waiting: AtomicU32::new(0), taken: Relay::new(0) })
    }

    fn take(&self, taken: &mut u32) {
        *taken += self.waiting.swap(0, Ordering::AcqRel);
    }

    /// A frame comes, and the softirq.
    fn interrupt(&self) {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.taken.request(|taken| self.take(taken));
    }

    /// A call that has to do with other things.
    fn call(&self) {
        self.taken.with(|_| (), |taken| self.take(taken));
    }

    fn all_taken(&self, frames: u32) {
        assert_eq!(self.waiting.load(Ordering::Acquire), 0, "a frame was left");
        self.taken.with(|taken| assert_eq!(*taken, frames), |_| ());
    }
}

#[test]
fn a_call_does_what_the_softirq_could_not() {
    explore(None, || {
        let stack = Stack::new();
        let caller = thread::spawn({
            let stack = stack.clone();
            move || stack.call()
        });
        stack.interrupt();
        caller.join().unwrap();
        stack.all_taken(1);
    });
}

#[test]
fn softirqs_do_each_others_work() {
    explore(Some(3), || {
        let stack = Stack::new();
        let other = thread::spawn({
            let stack = stack.clone();
            move || stack.interrupt()
        });
        let caller = thread::spawn({
            let stack = stack.clone();
            move || stack.call()
        });
        stack.interrupt();
        other.join().unwrap();
        caller.join().unwrap();
        stack.all_taken(2);
    });
}

#[test]
fn trying_before_asking_is_found() {
    must_fail("a_call_does_what_the_softirq_could_not", "relay_try_first", "a frame was left");
}

#[test]
fn looking_for_requests_before_freeing_the_lock_is_found() {
    must_fail("a_call_does_what_the_softirq_could_not", "relay_look_early", "a frame was left");
}
