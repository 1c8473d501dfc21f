//! epoll: INV-EPOLL-1, an item is in the ready list whenever its file may have become ready since it was last looked at.
#![cfg(loom)]

use loom::thread::{self, JoinHandle};
use std::sync::Arc;
use trapless_abi::Errno;
use trapless_logic::epoll::{Control, Epoll, Event, Interest};
use trapless_logic::eventfd::EventFd;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::file::{File, O_RDWR, OpenFile};
use trapless_logic::wait::Ready;

type Open = Arc<OpenFile<Fake>>;
type Instance = Arc<Epoll<Fake>>;

const FD: i32 = 3;
const LEVEL: Interest = Interest { events: Ready::IN, edge: false, oneshot: false, data: 9 };
const EDGE: Interest = Interest { edge: true, ..LEVEL };
const ONESHOT: Interest = Interest { oneshot: true, ..LEVEL };
const IN: Event = Event { events: Ready::IN, data: 9 };

fn eventfd() -> Open {
    OpenFile::new(EventFd::new(0, false), O_RDWR)
}

fn put(file: &Open) {
    assert_eq!(file.write(&mut &1u64.to_ne_bytes()[..]), Ok(8));
}

fn take(file: &Open) -> u64 {
    let mut bytes = Vec::with_capacity(8);
    match file.read(&mut bytes) {
        Ok(_) => u64::from_ne_bytes(bytes[..].try_into().unwrap()),
        Err(_) => 0,
    }
}

/// An instance that watches a new eventfd.
fn watching(interest: Interest) -> (Instance, Open) {
    let (epoll, file) = (Epoll::new(), eventfd());
    epoll.control(FD, &file, Control::Add(interest)).unwrap();
    (epoll, file)
}

/// Sleeps until there is an event.
fn sleep(epoll: &Instance) {
    assert_eq!(epoll.wait(8, None), Ok(vec![IN]));
}

fn sleeper(epoll: &Instance) -> JoinHandle<()> {
    let epoll = epoll.clone();
    thread::spawn(move || sleep(&epoll))
}

/// The first event is over before the collector looks; the second must reach it.
#[test]
fn a_change_after_the_look_is_reported() {
    explore(Some(3), || {
        let (epoll, file) = watching(LEVEL);
        let sleeper = sleeper(&epoll);
        put(&file);
        take(&file);
        put(&file);
        sleeper.join().unwrap();
    });
}

#[test]
fn edges_come_until_everything_is_taken() {
    explore(Some(3), || {
        let (epoll, file) = watching(EDGE);
        let sleeper = thread::spawn({
            let file = file.clone();
            move || {
                let mut total = 0;
                while total < 2 {
                    sleep(&epoll);
                    total += take(&file);
                }
            }
        });
        put(&file);
        put(&file);
        sleeper.join().unwrap();
    });
}

#[test]
fn a_file_that_becomes_ready_while_it_is_added_is_reported() {
    explore(Some(3), || {
        let (epoll, file) = (Epoll::new(), eventfd());
        let sleeper = thread::spawn({
            let file = file.clone();
            move || {
                epoll.control(FD, &file, Control::Add(EDGE)).unwrap();
                sleep(&epoll);
            }
        });
        put(&file);
        sleeper.join().unwrap();
    });
}

#[test]
fn a_oneshot_item_that_is_armed_again_misses_nothing() {
    explore(Some(3), || {
        let (epoll, file) = watching(ONESHOT);
        let sleeper = thread::spawn({
            let file = file.clone();
            move || {
                let mut total = 0;
                loop {
                    sleep(&epoll);
                    total += take(&file);
                    if total == 2 {
                        break;
                    }
                    epoll.control(FD, &file, Control::Modify(ONESHOT)).unwrap();
                }
            }
        });
        put(&file);
        put(&file);
        sleeper.join().unwrap();
    });
}

