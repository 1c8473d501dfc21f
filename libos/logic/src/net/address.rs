//! Addresses between the socket calls and the engine (ip(7), ipv6(7)).
//!
//! Inside the network an address of IPv4 is one, whatever the socket's family is; only towards the program a socket of AF_INET6 calls it
//! `::ffff:10.0.0.1`.

use super::link::{ETH0, Link, LinkId, MOST};
use super::stack::Inner;
use crate::platform::Platform;
use crate::socket::SockAddr;
use core::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use smoltcp::wire::{IpAddress, IpCidr, IpEndpoint, Ipv4Address, Ipv6Address};
use trapless_abi::{Errno, SysResult};

/// All of the loopback's network (RFC 919, 7).
const LOOPBACK_BROADCAST: Ipv4Address = Ipv4Address::new(127, 255, 255, 255);

/// What a socket calls its addresses, and which of them it can talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// AF_INET.
    Inet,
    /// AF_INET6, and IPv4 by mapped addresses.
    Inet6,
    /// AF_INET6 with IPV6_V6ONLY.
    Inet6Only,
}

impl Family {
    /// The address family for SO_DOMAIN.
    pub(super) const fn number(self) -> i32 {
        match self {
            Self::Inet => 2,
            Self::Inet6 | Self::Inet6Only => 10,
        }
    }

    /// Whether a socket talks to addresses of this kind.
    pub(super) const fn speaks(self, address: IpAddress) -> bool {
        match address {
            IpAddress::Ipv4(_) => !matches!(self, Self::Inet6Only),
            IpAddress::Ipv6(_) => !matches!(self, Self::Inet),
        }
    }

    /// INADDR_ANY or `in6addr_any`, and no port.
    pub(super) const fn anywhere(self) -> IpEndpoint {
        let addr = match self {
            Self::Inet => IpAddress::Ipv4(Ipv4Address::UNSPECIFIED),
            Self::Inet6 | Self::Inet6Only => IpAddress::Ipv6(Ipv6Address::UNSPECIFIED),
        };
        IpEndpoint { addr, port: 0 }
    }

    /// What a program's address means. EAFNOSUPPORT for another family, ENETUNREACH for IPv4 without it; of an address that is of one
    /// link only EINVAL if it does not say of which ([`scope`]), ENODEV if there cannot be such a one.
    pub(super) fn decode(self, address: &SockAddr) -> SysResult<IpEndpoint> {
        let (addr, port) = match address {
            SockAddr::Inet(SocketAddr::V4(v4)) if self == Self::Inet => (IpAddress::Ipv4(*v4.ip()), v4.port()),
            SockAddr::Inet(SocketAddr::V6(v6)) if self != Self::Inet => match v6.ip().to_ipv4_mapped() {
                Some(mapped) => (IpAddress::Ipv4(mapped), v6.port()),
                None if is_of_link(*v6.ip()) && !(ETH0..ETH0 + MOST as u32).contains(&v6.scope_id()) => {
                    return Err(if v6.scope_id() == 0 { Errno::EINVAL } else { Errno::ENODEV });
                }
                None => (IpAddress::Ipv6(*v6.ip()), v6.port()),
            },
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        if self.speaks(addr) { Ok(IpEndpoint::new(addr, port)) } else { Err(Errno::ENETUNREACH) }
    }

    /// As [`Family::decode`], for the address of a datagram: as in Linux it need not say of which link it is, and may
    /// be one of AF_INET.
    pub(super) fn decode_to(self, address: &SockAddr) -> SysResult<IpEndpoint> {
        match address {
            SockAddr::Inet(SocketAddr::V6(v6)) if v6.scope_id() == 0 => self.decode(&on_a_link(*v6)),
            SockAddr::Inet(SocketAddr::V4(v4)) if self != Self::Inet => {
                self.decode(&SockAddr::Inet(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()))
            }
            other => self.decode(other),
        }
    }

    /// As [`Family::decode`], for connect(2) of a socket that has these addresses: one of the link's own need not say of which link the
    /// other is.
    pub(super) fn decode_peer(self, address: &SockAddr, own: Option<Local>) -> SysResult<IpEndpoint> {
        match (address, own.and_then(Local::one)) {
            (SockAddr::Inet(SocketAddr::V6(v6)), Some(IpAddress::Ipv6(own)))
                if v6.scope_id() == 0 && is_of_link(own) =>
            {
                self.decode(&on_a_link(*v6))
            }
            _ => self.decode(address),
        }
    }

    /// As [`Family::decode`], for bind(2): EINVAL for IPv4 without it.
    pub(super) fn decode_own(self, address: &SockAddr) -> SysResult<IpEndpoint> {
        self.decode(address).map_err(|error| if error == Errno::ENETUNREACH { Errno::EINVAL } else { error })
    }

    /// How the program sees an address that is of a link, if it is of one.
    pub(super) fn encode(self, IpEndpoint { addr, port }: IpEndpoint, link: LinkId) -> SockAddr {
        let scope = |v6| if is_of_link(v6) { ETH0 + u32::from(link) } else { 0 };
        SockAddr::Inet(match addr {
            IpAddress::Ipv4(v4) if self == Self::Inet => SocketAddrV4::new(v4, port).into(),
            IpAddress::Ipv4(v4) => SocketAddrV6::new(v4.to_ipv6_mapped(), port, 0, 0).into(),
            IpAddress::Ipv6(v6) => SocketAddrV6::new(v6, port, 0, scope(v6)).into(),
        })
    }
}

/// The interface that an address says it is of; 0 unless it is of one link only and says of which.
pub(super) const fn scope(address: &SockAddr) -> u32 {
    match address {
        SockAddr::Inet(SocketAddr::V6(v6)) if is_of_link(*v6.ip()) => v6.scope_id(),
        _ => 0,
    }
}

/// The address with the scope of some link, which another thing tells.
const fn on_a_link(mut address: SocketAddrV6) -> SockAddr {
    address.set_scope_id(ETH0);
    SockAddr::Inet(SocketAddr::V6(address))
}

/// Whether an address means something on one link only (RFC 4291, 2.5.6 and 2.7).
const fn is_of_link(address: Ipv6Address) -> bool {
    address.is_unicast_link_local() || (address.is_multicast() && address.octets()[1] & 15 == 2)
}

/// The addresses of this host that a socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Local {
    /// All that the family speaks to.
    All(Family),
    /// One.
    One(IpAddress),
}

