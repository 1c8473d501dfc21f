//! The host's addresses: where they come from, and who wants to know.

use super::link::{LOOPBACK, Link};
use super::router::{NETWORKS, link_local};
use super::shards::NetStack;
use super::shared::Network;
use super::stack::Inner;
use super::wire::MTU;
use crate::platform::Platform;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address, Ipv4Cidr, Ipv6Address, Ipv6Cidr};
use trapless_abi::flags::{
    ARPHRD_ETHER, ARPHRD_LOOPBACK, IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST, IFF_RUNNING, IFF_UP,
};

/// Where the host's address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// DHCPv4.
    Dhcp,
    /// Fixed.
    Static {
        /// Address and prefix.
        address: Ipv4Cidr,
        /// Default router.
        router: Option<Ipv4Address>,
    },
    /// Loopback only.
    None,
}

/// Where the host's addresses of IPv6 come from, beside that of the link, which a card has by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing6 {
    /// From the routers' advertisements (RFC 4862).
    Auto,
    /// Fixed.
    Static {
        /// Address and prefix.
        address: Ipv6Cidr,
        /// Default router.
        router: Option<Ipv6Address>,
    },
    /// Loopback only.
    None,
}

/// What the network has given to the host by one card.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// The card's name, as `eth0`.
    pub interface: &'static str,
    /// Address and router of IPv4.
    pub lease: Option<Lease>,
    /// The card's addresses of IPv6, but for that of the link.
    pub ipv6: Vec<Ipv6Cidr>,
    /// Name servers.
    pub dns: Vec<IpAddress>,
    /// Addresses of IPv6 that the card should have, and another host has.
    pub duplicates: Vec<Ipv6Address>,
}

/// What DHCP has given, or the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Address and prefix.
    pub address: Ipv4Cidr,
    /// Default router.
    pub router: Option<Ipv4Address>,
    /// Name servers; only DHCP tells about them.
    pub dns: Vec<Ipv4Address>,
    /// The host's name, as DHCP tells it.
    pub host_name: Option<String>,
}

/// Who wants to know about changes: see [`NetStack::on_lease`].
pub(super) type LeaseHook = Arc<dyn Fn(&[Addresses]) + Send + Sync>;

/// A network interface (netdevice(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Name, as `eth0`.
    pub name: &'static str,
    /// Index, from 1.
    pub index: u32,
    /// IFF_* of netdevice(7).
    pub flags: u32,
    /// Ethernet address; zero for the loopback.
    pub mac: [u8; 6],
    /// IPv4 address, if it has one.
    pub address: Option<Ipv4Address>,
    /// Bits of the network's part of the address.
    pub prefix: u8,
    /// Addresses of IPv6, with their networks.
    pub ipv6: Vec<Ipv6Cidr>,
    /// Bytes of the largest packet.
    pub mtu: u32,
}

const LOOPBACK_FLAGS: u16 = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
const ETHERNET_FLAGS: u16 = IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST;
/// As Linux says. Packets are cut as for the card, which programs do not see.
pub(super) const LOOPBACK_MTU: u32 = 65536;
pub(super) const LOOPBACK6: Ipv6Cidr = Ipv6Cidr::new(Ipv6Address::LOCALHOST, 128);

impl InterfaceInfo {
    const fn is_loopback(&self) -> bool {
        self.flags & IFF_LOOPBACK as u32 != 0
    }

    /// ARPHRD_* of netdevice(7).
    pub const fn hardware_type(&self) -> u16 {
        if self.is_loopback() { ARPHRD_LOOPBACK } else { ARPHRD_ETHER }
    }

    /// The Ethernet address of everybody; zero for the loopback.
    pub const fn hardware_broadcast(&self) -> [u8; 6] {
        if self.is_loopback() { [0; 6] } else { [0xff; 6] }
    }

    /// The IPv4 address of everybody on the network, if the network has one.
    pub fn broadcast(&self) -> Option<Ipv4Address> {
        let address = self.address.filter(|_| !self.is_loopback())?;
        Ipv4Cidr::new(address, self.prefix).broadcast()
    }
}

impl<P: Platform> NetStack<P> {
    /// The address, router and name servers of the first card. None: loopback only, so far.
    pub fn lease(&self) -> Option<Lease> {
        self.look(|inner| inner.numbered(0).lease.clone())
    }

    /// Has `hook` called now with what each card has, and again whenever that changes: from [`NetStack::poll`], without any lock held. It
    /// must not block. Replaces an earlier hook.
    pub fn on_lease(&self, hook: impl Fn(&[Addresses]) + Send + Sync + 'static) {
        *self.hook.lock() = Some(Arc::new(hook));
        self.look(|inner| (inner.hooked, inner.news) = (true, true));
        self.announce_lease();
    }

    /// The interfaces: `lo`, and one for each card.
    pub fn interfaces(&self) -> Vec<InterfaceInfo> {
        let lo = InterfaceInfo {
            name: "lo",
            index: LOOPBACK,
            flags: LOOPBACK_FLAGS.into(),
            mac: [0; 6],
            address: Some(Ipv4Address::LOCALHOST),
            prefix: 8,
            ipv6: alloc::vec![LOOPBACK6],
            mtu: LOOPBACK_MTU,
        };
        let cards: Vec<_> = self.look(|inner| inner.links().filter_map(Link::info).collect());
        [lo].into_iter().chain(cards).collect()
    }

