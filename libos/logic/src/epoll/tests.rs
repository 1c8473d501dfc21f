//! epoll semantics on eventfds.

use super::{Control, Epoll, Event, Interest};
use crate::eventfd::EventFd;
use crate::fake::Fake;
use crate::file::{File, OpenFile};
use crate::platform::Platform;
use crate::wait::Ready;
use std::sync::Arc;
use std::time::Duration;
use trapless_abi::Errno;

type Open = Arc<OpenFile<Fake>>;

fn eventfd(initial: u32) -> Open {
    OpenFile::new(EventFd::new(initial, false), 2)
}

fn want(events: Ready) -> Interest {
    Interest { events, edge: false, oneshot: false, data: 9 }
}

fn put(file: &Open) {
    assert_eq!(file.write(&mut &1u64.to_ne_bytes()[..]), Ok(8));
}

fn take(file: &Open) {
    assert_eq!(file.read(&mut Vec::with_capacity(8)), Ok(8));
}

const IN: Event = Event { events: Ready::IN, data: 9 };

#[test]
fn level_triggered_events_repeat_until_the_cause_is_gone() {
    let (ep, f) = (Epoll::<Fake>::new(), eventfd(1));
    ep.control(3, &f, Control::Add(want(Ready::IN))).unwrap();
    assert_eq!(ep.collect(8), [IN]);
    assert_eq!(ep.collect(8), [IN]);
    take(&f);
    assert_eq!(ep.collect(8), []);
    put(&f);
    assert_eq!(ep.collect(8), [IN]);
}

#[test]
fn edge_triggered_events_come_once_per_change() {
    let (ep, f) = (Epoll::<Fake>::new(), eventfd(0));
    ep.control(3, &f, Control::Add(Interest { edge: true, ..want(Ready::IN) })).unwrap();
    put(&f);
    assert_eq!((ep.collect(8).len(), ep.collect(8).len()), (1, 0));
    put(&f);
    assert_eq!((ep.collect(8).len(), ep.collect(8).len()), (1, 0));
}

#[test]
fn oneshot_is_silent_until_modified() {
    let (ep, f) = (Epoll::<Fake>::new(), eventfd(1));
    let once = Interest { oneshot: true, ..want(Ready::IN) };
    ep.control(3, &f, Control::Add(once)).unwrap();
    assert_eq!(ep.collect(8), [IN]);
    put(&f);
    assert_eq!(ep.collect(8), []);
    ep.control(3, &f, Control::Modify(once)).unwrap();
    assert_eq!(ep.collect(8), [IN]);
}

#[test]
fn all_ready_files_take_their_turn() {
    let ep = Epoll::<Fake>::new();
    let files: Vec<_> = (0..3).map(|_| eventfd(1)).collect();
    for (i, f) in files.iter().enumerate() {
        ep.control(i as i32, f, Control::Add(Interest { data: i as u64, ..want(Ready::IN) })).unwrap();
    }
    let seen: Vec<u64> = (0..6).flat_map(|_| ep.collect(1)).map(|e| e.data).collect();
    assert_eq!(seen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn control_errors_are_those_of_linux() {
    let (ep, f) = (Epoll::<Fake>::new(), eventfd(0));
    assert_eq!(ep.control(3, &f, Control::Modify(want(Ready::IN))), Err(Errno::ENOENT));
    assert_eq!(ep.control(3, &f, Control::Delete), Err(Errno::ENOENT));
    ep.control(3, &f, Control::Add(want(Ready::IN))).unwrap();
    assert_eq!(ep.control(3, &f, Control::Add(want(Ready::IN))), Err(Errno::EEXIST));
    let itself = OpenFile::new(ep.clone(), 2);
    assert_eq!(ep.control(4, &itself, Control::Add(want(Ready::IN))), Err(Errno::EINVAL));
    let outer = Epoll::<Fake>::new();
    outer.control(5, &itself, Control::Add(want(Ready::IN))).unwrap();
    let outer_file = OpenFile::new(outer, 2);
    assert_eq!(ep.control(6, &outer_file, Control::Add(want(Ready::IN))), Err(Errno::ELOOP));
}

#[test]
fn a_closed_file_leaves_by_itself_and_its_number_can_be_used_again() {
    let (ep, f) = (Epoll::<Fake>::new(), eventfd(1));
    ep.control(3, &f, Control::Add(want(Ready::IN))).unwrap();
    drop(f);
    assert_eq!(ep.collect(8), []);
    let next = eventfd(1);
    ep.control(3, &next, Control::Add(want(Ready::IN))).unwrap();
    assert_eq!(ep.collect(8), [IN]);
}

#[test]
fn an_instance_in_an_instance_is_ready_when_it_has_events() {
    let (inner, outer, f) = (Epoll::<Fake>::new(), Epoll::<Fake>::new(), eventfd(0));
    inner.control(3, &f, Control::Add(want(Ready::IN))).unwrap();
    let inner_file = OpenFile::new(inner.clone(), 2);
    outer.control(4, &inner_file, Control::Add(want(Ready::IN))).unwrap();
    assert_eq!(outer.collect(8), []);
    put(&f);
    assert_eq!(outer.collect(8), [IN]);
    take(&f);
    assert_eq!(inner.ready(), Ready::empty());
}

#[test]
fn a_sleeper_is_woken_and_a_deadline_ends_the_wait() {
    let (ep, f) = (Epoll::<Fake>::new(), eventfd(0));
    ep.control(3, &f, Control::Add(want(Ready::IN))).unwrap();
    let sleeper = {
        let ep = ep.clone();
        std::thread::spawn(move || ep.wait(8, None))
    };
    put(&f);
    assert_eq!(sleeper.join().unwrap().unwrap(), [IN]);
    take(&f);
    assert_eq!(ep.wait(8, Some(Fake::now() + Duration::from_millis(5))), Ok(vec![]));
}