impl Local {
    /// Whether an address is among them.
    pub(super) fn covers(self, address: IpAddress) -> bool {
        match self {
            Self::All(family) => family.speaks(address),
            Self::One(own) => own == address,
        }
    }

    /// Whether both stand for some common address.
    pub(super) fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::One(one), all) | (all, Self::One(one)) => all.covers(one),
            (Self::All(one), Self::All(other)) => one == other || one == Family::Inet6 || other == Family::Inet6,
        }
    }

    /// The address, if it is one.
    pub(super) const fn one(self) -> Option<IpAddress> {
        match self {
            Self::All(_) => None,
            Self::One(address) => Some(address),
        }
    }

    /// As getsockname(2) of a socket of this family tells it.
    pub(super) const fn named(self, family: Family) -> IpAddress {
        match self {
            // Bound to `::ffff:0.0.0.0`, for one.
            Self::All(Family::Inet) => Family::Inet.anywhere().addr,
            Self::All(_) => family.anywhere().addr,
            Self::One(address) => address,
        }
    }
}

/// Whether an address is of this host, whatever its networks are.
pub(super) fn is_loopback(address: IpAddress) -> bool {
    match address {
        IpAddress::Ipv4(v4) => v4.is_loopback(),
        IpAddress::Ipv6(v6) => v6.is_loopback(),
    }
}

/// Where a datagram or connection to `to` really goes. Linux takes 0.0.0.0 and :: for "this host" (RFC 1122 3.2.1.3 forbids it on the
/// wire), and all of 127.0.0.0/8 is this host; the engine knows one loopback address.
pub(super) fn resolve(to: IpEndpoint) -> IpEndpoint {
    let addr = match to.addr {
        IpAddress::Ipv4(v4) if v4.is_unspecified() || v4.is_loopback() => IpAddress::Ipv4(Ipv4Address::LOCALHOST),
        IpAddress::Ipv6(Ipv6Address::UNSPECIFIED) => IpAddress::Ipv6(Ipv6Address::LOCALHOST),
        other => other,
    };
    IpEndpoint { addr, port: to.port }
}

impl<P: Platform> Inner<P> {
    /// Whether the host has this address.
    pub(super) fn is_own(&self, address: IpAddress) -> bool {
        let known = address == Ipv4Address::LOCALHOST.into() || address == Ipv6Address::LOCALHOST.into();
        known || self.link.wire.own().contains(&address) || self.link_of(address).is_some()
    }

    /// What bind(2) of a socket of this family means by an address. EADDRNOTAVAIL unless the host has it.
    pub(super) fn bindable(&self, family: Family, address: IpAddress) -> SysResult<Local> {
        match address {
            IpAddress::Ipv4(Ipv4Address::UNSPECIFIED) => Ok(Local::All(Family::Inet)),
            IpAddress::Ipv6(Ipv6Address::UNSPECIFIED) => Ok(Local::All(family)),
            own if self.is_own(own) => Ok(Local::One(own)),
            _ => Err(Errno::EADDRNOTAVAIL),
        }
    }

    /// Whether `to` means all hosts of a network.
    pub(super) fn is_broadcast(&self, to: IpAddress) -> bool {
        let IpAddress::Ipv4(to) = to else { return false };
        let of = |cidr: &IpCidr| matches!(cidr, IpCidr::Ipv4(cidr) if cidr.broadcast() == Some(to));
        to.is_broadcast() || to == LOOPBACK_BROADCAST || self.links().any(|link| link.network.addresses.iter().any(of))
    }

