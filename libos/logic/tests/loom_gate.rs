//! The gate that waiters for a lock halt at: INV-GATE-1, nobody sleeps on a free lock.
#![cfg(loom)]
#![allow(clippy::arc_with_non_send_sync, reason = "model threads are coroutines of one thread")]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail, mutant};
use trapless_logic::fake::model::run_on;
use trapless_logic::gate::Gate;

/// The least lock that has a gate, put together as `sync::Lock` is.
struct Locked {
    taken: AtomicBool,
    gate: Gate,
    /// The checker reports who looks at it at the same time as another.
    value: UnsafeCell<u32>,
}

impl Locked {
    fn new() -> Arc<Self> {
        Arc::new(Self { taken: AtomicBool::new(false), gate: Gate::new(), value: UnsafeCell::new(0) })
    }

    fn try_take(&self) -> Option<()> {
        self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).ok().map(|_| ())
    }

    fn take(&self) {
        if self.try_take().is_none() {
            self.gate.pass::<Fake, ()>(|| self.try_take());
        }
    }

    fn free(&self) {
        if mutant("gate_open_first") {
            self.gate.open::<Fake>();
            self.taken.store(false, Ordering::Release);
        } else {
            self.taken.store(false, Ordering::Release);
            self.gate.open::<Fake>();
        }
    }

    fn increment(&self) {
        self.take();
        self.value.with_mut(|_| ());
        self.free();
    }
}

/// CPU `n` takes and frees the lock `counts[n]` times.
fn cpus(counts: &'static [usize], preemptions: Option<usize>) {
    explore(preemptions, move || {
        let locked = Locked::new();
        let work = |cpu: usize| {
            let locked = locked.clone();
            move || {
                run_on(cpu);
                (0..counts[cpu]).for_each(|_| locked.increment());
            }
        };
        let others: Vec<_> = (1..counts.len()).map(|cpu| thread::spawn(work(cpu))).collect();
        work(0)();
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn of_two_cpus_none_is_forgotten() {
    cpus(&[1, 1], None);
}

#[test]
fn a_cpu_that_comes_again_forgets_nobody() {
    cpus(&[2, 2], Some(3));
}

#[test]
fn of_three_cpus_none_is_forgotten() {
    cpus(&[1, 1, 1], Some(3));
}

#[test]
fn a_waiter_that_tries_before_it_says_so_is_found() {
    must_fail("of_two_cpus_none_is_forgotten", "gate_publish_late", "deadlock");
}

#[test]
fn a_release_behind_the_look_at_the_waiters_is_found() {
    must_fail("of_two_cpus_none_is_forgotten", "gate_open_first", "deadlock");
}

#[test]
fn a_missing_fence_is_found_on_either_side() {
    must_fail("of_two_cpus_none_is_forgotten", "gate_releaser_unfenced", "deadlock");
    must_fail("of_two_cpus_none_is_forgotten", "gate_waiter_unfenced", "deadlock");
}
