//! AF_UNIX socket pairs: who sleeps at one end is told what happens at the other.
#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use trapless_abi::{Errno, SysResult};
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::file::{O_RDWR, OpenFile};
use trapless_logic::socket::unix::{Style, UnixSocket};

type Open = Arc<OpenFile<Fake>>;

fn pair() -> (Open, Open) {
    let (a, b) = UnixSocket::<Fake>::pair(Style::Stream);
    (OpenFile::new(a, O_RDWR), OpenFile::new(b, O_RDWR))
}

fn read(file: &Open, most: usize) -> SysResult<usize> {
    file.read_blocking(&mut Vec::with_capacity(most), None)
}

#[test]
fn a_sleeping_reader_gets_what_is_sent() {
    explore(None, || {
        let (a, b) = pair();
        let reader = thread::spawn(move || (read(&b, 8), b));
        assert_eq!(a.write_blocking(&mut &b"x"[..], None), Ok(1));
        assert_eq!(reader.join().unwrap().0, Ok(1));
    });
}

#[test]
fn a_sleeping_reader_sees_the_end() {
    explore(None, || {
        let (a, b) = pair();
        let reader = thread::spawn(move || read(&b, 8));
        drop(a);
        assert_eq!(reader.join().unwrap(), Ok(0));
    });
}

/// Fills the other end.
fn fill(file: &Open) {
    while file.write(&mut &[0; 1 << 16][..]).is_ok() {}
}

#[test]
fn a_sleeping_writer_gets_room() {
    explore(None, || {
        let (a, b) = pair();
        fill(&a);
        let writer = thread::spawn(move || (a.write_blocking(&mut &b"x"[..], None), a));
        assert_eq!(read(&b, 1), Ok(1));
        assert_eq!(writer.join().unwrap().0, Ok(1));
    });
}

#[test]
fn a_sleeping_writer_learns_that_nobody_reads() {
    explore(None, || {
        let (a, b) = pair();
        fill(&a);
        let writer = thread::spawn(move || a.write_blocking(&mut &b"x"[..], None));
        drop(b);
        assert_eq!(writer.join().unwrap(), Err(Errno::EPIPE));
    });
}

#[test]
fn a_sleep_without_a_second_look_is_found() {
    for model in [
        "a_sleeping_reader_gets_what_is_sent",
        "a_sleeping_reader_sees_the_end",
        "a_sleeping_writer_gets_room",
        "a_sleeping_writer_learns_that_nobody_reads",
    ] {
        must_fail(model, "wait_trusts_first_attempt", "deadlock");
    }
}
