//! What a file descriptor stands for.
//!
//! No method here blocks: one that would have to returns EAGAIN, and the caller ([`crate::wait::block_on`]) sleeps in the file's
//! wait queue unless O_NONBLOCK is set. So blocking, O_NONBLOCK, SO_RCVTIMEO, EINTR and epoll are each written once.

use crate::data::{Sink, Source};
use crate::platform::Platform;
use crate::socket::Socket;
use crate::sync::{AtomicU32, Lock, Ordering};
use crate::time::Instant;
use crate::vfs::Node;
use crate::wait::{Ready, WaitQueue, block_on};
use alloc::sync::Arc;
use core::any::Any;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// Takes one directory entry: inode number, position after it, `d_type`, name; false stops the listing, and the entry counts as not
/// taken.
pub type Emit<'a> = dyn FnMut(u64, u64, u8, &[u8]) -> bool + 'a;

/// An open object: a regular file, directory, device, pipe end, socket, eventfd, timerfd or epoll instance.
///
/// The default methods answer what Linux answers for an object that has no such operation.
pub trait File<P: Platform>: Any + Send + Sync {
    /// read(2) on an object without positions. EAGAIN if it would block; `Ok(0)` at end of file.
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        let _ = to;
        Err(Errno::EINVAL)
    }

    /// write(2) on an object without positions. EAGAIN if not one byte could be taken without blocking.
    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        let _ = from;
        Err(Errno::EINVAL)
    }

    /// Whether the object has positions (lseek(2), pread(2)); if so, `read_at` and `write_at` serve it and [`OpenFile`] keeps the offset.
    fn seekable(&self) -> bool {
        false
    }

    /// Whether an object without positions does as if it had some: lseek(2) succeeds and means nothing (null(4)).
    fn seek_is_void(&self) -> bool {
        false
    }

    /// Whether `read_at` and `write_at` work.
    fn takes_offsets(&self) -> bool {
        self.seekable() || self.seek_is_void()
    }

    /// pread(2).
    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> SysResult<usize> {
        let _ = (offset, to);
        Err(Errno::ESPIPE)
    }

    /// pwrite(2).
    fn write_at(&self, offset: u64, from: &mut dyn Source) -> SysResult<usize> {
        let _ = (offset, from);
        Err(Errno::ESPIPE)
    }

    /// Appends atomically and returns the bytes taken and the new end (O_APPEND).
    fn append(&self, from: &mut dyn Source) -> SysResult<(usize, u64)> {
        let _ = from;
        Err(Errno::ESPIPE)
    }

    /// Size in bytes for SEEK_END.
    fn size(&self) -> u64 {
        0
    }

    /// ftruncate(2).
    fn truncate(&self, size: u64) -> SysResult<()> {
        let _ = size;
        Err(Errno::EINVAL)
    }

    /// Directory entries from the opaque position `from` on (getdents64(2)): calls `emit(ino, next_position, d_type, name)` for each
    /// until it returns false. ENOTDIR for anything but a directory.
    fn list(&self, from: u64, emit: &mut Emit<'_>) -> SysResult<()> {
        let _ = (from, emit);
        Err(Errno::ENOTDIR)
    }

    /// fstat(2).
    fn stat(&self) -> SysResult<Stat>;

    /// What the object is ready for now. Regular files are always ready.
    fn ready(&self) -> Ready {
        Ready::READABLE | Ready::WRITABLE
    }

    /// Where to wait for [`File::ready`] to change; None for objects that are always ready.
    fn queue(&self) -> Option<&WaitQueue<P>> {
        None
    }

    /// ioctl(2) with an argument the object copies by itself: `arg` is given as source or sink of the size the request encodes or
    /// the ABI fixes. ENOTTY for unknown requests.
    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        let _ = (request, arg);
        Err(Errno::ENOTTY)
    }

    /// Called when the open flags change by fcntl(F_SETFL), and once at open.
    fn set_nonblocking(&self, nonblocking: bool) {
        let _ = nonblocking;
    }

    /// The last descriptor of this open file was closed. Unlike drop it runs while others may still hold the object (in flight in an
    /// AF_UNIX message, in a call that blocks).
    fn close(&self) {}

    /// The place in the file system this object was opened from: for fchdir(2), fchmod(2) and the *at calls. None for pipes, sockets
    /// and other objects that have no name.
    fn node(self: Arc<Self>) -> Option<Arc<dyn Node<P>>> {
        None
    }

    /// The object for a second, independent description, as open(2) of `/proc/self/fd/N` makes one. ENXIO where Linux has none
    /// (sockets).
    fn reopen(self: Arc<Self>) -> SysResult<Arc<dyn File<P>>> {
        Err(Errno::ENXIO)
    }

    /// The object as a socket, if it is one.
    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        None
    }

    /// For finding out what an object is: an epoll instance, a timerfd.
    fn as_any(&self) -> &(dyn Any + Send + Sync);
}

