//! Pipes against a naive queue, and their corner cases as pipe(7) tells them.

use super::*;
use crate::fake::Fake;
use crate::file::{O_WRONLY, OpenFile};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::thread;
use std::vec::Vec;

type Ends = (Arc<PipeEnd<Fake>>, Arc<PipeEnd<Fake>>);

/// Several buffers, as readv(2) and writev(2) have them: no pull or push spans two.
struct Vectors(Vec<Vec<u8>>);

impl Source for Vectors {
    fn remaining(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        let mut done = 0;
        while done < to.len() && !self.0.is_empty() {
            let n = self.0[0].len().min(to.len() - done);
            to[done..done + n].copy_from_slice(&self.0[0][..n]);
            self.0[0].drain(..n);
            if self.0[0].is_empty() {
                self.0.remove(0);
            }
            done += n;
        }
        Ok(done)
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        Self(self.0.clone()).pull(to)
    }
}

impl Sink for Vectors {
    /// A vector is room for as many bytes as its capacity says.
    fn remaining(&self) -> usize {
        self.0.iter().map(|v| v.capacity() - v.len()).sum()
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let mut done = 0;
        for v in &mut self.0 {
            let n = (v.capacity() - v.len()).min(from.len() - done);
            v.extend_from_slice(&from[done..done + n]);
            done += n;
        }
        Ok(done)
    }
}

/// Memory of which only the first bytes are there: what comes after faults.
#[derive(Clone, Copy)]
struct Faulty<'a>(&'a [u8], usize);

impl Source for Faulty<'_> {
    fn remaining(&self) -> usize {
        self.1
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        let n = self.0.len().min(to.len());
        if n == 0 && !to.is_empty() {
            return Err(Errno::EFAULT);
        }
        to[..n].copy_from_slice(&self.0[..n]);
        (self.0, self.1) = (&self.0[n..], self.1 - n);
        Ok(n)
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        let mut copy = *self;
        copy.pull(to)
    }
}

/// Room that is not there.
struct NoSink;

impl Sink for NoSink {
    fn remaining(&self) -> usize {
        100
    }

    fn push(&mut self, _from: &[u8]) -> SysResult<usize> {
        Err(Errno::EFAULT)
    }
}

fn read(end: &PipeEnd<Fake>, n: usize) -> SysResult<Vec<u8>> {
    let mut buf = Vec::with_capacity(n);
    end.read(&mut buf)?;
    Ok(buf)
}

fn write(end: &PipeEnd<Fake>, n: usize) -> SysResult<usize> {
    end.write(&mut &std::vec![7; n][..])
}

