//! The host's addresses: where they come from, and who wants to know.

use super::stack::{Inner, NetStack};
use super::wire::MTU;
use crate::platform::Platform;
use alloc::sync::Arc;
use alloc::vec::Vec;
use smoltcp::socket::dhcpv4;
use smoltcp::wire::{IpCidr, Ipv4Address, Ipv4Cidr};
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

/// The address, router and name servers in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Address and prefix.
    pub address: Ipv4Cidr,
    /// Default router.
    pub router: Option<Ipv4Address>,
    /// Name servers; only DHCP tells about them.
    pub dns: Vec<Ipv4Address>,
}

/// Who wants to know about changes: see [`NetStack::on_lease`].
pub(super) type LeaseHook = Arc<dyn Fn(Option<&Lease>) + Send + Sync>;

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
    /// Bytes of the largest packet.
    pub mtu: u32,
}

const LOOPBACK_FLAGS: u16 = IFF_UP | IFF_LOOPBACK | IFF_RUNNING;
const ETHERNET_FLAGS: u16 = IFF_UP | IFF_BROADCAST | IFF_RUNNING | IFF_MULTICAST;
/// As Linux says. Packets are cut as for the card, which programs do not see.
const LOOPBACK_MTU: u32 = 65536;

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
    /// The address, router and name servers in use. None: loopback only, so far.
    pub fn lease(&self) -> Option<Lease> {
        self.look(|inner| inner.lease.clone())
    }

    /// Has `hook` called now, and again whenever the lease changes: from [`NetStack::poll`], without any lock held. It must not block.
    /// Replaces an earlier hook.
    pub fn on_lease(&self, hook: impl Fn(Option<&Lease>) + Send + Sync + 'static) {
        *self.hook.lock() = Some(Arc::new(hook));
        self.look(|inner| (inner.hooked, inner.news) = (true, true));
        self.announce_lease();
    }

    /// The interfaces: `lo`, and `eth0` if there is a card.
    pub fn interfaces(&self) -> Vec<InterfaceInfo> {
        let (nic, mac, lease) = self.look(|inner| (inner.wire.has_nic(), inner.wire.mac.0, inner.lease.clone()));
        let lo = InterfaceInfo {
            name: "lo",
            index: 1,
            flags: LOOPBACK_FLAGS.into(),
            mac: [0; 6],
            address: Some(Ipv4Address::LOCALHOST),
            prefix: 8,
            mtu: LOOPBACK_MTU,
        };
        let eth0 = nic.then(|| InterfaceInfo {
            name: "eth0",
            index: 2,
            flags: ETHERNET_FLAGS.into(),
            mac,
            address: lease.as_ref().map(|l| l.address.address()),
            prefix: lease.as_ref().map_or(0, |l| l.address.prefix_len()),
            mtu: MTU as u32,
        });
        [lo].into_iter().chain(eth0).collect()
    }

    /// Calls the hook for news, one call at a time and the latest news last.
    pub(super) fn announce_lease(&self) {
        loop {
            let news = self.look(|inner| {
                let due = inner.news && !inner.announcing;
                inner.news &= !due;
                inner.announcing |= due;
                due.then(|| inner.lease.clone())
            });
            let Some(lease) = news else { return };
            let hook = self.hook.lock().clone();
            if let Some(hook) = hook {
                hook(lease.as_ref());
            }
            self.look(|inner| inner.announcing = false);
        }
    }
}

impl<P: Platform> Inner<P> {
    /// Starts with this kind of address.
    pub(super) fn configure(&mut self, addressing: Addressing) {
        self.set_address();
        match addressing {
            Addressing::Dhcp if self.wire.has_nic() => self.dhcp = Some(self.datagrams.set.add(dhcpv4::Socket::new())),
            Addressing::Static { address, router } => self.set_lease(Some(Lease { address, router, dns: Vec::new() })),
            _ => {}
        }
    }

    /// Uses another lease. Connections of an address that is gone end.
    pub(super) fn set_lease(&mut self, lease: Option<Lease>) {
        if self.lease != lease {
            self.lease = lease;
            self.set_address();
            self.news = self.hooked;
        }
    }

    fn set_address(&mut self) {
        // smoltcp does not take others, and a server may say anything.
        let unicast = |a: Ipv4Address| !(a.is_broadcast() || a.is_multicast() || a.is_unspecified());
        let address = self.lease.as_ref().map(|l| l.address).filter(|cidr| unicast(cidr.address()));
        let router = self.lease.as_ref().and_then(|l| l.router).filter(|&router| unicast(router));
        self.iface.update_ip_addrs(|addresses| {
            addresses.clear();
            // The first address is the source for everything that no other network matches.
            for cidr in address.into_iter().chain([Ipv4Cidr::new(Ipv4Address::LOCALHOST, 8)]) {
                // There is room for four.
                let _ = addresses.push(IpCidr::Ipv4(cidr));
            }
        });
        self.iface.routes_mut().remove_default_ipv4_route();
        if let Some(router) = router {
            // There is room: the only route was just removed.
            let _ = self.iface.routes_mut().add_default_ipv4_route(router);
        }
        self.wire.own = address.map(|cidr| cidr.address());
        self.announce_soon();
    }
}
