//! What shards of the network stack leave for each other: INV-NET-4, nothing stays behind.
#![cfg(loom)]

use loom::thread;
use std::collections::VecDeque;
use std::sync::Arc;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::net::inbox::Inbox;
use trapless_logic::net::relay::Relay;

/// A shard that counts what it was left.
struct Shard {
    inbox: Inbox<Fake, ()>,
    taken: Relay<Fake, usize>,
}

impl Shard {
    fn new() -> Arc<Self> {
        Arc::new(Self { inbox: Inbox::new(), taken: Relay::new(0) })
    }

    fn work(&self, taken: &mut usize) {
        let mut all = VecDeque::new();
        self.inbox.take(&mut all);
        *taken += all.len();
    }

    /// Another shard has something for it.
    fn leave(&self) {
        self.inbox.put((), 1);
        self.taken.request(|taken| self.work(taken));
    }

    /// A call that has to do with other things.
    fn call(&self) {
        self.taken.with(|_| (), |taken| self.work(taken));
    }

    fn all_taken(&self, count: usize) {
        self.taken.with(|taken| assert_eq!(*taken, count, "something was left"), |_| ());
    }
}

#[test]
fn two_shards_leave_something_at_once() {
    explore(Some(3), || {
        let shard = Shard::new();
        let other = thread::spawn({
            let shard = shard.clone();
            move || shard.leave()
        });
        shard.leave();
        other.join().unwrap();
        shard.all_taken(2);
    });
}

#[test]
fn a_call_finds_what_was_left_meanwhile() {
    explore(Some(3), || {
        let shard = Shard::new();
        let other = thread::spawn({
            let shard = shard.clone();
            move || shard.leave()
        });
        let caller = thread::spawn({
            let shard = shard.clone();
            move || shard.call()
        });
        shard.leave();
        other.join().unwrap();
        caller.join().unwrap();
        shard.all_taken(2);
    });
}

#[test]
fn not_seeing_what_all_wishes_are_about_is_found() {
    must_fail("a_call_finds_what_was_left_meanwhile", "relay_clears_blindly", "something was left");
}

#[test]
fn saying_so_before_it_is_in_is_found() {
    must_fail("two_shards_leave_something_at_once", "inbox_says_early", "something was left");
}

#[test]
fn taking_it_back_too_late_is_found() {
    must_fail("two_shards_leave_something_at_once", "inbox_clears_late", "something was left");
}