    /// The source address for packets to the unicast address `to` by a link. ENETUNREACH if no network of its nor a router leads there.
    pub(super) fn source_for(&self, link: LinkId, to: IpAddress) -> SysResult<IpAddress> {
        let link = self.numbered(link);
        if !link.has_router(to) && !link.iface.ip_addrs().iter().any(|network| network.contains_addr(&to)) {
            return Err(Errno::ENETUNREACH);
        }
        match to {
            IpAddress::Ipv4(to) => link.iface.get_source_address_ipv4(&to).map(IpAddress::Ipv4),
            IpAddress::Ipv6(to) => source_v6(link, to).map(IpAddress::Ipv6),
        }
        .ok_or(Errno::ENETUNREACH)
    }
}

/// The source address for `to` by a link (RFC 6724, 5): itself, of the same scope, with the longest prefix in common.
pub(super) fn source_v6(link: &Link, to: Ipv6Address) -> Option<Ipv6Address> {
    let scope = |address: Ipv6Address| (address.is_loopback(), is_of_link(address));
    let own = link.wire.own().iter().filter_map(|address| match address {
        IpAddress::Ipv6(own) => Some(*own),
        IpAddress::Ipv4(_) => None,
    });
    let common = |own: &Ipv6Address| (own.to_bits() ^ to.to_bits()).leading_zeros();
    own.chain([Ipv6Address::LOCALHOST]).filter(|&own| scope(own) == scope(to)).max_by_key(common)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn v6(text: &str) -> SockAddr {
        SockAddr::Inet(SocketAddr::V6(text.parse().unwrap()))
    }

    fn v4(text: &str) -> SockAddr {
        SockAddr::Inet(SocketAddr::V4(text.parse().unwrap()))
    }

    #[test]
    fn families_see_the_same_address_in_their_own_way() {
        let (plain, mapped) = (v4("10.0.0.1:80"), v6("[::ffff:10.0.0.1]:80"));
        let address = Family::Inet.decode(&plain).unwrap();
        assert_eq!(Family::Inet6.decode(&mapped), Ok(address));
        assert_eq!(
            (Family::Inet.encode(address, 0), Family::Inet6.encode(address, 1)),
            (plain.clone(), mapped.clone())
        );
        assert_eq!(Family::Inet6Only.decode(&mapped), Err(Errno::ENETUNREACH));
        for family in [Family::Inet6, Family::Inet6Only] {
            assert_eq!(family.decode(&plain), Err(Errno::EAFNOSUPPORT));
            assert_eq!(family.decode_to(&plain), family.decode(&mapped));
            let address = family.decode(&v6("[2001:db8::1]:80")).unwrap();
            assert_eq!(family.encode(address, 1), v6("[2001:db8::1]:80"));
        }
        assert_eq!(Family::Inet.decode(&mapped), Err(Errno::EAFNOSUPPORT));
        assert_eq!(Family::Inet6.decode(&SockAddr::Unspecified), Err(Errno::EAFNOSUPPORT));
    }

    #[test]
    fn addresses_of_a_link_say_of_which() {
        for text in ["fe80::1", "ff02::fb"] {
            let at = |scope| {
                Family::Inet6.decode(&SockAddr::Inet(SocketAddrV6::new(text.parse().unwrap(), 1, 0, scope).into()))
            };
            assert_eq!((at(0), at(77)), (Err(Errno::EINVAL), Err(Errno::ENODEV)));
            assert_eq!(Family::Inet6.decode_to(&v6(&format!("[{text}]:1"))), at(ETH0));
            let SockAddr::Inet(SocketAddr::V6(seen)) = Family::Inet6.encode(at(ETH0).unwrap(), 3) else {
                panic!("{text}")
            };
            assert_eq!(seen.scope_id(), ETH0 + 3);
        }
    }

    #[test]
    fn who_is_bound_on_a_link_means_that_link() {
        let link = Local::One("fe80::2".parse::<Ipv6Address>().unwrap().into());
        let peer = |text: &str, own| Family::Inet6.decode_peer(&v6(text), own);
        assert_eq!(peer("[fe80::1]:1", Some(link)), peer("[fe80::1%2]:1", None));
        assert!(peer("[fe80::1]:1", Some(link)).is_ok());
        for own in [None, Some(Local::All(Family::Inet6)), Some(Local::One(Ipv6Address::LOCALHOST.into()))] {
            assert_eq!(peer("[fe80::1]:1", own), Err(Errno::EINVAL));
        }
        assert_eq!(peer("[fe80::1%77]:1", Some(link)), Err(Errno::ENODEV));
    }

    #[test]
    fn bindings_overlap_where_they_have_an_address_in_common() {
        let (v4, v6) = (Local::One(Ipv4Address::LOCALHOST.into()), Local::One(Ipv6Address::LOCALHOST.into()));
        let all = [Local::All(Family::Inet), Local::All(Family::Inet6), Local::All(Family::Inet6Only), v4, v6];
        let expected = [
            [true, true, false, true, false],
            [true, true, true, true, true],
            [false, true, true, false, true],
            [true, true, false, true, false],
            [false, true, true, false, true],
        ];
        for (one, row) in all.iter().zip(expected) {
            assert_eq!(all.map(|other| one.overlaps(other)), row, "{one:?}");
        }
    }
}
