//! A pipe between two threads in every order the model checker finds: whoever sleeps is woken.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p trapless-logic --test loom_pipe`.
#![cfg(loom)]

use loom::thread;
use std::process::Command;
use std::sync::Arc;
use trapless_abi::Errno;
use trapless_logic::fake::Fake;
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
    loom::model(|| {
        let (reader, writer) = ends();
        let thread = thread::spawn(move || read(&reader, 8));
        assert_eq!(writer.write_blocking(&mut &b"x"[..], None), Ok(1));
        assert_eq!(thread.join().unwrap(), Ok(b"x".to_vec()));
    });
}

#[test]
fn a_sleeping_reader_sees_the_end() {
    loom::model(|| {
        let (reader, writer) = ends();
        let thread = thread::spawn(move || read(&reader, 8));
        drop(writer);
        assert_eq!(thread.join().unwrap(), Ok(Vec::new()));
    });
}

#[test]
fn what_was_written_before_the_end_comes_first() {
    loom::model(|| {
        let (reader, writer) = ends();
        let thread = thread::spawn(move || (read(&reader, 8), read(&reader, 8)));
        assert_eq!(writer.write_blocking(&mut &b"x"[..], None), Ok(1));
        drop(writer);
        assert_eq!(thread.join().unwrap(), (Ok(b"x".to_vec()), Ok(Vec::new())));
    });
}

#[test]
fn a_sleeping_writer_gets_room() {
    loom::model(|| {
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
    loom::model(|| {
        let (reader, writer) = ends();
        assert_eq!(writer.write(&mut &[1; PAGE][..]), Ok(PAGE));
        let thread = thread::spawn(move || writer.write_blocking(&mut &b"x"[..], None));
        drop(reader);
        assert_eq!(thread.join().unwrap(), Err(Errno::EPIPE));
    });
}

/// With the notification before the change each model above deadlocks. A child process, because a deadlock in the model aborts.
#[test]
fn the_models_find_a_notification_that_comes_too_early() {
    for model in [
        "a_sleeping_reader_gets_what_is_written",
        "a_sleeping_reader_sees_the_end",
        "a_sleeping_writer_gets_room",
        "a_sleeping_writer_learns_that_nobody_reads",
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", model, "--nocapture"])
            .env("TRAPLESS_MUTANT", "pipe_notify_first")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&child.stderr).into_owned() + &String::from_utf8_lossy(&child.stdout);
        assert!(!child.status.success(), "{model} does not notice the mutant");
        assert!(text.contains("deadlock"), "{model} fails for another reason:\n{text}");
    }
}
