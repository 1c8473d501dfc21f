//! The scheduler: INV-PARK-1..3 (woken exactly once, never before the registers are saved), INV-IDLE-1 (no thread waits while a
//! CPU that may run it halts) and INV-SLICE-1 (no thread waits for a CPU that does not know).
#![cfg(loom)]
#![allow(clippy::arc_with_non_send_sync, reason = "model threads are coroutines of one thread")]

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use std::sync::Arc;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail, mutant};
use trapless_logic::sched::{Commit, IdleSet, ParkState, RunQueue, Slice};

/// A run queue as a parked thread sees it: how often the thread is in it.
#[derive(Default)]
struct Queue {
    times: Mutex<usize>,
    condvar: Condvar,
}

impl Queue {
    fn push(&self) {
        *self.times.lock().unwrap() += 1;
        self.condvar.notify_one();
    }

    /// Waits to be resumed. A wake-up that is lost is a deadlock, which the checker reports.
    fn pop(&self) {
        let mut times = self.times.lock().unwrap();
        while *times == 0 {
            times = self.condvar.wait(times).unwrap();
        }
        *times -= 1;
    }
}

#[test]
fn a_parked_thread_is_woken_exactly_once() {
    explore(Some(3), || {
        let state = Arc::new(ParkState::new());
        let registers = Arc::new(UnsafeCell::new(0));
        let queue = Arc::new(Queue::default());
        let events: Arc<[AtomicBool; 2]> = Arc::default();
        let wakers = [0, 1].map(|i| {
            let (state, registers, queue, events) = (state.clone(), registers.clone(), queue.clone(), events.clone());
            thread::spawn(move || {
                events[i].store(true, Ordering::Release);
                if state.unpark() {
                    // As the CPU that resumes the thread would: the checker reports a race with the saving.
                    registers.with(|_| ());
                    queue.push();
                }
            })
        });
        let done = || events.iter().all(|e| e.load(Ordering::Acquire));
        while !done() {
            if state.take_token() {
                continue;
            }
            // The thread leaves its CPU; the rest happens on the scheduler's stack.
            registers.with_mut(|_| ());
            if state.commit() == Commit::Parked {
                queue.pop();
            }
        }
        for waker in wakers {
            waker.join().unwrap();
        }
        assert_eq!(*queue.times.lock().unwrap(), 0, "queued once more than it was parked");
    });
}

/// The interrupts of one CPU.
#[derive(Default)]
struct Interrupts {
    state: Mutex<InterruptState>,
    condvar: Condvar,
}

#[derive(Default)]
struct InterruptState {
    off: bool,
    pending: bool,
}

impl Interrupts {
    fn disable(&self) {
        self.state.lock().unwrap().off = true;
    }

    fn enable(&self) {
        *self.state.lock().unwrap() = InterruptState::default();
    }

    /// By another CPU. While interrupts are on, the handler runs at once, and does nothing: it is there to end a halt.
    fn send(&self) {
        let mut state = self.state.lock().unwrap();
        state.pending = state.off;
        self.condvar.notify_one();
    }

    /// `sti; hlt`: an interrupt that came while they were off ends the halt at once.
    fn enable_and_halt(&self) {
        let mut state = self.state.lock().unwrap();
        while !state.pending && state.off {
            state = self.condvar.wait(state).unwrap();
        }
        *state = InterruptState::default();
    }
}

/// A CPU that has nothing to do, its idle set, and the run queue of another CPU that is busy with something long.
#[derive(Default)]
struct Idler {
    idle: IdleSet,
    queue: RunQueue<Fake, u32>,
    interrupts: Interrupts,
}

impl Idler {
    /// As the idle loop does: steals the thread, halting until there is one.
    fn steal(&self) -> u32 {
        loop {
            if let Some((thread, _)) = self.queue.steal(|_| true) {
                return thread;
            }
            if !self.idle.prepare(0, || self.queue.any_or_busy(|_| true)) {
                continue;
            }
            let early = mutant("idle_last_look_early") && self.idle.undisturbed(0);
            self.interrupts.disable();
            if early || self.idle.undisturbed(0) {
                self.interrupts.enable_and_halt();
            }
            self.interrupts.enable();
            self.idle.leave(0);
        }
    }
}

/// Runs `waker` beside the idle CPU, which must get a thread from it.
fn idle_while(waker: fn(&Idler)) {
    explore(Some(4), move || {
        let idler = Arc::new(Idler::default());
        let waker = thread::spawn({
            let idler = idler.clone();
            move || waker(&idler)
        });
        assert_eq!(idler.steal(), 7);
        waker.join().unwrap();
    });
}

/// The waker has chosen the CPU because it was idle, and claims it.
#[test]
fn an_idle_cpu_misses_no_work_meant_for_it() {
    idle_while(|idler| {
        idler.queue.push(7, 0);
        if idler.idle.claim(0) {
            idler.interrupts.send();
        }
    });
}

/// The waker has chosen another CPU, and looks for one that went idle meanwhile.
#[test]
fn an_idle_cpu_misses_no_work_that_it_can_steal() {
    idle_while(|idler| {
        idler.queue.push(7, 0);
        if idler.idle.snapshot() & 1 != 0 && idler.idle.claim(0) {
            idler.interrupts.send();
        }
    });
}

/// A CPU gives itself to a thread while another one arrives in its queue. The slice before had an end.
#[test]
fn a_cpu_that_begins_a_slice_knows_who_waits() {
    explore(None, || {
        let cpu = Arc::new((Slice::new(), RunQueue::<Fake, u32>::new()));
        cpu.0.limit(1);
        let waker = thread::spawn({
            let cpu = cpu.clone();
            move || {
                cpu.1.push(7, 0);
                !cpu.0.ends()
            }
        });
        cpu.0.begin(0, 0, || cpu.1.first());
        let is_told = waker.join().unwrap();
        assert!(is_told || cpu.0.ends(), "it does not know");
    });
}

#[test]
fn a_look_at_the_queue_before_the_slice_is_forgotten_is_found() {
    must_fail("a_cpu_that_begins_a_slice_knows_who_waits", "slice_looks_first", "it does not know");
}

#[test]
fn a_look_at_the_slice_before_the_queue_is_written_is_found() {
    must_fail("a_cpu_that_begins_a_slice_knows_who_waits", "slice_ends_unfenced", "it does not know");
}

#[test]
fn a_commit_that_overwrites_the_token_is_found() {
    must_fail("a_parked_thread_is_woken_exactly_once", "park_commit_stores", "deadlock");
}

#[test]
fn a_commit_that_ignores_a_second_token_is_found() {
    must_fail("a_parked_thread_is_woken_exactly_once", "park_commit_forgets", "deadlock");
}

#[test]
fn a_look_before_entering_the_idle_set_is_found() {
    must_fail("an_idle_cpu_misses_no_work_meant_for_it", "idle_looks_first", "deadlock");
    must_fail("an_idle_cpu_misses_no_work_that_it_can_steal", "idle_looks_first", "deadlock");
}

#[test]
fn a_look_at_idle_cpus_before_the_queue_is_written_is_found() {
    must_fail("an_idle_cpu_misses_no_work_that_it_can_steal", "idle_snapshot_unfenced", "deadlock");
}

#[test]
fn a_last_look_with_interrupts_on_is_found() {
    must_fail("an_idle_cpu_misses_no_work_meant_for_it", "idle_last_look_early", "deadlock");
}