/// An inode number for an object without a name (fstat(2) of a pipe, a socket, an eventfd); never one a file system uses.
pub fn anonymous_inode() -> u64 {
    // Only uniqueness matters, so the model checker need not know about this counter.
    static NEXT: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The third argument of ioctl(2).
pub trait IoctlArg {
    /// Reads the pointed-to value.
    fn get(&mut self, to: &mut [u8]) -> SysResult<()>;
    /// Writes the pointed-to value.
    fn put(&mut self, from: &[u8]) -> SysResult<()>;
    /// The argument as a number.
    fn value(&self) -> usize;
}

/// Status flags that fcntl(F_SETFL) may change, and access mode bits, as in `open(2)`.
pub const O_ACCMODE: u32 = 0o3;
/// Write only.
pub const O_WRONLY: u32 = 0o1;
/// Read and write.
pub const O_RDWR: u32 = 0o2;
/// Append mode.
pub const O_APPEND: u32 = 0o2000;
/// Non-blocking mode.
pub const O_NONBLOCK: u32 = 0o4000;

/// An open file description (open(2)): the object, its position and its status flags; shared by dup(2) and SCM_RIGHTS.
pub struct OpenFile<P: Platform> {
    /// The object.
    pub file: Arc<dyn File<P>>,
    flags: AtomicU32,
    offset: Lock<P, u64>,
}

impl<P: Platform> OpenFile<P> {
    /// A new description at offset 0 with the given open flags.
    pub fn new(file: Arc<dyn File<P>>, flags: u32) -> Arc<Self> {
        file.set_nonblocking(flags & O_NONBLOCK != 0);
        Arc::new(Self { file, flags: AtomicU32::new(flags), offset: Lock::new(0) })
    }

    /// The flags as F_GETFL reports them.
    pub fn flags(&self) -> u32 {
        self.flags.load(Ordering::Relaxed)
    }

    /// F_SETFL: only O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME and O_ASYNC change (fcntl(2)).
    pub fn set_flags(&self, new: u32) {
        const CHANGEABLE: u32 = O_APPEND | O_NONBLOCK | 0o40000 | 0o1000000 | 0o20000;
        let old = self.flags.load(Ordering::Relaxed);
        let flags = (old & !CHANGEABLE) | (new & CHANGEABLE);
        self.flags.store(flags, Ordering::Relaxed);
        self.file.set_nonblocking(flags & O_NONBLOCK != 0);
    }

    /// Whether calls return EAGAIN instead of blocking.
    pub fn nonblocking(&self) -> bool {
        self.flags() & O_NONBLOCK != 0
    }

    /// Whether the access mode allows reading.
    pub fn readable(&self) -> bool {
        self.flags() & O_ACCMODE != O_WRONLY
    }

    /// Whether the access mode allows writing.
    pub fn writable(&self) -> bool {
        matches!(self.flags() & O_ACCMODE, O_WRONLY | O_RDWR)
    }

    /// One read(2) at the current offset, without blocking. EBADF if not open for reading.
    pub fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        if !self.readable() {
            return Err(Errno::EBADF);
        }
        if !self.file.seekable() {
            return self.file.read(to);
        }
        let mut offset = self.offset.lock();
        let n = self.file.read_at(*offset, to)?;
        *offset += n as u64;
        Ok(n)
    }

    /// One write(2) at the current offset (at the end with O_APPEND), without blocking. EBADF if not open for writing.
    pub fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        if !self.writable() {
            return Err(Errno::EBADF);
        }
        if !self.file.seekable() {
            return self.file.write(from);
        }
        let mut offset = self.offset.lock();
        if self.flags() & O_APPEND != 0 {
            let (n, end) = self.file.append(from)?;
            *offset = end;
            return Ok(n);
        }
        let n = self.file.write_at(*offset, from)?;
        *offset += n as u64;
        Ok(n)
    }

    /// read(2) as the program sees it: sleeps until there is something, unless O_NONBLOCK is set. EAGAIN once `deadline` has passed
    /// (SO_RCVTIMEO), EINTR.
    pub fn read_blocking(&self, to: &mut dyn Sink, deadline: Option<Instant>) -> SysResult<usize> {
        match self.file.queue() {
            Some(queue) if !self.nonblocking() => block_on(queue, Ready::READABLE, deadline, || self.read(to)),
            _ => self.read(to),
        }
    }

    /// write(2) as the program sees it: without O_NONBLOCK it goes on until everything is written, so that a pipe or a stream never
    /// takes less without a reason. An error after the first byte gives the number of bytes written so far.
    pub fn write_blocking(&self, from: &mut dyn Source, deadline: Option<Instant>) -> SysResult<usize> {
        let queue = match self.file.queue() {
            Some(queue) if !self.nonblocking() => queue,
            _ => return self.write(from),
        };
        let mut total = 0;
        loop {
            match block_on(queue, Ready::WRITABLE, deadline, || self.write(from)) {
                Ok(0) => return Ok(total),
                Ok(n) => total += n,
                Err(e) if total == 0 => return Err(e),
                Err(_) => return Ok(total),
            }
            if from.remaining() == 0 {
                return Ok(total);
            }
        }
    }

    /// lseek(2): whence 0, 1, 2 = SEEK_SET, SEEK_CUR, SEEK_END. ESPIPE, EINVAL, EOVERFLOW.
    pub fn seek(&self, offset: i64, whence: u32) -> SysResult<u64> {
        if !self.file.seekable() {
            return if self.file.seek_is_void() { Ok(0) } else { Err(Errno::ESPIPE) };
        }
        let mut at = self.offset.lock();
        let base = match whence {
            0 => 0,
            1 => *at,
            2 => self.file.size(),
            _ => return Err(Errno::EINVAL),
        };
        let to = base.checked_add_signed(offset).ok_or(if offset < 0 { Errno::EINVAL } else { Errno::EOVERFLOW })?;
        if to > i64::MAX as u64 {
            return Err(Errno::EOVERFLOW);
        }
        *at = to;
        Ok(to)
    }

    /// Continues a directory listing at the current offset and moves it: see [`File::list`].
    pub fn list(&self, emit: &mut Emit<'_>) -> SysResult<()> {
        let mut offset = self.offset.lock();
        let mut at = *offset;
        self.file.list(at, &mut |ino, next, kind, name| {
            let taken = emit(ino, next, kind, name);
            if taken {
                at = next;
            }
            taken
        })?;
        *offset = at;
        Ok(())
    }
}

impl<P: Platform> Drop for OpenFile<P> {
    fn drop(&mut self) {
        self.file.close();
    }
}
