//! Messages of netlink sockets.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct sockaddr_nl`, netlink(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SockaddrNl {
    /// `AF_NETLINK`.
    pub nl_family: u16,
    /// Zero.
    pub nl_pad: u16,
    /// Port of a socket; 0 is the kernel.
    pub nl_pid: u32,
    /// Multicast groups, a bit each.
    pub nl_groups: u32,
}

/// `struct nlmsghdr`, netlink(7): the head of a message; the next starts at a multiple of 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Nlmsghdr {
    /// Bytes of head and payload.
    pub nlmsg_len: u32,
    /// Kind, `NLMSG_*` or `RTM_*`.
    pub nlmsg_type: u16,
    /// `NLM_F_*`.
    pub nlmsg_flags: u16,
    /// Number of the request; its answers have the same.
    pub nlmsg_seq: u32,
    /// Port of the socket that asked.
    pub nlmsg_pid: u32,
}

/// `struct nlmsgerr`, netlink(7): the payload of `NLMSG_ERROR`; for an error the rest of the request follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Nlmsgerr {
    /// Negative errno, or 0.
    pub error: i32,
    /// Head of the request.
    pub msg: Nlmsghdr,
}

/// `struct rtattr`, rtnetlink(7): the head of an attribute; the next starts at a multiple of 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rtattr {
    /// Bytes of head and value.
    pub rta_len: u16,
    /// Kind, `IFLA_*` or `IFA_*`.
    pub rta_type: u16,
}

/// `struct ifinfomsg`, rtnetlink(7): an interface; attributes `IFLA_*` follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ifinfomsg {
    /// `AF_UNSPEC`.
    pub ifi_family: u8,
    /// Padding.
    pub __ifi_pad: u8,
    /// Hardware type, `ARPHRD_*`.
    pub ifi_type: u16,
    /// Index.
    pub ifi_index: i32,
    /// `IFF_*`.
    pub ifi_flags: u32,
    /// Which flags have changed.
    pub ifi_change: u32,
}

/// `struct ifaddrmsg`, rtnetlink(7): an address of an interface; attributes `IFA_*` follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Ifaddrmsg {
    /// Family of the address.
    pub ifa_family: u8,
    /// Bits of the network's part of the address.
    pub ifa_prefixlen: u8,
    /// `IFA_F_*`.
    pub ifa_flags: u8,
    /// `RT_SCOPE_*`.
    pub ifa_scope: u8,
    /// Index of the interface.
    pub ifa_index: u32,
}
