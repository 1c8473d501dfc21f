//! A node of a [`super::Tmpfs`] as an open file: every description of a file shares the node itself.

use super::super::node::{Kind, Node};
use super::content::Piece;
use super::inode::Inode;
use crate::data::{Sink, Source};
use crate::file::{Emit, File};
use crate::platform::Platform;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// What a hole looks like.
static ZEROS: [u8; 4096] = [0; 4096];
/// Bytes of a write that are collected on the stack.
const SMALL: usize = 4096;
/// Largest write that is one step for others who write or append, in bytes.
const LARGE: usize = 256 * 1024;

/// Collects the next bytes of a source, so that user memory is not touched while the file is locked.
fn gather<'b>(from: &mut dyn Source, small: &'b mut [u8; SMALL], large: &'b mut Vec<u8>) -> SysResult<&'b [u8]> {
    let want = from.remaining().min(LARGE);
    let to = if want > SMALL && large.try_reserve_exact(want.saturating_sub(large.len())).is_ok() {
        large.resize(want, 0);
        &mut large[..]
    } else {
        &mut small[..want.min(SMALL)]
    };
    let n = from.pull(to)?;
    Ok(&to[..n])
}

fn push_zeros(to: &mut dyn Sink, mut n: usize) -> SysResult<usize> {
    let mut done = 0;
    while n > 0 {
        let size = n.min(ZEROS.len());
        match to.push(&ZEROS[..size]) {
            Ok(taken) => {
                (done, n) = (done + taken, n - taken);
                if taken < size {
                    break;
                }
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
    }
    Ok(done)
}

impl<P: Platform> Inode<P> {
    /// Writes all of `from`: at `offset`, or at the end. Returns the bytes written and the position after them.
    fn write_from(&self, offset: Option<u64>, from: &mut dyn Source) -> SysResult<(usize, u64)> {
        let (mut small, mut large) = ([0; SMALL], Vec::new());
        let (mut done, mut end) = (0, offset);
        while from.remaining() > 0 {
            let written = gather(from, &mut small, &mut large).and_then(|bytes| {
                let mut state = self.state.lock();
                let (meta, content) = state.content()?;
                let at = if offset.is_some() { end } else { None }.unwrap_or(content.size());
                let n = content.write(at, bytes, &self.fs.quota)?;
                meta.modified::<P>();
                end = Some(at + n as u64);
                Ok((n, n < bytes.len()))
            });
            match written {
                Ok((n, short)) => {
                    done += n;
                    if short || n == 0 {
                        break;
                    }
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        Ok((done, end.unwrap_or(0)))
    }
}

impl<P: Platform> File<P> for Inode<P> {
    fn seekable(&self) -> bool {
        true
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> SysResult<usize> {
        let mut done = 0;
        loop {
            let piece = {
                let mut state = self.state.lock();
                let (meta, content) = state.content()?;
                if done == 0 {
                    meta.accessed::<P>();
                }
                content.piece(offset.saturating_add(done as u64), to.remaining())
            };
            let pushed = match &piece {
                None => return Ok(done),
                Some(Piece::Static(bytes)) => to.push(bytes),
                Some(Piece::Chunk(data, range)) => to.push(&data[range.clone()]),
                Some(Piece::Zeros(n)) => push_zeros(to, *n),
            };
            match pushed {
                Ok(0) => return Ok(done),
                Ok(n) => done += n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => return Ok(done),
            }
        }
    }

    fn write_at(&self, offset: u64, from: &mut dyn Source) -> SysResult<usize> {
        Ok(self.write_from(Some(offset), from)?.0)
    }

    fn append(&self, from: &mut dyn Source) -> SysResult<(usize, u64)> {
        self.write_from(None, from)
    }

    fn size(&self) -> u64 {
        self.state.lock().content().map_or(0, |(_, content)| content.size())
    }

    fn truncate(&self, size: u64) -> SysResult<()> {
        Node::truncate(self, size)
    }

    fn list(&self, from: u64, emit: &mut Emit<'_>) -> SysResult<()> {
        Node::list(self, from, emit)
    }

    fn stat(&self) -> SysResult<Stat> {
        Node::stat(self)
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn Node<P>>> {
        Some(self)
    }

    fn reopen(self: Arc<Self>) -> SysResult<Arc<dyn File<P>>> {
        match Node::kind(&*self) {
            Kind::Regular | Kind::Directory => Ok(self),
            _ => Err(Errno::ELOOP),
        }
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
