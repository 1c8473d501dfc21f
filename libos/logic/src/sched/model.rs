//! The scheduler's promises under the model checker: every order of events that the memory model allows is tried.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p trapless-logic --release sched::model`

use super::{Commit, IdleSet, ParkState, RunQueue};
use crate::fake::Fake;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

/// Something a CPU halts for: remembered until it looks.
struct Bell {
    rung: Mutex<usize>,
    condvar: Condvar,
}

impl Bell {
    fn new() -> Self {
        Self { rung: Mutex::new(0), condvar: Condvar::new() }
    }

    fn ring(&self) {
        *self.rung.lock().unwrap() += 1;
        self.condvar.notify_one();
    }

    /// A lost ring is a deadlock, which the checker reports.
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while *rung == 0 {
            rung = self.condvar.wait(rung).unwrap();
        }
        *rung -= 1;
    }
}

/// Tries all orders with up to `preemptions` involuntary switches; those beyond found nothing new and take hours.
fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Reruns the test `name` of this file in a child process with the fault `mutant` in; the checker must find it.
fn must_fail(name: &str, mutant: &str) {
    let own = std::env::current_exe().unwrap();
    let child = std::process::Command::new(own)
        .args(["--exact", &format!("sched::model::{name}")])
        .env("TRAPLESS_MUTANT", mutant)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success(), "the model does not notice {mutant}:\n{out}");
    assert!(out.contains("running 1 test"), "no such test:\n{out}");
}

/// INV-PARK-1..3: a thread that waits for two events gets both, whatever the wakers' timing; nobody runs it before its registers are
/// saved; it is never in two queues.
#[test]
fn a_parked_thread_is_woken_exactly_once() {
    check(3, || {
        let state = Arc::new(ParkState::new());
        let registers = Arc::new(UnsafeCell::new(0));
        let queue = Arc::new(Bell::new());
        let events: Arc<[AtomicBool; 2]> = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers: Vec<_> = (0..2)
            .map(|i| {
                let (state, registers, queue, events) =
                    (state.clone(), registers.clone(), queue.clone(), events.clone());
                thread::spawn(move || {
                    events[i].store(true, Ordering::Release);
                    if state.unpark() {
                        // As the CPU that resumes the thread would: the checker reports a race with the saving.
                        registers.with(|_| ());
                        queue.ring();
                    }
                })
            })
            .collect();
        let done = || events.iter().all(|e| e.load(Ordering::Acquire));
        while !done() {
            if state.take_token() {
                continue;
            }
            // The thread leaves its CPU; the rest happens on the scheduler's stack.
            registers.with_mut(|_| ());
            if state.commit() == Commit::Parked {
                queue.wait();
            }
        }
        for waker in wakers {
            waker.join().unwrap();
        }
        assert_eq!(*queue.rung.lock().unwrap(), 0, "queued once more than it was parked");
    });
}

#[test]
fn the_model_notices_a_commit_that_overwrites_the_token() {
    must_fail("a_parked_thread_is_woken_exactly_once", "park_commit_stores");
}

#[test]
fn the_model_notices_a_commit_that_ignores_a_second_token() {
    must_fail("a_parked_thread_is_woken_exactly_once", "park_commit_forgets");
}

/// INV-IDLE-1: a thread that is put into a busy CPU's queue while another goes idle is stolen by that.
#[test]
fn an_idle_cpu_misses_no_work() {
    check(4, || {
        let idle = Arc::new(IdleSet::new());
        let queue = Arc::new(RunQueue::<Fake, u32>::new());
        let interrupt = Arc::new(Bell::new());
        let waker = {
            let (idle, queue, interrupt) = (idle.clone(), queue.clone(), interrupt.clone());
            thread::spawn(move || {
                queue.push(7, 0);
                if idle.claim(0) {
                    interrupt.ring();
                }
            })
        };
        let got = loop {
            if let Some((thread, _)) = queue.steal(|_| true) {
                break thread;
            }
            if idle.prepare(0, || queue.any_or_busy(|_| true)) {
                if idle.undisturbed(0) {
                    interrupt.wait();
                }
                idle.leave(0);
            }
        };
        assert_eq!(got, 7);
        waker.join().unwrap();
    });
}

#[test]
fn the_model_notices_a_look_before_entering_the_idle_set() {
    must_fail("an_idle_cpu_misses_no_work", "idle_looks_first");
}
