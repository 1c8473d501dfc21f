//! A pipe between two threads in every order the model checker finds: whoever sleeps is woken.
#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use trapless_abi::Errno;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::file::OpenFile;
use trapless_logic::pipe::pipe;

type Description = Arc<OpenFile<Fake>>;

const PAGE: usize = 4096;

/// The two ends of a pipe that holds one page.
fn ends() -> (Description, Description) {
    let (reader, writer) = pipe::<Fake>();
    assert_eq!(writer.set_capacity(PAGE), Ok(PAGE));
    (OpenFile::new(reader, 0), OpenFile::new(writer, 1))
}

fn read(file: &Description, n: usize) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::with_capacity(n);
    file.read_blocking(&mut bytes, None).map(|_| bytes)
}

#[test]
fn a_sleeping_reader_gets_what_is_written() {
    explore(None, || {
        let (reader, writer) = ends();
        let thread = thread::spawn(move || read(&reader, 8));
        assert_eq!(writer.write_blocking(&mut &b"x"[..], None), Ok(1));
        assert_eq!(thread.join().unwrap(), Ok(b"x".to_vec()));
    });
}

#[test]
fn a_sleeping_reader_sees_the_end() {
    explore(None, || {
        let (reader, writer) = ends();
        let thread = thread::spawn(move || read(&reader, 8));
        drop(writer);
        assert_eq!(thread.join().unwrap(), Ok(Vec::new()));
    });
}

#[test]
fn what_was_written_before_the_end_comes_first() {
    explore(None, || {
        let (reader, writer) = ends();
        let thread = thread::spawn(move || (read(&reader, 8), read(&reader, 8)));
        assert_eq!(writer.write_blocking(&mut &b"x"[..], None), Ok(1));
        drop(writer);
        assert_eq!(thread.join().unwrap(), (Ok(b"x".to_vec()), Ok(Vec::new())));
    });
}

#[test]
fn a_sleeping_writer_gets_room() {
    explore(None, || {
        let (reader, writer) = ends();
        assert_eq!(writer.write(&mut &[1; PAGE - 1][..]), Ok(PAGE - 1));
        // Atomic: it needs room for both bytes.
        let thread = thread::spawn(move || (writer.write_blocking(&mut &b"xy"[..], None), writer));
        assert_eq!(read(&reader, 1).map(|bytes| bytes.len()), Ok(1));
        let (written, _writer) = thread.join().unwrap();
        assert_eq!(written, Ok(2));
    });
}

#[test]
fn a_sleeping_writer_learns_that_nobody_reads() {
    explore(None, || {
        let (reader, writer) = ends();
        assert_eq!(writer.write(&mut &[1; PAGE][..]), Ok(PAGE));
        let thread = thread::spawn(move || writer.write_blocking(&mut &b"x"[..], None));
        drop(reader);
        assert_eq!(thread.join().unwrap(), Err(Errno::EPIPE));
    });
}

#[test]
fn a_notification_that_comes_too_early_is_found() {
    for model in [
        "a_sleeping_reader_gets_what_is_written",
        "a_sleeping_reader_sees_the_end",
        "a_sleeping_writer_gets_room",
        "a_sleeping_writer_learns_that_nobody_reads",
    ] {
        must_fail(model, "pipe_notify_first", "deadlock");
    }
}
