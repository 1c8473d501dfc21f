//! A file against a vector of bytes, through the calls a program makes.

use super::super::node::Node;
use super::*;
use crate::data::{Sink, Source};
use crate::fake::Fake;
use crate::file::{File, O_APPEND, O_RDWR, OpenFile};
use crate::vfs::Change;
use proptest::prelude::*;
use std::thread;
use std::vec::Vec;
use trapless_abi::structs::{Timespec, UTIME_NOW, UTIME_OMIT};

static IMAGE: [u8; 150_000] = {
    let mut bytes = [0; 150_000];
    let mut n = 0;
    while n < bytes.len() {
        bytes[n] = (n % 251) as u8 + 1;
        n += 1;
    }
    bytes
};

fn open(fs: &Tmpfs<Fake>, base: &'static [u8], flags: u32) -> Arc<OpenFile<Fake>> {
    let name = Name::Static(b"file");
    let node = match fs.root().lookup(b"file") {
        Ok(node) => node.open(trapless_abi::flags::OpenFlags::empty()).unwrap(),
        Err(_) => fs.root().add_static(name, 0o644, base).unwrap(),
    };
    OpenFile::new(node, flags)
}

#[derive(Clone, Debug)]
enum Op {
    Read(u64, usize),
    Write(u64, usize),
    Append(usize),
    Truncate(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let at = || prop_oneof![0..200u64, 65_000..66_000u64, 0..300_000u64];
    let len = || prop_oneof![0..200usize, 0..9000usize, 0..140_000usize];
    prop_oneof![
        3 => (at(), len()).prop_map(|(a, n)| Op::Read(a, n)),
        3 => (at(), len()).prop_map(|(a, n)| Op::Write(a, n)),
        1 => len().prop_map(Op::Append),
        1 => at().prop_map(Op::Truncate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn a_file_behaves_like_a_vector(from_image in any::<bool>(), ops in prop::collection::vec(op(), 1..40)) {
        let base: &'static [u8] = if from_image { &IMAGE } else { &[] };
        let fs = Tmpfs::<Fake>::new(1, 64 << 20);
        let start = fs.root().statfs().f_bfree;
        let file = open(&fs, base, O_RDWR);
        let appending = open(&fs, base, O_RDWR | O_APPEND);
        let (mut model, mut next) = (base.to_vec(), 0u8);
        let mut data = |n: usize| -> Vec<u8> { next = next.wrapping_add(1); std::vec![next; n] };
        for op in ops {
            match op {
                Op::Read(at, n) => {
                    let mut got = Vec::with_capacity(n);
                    let count = file.file.read_at(at, &mut got).unwrap();
                    let from = model.len().min(at as usize);
                    let expected = &model[from..model.len().min(from + n)];
                    prop_assert_eq!(count, expected.len());
                    prop_assert!(got == expected, "read of {} at {}", n, at);
                }
                Op::Write(at, n) => {
                    let bytes = data(n);
                    file.seek(at as i64, 0).unwrap();
                    prop_assert_eq!(file.write(&mut &bytes[..]), Ok(n));
                    prop_assert_eq!(file.seek(0, 1), Ok(at + n as u64));
                    if n > 0 {
                        model.resize(model.len().max(at as usize + n), 0);
                        model[at as usize..][..n].copy_from_slice(&bytes);
                    }
                }
                Op::Append(n) => {
                    let bytes = data(n);
                    prop_assert_eq!(appending.write(&mut &bytes[..]), Ok(n));
                    model.extend_from_slice(&bytes);
                }
                Op::Truncate(size) => {
                    File::truncate(&*file.file, size).unwrap();
                    model.resize(size as usize, 0);
                }
            }
            prop_assert_eq!(file.file.size(), model.len() as u64);
        }
        fs.root().unlink(b"file").unwrap();
        drop((file, appending));
        prop_assert_eq!(fs.root().statfs().f_bfree, start);
    }
}

/// Four threads append records of their own: no record is torn, none is lost.
#[test]
fn appends_are_atomic() {
    const RECORD: usize = 10_000;
    let fs = Tmpfs::<Fake>::new(1, 64 << 20);
    let file = open(&fs, &[], O_RDWR | O_APPEND);
    let threads: Vec<_> = (1..=4u8)
        .map(|id| {
            let file = OpenFile::<Fake>::new(file.file.clone(), O_RDWR | O_APPEND);
            thread::spawn(move || {
                let record = std::vec![id; RECORD];
                (0..50).for_each(|_| assert_eq!(file.write(&mut &record[..]), Ok(RECORD)));
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    let mut all = Vec::with_capacity(200 * RECORD);
    file.seek(0, 0).unwrap();
    while file.read(&mut all).unwrap() > 0 {}
    let mut counts = [0; 5];
    for record in all.chunks(RECORD) {
        assert!(record.len() == RECORD && record.iter().all(|&b| b == record[0]));
        counts[usize::from(record[0])] += 1;
    }
    assert_eq!(counts, [0, 50, 50, 50, 50]);
}

/// Larger than what is written in one step.
#[test]
fn large_writes_are_seamless() {
    let fs = Tmpfs::<Fake>::new(1, 64 << 20);
    let (file, appending) = (open(&fs, &[], O_RDWR), open(&fs, &[], O_RDWR | O_APPEND));
    let data: Vec<u8> = (0..700_000u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    assert_eq!(file.write(&mut &data[..]), Ok(data.len()));
    assert_eq!(appending.write(&mut &data[..]), Ok(data.len()));
    assert_eq!(appending.seek(0, 1), Ok(2 * data.len() as u64));
    let mut back = Vec::with_capacity(3 * data.len());
    assert_eq!(file.file.read_at(0, &mut back), Ok(2 * data.len()));
    assert!(back[..data.len()] == data && back[data.len()..] == data);
}

/// Memory that ends, on one side or the other.
struct Ends(usize);

impl Source for Ends {
    fn remaining(&self) -> usize {
        100_000
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        let n = self.0.min(to.len());
        self.0 -= n;
        if n == 0 { Err(Errno::EFAULT) } else { Ok(n) }
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        Self(self.0).pull(to)
    }
}

impl Sink for Ends {
    fn remaining(&self) -> usize {
        100_000
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let n = self.0.min(from.len());
        self.0 -= n;
        if n == 0 { Err(Errno::EFAULT) } else { Ok(n) }
    }
}

#[test]
fn a_fault_ends_a_transfer_early() {
    let fs = Tmpfs::<Fake>::new(1, 64 << 20);
    let file = open(&fs, &IMAGE, O_RDWR);
    assert_eq!(file.file.read_at(0, &mut Ends(0)), Err(Errno::EFAULT));
    assert_eq!(file.file.read_at(0, &mut Ends(5000)), Ok(5000));
    assert_eq!(file.file.write_at(0, &mut Ends(0)), Err(Errno::EFAULT));
    assert_eq!(file.file.write_at(0, &mut Ends(5000)), Ok(5000));
    assert_eq!(file.file.read_at(u64::MAX, &mut Ends(9)), Ok(0));
}

#[test]
fn positions() {
    let fs = Tmpfs::<Fake>::new(1, 64 << 20);
    let file = open(&fs, &IMAGE, O_RDWR);
    assert_eq!(file.seek(-10, 2), Ok(IMAGE.len() as u64 - 10));
    assert_eq!(file.seek(-10, 0), Err(Errno::EINVAL));
    assert_eq!(file.seek(0, 9), Err(Errno::EINVAL));
    assert_eq!(file.seek(i64::MAX, 1), Err(Errno::EOVERFLOW));
    assert_eq!(file.seek(i64::MAX, 0), Ok(i64::MAX as u64));
    assert_eq!(file.write(&mut &b"x"[..]), Err(Errno::EFBIG));
    assert_eq!(Node::truncate(&*fs.root(), 0), Err(Errno::EISDIR));
    assert_eq!(File::read_at(&*fs.root(), 0, &mut Vec::with_capacity(1)), Err(Errno::EISDIR));
}

#[test]
fn attributes() {
    let fs = Tmpfs::<Fake>::new(3, 64 << 20);
    let node: Arc<dyn Node<Fake>> = fs.root().add_static(Name::Static(b"f"), 0o644, &IMAGE).unwrap();
    let stat = node.stat().unwrap();
    assert_eq!((stat.st_dev, stat.st_nlink, stat.st_mode, stat.st_size), (3, 1, 0o100_644, 150_000));
    assert_eq!(stat.st_blocks, 293);
    let at = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let now = Timespec::from_nanos(Fake::realtime_ns());
    let times = |a, m| Change::times::<Fake>(Some([a, m]));
    node.change(&times(at(-5, 6), at(9, UTIME_OMIT)).unwrap()).unwrap();
    let stat = node.stat().unwrap();
    assert_eq!((stat.st_atim, stat.st_mtim, stat.st_ctim), (at(-5, 6), now, now));
    node.change(&times(at(1, UTIME_NOW), at(9, 0)).unwrap()).unwrap();
    let stat = node.stat().unwrap();
    assert_eq!((stat.st_atim, stat.st_mtim), (now, at(9, 0)));
    assert_eq!(times(at(1, 1_000_000_000), at(9, 0)), Err(Errno::EINVAL));
    node.change(&Change::owner(u32::MAX, 5)).unwrap();
    node.change(&Change::mode(0o107_755)).unwrap();
    let stat = node.stat().unwrap();
    assert_eq!((stat.st_uid, stat.st_gid, stat.st_mode), (0, 5, 0o107_755));
}

#[test]
fn a_listing_goes_on_where_it_stopped() {
    let fs = Tmpfs::<Fake>::new(1, 64 << 20);
    for n in 0..50 {
        fs.root().create(std::format!("n{n}").as_bytes(), New::File(0o644)).unwrap();
    }
    let directory = OpenFile::<Fake>::new(fs.root(), 0);
    let mut names = Vec::new();
    loop {
        // Room for three at a time, as a small buffer of getdents64(2) has.
        let (before, mut room) = (names.len(), 3);
        directory
            .list(&mut |_, _, _, name| {
                if room == 0 {
                    return false;
                }
                room -= 1;
                names.push(name.to_vec());
                true
            })
            .unwrap();
        if names.len() == before {
            break;
        }
    }
    assert_eq!(names.len(), 52);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 52);
    directory.seek(0, 0).unwrap();
    let mut first = Vec::new();
    directory
        .list(&mut |_, _, _, name| {
            first = name.to_vec();
            false
        })
        .unwrap();
    assert_eq!(first, b".");
}
