//! eventfd and poll(2): who sleeps for a counter is told when it changes.
#![cfg(loom)]

use loom::thread;
use std::sync::Arc;
use trapless_abi::SysResult;
use trapless_logic::eventfd::EventFd;
use trapless_logic::fake::Fake;
use trapless_logic::fake::explore::{explore, must_fail};
use trapless_logic::file::{O_RDWR, OpenFile};
use trapless_logic::poll::{self, Entry};
use trapless_logic::wait::Ready;

type Open = Arc<OpenFile<Fake>>;

/// The largest value a counter may have (eventfd(2)).
const MAX: u64 = u64::MAX - 1;

fn eventfd(semaphore: bool) -> Open {
    OpenFile::new(EventFd::new(0, semaphore), O_RDWR)
}

fn read(file: &Open) -> SysResult<u64> {
    let mut bytes = Vec::with_capacity(8);
    file.read_blocking(&mut bytes, None)?;
    Ok(u64::from_ne_bytes(bytes[..].try_into().unwrap()))
}

fn write(file: &Open, n: u64) -> SysResult<usize> {
    file.write_blocking(&mut &n.to_ne_bytes()[..], None)
}

#[test]
fn a_sleeping_reader_gets_what_is_written() {
    explore(None, || {
        let file = eventfd(false);
        let reader = thread::spawn({
            let file = file.clone();
            move || read(&file)
        });
        assert_eq!(write(&file, 5), Ok(8));
        assert_eq!(reader.join().unwrap(), Ok(5));
    });
}

/// As many readers as were let in, each once (EFD_SEMAPHORE).
#[test]
fn a_semaphore_lets_two_sleepers_in() {
    explore(Some(2), || {
        let file = eventfd(true);
        let readers = [(); 2].map(|()| {
            let file = file.clone();
            thread::spawn(move || read(&file))
        });
        assert_eq!(write(&file, 2), Ok(8));
        for reader in readers {
            assert_eq!(reader.join().unwrap(), Ok(1));
        }
        assert_eq!(file.file.ready(), Ready::OUT);
    });
}

/// The number to add fits or it does not: a writer that had to wait adds all of it.
#[test]
fn a_sleeping_writer_gets_room() {
    explore(None, || {
        let file = eventfd(false);
        assert_eq!(write(&file, MAX - 1), Ok(8));
        let writer = thread::spawn({
            let file = file.clone();
            move || write(&file, 2)
        });
        assert_eq!(read(&file), Ok(MAX - 1));
        assert_eq!(writer.join().unwrap(), Ok(8));
        assert_eq!(read(&file), Ok(2));
    });
}

/// Sleeps until one of `files` can be read, and says which.
fn poll(files: &[Open]) -> Vec<bool> {
    let entries: Vec<_> =
        files.iter().map(|file| Entry { file: Some(file.clone()), interest: Ready::READABLE }).collect();
    poll::wait(&entries, None).unwrap().into_iter().map(|ready| ready.contains(Ready::IN)).collect()
}

#[test]
fn poll_is_ended_by_either_of_its_files() {
    for which in [0, 1] {
        explore(None, move || {
            let files = [eventfd(false), eventfd(false)];
            let poller = thread::spawn({
                let files = files.clone();
                move || poll(&files)
            });
            assert_eq!(write(&files[which], 1), Ok(8));
            assert_eq!(poller.join().unwrap(), [which == 0, which == 1]);
        });
    }
}

#[test]
fn poll_is_ended_by_whichever_file_comes_first() {
    explore(Some(2), || {
        let files = [eventfd(false), eventfd(false)];
        let writers = [0, 1].map(|which| {
            let file = files[which].clone();
            thread::spawn(move || write(&file, 1))
        });
        let found = poll(&files);
        assert!(found.contains(&true));
        for writer in writers {
            assert_eq!(writer.join().unwrap(), Ok(8));
        }
        assert_eq!(poll(&files), [true, true]);
    });
}

#[test]
fn a_notification_before_the_change_is_found() {
    must_fail("a_sleeping_reader_gets_what_is_written", "eventfd_notify_first", "deadlock");
    must_fail("a_sleeping_writer_gets_room", "eventfd_notify_first", "deadlock");
    must_fail("poll_is_ended_by_either_of_its_files", "eventfd_notify_first", "deadlock");
}

#[test]
fn a_look_only_before_registering_is_found() {
    must_fail("poll_is_ended_by_either_of_its_files", "poll_trusts_first_look", "deadlock");
    must_fail("poll_is_ended_by_whichever_file_comes_first", "poll_trusts_first_look", "deadlock");
}
