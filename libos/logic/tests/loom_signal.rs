//! Signals: whoever may take one sees that there is one.
#![cfg(loom)]

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use std::sync::Arc;
use trapless_abi::structs::{Siginfo, Sigset};
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::signal::{ProcessSignals, ThreadSignals};

/// The process, its only thread, and the flag by which the thread sees that it has a signal to take.
struct Signals {
    process: ProcessSignals<Fake>,
    thread: ThreadSignals<Fake>,
    attention: AtomicBool,
}

impl Signals {
    fn new(blocked: u32) -> Arc<Self> {
        let thread = ThreadSignals::new(Sigset::of(blocked));
        Arc::new(Self { process: ProcessSignals::new(), thread, attention: AtomicBool::new(false) })
    }

    fn send(&self, signo: u32) {
        self.process.send(None, Siginfo::sent(signo as i32, 0, 1, 0)).unwrap();
        self.process.alert(&self.thread, &self.attention);
    }

    fn refresh(&self) {
        self.process.refresh(&self.thread, &self.attention);
    }

    fn seen(&self) -> bool {
        self.attention.load(Ordering::SeqCst)
    }
}

#[test]
fn a_signal_sent_while_another_is_taken_is_seen() {
    explore(None, || {
        let signals = Signals::new(1);
        signals.send(10);
        let sender = thread::spawn({
            let signals = signals.clone();
            move || signals.send(12)
        });
        let first = signals.process.take(&signals.thread, Sigset(u64::MAX));
        signals.refresh();
        sender.join().unwrap();
        assert_eq!(first.map(|info| info.si_signo), Some(10));
        assert!(signals.seen());
    });
}

#[test]
fn a_signal_sent_while_it_is_unblocked_is_seen() {
    explore(None, || {
        let signals = Signals::new(10);
        let sender = thread::spawn({
            let signals = signals.clone();
            move || signals.send(10)
        });
        signals.thread.set_mask(Sigset(0));
        signals.refresh();
        sender.join().unwrap();
        assert!(signals.seen());
    });
}

#[test]
fn a_look_before_the_flag_is_down_is_found() {
    must_fail("a_signal_sent_while_another_is_taken_is_seen", "refresh_looks_first", "assertion failed");
}

#[test]
fn a_look_at_an_old_mask_is_found() {
    must_fail("a_signal_sent_while_it_is_unblocked_is_seen", "alert_without_fence", "assertion failed");
}
