//! Bytes on their way between C memory and the library OS, without a Rust reference to C memory.
//!
//! ERTS threads may write to a buffer while a system call copies it, so the libos never holds a slice of it: it pulls from a
//! [`Source`] or pushes to a [`Sink`]. The platform implements both for user pointers, tests implement them for vectors; a [`Chain`]
//! of them is what readv(2) and writev(2) are given.

#[cfg(all(test, not(loom)))]
mod tests;

use alloc::vec::Vec;
use trapless_abi::SysResult;

/// Bytes that a caller gives (write, send).
pub trait Source {
    /// Bytes left.
    fn remaining(&self) -> usize;

    /// Copies the next bytes to `to` and moves on; returns how many, less than `to.len()` only at the end. EFAULT if not even one
    /// byte could be read; a fault after that ends the transfer early, as in Linux.
    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize>;

    /// As [`Source::pull`], but stays where it is: for who has to see the bytes to know whether to take them.
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

impl Sink for Vec<u8> {
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

/// As many buffers as are kept without taking memory for them.
pub const FEW: usize = 8;

/// The buffers of a [`Chain`].
#[derive(Clone, Debug)]
pub enum Parts<T> {
    /// The first so many of an array.
    Few([T; FEW], usize),
    /// Any number.
    Many(Vec<T>),
}

impl<T> Parts<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::Few(parts, count) => &parts[..*count],
            Self::Many(parts) => parts,
        }
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Self::Few(parts, count) => &mut parts[..*count],
            Self::Many(parts) => parts,
        }
    }
}

/// Several buffers, used one after the other (readv(2), writev(2)).
#[derive(Clone, Debug)]
pub struct Chain<T> {
    parts: Parts<T>,
    /// The first part that is not used up.
    at: usize,
    left: usize,
}

impl<T> Chain<T> {
    /// The buffers in `parts`, which have `left` bytes together.
    pub const fn new(parts: Parts<T>, left: usize) -> Self {
        Self { parts, at: 0, left }
    }

    /// Moves `len` bytes: `size` tells what is left of a part, `step` does what it can with a part, for the transfer's bytes from the
    /// given offset on.
    fn transfer(
        &mut self,
        len: usize,
        size: impl Fn(&T) -> usize,
        mut step: impl FnMut(&mut T, usize) -> SysResult<usize>,
    ) -> SysResult<usize> {
        let want = len.min(self.left);
        let parts = self.parts.as_mut_slice();
        let mut done = 0;
        while done < want {
            let part = &mut parts[self.at];
            let room = size(part).min(want - done);
            let moved = step(part, done);
            let n = *moved.as_ref().unwrap_or(&0);
            done += n;
            self.left -= n;
            if n < room {
                // A fault: what comes after it is out of reach for this call.
                self.left = 0;
                return if done == 0 { moved } else { Ok(done) };
            }
            if size(part) == 0 {
                self.at += 1;
            }
        }
        Ok(done)
    }
}

impl<T: Source> Source for Chain<T> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        self.transfer(to.len(), T::remaining, |part, done| part.pull(&mut to[done..]))
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        let want = to.len().min(self.left);
        let mut done = 0;
        for part in &self.parts.as_slice()[self.at..] {
            let room = part.remaining().min(want - done);
            let seen = part.peek(&mut to[done..done + room]);
            done += *seen.as_ref().unwrap_or(&0);
            if done == 0 && seen.is_err() {
                return seen;
            }
            if done == want || seen != Ok(room) {
                break;
            }
        }
        Ok(done)
    }
}

impl<T: Sink> Sink for Chain<T> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        self.transfer(from.len(), T::remaining, |part, done| part.push(&from[done..]))
    }
}
