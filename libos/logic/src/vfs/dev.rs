//! /dev: null(4), zero(4), full(4), random(4), and the names of the console.

use super::Vfs;
use super::fds::FileNode;
use super::node::{Kind, New, Node};
use super::tmpfs::{Name, Tmpfs};
use crate::data::{Sink, Source};
use crate::file::File;
use crate::platform::Platform;
use alloc::sync::Arc;
use core::any::Any;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// Device number of the file system on /dev.
const DEV: u64 = 0x5;
/// Device number of the file system on /dev/shm.
const SHM: u64 = 0x18;
/// Bytes the names in /dev may take.
const DEV_LIMIT: u64 = 1 << 20;

/// makedev(3) for small numbers.
pub const fn device_number(major: u64, minor: u64) -> u64 {
    major << 8 | minor
}

/// Fills /dev: the memory devices, `console` and `tty` if there is a terminal, the links to the descriptors, and /dev/shm for at most
/// `shm_limit` bytes. ENOSPC.
pub fn mount<P: Platform>(vfs: &Vfs<P>, tty: Option<Arc<dyn File<P>>>, shm_limit: u64) -> SysResult<()> {
    let fs = Tmpfs::new(DEV, DEV_LIMIT);
    let root = fs.root();
    for (name, device) in Memory::ALL {
        let node = FileNode::<P>::new(Arc::new(device))?;
        root.add(Name::Static(name), New::Object(node))?;
    }
    if let Some(tty) = tty {
        let node: Arc<dyn Node<P>> = FileNode::new(tty)?;
        root.add(Name::Static(b"console"), New::Object(node.clone()))?;
        root.add(Name::Static(b"tty"), New::Object(node))?;
    }
    let links: [(&[u8], &[u8]); 4] = [
        (b"fd", b"/proc/self/fd"),
        (b"stdin", b"/proc/self/fd/0"),
        (b"stdout", b"/proc/self/fd/1"),
        (b"stderr", b"/proc/self/fd/2"),
    ];
    for (name, text) in links {
        root.add_static_link(Name::Static(name), text)?;
    }
    vfs.mount("/dev", root, "devtmpfs")?;
    let shm = Tmpfs::new(SHM, shm_limit).root();
    shm.change(&super::Change::mode(0o1777))?;
    vfs.mount("/dev/shm", shm, "tmpfs")
}

/// A device of major number 1; the values are the minor numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Null = 3,
    Zero = 5,
    Full = 7,
    Random = 8,
    Urandom = 9,
}

impl Memory {
    const ALL: [(&'static [u8], Self); 5] = [
        (b"null", Self::Null),
        (b"zero", Self::Zero),
        (b"full", Self::Full),
        (b"random", Self::Random),
        (b"urandom", Self::Urandom),
    ];
}

/// What a step of reading zero(4) gives.
static ZEROS: [u8; 4096] = [0; 4096];

/// Gives `to` all it has room for, in steps that are told how much that is.
fn fill(to: &mut dyn Sink, mut step: impl FnMut(&mut dyn Sink, usize) -> SysResult<usize>) -> SysResult<usize> {
    let mut done = 0;
    loop {
        let room = to.remaining();
        if room == 0 {
            return Ok(done);
        }
        match step(to, room) {
            Ok(0) => return Ok(done),
            Ok(n) => done += n,
            Err(e) if done == 0 => return Err(e),
            Err(_) => return Ok(done),
        }
    }
}

impl<P: Platform> File<P> for Memory {
    fn seek_is_void(&self) -> bool {
        true
    }

    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        match self {
            Self::Null => Ok(0),
            Self::Zero | Self::Full => fill(to, |to, room| to.push(&ZEROS[..room.min(ZEROS.len())])),
            Self::Random | Self::Urandom => fill(to, |to, room| {
                let mut piece = [0; 256];
                let piece = &mut piece[..room.min(256)];
                P::random(piece);
                to.push(piece)
            }),
        }
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> SysResult<usize> {
        File::<P>::read(self, to)
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        match from.remaining() {
            n if n > 0 && *self == Self::Full => Err(Errno::ENOSPC),
            n => Ok(n),
        }
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> SysResult<usize> {
        File::<P>::write(self, from)
    }

    fn stat(&self) -> SysResult<Stat> {
        let minor = *self as u64;
        Ok(Stat {
            st_dev: DEV,
            st_ino: minor,
            st_nlink: 1,
            st_mode: Kind::Character.mode() | 0o666,
            st_rdev: device_number(1, minor),
            st_blksize: 4096,
            ..Stat::default()
        })
    }

    fn reopen(self: Arc<Self>) -> SysResult<Arc<dyn File<P>>> {
        Ok(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
