//! The table against a naive model, and what it does to files that are in use.

use super::*;
use crate::fake::Fake;
use crate::file::O_WRONLY;
use crate::pipe::{PipeEnd, pipe};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::thread;

fn files() -> (Arc<OpenFile<Fake>>, Arc<OpenFile<Fake>>) {
    let (reader, writer) = pipe::<Fake>();
    (OpenFile::new(reader, 0), OpenFile::new(writer, O_WRONLY))
}

fn file() -> Arc<OpenFile<Fake>> {
    files().0
}

#[derive(Clone, Debug)]
enum Op {
    Insert(bool),
    Pair,
    DupFrom(i32, i32, bool),
    Dup2(i32, i32),
    Close(i32),
    CloseRange(u32, u32, bool),
    SetCloexec(i32, bool),
}

const LIMIT: usize = 200;

fn op() -> impl Strategy<Value = Op> {
    let fd = || prop_oneof![4 => 0..40, 1 => -2..300];
    prop_oneof![
        6 => any::<bool>().prop_map(Op::Insert),
        2 => Just(Op::Pair),
        2 => (fd(), fd(), any::<bool>()).prop_map(|(a, b, c)| Op::DupFrom(a, b, c)),
        2 => (fd(), fd()).prop_map(|(a, b)| Op::Dup2(a, b)),
        6 => fd().prop_map(Op::Close),
        1 => (0..60u32, 0..300u32, any::<bool>()).prop_map(|(a, b, c)| Op::CloseRange(a, b, c)),
        2 => (fd(), any::<bool>()).prop_map(|(a, b)| Op::SetCloexec(a, b)),
    ]
}

/// The descriptors as a map from number to file and close-on-exec bit.
#[derive(Default)]
struct Model(BTreeMap<i32, (Arc<OpenFile<Fake>>, bool)>);

impl Model {
    fn lowest(&self, min: i32) -> SysResult<i32> {
        (min..LIMIT as i32).find(|fd| !self.0.contains_key(fd)).ok_or(Errno::EMFILE)
    }

    fn get(&self, fd: i32) -> SysResult<Arc<OpenFile<Fake>>> {
        self.0.get(&fd).map(|(file, _)| file.clone()).ok_or(Errno::EBADF)
    }

    fn insert(&mut self, min: i32, file: Arc<OpenFile<Fake>>, cloexec: bool) -> SysResult<i32> {
        let fd = self.lowest(min)?;
        self.0.insert(fd, (file, cloexec));
        Ok(fd)
    }
}

proptest! {
    #[test]
    fn behaves_like_a_map(ops in proptest::collection::vec(op(), 1..300)) {
        let (table, mut model) = (FdTable::<Fake>::new(LIMIT), Model::default());
        for op in ops {
            match op {
                Op::Insert(cloexec) => {
                    let file = file();
                    prop_assert_eq!(table.insert(file.clone(), cloexec), model.insert(0, file, cloexec));
                }
                Op::Pair => {
                    let (a, b) = files();
                    let both = model.lowest(0).and_then(|first| model.lowest(first + 1));
                    let got = table.insert_pair([a.clone(), b.clone()], false);
                    prop_assert_eq!(got.map(|[_, second]| second), both);
                    if both.is_ok() {
                        model.insert(0, a, false).unwrap();
                        model.insert(0, b, false).unwrap();
                    }
                }
                Op::DupFrom(fd, min, cloexec) => {
                    let expected = model.get(fd).and_then(|file| match min {
                        0..200 => model.insert(min, file, cloexec),
                        _ => Err(Errno::EINVAL),
                    });
                    prop_assert_eq!(table.dup_from(fd, min, cloexec), expected);
                }
                Op::Dup2(old, new) => {
                    let expected = model.get(old).and_then(|file| match new {
                        _ if old == new => Ok(new),
                        0..200 => {
                            model.0.insert(new, (file, false));
                            Ok(new)
                        }
                        _ => Err(Errno::EBADF),
                    });
                    prop_assert_eq!(table.dup2(old, new), expected);
                }
                Op::Close(fd) => {
                    prop_assert_eq!(table.close(fd), model.0.remove(&fd).map(drop).ok_or(Errno::EBADF));
                }
                Op::CloseRange(first, last, mark) => {
                    let expected = if first > last { Err(Errno::EINVAL) } else { Ok(()) };
                    prop_assert_eq!(table.close_range(first, last, mark), expected);
                    if mark {
                        let inside = |fd: i32| (first..=last).contains(&(fd as u32));
                        model.0.iter_mut().filter(|(fd, _)| inside(**fd)).for_each(|(_, (_, c))| *c = true);
                    } else {
                        model.0.retain(|fd, _| !(first..=last).contains(&(*fd as u32)));
                    }
                }
                Op::SetCloexec(fd, on) => {
                    let expected = model.0.get_mut(&fd).map(|(_, c)| *c = on).ok_or(Errno::EBADF);
                    prop_assert_eq!(table.set_cloexec(fd, on), expected);
                }
            }
            let (mut open, mut from) = (Vec::new(), 0);
            while let Some(fd) = table.next_open(from) {
                open.push((fd, table.cloexec(fd).unwrap(), Arc::as_ptr(&table.get(fd).unwrap())));
                from = fd + 1;
            }
            let expected: Vec<_> = model.0.iter().map(|(fd, (file, c))| (*fd, *c, Arc::as_ptr(file))).collect();
            prop_assert_eq!(open, expected);
        }
    }
}

