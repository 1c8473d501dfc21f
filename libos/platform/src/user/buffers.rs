//! C buffers as the two ends of a transfer.

use super::{copy_in, read_some, write_some};
use alloc::vec::Vec;
use trapless_abi::structs::Iovec;
use trapless_abi::{Errno, SysResult};
use trapless_logic::data::{Chain, FEW, Parts, Sink, Source};
use zerocopy::{FromZeros, IntoBytes};

/// Most elements of an iovec array (`UIO_MAXIOV`, readv(2)).
const IOV_MAX: usize = 1024;

/// One buffer.
#[derive(Clone, Copy, Debug)]
pub struct UserBuf {
    address: usize,
    left: usize,
}

impl UserBuf {
    /// `len` bytes at `address`.
    pub const fn new(address: usize, len: usize) -> Self {
        Self { address, left: len }
    }

    fn advance(&mut self, want: usize, done: usize) -> SysResult<usize> {
        self.address = self.address.wrapping_add(done);
        // After a fault nothing more is transferred.
        self.left = if done == want { self.left - done } else { 0 };
        if done == 0 && want != 0 { Err(Errno::EFAULT) } else { Ok(done) }
    }
}

impl From<Iovec> for UserBuf {
    fn from(element: Iovec) -> Self {
        Self::new(element.iov_base, element.iov_len)
    }
}

impl Source for UserBuf {
    fn remaining(&self) -> usize {
        self.left
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        let want = self.left.min(to.len());
        let done = read_some(self.address, &mut to[..want]);
        self.advance(want, done)
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        let mut copy = *self;
        copy.pull(to)
    }
}

impl Sink for UserBuf {
    fn remaining(&self) -> usize {
        self.left
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let want = self.left.min(from.len());
        let done = write_some(self.address, &from[..want]);
        self.advance(want, done)
    }
}

/// An array of buffers, used one after the other.
pub type UserIovec = Chain<UserBuf>;

/// The array of `count` elements at `address`, as readv(2) takes it. EINVAL for a count that is too large or lengths that add up to more
/// than `isize::MAX`; EFAULT; ENOMEM.
pub fn read_iovec(address: usize, count: usize) -> SysResult<UserIovec> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    if count <= FEW {
        let mut raw = [Iovec::new_zeroed(); FEW];
        let left = read_elements(address, &mut raw[..count])?;
        return Ok(Chain::new(Parts::Few(raw.map(UserBuf::from), count), left));
    }
    let mut raw = Vec::new();
    raw.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    raw.resize(count, Iovec::new_zeroed());
    let left = read_elements(address, &mut raw)?;
    // In place: both have two words.
    Ok(Chain::new(Parts::Many(raw.into_iter().map(UserBuf::from).collect()), left))
}

/// Fills `elements` and returns how many bytes their buffers have together. EFAULT, EINVAL.
fn read_elements(address: usize, elements: &mut [Iovec]) -> SysResult<usize> {
    if !elements.is_empty() {
        copy_in(address, elements.as_mut_bytes())?;
    }
    elements.iter().try_fold(0, |sum: usize, element| {
        sum.checked_add(element.iov_len).filter(|&sum| isize::try_from(sum).is_ok()).ok_or(Errno::EINVAL)
    })
}
