//! Sockets (socket(7)): the interface that all of them share, and those of AF_UNIX and AF_NETLINK.

pub(crate) mod addr;
pub mod netlink;
pub(crate) mod options;
pub mod unix;
#[cfg(all(test, not(loom)))]
mod unix_name_tests;
#[cfg(all(test, not(loom)))]
pub(crate) mod unix_tests;

pub use addr::SockAddr;

use crate::data::{Sink, Source};
use crate::file::{File, OpenFile};
use crate::platform::Platform;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::time::Duration;
use trapless_abi::{Errno, SysResult};

bitflags! {
    /// Flags of send(2) and recv(2) that an object must know about; MSG_DONTWAIT, MSG_NOSIGNAL and MSG_WAITALL are the caller's business.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MsgFlags: u32 {
        /// MSG_OOB: urgent data.
        const OOB = 0x1;
        /// MSG_PEEK: leave the data in the queue.
        const PEEK = 0x2;
        /// MSG_TRUNC: report the real length of a datagram.
        const TRUNC = 0x20;
        /// MSG_ERRQUEUE: read the error queue.
        const ERRQUEUE = 0x2000;
        /// MSG_MORE: more data follows.
        const MORE = 0x8000;
    }
}

/// Ancillary data of a message (cmsg(3)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Protocol, e.g. IPPROTO_IP.
    pub level: i32,
    /// Kind, e.g. IP_TTL.
    pub kind: i32,
    /// The data.
    pub data: Vec<u8>,
}

/// What came with received bytes.
pub struct Received<P: Platform> {
    /// Bytes pushed to the sink; with [`MsgFlags::TRUNC`] the datagram's real length.
    pub len: usize,
    /// Sender, of datagrams.
    pub from: Option<SockAddr>,
    /// Passed descriptors (SCM_RIGHTS).
    pub rights: Vec<Arc<OpenFile<P>>>,
    /// Other ancillary data that was asked for by socket options.
    pub control: Vec<Control>,
    /// A datagram did not fit (MSG_TRUNC is set in the result flags).
    pub truncated: bool,
}

impl<P: Platform> Received<P> {
    /// Plain bytes without anything beside them.
    pub const fn bytes(len: usize) -> Self {
        Self { len, from: None, rights: Vec::new(), control: Vec::new(), truncated: false }
    }
}

/// Which half shutdown(2) ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SHUT_RD.
    Read,
    /// SHUT_WR.
    Write,
    /// SHUT_RDWR.
    Both,
}

/// A socket. As with [`File`], nothing here blocks: EAGAIN (for connect: EINPROGRESS, then EALREADY) tells the caller to wait.
pub trait Socket<P: Platform>: File<P> {
    /// The address family, the type (SOCK_STREAM...) and the protocol, for SO_DOMAIN, SO_TYPE and SO_PROTOCOL.
    fn kind(&self) -> (i32, i32, i32);

    /// bind(2).
    fn bind(&self, address: &SockAddr) -> SysResult<()> {
        let _ = address;
        Err(Errno::EOPNOTSUPP)
    }

    /// listen(2).
    fn listen(&self, backlog: usize) -> SysResult<()> {
        let _ = backlog;
        Err(Errno::EOPNOTSUPP)
    }

    /// accept(2): the connection as a new socket object and the peer's address.
    fn accept(&self) -> SysResult<(Arc<dyn Socket<P>>, SockAddr)> {
        Err(Errno::EOPNOTSUPP)
    }

    /// connect(2): Ok once connected, EINPROGRESS when this call started it, EALREADY while it goes on, else why it failed.
    fn connect(&self, address: &SockAddr) -> SysResult<()> {
        let _ = address;
        Err(Errno::EOPNOTSUPP)
    }

    /// getsockname(2).
    fn local(&self) -> SysResult<SockAddr>;

    /// getpeername(2).
    fn peer(&self) -> SysResult<SockAddr>;

    /// send(2) and its relatives, with descriptors to pass (SCM_RIGHTS; only AF_UNIX takes any) and other ancillary data. `rights`
    /// is left empty once they are on their way.
    fn send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        rights: &mut Vec<Arc<OpenFile<P>>>,
        control: &[Control],
        flags: MsgFlags,
    ) -> SysResult<usize>;

    /// recv(2) and its relatives.
    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>>;

    /// shutdown(2).
    fn shutdown(&self, how: Shutdown) -> SysResult<()>;

    /// setsockopt(2). ENOPROTOOPT for options the object does not have.
    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()>;

    /// getsockopt(2): the value's bytes. ENOPROTOOPT as for [`Socket::set_option`].
    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>>;

    /// SO_RCVTIMEO.
    fn receive_timeout(&self) -> Option<Duration> {
        None
    }

    /// SO_SNDTIMEO.
    fn send_timeout(&self) -> Option<Duration> {
        None
    }
}
