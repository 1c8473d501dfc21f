//! A byte queue in a ring that grows with need.

use crate::data::{Sink, Source};
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// The first allocation, in bytes: a wake-up pipe never needs more.
const FIRST: usize = 256;

/// Bytes between a writer and a reader. The capacity is a promise: memory is taken only when bytes arrive.
pub struct Ring {
    buf: Vec<u8>,
    /// Index of the oldest byte.
    head: usize,
    len: usize,
    capacity: usize,
}

impl Ring {
    /// An empty ring for up to `capacity` bytes.
    pub const fn new(capacity: usize) -> Self {
        Self { buf: Vec::new(), head: 0, len: 0, capacity }
    }

    /// Bytes in the ring.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that fit in.
    pub fn room(&self) -> usize {
        self.capacity - self.len
    }

    /// Most bytes it holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes the capacity. EBUSY if more bytes than that are in the ring, ENOMEM.
    pub fn set_capacity(&mut self, capacity: usize) -> SysResult<()> {
        if self.len > capacity {
            return Err(Errno::EBUSY);
        }
        if self.buf.len() > capacity {
            self.resize(capacity)?;
        }
        self.capacity = capacity;
        Ok(())
    }

    /// Takes as many bytes as fit. EFAULT if not one could be read, ENOMEM if none fits for lack of memory.
    pub fn write(&mut self, from: &mut dyn Source) -> SysResult<usize> {
        let want = from.remaining().min(self.room());
        if self.len + want > self.buf.len() {
            let size = (self.len + want).next_power_of_two().clamp(FIRST, self.capacity);
            self.resize(size)?;
        }
        let mut done = 0;
        while done < want {
            let tail = (self.head + self.len) % self.buf.len();
            let end = self.buf.len().min(tail + want - done);
            let piece = &mut self.buf[tail..end];
            let size = piece.len();
            match from.pull(piece) {
                Ok(n) => {
                    self.len += n;
                    done += n;
                    if n < size {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Gives as many bytes as there are, or as the sink has room for. EFAULT if not one could be written; what was not handed over
    /// stays in the ring.
    pub fn read(&mut self, to: &mut dyn Sink) -> SysResult<usize> {
        let mut done = 0;
        while self.len > 0 && to.remaining() > 0 {
            let end = self.buf.len().min(self.head + self.len);
            let piece = &self.buf[self.head..end];
            match to.push(piece) {
                Ok(0) => break,
                Ok(n) => {
                    self.head = (self.head + n) % self.buf.len();
                    self.len -= n;
                    done += n;
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok(done)
    }

    /// Moves the bytes to a buffer of `size` bytes, at its start.
    fn resize(&mut self, size: usize) -> SysResult<()> {
        let mut buf = Vec::new();
        buf.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        let first = self.len.min(self.buf.len() - self.head);
        buf.extend_from_slice(&self.buf[self.head..self.head + first]);
        buf.extend_from_slice(&self.buf[..self.len - first]);
        buf.resize(size, 0);
        (self.buf, self.head) = (buf, 0);
        Ok(())
    }
}