#[test]
fn a_reserved_number_is_nobodys() {
    let table = FdTable::<Fake>::new(8);
    let reserved = table.reserve().unwrap();
    assert_eq!(table.get(0).err(), Some(Errno::EBADF));
    assert_eq!(table.close(0), Err(Errno::EBADF));
    assert_eq!(table.insert(file(), false), Ok(1));
    assert_eq!(table.dup2(1, 0), Err(Errno::EBUSY));
    drop(reserved);
    assert_eq!(table.insert(file(), false), Ok(0));
}

#[test]
fn a_full_table_makes_no_half_pair() {
    let table = FdTable::<Fake>::new(3);
    assert_eq!(table.insert(file(), false), Ok(0));
    assert_eq!(table.insert(file(), false), Ok(1));
    let (a, b) = files();
    assert_eq!(table.insert_pair([a, b], false), Err(Errno::EMFILE));
    assert_eq!(table.insert(file(), false), Ok(2));
    assert_eq!(table.insert(file(), false), Err(Errno::EMFILE));
}

#[test]
fn a_lower_limit_keeps_what_is_open() {
    let table = FdTable::<Fake>::new(10);
    for fd in 0..5 {
        assert_eq!(table.insert(file(), false), Ok(fd));
    }
    table.set_limit(2).unwrap();
    assert!(table.get(4).is_ok());
    table.close(1).unwrap();
    table.close(3).unwrap();
    assert_eq!(table.insert(file(), false), Ok(1));
    assert_eq!(table.insert(file(), false), Err(Errno::EMFILE));
    assert_eq!(table.set_limit(NR_OPEN + 1), Err(Errno::EPERM));
}

/// A thousand descriptors and more: the bitmap spans many words, and holes are filled from below.
#[test]
fn holes_are_filled_from_below() {
    let table = FdTable::<Fake>::new(5000);
    let one = file();
    for fd in 0..3000 {
        assert_eq!(table.insert(one.clone(), false), Ok(fd));
    }
    for hole in [2999, 70, 1500, 64, 63] {
        table.close(hole).unwrap();
    }
    for hole in [63, 64, 70, 1500, 2999, 3000] {
        assert_eq!(table.insert(one.clone(), false), Ok(hole));
    }
}

/// A reader sleeps in a call while its descriptor is closed: the number is free at once, the pipe has a reader until the call ends.
#[test]
fn closing_does_not_disturb_a_call_in_progress() {
    let table = Arc::new(FdTable::<Fake>::new(16));
    let (reader, writer) = files();
    let [r, w] = table.insert_pair([reader, writer], false).unwrap();
    let in_call = table.get(r).unwrap();
    let sleeper = thread::spawn(move || {
        let mut buf = Vec::with_capacity(8);
        in_call.read_blocking(&mut buf, None).map(|_| buf)
    });
    table.close(r).unwrap();
    assert_eq!(table.get(r).err(), Some(Errno::EBADF));
    let writer = table.get(w).unwrap();
    assert_eq!(writer.write_blocking(&mut &b"late"[..], None), Ok(4));
    assert_eq!(sleeper.join().unwrap().unwrap(), b"late");
    // The call is over and with it the last reader.
    assert_eq!(writer.write(&mut &b"x"[..]), Err(Errno::EPIPE));
}

/// Threads open and close as fast as they can: no number is ever handed out twice.
#[test]
fn no_number_is_handed_out_twice() {
    let table = Arc::new(FdTable::<Fake>::new(64));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let table = table.clone();
            thread::spawn(move || {
                for _ in 0..2000 {
                    let mine = file();
                    let fd = table.insert(mine.clone(), false).unwrap();
                    assert!(Arc::ptr_eq(&table.get(fd).unwrap(), &mine));
                    table.close(fd).unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(table.next_open(0), None);
}

#[test]
fn pipe_ends_are_what_they_were_inserted_as() {
    let table = FdTable::<Fake>::new(16);
    let (reader, _writer) = files();
    let fd = table.insert(reader, true).unwrap();
    let copy = table.dup(fd).unwrap();
    assert_eq!((table.cloexec(fd), table.cloexec(copy)), (Ok(true), Ok(false)));
    assert!(table.get(copy).unwrap().file.as_any().is::<PipeEnd<Fake>>());
}
