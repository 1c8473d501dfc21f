//! CLOCK_REALTIME is read while it is changed: what is read is one setting, never half of two.
#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::fake::model::run_on;
use trapless_logic::wall::WallClock;

/// Late enough for every move to be over.
const LATE: u64 = 1_000_000;

#[test]
fn a_reader_sees_one_setting() {
    explore(None, || {
        let clock = Arc::new(WallClock::<Fake>::new());
        let reader = thread::spawn({
            let clock = clock.clone();
            move || {
                run_on(1);
                clock.read(LATE) - LATE
            }
        });
        clock.set(0, 1000);
        clock.slew(0, 7);
        let read = reader.join().unwrap();
        assert!([0, 1000, 1007].contains(&read), "it was {read}");
        assert_eq!(clock.read(LATE), LATE + 1007);
    });
}

#[test]
fn a_reader_that_does_not_look_again_sees_half_of_two() {
    must_fail("a_reader_sees_one_setting", "wall_reads_once", "it was 7");
}
