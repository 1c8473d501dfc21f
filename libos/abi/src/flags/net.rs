//! Sockets.

use super::{choices, consts, flags};
use crate::args::{Arg, Trace};
use crate::{Errno, SysResult};
use core::fmt;

choices! {
    /// An address family, socket(2).
    AddressFamily: i32, else EAFNOSUPPORT {
        AF_UNSPEC = 0, "None.";
        AF_UNIX = 1, "Local, unix(7).";
        AF_INET = 2, "IPv4, ip(7).";
        AF_INET6 = 10, "IPv6, ipv6(7).";
        AF_NETLINK = 16, "Kernel, netlink(7).";
        AF_PACKET = 17, "Link layer, packet(7).";
    }
}

choices! {
    /// The kind of a socket, socket(2).
    SockKind: u32, else EINVAL {
        SOCK_STREAM = 1, "Bytes in order.";
        SOCK_DGRAM = 2, "Datagrams.";
        SOCK_RAW = 3, "Raw protocol.";
        SOCK_RDM = 4, "Reliable datagrams.";
        SOCK_SEQPACKET = 5, "Records in order.";
        SOCK_DCCP = 6, "DCCP.";
        SOCK_PACKET = 10, "Obsolete.";
    }
}

flags! {
    /// Flags within the type of socket(2), and of accept4, accept(2).
    strict SockFlags: u32 {
        SOCK_NONBLOCK = 0o4000, "Return EAGAIN rather than wait.";
        SOCK_CLOEXEC = 0o2_000_000, "Close on execve(2).";
    }
}

/// `type` of socket(2): a kind and flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SockType {
    /// Kind of socket.
    pub kind: SockKind,
    /// Flags of the new descriptor.
    pub flags: SockFlags,
}

/// The bits of `SockType` that are the kind.
const SOCK_TYPE_MASK: usize = 0xf;

impl Arg for SockType {
    fn decode(raw: usize) -> SysResult<Self> {
        let flags = SockFlags::decode(raw & !SOCK_TYPE_MASK)?;
        Ok(Self { kind: SockKind::decode(raw & SOCK_TYPE_MASK)?, flags })
    }
}

impl Trace for SockType {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SockKind::trace(raw & SOCK_TYPE_MASK, f)?;
        if raw & !SOCK_TYPE_MASK != 0 {
            f.write_str("|")?;
            SockFlags::trace(raw & !SOCK_TYPE_MASK, f)?;
        }
        Ok(())
    }
}

flags! {
    /// Flags of send(2) and recv(2). Linux ignores bits it does not know.
    lenient MsgFlags: u32 {
        MSG_OOB = 0x1, "Out-of-band data.";
        MSG_PEEK = 0x2, "Leave the data there.";
        MSG_DONTROUTE = 0x4, "Only to direct neighbours.";
        MSG_CTRUNC = 0x8, "Ancillary data were cut.";
        MSG_TRUNC = 0x20, "The datagram was cut; asked for: return its real length.";
        MSG_DONTWAIT = 0x40, "Return EAGAIN rather than wait.";
        MSG_EOR = 0x80, "End of record.";
        MSG_WAITALL = 0x100, "Wait until all is there.";
        MSG_CONFIRM = 0x800, "The neighbour answers.";
        MSG_ERRQUEUE = 0x2000, "From the queue of errors.";
        MSG_NOSIGNAL = 0x4000, "No SIGPIPE.";
        MSG_MORE = 0x8000, "More will follow.";
        MSG_WAITFORONE = 0x10000, "recvmmsg: wait for the first only.";
        MSG_FASTOPEN = 0x2000_0000, "Send with the connect.";
        MSG_CMSG_CLOEXEC = 0x4000_0000, "Received descriptors close on execve(2).";
    }
}

choices! {
    /// What shutdown(2) ends.
    ShutdownHow: i32, else EINVAL {
        SHUT_RD = 0, "Receiving.";
        SHUT_WR = 1, "Sending.";
        SHUT_RDWR = 2, "Both.";
    }
}

/// The protocol of socket(2); 0 is the default of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol(
    /// The number.
    pub i32,
);

impl Protocol {
    /// The default.
    pub const IPPROTO_IP: Self = Self(0);
    /// ICMP.
    pub const IPPROTO_ICMP: Self = Self(1);
    /// TCP.
    pub const IPPROTO_TCP: Self = Self(6);
    /// UDP.
    pub const IPPROTO_UDP: Self = Self(17);
}

impl Arg for Protocol {
    fn decode(raw: usize) -> SysResult<Self> {
        // socket(2): protocol out of range.
        if (0..256).contains(&(raw as i32)) { Ok(Self(raw as i32)) } else { Err(Errno::EINVAL) }
    }
}

impl Trace for Protocol {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self(raw as i32) {
            Self::IPPROTO_TCP => f.write_str("IPPROTO_TCP"),
            Self::IPPROTO_UDP => f.write_str("IPPROTO_UDP"),
            Self(number) => write!(f, "{number}"),
        }
    }
}

consts! { u32 {
    IFF_LOWER_UP = 0x1_0000, "Flag of an interface, told by rtnetlink(7) only: its link is up.";
} }

consts! { i32 {
    SOMAXCONN = 4096, "Longest queue of connections, listen(2).";
    SCM_RIGHTS = 1, "`cmsg_type`: descriptors, unix(7).";
    SCM_CREDENTIALS = 2, "`cmsg_type`: a `Ucred`.";
} }

consts! { u16 {
    IFF_UP = 0x1, "Flag of an interface: up, netdevice(7).";
    IFF_BROADCAST = 0x2, "Flag of an interface: can broadcast.";
    IFF_LOOPBACK = 0x8, "Flag of an interface: loopback.";
    IFF_RUNNING = 0x40, "Flag of an interface: running.";
    IFF_MULTICAST = 0x1000, "Flag of an interface: multicast.";
    ARPHRD_ETHER = 1, "Hardware type: Ethernet.";
    ARPHRD_LOOPBACK = 772, "Hardware type: loopback.";
} }