/// Level-triggered: as long as nobody reads, the event is for everybody who waits.
#[test]
fn two_sleepers_at_one_instance_are_both_woken() {
    explore(Some(2), || {
        let (epoll, file) = watching(LEVEL);
        let sleepers = [(); 2].map(|()| sleeper(&epoll));
        put(&file);
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    });
}

/// The outer instance may look at the inner one at the very moment when somebody else collects the inner one's event.
#[test]
fn an_instance_in_an_instance_is_ready_while_it_has_events() {
    explore(Some(2), || {
        let (inner, file) = watching(LEVEL);
        let outer = Epoll::new();
        let inner_file: Open = OpenFile::new(inner.clone(), O_RDWR);
        outer.control(FD, &inner_file, Control::Add(LEVEL)).unwrap();
        let collector = sleeper(&inner);
        let outer_sleeper = sleeper(&outer);
        put(&file);
        collector.join().unwrap();
        outer_sleeper.join().unwrap();
    });
}

/// What is taken out stays out, also when somebody collects its event at that moment.
#[test]
fn after_the_deletion_there_are_no_events() {
    explore(None, || {
        let (epoll, file) = watching(LEVEL);
        put(&file);
        let collector = thread::spawn({
            let epoll = epoll.clone();
            move || epoll.collect(8)
        });
        epoll.control(FD, &file, Control::Delete).unwrap();
        assert!(collector.join().unwrap().len() <= 1);
        assert_eq!(epoll.collect(8), []);
        assert_eq!(epoll.ready(), Ready::empty());
    });
}

#[test]
fn of_two_additions_one_is_refused() {
    explore(None, || {
        let (epoll, file) = (Epoll::new(), eventfd());
        let other = thread::spawn({
            let (epoll, file) = (epoll.clone(), file.clone());
            move || epoll.control(FD, &file, Control::Add(LEVEL))
        });
        let mine = epoll.control(FD, &file, Control::Add(LEVEL));
        let mut results = [mine, other.join().unwrap()];
        results.sort_by_key(Result::is_err);
        assert_eq!(results, [Ok(()), Err(Errno::EEXIST)]);
        put(&file);
        assert_eq!(epoll.collect(8), [IN]);
        epoll.control(FD, &file, Control::Delete).unwrap();
        assert_eq!(epoll.collect(8), []);
    });
}

/// An item cannot be brought back by a change that raced with its deletion.
#[test]
fn a_change_and_a_deletion_leave_nothing() {
    explore(None, || {
        let (epoll, file) = watching(EDGE);
        put(&file);
        assert_eq!(epoll.collect(8), [IN]);
        let other = thread::spawn({
            let (epoll, file) = (epoll.clone(), file.clone());
            move || epoll.control(FD, &file, Control::Modify(EDGE))
        });
        epoll.control(FD, &file, Control::Delete).unwrap();
        assert!(matches!(other.join().unwrap(), Ok(()) | Err(Errno::ENOENT)));
        assert_eq!(epoll.collect(8), []);
    });
}

#[test]
fn a_flag_that_is_cleared_after_the_look_is_found() {
    must_fail("a_change_after_the_look_is_reported", "epoll_clear_after_look", "deadlock");
}

#[test]
fn arming_without_a_look_is_found() {
    must_fail("a_file_that_becomes_ready_while_it_is_added_is_reported", "epoll_arm_without_look", "deadlock");
    must_fail("a_oneshot_item_that_is_armed_again_misses_nothing", "epoll_arm_without_look", "deadlock");
}

#[test]
fn items_put_back_in_silence_are_found() {
    must_fail("two_sleepers_at_one_instance_are_both_woken", "epoll_put_back_silently", "deadlock");
    must_fail("an_instance_in_an_instance_is_ready_while_it_has_events", "epoll_put_back_silently", "deadlock");
}

#[test]
fn a_deletion_from_the_list_alone_is_found() {
    let symptom = "assertion `left == right` failed";
    must_fail("after_the_deletion_there_are_no_events", "epoll_gone_only_from_the_list", symptom);
    must_fail("a_change_and_a_deletion_leave_nothing", "epoll_gone_only_from_the_list", symptom);
}
