//! TLB shootdowns: INV-SHOOT-1 and -2, nobody waits for an answer that was given.
#![cfg(loom)]
#![allow(clippy::arc_with_non_send_sync, reason = "model threads are coroutines of one thread")]

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::fake::model::run_on;
use trapless_logic::platform::Platform;
use trapless_logic::shootdown::{Answered, Requests};

#[derive(Default)]
struct Machine {
    requests: Requests,
    answered: Answered,
    /// The interrupt that CPU 0 sends to CPU 1, until it is taken.
    interrupt: AtomicBool,
}

impl Machine {
    /// CPU 0 asks, and waits for the answer.
    fn asks(&self) {
        let generation = self.requests.make();
        // Not a store: the checker would let CPU 1 see it in either order with what that has stored.
        self.interrupt.swap(true, Ordering::SeqCst);
        Fake::kick(1);
        self.requests.wait::<Fake>(|| self.answered.has(generation));
    }

    /// A moment in which CPU 1 may be interrupted.
    fn moment(&self) -> bool {
        let comes = self.interrupt.swap(false, Ordering::SeqCst);
        if comes {
            self.requests.answer(&self.answered, || ());
            self.requests.tell::<Fake>();
        }
        comes
    }

    /// CPU 1 halts until it is interrupted.
    fn is_interrupted(&self) {
        while !self.moment() {
            Fake::halt();
        }
    }

    /// CPU 1 comes out of a halt and answers what it has missed, in the middle of which the interrupt may come.
    fn wakes(&self) {
        let mut came = self.moment();
        if self.requests.is_behind(&self.answered) {
            self.requests.answer(&self.answered, || came |= self.moment());
        }
        if !came {
            self.is_interrupted();
        }
    }
}

fn machine(other: fn(&Machine)) {
    explore(None, move || {
        let machine = Arc::new(Machine::default());
        // An earlier request that CPU 1 has slept through: it has something to catch up with.
        machine.requests.make();
        let asker = machine.clone();
        let asking = thread::spawn(move || {
            run_on(0);
            asker.asks();
        });
        run_on(1);
        other(&machine);
        asking.join().unwrap();
    });
}

#[test]
fn who_is_interrupted_answers() {
    machine(Machine::is_interrupted);
}

#[test]
fn an_interrupt_amid_an_answer_is_not_forgotten() {
    machine(Machine::wakes);
}

#[test]
fn an_answer_that_goes_back_is_found() {
    must_fail("an_interrupt_amid_an_answer_is_not_forgotten", "shootdown_goes_back", "deadlock");
}

#[test]
fn a_missing_fence_is_found_on_either_side() {
    must_fail("who_is_interrupted_answers", "shootdown_answerer_unfenced", "deadlock");
    must_fail("who_is_interrupted_answers", "shootdown_waiter_unfenced", "deadlock");
}
