//! Bytes on their way between C memory and the library OS, without a Rust reference to C memory.
//!
//! ERTS threads may write to a buffer while a system call copies it, so the libos never holds a slice of it: it pulls from a
//! [`Source`] or pushes to a [`Sink`]. The platform implements both for user pointers and iovecs; tests implement them for vectors.

use trapless_abi::{Errno, SysResult};

/// Bytes that a caller gives (write, send).
pub trait Source {
    /// Bytes left.
    fn remaining(&self) -> usize;

    /// Copies the next bytes to `to` and moves on; returns how many, less than `to.len()` only at the end. EFAULT if not even one
    /// byte could be read; a fault after that ends the transfer early, as in Linux.
    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize>;

    /// As [`Source::pull`], without moving on: for an object that has to see the bytes to know whether it can take them.
    fn peek(&self, to: &mut [u8]) -> SysResult<usize>;
}

/// Room that a caller offers (read, receive).
pub trait Sink {
    /// Bytes of room left.
    fn remaining(&self) -> usize;

    /// Copies `from` to the next bytes and moves on; returns how many, less than `from.len()` only when the room ends. EFAULT as
    /// for [`Source::pull`].
    fn push(&mut self, from: &[u8]) -> SysResult<usize>;
}

impl Source for &[u8] {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        let n = self.len().min(to.len());
        let (now, later) = self.split_at(n);
        to[..n].copy_from_slice(now);
        *self = later;
        Ok(n)
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        let mut copy = *self;
        copy.pull(to)
    }
}

impl Sink for alloc::vec::Vec<u8> {
    /// The spare capacity: a vector is a sink for tests and for text made by the libos itself.
    fn remaining(&self) -> usize {
        self.capacity() - self.len()
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let n = from.len().min(Sink::remaining(self));
        self.extend_from_slice(&from[..n]);
        Ok(n)
    }
}

/// Reads one whole value's bytes without moving on; EINVAL if the source ends before.
pub fn peek_exact(source: &dyn Source, to: &mut [u8]) -> SysResult<()> {
    if source.peek(to)? == to.len() { Ok(()) } else { Err(Errno::EINVAL) }
}
