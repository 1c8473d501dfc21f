//! Numbers with a meaning.

use super::{Arg, Trace};
use crate::{Errno, SysResult};
use core::fmt;

/// Numbers of which any value decodes: which are right depends on the state of the system.
macro_rules! numbers {
    ($($(#[$meta:meta])* $name:ident: $int:ty, $format:literal;)*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(
            /// The number.
            pub $int,
        );

        impl Arg for $name {
            fn decode(raw: usize) -> SysResult<Self> {
                Ok(Self(raw as $int))
            }
        }

        impl Trace for $name {
            fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, raw as $int)
            }
        }
    )* };
}

numbers! {
    /// A file descriptor; the table of descriptors answers EBADF to one that is not open.
    Fd: i32, "{}";
    /// A length in bytes, or a count of elements.
    Len: usize, "{}";
    /// An offset in a file, bytes.
    Offset: i64, "{}";
    /// A time limit in milliseconds; negative means none.
    Millis: i32, "{}";
    /// A thread id.
    Tid: i32, "{}";
    /// A process id; 0 and negative numbers have meanings of their own in kill(2) and others.
    Pid: i32, "{}";
    /// A user id; `u32::MAX` means "leave as it is".
    Uid: u32, "{}";
    /// A group id; `u32::MAX` means "leave as it is".
    Gid: u32, "{}";
    /// A plain `int`.
    I32: i32, "{}";
    /// A plain `unsigned int`.
    U32: u32, "{}";
    /// A plain `long`.
    I64: i64, "{}";
    /// A plain `unsigned long`.
    Usize: usize, "{:#x}";
}

impl Len {
    /// Most bytes one read or write moves, read(2).
    pub const MAX_RW_COUNT: usize = 0x7fff_f000;

    /// The count, cut to what one read or write may move.
    pub const fn capped(self) -> usize {
        if self.0 < Self::MAX_RW_COUNT { self.0 } else { Self::MAX_RW_COUNT }
    }
}

impl Millis {
    /// The limit in milliseconds, or `None` to wait for ever.
    pub const fn limit(self) -> Option<u32> {
        if self.0 < 0 { None } else { Some(self.0 as u32) }
    }
}

/// A descriptor of a directory, or `AT_FDCWD`, openat(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DirFd(
    /// The number.
    pub i32,
);

impl DirFd {
    /// The current directory.
    pub const AT_FDCWD: Self = Self(-100);
}

impl Arg for DirFd {
    fn decode(raw: usize) -> SysResult<Self> {
        Ok(Self(raw as i32))
    }
}

impl Trace for DirFd {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self(raw as i32) {
            Self::AT_FDCWD => f.write_str("AT_FDCWD"),
            Self(fd) => write!(f, "{fd}"),
        }
    }
}

/// The size of a signal set, which must be the kernel's: 8 bytes, else EINVAL, rt_sigprocmask(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigsetSize;

impl Arg for SigsetSize {
    fn decode(raw: usize) -> SysResult<Self> {
        if raw == 8 { Ok(Self) } else { Err(Errno::EINVAL) }
    }
}

impl Trace for SigsetSize {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{raw}")
    }
}
