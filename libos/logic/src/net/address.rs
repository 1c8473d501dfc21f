//! IPv4 addresses between the socket calls and the engine.

use super::stack::Inner;
use crate::platform::Platform;
use crate::socket::SockAddr;
use core::net::{SocketAddr, SocketAddrV4};
use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint, Ipv4Address, Ipv4Cidr};
use trapless_abi::{Errno, SysResult};

/// The IPv4 address in a socket address. EAFNOSUPPORT for other families.
pub(super) fn inet(address: &SockAddr) -> SysResult<SocketAddrV4> {
    match address {
        SockAddr::Inet(SocketAddr::V4(v4)) => Ok(*v4),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The socket address of an IPv4 address and port.
pub(super) fn sock_addr(address: SocketAddrV4) -> SockAddr {
    SockAddr::Inet(SocketAddr::V4(address))
}

pub(super) fn endpoint(address: SocketAddrV4) -> IpEndpoint {
    IpEndpoint::new(IpAddress::Ipv4(*address.ip()), address.port())
}

pub(super) fn from_endpoint(endpoint: IpEndpoint) -> SocketAddrV4 {
    match endpoint.addr {
        IpAddress::Ipv4(address) => SocketAddrV4::new(address, endpoint.port),
        // Cannot be: no frame of IPv6 comes past the wire.
        IpAddress::Ipv6(_) => SocketAddrV4::new(Ipv4Address::UNSPECIFIED, endpoint.port),
    }
}

/// Where a datagram or connection to `to` really goes. Linux takes 0.0.0.0 for "this host" (RFC 1122 3.2.1.3 forbids it on the wire),
/// and all of 127.0.0.0/8 is this host; the engine knows one loopback address.
pub(super) fn resolve(to: SocketAddrV4) -> SocketAddrV4 {
    if to.ip().is_unspecified() || to.ip().is_loopback() {
        return SocketAddrV4::new(Ipv4Address::LOCALHOST, to.port());
    }
    to
}

impl<P: Platform> Inner<P> {
    /// Whether the host has this address.
    pub(super) fn is_own(&self, address: Ipv4Address) -> bool {
        self.iface.has_ip_addr(address)
    }

    /// The address for bind(2): None for INADDR_ANY. EADDRNOTAVAIL unless the host has it.
    pub(super) fn bindable(&self, address: Ipv4Address) -> SysResult<Option<Ipv4Address>> {
        match address {
            Ipv4Address::UNSPECIFIED => Ok(None),
            own if self.is_own(own) => Ok(Some(own)),
            _ => Err(Errno::EADDRNOTAVAIL),
        }
    }

    /// The host's addresses with their networks.
    fn networks(&self) -> impl Iterator<Item = &Ipv4Cidr> {
        self.iface.ip_addrs().iter().filter_map(|address| match address {
            IpCidr::Ipv4(cidr) => Some(cidr),
            IpCidr::Ipv6(_) => None,
        })
    }

    /// Whether `to` means all hosts of a network.
    pub(super) fn is_broadcast(&self, to: Ipv4Address) -> bool {
        to.is_broadcast() || self.networks().any(|cidr| cidr.broadcast() == Some(to))
    }

    /// The source address for packets to the unicast address `to`. ENETUNREACH if no network of the host nor a router leads there.
    pub(super) fn source_for(&self, to: Ipv4Address) -> SysResult<Ipv4Address> {
        let reachable = self.networks().any(|cidr| cidr.contains_addr(&to))
            || self.iface.routes().get_default_ipv4_route().is_some();
        if !reachable {
            return Err(Errno::ENETUNREACH);
        }
        self.iface.get_source_address_ipv4(&to).ok_or(Errno::ENETUNREACH)
    }
}
