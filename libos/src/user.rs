//! Typed access to C memory for handlers: what `In<T>` and `Out<T>` point to.

use alloc::vec::Vec;
use trapless_abi::args::{In, InOut, Len, Out, Path};
use trapless_abi::structs::Iovec;
use trapless_abi::{Errno, SysResult};
use trapless_platform::user;
pub use trapless_platform::user::{UserBuf, UserIovec};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A pointer that can be read.
pub trait Get<T> {
    /// Copies the value in. EFAULT.
    fn get(self) -> SysResult<T>;
    /// As [`Get::get`], None for NULL.
    fn get_opt(self) -> SysResult<Option<T>>;
}

/// A pointer that can be written.
pub trait Put<T> {
    /// Copies the value out. EFAULT.
    fn put(self, value: &T) -> SysResult<()>;
    /// As [`Put::put`]; nothing for NULL.
    fn put_opt(self, value: &T) -> SysResult<()>;
}

macro_rules! readable {
    ($($pointer:ident)*) => { $(
        impl<T: FromBytes + IntoBytes> Get<T> for $pointer<T> {
            fn get(self) -> SysResult<T> {
                user::read(self.addr())
            }

            fn get_opt(self) -> SysResult<Option<T>> {
                self.non_null().map(Get::get).transpose()
            }
        }
    )* };
}

macro_rules! writable {
    ($($pointer:ident)*) => { $(
        impl<T: IntoBytes + Immutable> Put<T> for $pointer<T> {
            fn put(self, value: &T) -> SysResult<()> {
                user::write(self.addr(), value)
            }

            fn put_opt(self, value: &T) -> SysResult<()> {
                self.non_null().map_or(Ok(()), |p| p.put(value))
            }
        }
    )* };
}

readable!(In InOut);
writable!(Out InOut);

/// A C string, a path of at most PATH_MAX bytes. EFAULT, ENAMETOOLONG.
pub fn path(path: Path) -> SysResult<Vec<u8>> {
    user::read_cstr(path.addr(), 4096).map_err(|e| if e == Errno::E2BIG { Errno::ENAMETOOLONG } else { e })
}

/// A buffer that a read fills or a write empties, cut to what one call may move (read(2)).
pub fn buffer(addr: usize, count: Len) -> UserBuf {
    UserBuf::new(addr, count.capped())
}

/// An iovec array. EINVAL for a bad count or an overflowing sum, EFAULT.
pub fn iovec(iov: In<Iovec>, count: Len) -> SysResult<UserIovec> {
    user::read_iovec(iov.addr(), count.0)
}

/// Bytes of C memory. EFAULT, ENOMEM.
pub fn bytes(addr: usize, len: usize) -> SysResult<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(len, 0);
    user::copy_in(addr, &mut bytes)?;
    Ok(bytes)
}
