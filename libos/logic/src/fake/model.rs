//! The fake machine under the model checker: threads that park, CPUs that halt, signals. Time stands still.

use crate::platform::TimerId;
use crate::time::Instant;
use crate::wait::Observer;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use std::cell::Cell;
use std::sync::Arc;

/// CPUs of the machine, one a model thread: the model checker knows no more threads.
const CPUS: usize = loom::MAX_THREADS;

/// Something to sleep for that is remembered until somebody does: a token, a kick. One that never comes is a deadlock, which the
/// checker reports.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    condvar: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.condvar.notify_one();
    }

    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.condvar.wait(rung).unwrap();
        }
        *rung = false;
    }
}

/// A model thread. The checker's own `park` is of no use here: its `unpark` also ends a thread's waiting for a mutex.
#[derive(Clone, Debug, Default)]
pub struct FakeThread(Arc<Bell>);

impl PartialEq for FakeThread {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl FakeThread {
    pub(super) fn current() -> Self {
        CURRENT.with(Self::clone)
    }

    pub(super) fn park(_deadline: Option<Instant>) {
        CURRENT.with(Self::clone).0.wait();
    }

    pub(super) fn unpark(&self) {
        self.0.ring();
    }
}

/// One CPU, the one thread that runs on it, and whether that has a signal.
#[derive(Default)]
struct Cpu {
    kick: Bell,
    thread: Mutex<Option<FakeThread>>,
    signal: AtomicBool,
}

loom::lazy_static! {
    static ref MACHINE: [Cpu; CPUS] = Default::default();
}

loom::thread_local! {
    static CURRENT: FakeThread = FakeThread::default();
    static HERE: Cell<Option<usize>> = Cell::new(None);
}

/// The calling model thread is the one of CPU `index` from now on. Needed where a model halts, kicks or sends signals.
pub fn run_on(index: usize) {
    HERE.with(|here| here.set(Some(index)));
    *MACHINE[index].thread.lock().unwrap() = Some(FakeThread::current());
}

/// A signal for the thread of CPU `index`.
pub fn signal(index: usize) {
    MACHINE[index].signal.store(true, Ordering::Release);
    let thread = MACHINE[index].thread.lock().unwrap().clone();
    if let Some(thread) = thread {
        thread.unpark();
    }
}

pub(super) fn cpu() -> usize {
    HERE.with(Cell::get).unwrap_or(0)
}

pub(super) fn signal_pending() -> bool {
    HERE.with(Cell::get).is_some_and(|here| MACHINE[here].signal.load(Ordering::Acquire))
}

pub(super) fn now() -> Instant {
    Instant::ZERO
}

/// Never fires: there is no time for it to come.
pub(super) fn timer_arm(at: Instant, _target: Arc<dyn Observer>) -> TimerId {
    TimerId { cpu: 0, at, seq: 0 }
}

pub(super) fn timer_cancel(_id: TimerId) -> bool {
    true
}

pub(super) fn halt() {
    MACHINE[cpu()].kick.wait();
}

pub(super) fn kick(index: usize) {
    MACHINE[index].kick.ring();
}