#[derive(Clone, Debug)]
enum Op {
    Write(Vec<usize>),
    Read(Vec<usize>),
    Resize(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let sizes = || proptest::collection::vec(prop_oneof![0..20usize, 4000..4200usize, 0..70_000usize], 0..4);
    prop_oneof![
        4 => sizes().prop_map(Op::Write),
        4 => sizes().prop_map(Op::Read),
        1 => (0..200_000usize).prop_map(Op::Resize),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn behaves_like_a_queue(ops in proptest::collection::vec(op(), 1..60)) {
        let (reader, writer): Ends = pipe();
        let (mut queue, mut capacity, mut next) = (VecDeque::<u8>::new(), DEFAULT_CAPACITY, 0u8);
        for op in ops {
            match op {
                Op::Write(sizes) => {
                    let wanted: usize = sizes.iter().sum();
                    let mut start = next;
                    let mut byte = || { start = start.wrapping_mul(5).wrapping_add(1); start };
                    let buffers: Vec<Vec<u8>> = sizes.iter().map(|&n| (0..n).map(|_| byte()).collect()).collect();
                    let all = buffers.concat();
                    let room = capacity - queue.len();
                    let expected = match wanted {
                        0 => Ok(0),
                        1..=PIPE_BUF if room < wanted => Err(Errno::EAGAIN),
                        _ if room == 0 => Err(Errno::EAGAIN),
                        _ => Ok(wanted.min(room)),
                    };
                    prop_assert_eq!(writer.write(&mut Vectors(buffers)), expected);
                    queue.extend(&all[..expected.unwrap_or(0)]);
                    next = next.wrapping_add(17);
                }
                Op::Read(sizes) => {
                    let mut to = Vectors(sizes.iter().map(|&n| Vec::with_capacity(n)).collect());
                    let room = Sink::remaining(&to);
                    let expected = match room {
                        0 => Ok(0),
                        _ if queue.is_empty() => Err(Errno::EAGAIN),
                        _ => Ok(room.min(queue.len())),
                    };
                    prop_assert_eq!(reader.read(&mut to), expected);
                    let bytes: Vec<u8> = queue.drain(..expected.unwrap_or(0)).collect();
                    prop_assert_eq!(to.0.concat(), bytes);
                }
                Op::Resize(bytes) => {
                    let size = bytes.max(4096).next_power_of_two();
                    if queue.len() > size {
                        prop_assert_eq!(writer.set_capacity(bytes), Err(Errno::EBUSY));
                    } else {
                        prop_assert_eq!(writer.set_capacity(bytes), Ok(size));
                        capacity = size;
                    }
                }
            }
            prop_assert_eq!(reader.ready().contains(Ready::IN), !queue.is_empty());
            prop_assert_eq!(writer.ready().contains(Ready::OUT), capacity - queue.len() >= PIPE_BUF);
            prop_assert_eq!(reader.capacity(), capacity);
        }
    }
}

#[test]
fn a_write_of_pipe_buf_is_whole_or_not_at_all() {
    let (reader, writer): Ends = pipe();
    assert_eq!(write(&writer, DEFAULT_CAPACITY - 100), Ok(DEFAULT_CAPACITY - 100));
    assert_eq!(write(&writer, 101), Err(Errno::EAGAIN));
    assert_eq!(write(&writer, PIPE_BUF + 1), Ok(100));
    assert_eq!(write(&writer, PIPE_BUF + 1), Err(Errno::EAGAIN));
    assert_eq!(read(&reader, 200_000).unwrap().len(), DEFAULT_CAPACITY);
}

#[test]
fn readers_see_the_end_only_once_all_writers_are_gone() {
    let (reader, writer): Ends = pipe();
    let second = writer.clone().reopen().unwrap();
    write(&writer, 3).unwrap();
    writer.close();
    assert_eq!(reader.ready(), Ready::READABLE);
    second.close();
    assert_eq!(reader.ready(), Ready::READABLE | Ready::HUP);
    assert_eq!(read(&reader, 10).unwrap().len(), 3);
    assert_eq!(reader.ready(), Ready::HUP);
    assert_eq!(read(&reader, 10), Ok(Vec::new()));
}

#[test]
fn writing_without_readers_is_epipe() {
    let (reader, writer): Ends = pipe();
    let second = reader.clone().reopen().unwrap();
    reader.close();
    assert_eq!(write(&writer, 1), Ok(1));
    second.close();
    assert_eq!(write(&writer, 1), Err(Errno::EPIPE));
    assert_eq!(write(&writer, 0), Ok(0));
    assert_eq!(writer.ready(), Ready::WRITABLE | Ready::ERR);
}

#[test]
fn each_end_does_one_thing() {
    let (reader, writer): Ends = pipe();
    assert_eq!(write(&reader, 1), Err(Errno::EBADF));
    assert_eq!(read(&writer, 1), Err(Errno::EBADF));
    assert_eq!(OpenFile::new(reader, 0).seek(0, 0), Err(Errno::ESPIPE));
}

#[test]
fn a_fault_loses_nothing() {
    let (reader, writer): Ends = pipe();
    assert_eq!(writer.write(&mut Faulty(b"", 5)), Err(Errno::EFAULT));
    assert_eq!(writer.write(&mut Faulty(b"abc", 5)), Ok(3));
    assert_eq!(reader.read(&mut NoSink), Err(Errno::EFAULT));
    assert_eq!(read(&reader, 10), Ok(b"abc".to_vec()));
}

#[test]
fn size_limits() {
    let (_reader, writer): Ends = pipe();
    assert_eq!(writer.set_capacity(1), Ok(4096));
    assert_eq!(writer.set_capacity(5000), Ok(8192));
    assert_eq!(writer.set_capacity(MAX_CAPACITY + 1), Err(Errno::EINVAL));
}

#[test]
fn fionread_counts() {
    struct Arg([u8; 4]);
    impl IoctlArg for Arg {
        fn get(&mut self, _to: &mut [u8]) -> SysResult<()> {
            Err(Errno::EFAULT)
        }
        fn put(&mut self, from: &[u8]) -> SysResult<()> {
            self.0.copy_from_slice(from);
            Ok(())
        }
        fn value(&self) -> usize {
            0
        }
    }
    let (reader, writer): Ends = pipe();
    write(&writer, 300).unwrap();
    let mut arg = Arg([0; 4]);
    assert_eq!(reader.ioctl(IoctlRequest::FIONREAD.0, &mut arg), Ok(0));
    assert_eq!(i32::from_ne_bytes(arg.0), 300);
    assert_eq!(reader.ioctl(IoctlRequest::TCGETS.0, &mut arg), Err(Errno::ENOTTY));
}

/// A writer of more than the pipe holds goes on until all is written; the reader gets every byte in order.
#[test]
fn a_large_write_blocks_until_it_is_done() {
    let (reader, writer): Ends = pipe();
    let (reader, writer) = (OpenFile::<Fake>::new(reader, 0), OpenFile::<Fake>::new(writer, O_WRONLY));
    let data: Vec<u8> = (0..300_000u32).map(|n| ((n * 31) >> 3) as u8).collect();
    let expected = data.clone();
    let thread = thread::spawn(move || writer.write_blocking(&mut &data[..], None));
    let mut all = Vec::new();
    loop {
        let mut buf = Vec::with_capacity(1 + all.len() % 7001);
        if reader.read_blocking(&mut buf, None).unwrap() == 0 {
            break;
        }
        all.extend_from_slice(&buf);
    }
    assert_eq!(thread.join().unwrap(), Ok(expected.len()));
    assert!(all == expected);
}

/// The last reader goes while a writer sleeps: it gets what it wrote, and EPIPE the next time.
#[test]
fn a_sleeping_writer_learns_that_the_reader_is_gone() {
    let (reader, writer): Ends = pipe();
    let (reader, writer) = (OpenFile::<Fake>::new(reader, 0), OpenFile::<Fake>::new(writer, O_WRONLY));
    let thread = thread::spawn(move || {
        let data = std::vec![1; 100_000];
        let first = writer.write_blocking(&mut &data[..], None);
        (first, writer.write_blocking(&mut &data[..], None))
    });
    let mut buf = Vec::with_capacity(1);
    reader.read_blocking(&mut buf, None).unwrap();
    drop(reader);
    let (first, second) = thread.join().unwrap();
    assert!(first.is_ok_and(|n| (1..100_000).contains(&n)), "{first:?}");
    assert_eq!(second, Err(Errno::EPIPE));
}
