//! Waiting for file descriptors.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct epoll_event`, epoll_ctl(2); packed on x86_64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed)]
pub struct EpollEvent {
    /// `EpollEvents`.
    pub events: u32,
    /// Whatever the program wants back.
    pub data: u64,
}

/// `struct pollfd`, poll(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Pollfd {
    /// File descriptor; negative ones are skipped.
    pub fd: i32,
    /// Events asked for, `PollEvents`.
    pub events: i16,
    /// Events that hold, `PollEvents`.
    pub revents: i16,
}

/// Number of descriptors an `FdSet` of the C library can hold.
pub const FD_SETSIZE: usize = 1024;

/// `fd_set`, select(2). The kernel reads only as many words as `nfds` needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FdSet {
    /// One bit a descriptor, the lowest first.
    pub fds_bits: [u64; FD_SETSIZE / 64],
}

/// The sixth argument of pselect6: a pointer to a signal set and its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PselectSigmask {
    /// Address of the `Sigset`, or 0.
    pub ss: usize,
    /// Its size in bytes: 8.
    pub ss_len: usize,
}
