//! timerfd: a sleeper learns of a new setting, and of the timer's going off. There is no clock: an expiration lies in the past or never
//! comes by itself.
#![cfg(loom)]

use core::time::Duration;
use loom::thread;
use std::sync::Arc;
use trapless_abi::Errno;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::fake::model::{run_on, signal};
use trapless_logic::file::{File, O_RDWR, OpenFile};
use trapless_logic::time::Instant;
use trapless_logic::timerfd::{Setting, TimerFd};
use trapless_logic::wait::{Observer, Ready};

type Timer = Arc<TimerFd<Fake>>;

const DUE: Setting = Setting { next: Some(Instant::ZERO), interval: Duration::ZERO };
const PERIODIC: Setting = Setting { interval: Duration::from_secs(1), ..DUE };

fn read(timer: &Timer) -> Result<usize, Errno> {
    OpenFile::new(timer.clone(), O_RDWR).read_blocking(&mut Vec::with_capacity(8), None)
}

#[test]
fn a_sleeper_learns_of_a_timer_that_is_set_to_a_time_that_has_passed() {
    explore(None, || {
        let timer = TimerFd::new(false);
        let sleeper = thread::spawn({
            let timer = timer.clone();
            move || read(&timer)
        });
        timer.set(DUE);
        assert_eq!(sleeper.join().unwrap(), Ok(8));
        assert_eq!(timer.get(), Setting::default());
    });
}

/// The timer goes off, is disarmed and set anew at the same time: whatever comes first, a sleeper never gets the same expiration twice.
#[test]
fn an_expiration_is_read_once() {
    explore(Some(3), || {
        let timer = TimerFd::new(false);
        timer.set(PERIODIC);
        let readers = [1, 2].map(|cpu| {
            let timer = timer.clone();
            thread::spawn(move || {
                run_on(cpu);
                read(&timer)
            })
        });
        timer.notify(Ready::TIMER);
        signal(1);
        signal(2);
        let mut results = readers.map(|reader| reader.join().unwrap());
        results.sort_by_key(Result::is_err);
        assert_eq!(results, [Ok(8), Err(Errno::EINTR)]);
        assert_eq!(timer.ready(), Ready::empty());
    });
}

#[test]
fn a_notification_before_the_change_is_found() {
    let model = "a_sleeper_learns_of_a_timer_that_is_set_to_a_time_that_has_passed";
    must_fail(model, "timerfd_notify_first", "deadlock");
}
