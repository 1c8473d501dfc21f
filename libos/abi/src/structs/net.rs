//! Sockets.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct sockaddr`, sockaddr(3type): the common head of all addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sockaddr {
    /// Address family, `AF_*`.
    pub sa_family: u16,
    /// The rest, by family.
    pub sa_data: [u8; 14],
}

/// `struct sockaddr_in`, ip(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockaddrIn {
    /// `AF_INET`.
    pub sin_family: u16,
    /// Port in network byte order.
    pub sin_port: [u8; 2],
    /// Address in network byte order.
    pub sin_addr: [u8; 4],
    /// Padding.
    pub sin_zero: [u8; 8],
}

/// `struct sockaddr_in6`, ipv6(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockaddrIn6 {
    /// `AF_INET6`.
    pub sin6_family: u16,
    /// Port in network byte order.
    pub sin6_port: [u8; 2],
    /// Flow information in network byte order.
    pub sin6_flowinfo: u32,
    /// Address in network byte order.
    pub sin6_addr: [u8; 16],
    /// Interface of a link-local address.
    pub sin6_scope_id: u32,
}

/// `struct sockaddr_un`, unix(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockaddrUn {
    /// `AF_UNIX`.
    pub sun_family: u16,
    /// Path, ended by a NUL unless it fills the array; a leading NUL names the abstract space.
    pub sun_path: [u8; 108],
}

/// `struct sockaddr_storage`, sockaddr(3type): room for any address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct SockaddrStorage {
    /// Address family, `AF_*`.
    pub ss_family: u16,
    /// The rest, by family.
    pub __data: [u8; 126],
}

/// `struct iovec`, iovec(3type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Iovec {
    /// First byte.
    pub iov_base: usize,
    /// Length in bytes.
    pub iov_len: usize,
}

/// Most elements of an `Iovec` array, readv(2).
pub const IOV_MAX: usize = 1024;

/// `struct user_msghdr`, sendmsg(2). The C library's own type splits the two `size_t` into an int and a padding it clears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Msghdr {
    /// Address of the socket address, or 0.
    pub msg_name: usize,
    /// Its size in bytes.
    pub msg_namelen: i32,
    /// Padding.
    pub __pad0: i32,
    /// Address of the `Iovec` array.
    pub msg_iov: usize,
    /// Number of its elements.
    pub msg_iovlen: usize,
    /// Address of the ancillary data, or 0.
    pub msg_control: usize,
    /// Its size in bytes.
    pub msg_controllen: usize,
    /// Flags of a received message, `MsgFlags`.
    pub msg_flags: u32,
    /// Padding.
    pub __pad1: u32,
}

/// `struct mmsghdr`, sendmmsg(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MmsgHdr {
    /// The message.
    pub msg_hdr: Msghdr,
    /// Bytes transferred.
    pub msg_len: u32,
    /// Padding.
    pub __pad0: u32,
}

/// `struct cmsghdr`, cmsg(3): the head of one piece of ancillary data; the next starts at a multiple of 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Cmsghdr {
    /// Bytes of head and data.
    pub cmsg_len: usize,
    /// Protocol, e.g. `SOL_SOCKET`.
    pub cmsg_level: i32,
    /// Kind, e.g. `SCM_RIGHTS`.
    pub cmsg_type: i32,
}

/// `struct linger`, socket(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Linger {
    /// Whether close(2) waits.
    pub l_onoff: i32,
    /// For how many seconds.
    pub l_linger: i32,
}

/// `struct ip_mreqn`, ip(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct IpMreqn {
    /// Multicast group in network byte order.
    pub imr_multiaddr: [u8; 4],
    /// Local address in network byte order.
    pub imr_address: [u8; 4],
    /// Interface index.
    pub imr_ifindex: i32,
}

/// `struct ucred`, unix(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ucred {
    /// Process.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// `struct ifreq`, netdevice(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ifreq {
    /// Name of the interface, ended by a NUL.
    pub ifr_name: [u8; 16],
    /// A socket address, an index, flags or an MTU, by request.
    pub ifr_ifru: [u8; 24],
}

/// `struct ifconf`, netdevice(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ifconf {
    /// Size of the buffer in bytes.
    pub ifc_len: i32,
    /// Padding.
    pub __pad0: i32,
    /// Address of the buffer.
    pub ifc_buf: usize,
}
