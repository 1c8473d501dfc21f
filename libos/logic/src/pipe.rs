//! Pipes (pipe(2), pipe(7)).
//!
//! INV-PIPE-1: state changes first, under the lock; those who wait for the change are told second (INV-WAIT-1). The loom model in
//! `tests/loom_pipe.rs` finds the lost wake-up when the two are swapped.

mod ring;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::data::{Sink, Source};
use crate::file::{File, IoctlArg, anonymous_inode};
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::Arc;
use core::any::Any;
use ring::Ring;
use trapless_abi::flags::{IoctlRequest, PIPE_BUF, S_IFIFO};
use trapless_abi::structs::{Stat, Timespec};
use trapless_abi::{Errno, SysResult};

/// Capacity of a new pipe, in bytes.
pub const DEFAULT_CAPACITY: usize = 64 * 1024;
/// Largest capacity F_SETPIPE_SZ gives, in bytes.
pub const MAX_CAPACITY: usize = 1 << 31;

struct State {
    ring: Ring,
    readers: usize,
    writers: usize,
}

/// What the two ends share.
struct Pipe<P: Platform> {
    state: Lock<P, State>,
    /// Those who wait for bytes, or for the last writer to go.
    readers: WaitQueue<P>,
    /// Those who wait for room, or for the last reader to go.
    writers: WaitQueue<P>,
    ino: u64,
    made: Timespec,
}

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The end to read from.
    Read,
    /// The end to write to.
    Write,
}

/// One end of a pipe. It counts as open until [`File::close`].
pub struct PipeEnd<P: Platform> {
    pipe: Arc<Pipe<P>>,
    side: Side,
}

/// A new pipe: its read end and its write end.
pub fn pipe<P: Platform>() -> (Arc<PipeEnd<P>>, Arc<PipeEnd<P>>) {
    let pipe = Arc::new(Pipe {
        state: Lock::new(State { ring: Ring::new(DEFAULT_CAPACITY), readers: 1, writers: 1 }),
        readers: WaitQueue::new(),
        writers: WaitQueue::new(),
        ino: anonymous_inode(),
        made: Timespec::from_nanos(P::realtime_ns()),
    });
    let end = |side| Arc::new(PipeEnd { pipe: pipe.clone(), side });
    (end(Side::Read), end(Side::Write))
}

impl<P: Platform> PipeEnd<P> {
    /// Changes the state, then tells the ends what `change` says they may be waiting for: readers, writers.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> (T, Ready, Ready)) -> T {
        let pipe = &*self.pipe;
        if mutant("pipe_notify_first") {
            match self.side {
                Side::Read => pipe.writers.notify(Ready::all()),
                Side::Write => pipe.readers.notify(Ready::all()),
            }
            return change(&mut pipe.state.lock()).0;
        }
        let (result, readers, writers) = change(&mut pipe.state.lock());
        if !readers.is_empty() {
            pipe.readers.notify(readers);
        }
        if !writers.is_empty() {
            pipe.writers.notify(writers);
        }
        result
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// fcntl(F_GETPIPE_SZ), in bytes.
    pub fn capacity(&self) -> usize {
        self.pipe.state.lock().ring.capacity()
    }

    /// fcntl(F_SETPIPE_SZ): rounds up to a power of two of whole pages and returns what it became. EBUSY if more is in the pipe, EINVAL
    /// above [`MAX_CAPACITY`].
    pub fn set_capacity(&self, bytes: usize) -> SysResult<usize> {
        if bytes > MAX_CAPACITY {
            return Err(Errno::EINVAL);
        }
        let capacity = bytes.max(PIPE_BUF).next_power_of_two();
        self.update(|state| match state.ring.set_capacity(capacity) {
            Ok(()) => (Ok(capacity), Ready::empty(), Ready::WRITABLE),
            Err(e) => (Err(e), Ready::empty(), Ready::empty()),
        })
    }
}

impl<P: Platform> File<P> for PipeEnd<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        if self.side != Side::Read {
            return Err(Errno::EBADF);
        }
        if to.remaining() == 0 {
            return Ok(0);
        }
        self.update(|state| {
            if state.ring.is_empty() {
                let end = if state.writers == 0 { Ok(0) } else { Err(Errno::EAGAIN) };
                return (end, Ready::empty(), Ready::empty());
            }
            // Only a writer that found less room than an atomic write may need can be waiting.
            let scarce = state.ring.room() < PIPE_BUF;
            let read = state.ring.read(to);
            let wake = if scarce && read.is_ok() { Ready::WRITABLE } else { Ready::empty() };
            (read, Ready::empty(), wake)
        })
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        if self.side != Side::Write {
            return Err(Errno::EBADF);
        }
        let wanted = from.remaining();
        self.update(|state| {
            let none = Ready::empty();
            if wanted == 0 {
                return (Ok(0), none, none);
            }
            if state.readers == 0 {
                return (Err(Errno::EPIPE), none, none);
            }
            let room = state.ring.room();
            if room < wanted.min(PIPE_BUF) && (wanted <= PIPE_BUF || room == 0) {
                return (Err(Errno::EAGAIN), none, none);
            }
            // Told about every write, not only the first into an empty pipe: edge-triggered epoll counts them (epoll(7)).
            match state.ring.write(from) {
                Ok(n) => (Ok(n), Ready::READABLE, none),
                Err(e) => (Err(e), none, none),
            }
        })
    }

    fn stat(&self) -> SysResult<Stat> {
        let time = self.pipe.made;
        Ok(Stat {
            st_ino: self.pipe.ino,
            st_nlink: 1,
            st_mode: S_IFIFO | 0o600,
            st_blksize: PIPE_BUF as i64,
            st_atim: time,
            st_mtim: time,
            st_ctim: time,
            ..Stat::default()
        })
    }

    fn ready(&self) -> Ready {
        let state = self.pipe.state.lock();
        let mut ready = Ready::empty();
        match self.side {
            Side::Read => {
                ready.set(Ready::READABLE, !state.ring.is_empty());
                ready.set(Ready::HUP, state.writers == 0);
            }
            Side::Write => {
                ready.set(Ready::WRITABLE, state.ring.room() >= PIPE_BUF);
                ready.set(Ready::ERR, state.readers == 0);
            }
        }
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(match self.side {
            Side::Read => &self.pipe.readers,
            Side::Write => &self.pipe.writers,
        })
    }

    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        if IoctlRequest(request) != IoctlRequest::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = self.pipe.state.lock().ring.len();
        arg.put(&i32::try_from(bytes).unwrap_or(i32::MAX).to_ne_bytes())?;
        Ok(0)
    }

    fn reopen(self: Arc<Self>) -> SysResult<Arc<dyn File<P>>> {
        let mut state = self.pipe.state.lock();
        match self.side {
            Side::Read => state.readers += 1,
            Side::Write => state.writers += 1,
        }
        drop(state);
        Ok(Arc::new(Self { pipe: self.pipe.clone(), side: self.side }))
    }

    fn close(&self) {
        self.update(|state| match self.side {
            Side::Read => {
                state.readers -= 1;
                let gone = state.readers == 0;
                ((), Ready::empty(), if gone { Ready::WRITABLE | Ready::ERR } else { Ready::empty() })
            }
            Side::Write => {
                state.writers -= 1;
                let gone = state.writers == 0;
                ((), if gone { Ready::READABLE | Ready::HUP } else { Ready::empty() }, Ready::empty())
            }
        });
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