    /// Calls the hook for news, one call at a time and the latest news last.
    pub(super) fn announce_lease(&self) {
        loop {
            let news = self.look(|inner| {
                let due = inner.news && !inner.announcing;
                inner.news &= !due;
                inner.announcing |= due;
                due.then(|| inner.links().map(Link::given).collect::<Vec<_>>())
            });
            let Some(addresses) = news else { return };
            let hook = self.hook.lock().clone();
            if let Some(hook) = hook {
                hook(&addresses);
            }
            self.look(|inner| inner.announcing = false);
        }
    }
}

impl Link {
    /// What the network has given.
    fn given(&self) -> Addresses {
        let dns4 = self.lease.iter().flat_map(|lease| lease.dns.iter().map(|&server| IpAddress::Ipv4(server)));
        let dns = dns4.chain(self.routers.servers().map(IpAddress::Ipv6)).collect();
        let duplicates = self.detection.duplicates().collect();
        Addresses { interface: self.name(), lease: self.lease.clone(), ipv6: self.global6().collect(), dns, duplicates }
    }

    /// The address that the card should have on its link.
    fn wanted_link_local(&self) -> Option<Ipv6Cidr> {
        link_local(self.wire.mac).filter(|_| self.wire.has_nic() && self.fixed6 != Addressing6::None)
    }

    /// The other addresses of IPv6 that the card should have.
    fn wanted6(&self) -> impl Iterator<Item = Ipv6Cidr> {
        let fixed = match self.fixed6 {
            Addressing6::Static { address, .. } => Some(address),
            _ => None,
        };
        fixed.into_iter().chain(self.routers.addresses())
    }

    /// The card's address on its link, once it is its own.
    pub(super) fn link_local(&self) -> Option<Ipv6Cidr> {
        self.wanted_link_local().filter(|own| self.detection.is_unique(own.address()))
    }

    /// The card's other addresses of IPv6 that are its own.
    fn global6(&self) -> impl Iterator<Item = Ipv6Cidr> {
        self.wanted6().filter(|own| self.detection.is_unique(own.address()))
    }

    /// The card's interface; none without a card.
    fn info(&self) -> Option<InterfaceInfo> {
        let (address, prefix) =
            self.lease.as_ref().map(|lease| (lease.address.address(), lease.address.prefix_len())).unzip();
        self.wire.has_nic().then(|| InterfaceInfo {
            name: self.name(),
            index: self.index(),
            flags: ETHERNET_FLAGS.into(),
            mac: self.wire.mac.0,
            address,
            prefix: prefix.unwrap_or(0),
            ipv6: self.link_local().into_iter().chain(self.global6()).collect(),
            mtu: MTU as u32,
        })
    }
}

impl<P: Platform> Inner<P> {
    /// Starts with this kind of addresses.
    pub(super) fn configure(&mut self, addressing: Addressing) {
        match addressing {
            Addressing::Dhcp if self.link.wire.has_nic() => self.start_dhcp(),
            Addressing::Static { address, router } => {
                self.link.lease = Some(Lease { address, router, dns: Vec::new(), host_name: None });
            }
            _ => {}
        }
        if self.link.fixed6 == Addressing6::Auto && self.link.wire.has_nic() {
            self.link.routers.begin();
        }
        self.readdress();
    }

    /// Uses another lease. Connections of an address that is gone end.
    pub(super) fn set_lease(&mut self, lease: Option<Lease>) {
        if self.link.lease != lease {
            self.link.lease = lease;
            self.readdress();
        }
    }

    /// Has smoltcp use the addresses and routers that there are now, and tells who wants to know.
    pub(super) fn readdress(&mut self) {
        // smoltcp does not take others, and a server may say anything.
        let unicast = |a: Ipv4Address| !(a.is_broadcast() || a.is_multicast() || a.is_unspecified());
        let address = self.link.lease.as_ref().map(|l| l.address).filter(|cidr| unicast(cidr.address()));
        let router = self.link.lease.as_ref().and_then(|l| l.router).filter(|&router| unicast(router));
        let link = &mut *self.link;
        let wanted: Vec<_> =
            link.wanted_link_local().into_iter().chain(link.wanted6()).map(|cidr| cidr.address()).collect();
        link.detection.wish(&wanted);
        let v6 = link.link_local().into_iter().chain(link.global6()).map(IpCidr::Ipv6);
        let addresses = address.map(IpCidr::Ipv4).into_iter().chain(v6).collect();
        let router6 = match link.fixed6 {
            Addressing6::Static { router, .. } => router,
            _ => link.routers.router(),
        };
        link.follow(Network { addresses, router, router6 });
        self.spread_addresses();
        self.join_tentative();
        self.publish();
        self.news = self.hooked;
    }
}

/// smoltcp holds eight addresses: both loopbacks, one of IPv4, and these.
const _: () = assert!(3 + 1 + NETWORKS <= 8);
