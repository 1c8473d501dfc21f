//! The cards: each is a link of its own, with an interface of smoltcp's, addresses, routers and datagrams, and a number. What is to be
//! done is done on the current one ([`Inner::turn`]); what all links share is beside it in [`Inner`]. Each shard has a link for each card;
//! finding out addresses and routers, and datagrams, are for the first one's.

use super::device::Nic;
use super::duplicates::Detection;
use super::lane::Lane;
use super::lease::{Addressing, Addressing6, LOOPBACK6, Lease};
use super::reassembly::Reassembly;
use super::router::Routers;
use super::shared::Network;
use super::stack::{Datagrams, Inner, smol};
use super::steering::{FIRST, ShardId};
use super::wire::{SCRATCH, Wire};
use crate::platform::Platform;
use crate::time;
use alloc::boxed::Box;
use alloc::vec::Vec;
use smoltcp::iface::{Config, Interface, SocketHandle};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr, Ipv4Address, Ipv4Cidr, Ipv6Cidr};

/// The names of the cards, of which there may be so many.
pub const NAMES: [&str; MOST] = ["eth0", "eth1", "eth2", "eth3", "eth4", "eth5", "eth6", "eth7"];
pub(super) const MOST: usize = 8;

/// The index of the loopback (netdevice(7)), and that of the first card; the others follow.
pub(super) const LOOPBACK: u32 = 1;
pub(super) const ETH0: u32 = 2;

/// A link's number, from 0 on.
pub(super) type LinkId = u8;

/// A card, and where its addresses come from.
pub struct Card {
    /// The card.
    pub nic: Nic,
    /// Its address of IPv4.
    pub addressing: Addressing,
    /// Its addresses of IPv6.
    pub addressing6: Addressing6,
}

/// One card, or the loopback of a host without one.
pub(super) struct Link {
    pub(super) number: LinkId,
    pub(super) iface: Interface,
    pub(super) wire: Wire,
    /// What UDP sockets send by this card, and the DHCP client.
    pub(super) datagrams: Datagrams,
    pub(super) reassembly: Reassembly,
    pub(super) dhcp: Option<SocketHandle>,
    pub(super) lease: Option<Lease>,
    pub(super) routers: Routers,
    pub(super) detection: Detection,
    /// What is fixed of IPv6.
    pub(super) fixed6: Addressing6,
    /// The card's addresses and routers that are in use.
    pub(super) network: Network,
    pub(super) next_announce: time::Instant,
}

impl Link {
    /// The link of a card, of which a shard has this lane, or of none; without addresses.
    pub(super) fn new<P: Platform>(
        number: LinkId,
        lane: Option<Lane>,
        fixed6: Addressing6,
        shard: ShardId,
    ) -> Box<Self> {
        let random = || {
            let mut seed = [0; 8];
            P::random(&mut seed);
            u64::from_ne_bytes(seed)
        };
        let scratch = P::sparse_bytes(SCRATCH).unwrap_or_else(|| alloc::vec![0; SCRATCH]);
        let mut wire = Wire::new(lane, random() as u32, scratch, shard == FIRST);
        let mut config = Config::new(HardwareAddress::Ethernet(wire.mac));
        config.random_seed = random();
        let iface = Interface::new(config, &mut wire, smol(P::now()));
        let routers = Routers::new(wire.mac);
        Box::new(Self {
            number,
            iface,
            wire,
            datagrams: Datagrams::new(),
            reassembly: Reassembly::new(),
            dhcp: None,
            lease: None,
            routers,
            detection: Detection::default(),
            fixed6,
            network: Network::default(),
            next_announce: time::Instant::ZERO,
        })
    }

    /// The index of its interface (netdevice(7)).
    pub(super) const fn index(&self) -> u32 {
        ETH0 + self.number as u32
    }

    /// The card's name.
    pub(super) const fn name(&self) -> &'static str {
        NAMES[self.number as usize]
    }

    /// Whether a network of the card's has this address.
    pub(super) fn reaches(&self, to: IpAddress) -> bool {
        self.network.addresses.iter().any(|network| network.contains_addr(&to))
    }

    /// Whether a router of the card's would take packets to this address.
    pub(super) fn has_router(&self, to: IpAddress) -> bool {
        let routes = self.iface.routes();
        match to {
            IpAddress::Ipv4(_) => routes.get_default_ipv4_route().is_some(),
            IpAddress::Ipv6(_) => routes.get_default_ipv6_route().is_some(),
        }
    }

    /// Takes these for the card's addresses and routers; smoltcp is told of the addresses with [`Inner::spread_addresses`].
    pub(super) fn follow(&mut self, network: Network) {
        let routes = self.iface.routes_mut();
        routes.remove_default_ipv4_route();
        routes.remove_default_ipv6_route();
        // There is room: the only routes were just removed.
        if let Some(router) = network.router {
            let _ = routes.add_default_ipv4_route(router);
        }
        if let Some(router) = network.router6 {
            let _ = routes.add_default_ipv6_route(router);
        }
        self.network = network;
    }

    /// Has smoltcp use the addresses of this card, and know those of the others (`all`, by their links) for this host's.
    fn use_addresses(&mut self, all: &[(LinkId, IpCidr)]) {
        let own = &self.network.addresses;
        let others: Vec<_> = all
            .iter()
            .filter(|(number, cidr)| *number != self.number && !of_one_link(cidr.address()))
            .map(|(_, cidr)| cidr.address())
            .filter(|other| !own.iter().any(|own| own.address() == *other))
            .collect();
        self.iface.update_ip_addrs(|addresses| {
            addresses.clear();
            // The first address is the source for everything that no other network matches.
            let (v4, v6): (Vec<_>, Vec<_>) = own.iter().partition(|cidr| matches!(cidr, IpCidr::Ipv4(_)));
            let loopbacks = [IpCidr::Ipv4(Ipv4Cidr::new(Ipv4Address::LOCALHOST, 8)), IpCidr::Ipv6(LOOPBACK6)];
            let others = others.iter().map(|&address| match address {
                IpAddress::Ipv4(v4) => IpCidr::Ipv4(Ipv4Cidr::new(v4, 32)),
                IpAddress::Ipv6(v6) => IpCidr::Ipv6(Ipv6Cidr::new(v6, 128)),
            });
            for cidr in v4.into_iter().chain(loopbacks).chain(v6).chain(others) {
                // There is room for the card's own: see NETWORKS. Of the others' as many as there is room for.
                let _ = addresses.push(cidr);
            }
        });
        self.wire.set_addresses(own.iter().map(IpCidr::address), others);
        self.next_announce = time::Instant::ZERO;
    }
}

/// Whether an address means another host on each link.
const fn of_one_link(address: IpAddress) -> bool {
    matches!(address, IpAddress::Ipv6(v6) if v6.is_unicast_link_local())
}

impl<P: Platform> Inner<P> {
    /// Makes a link the current one. There is always one of that number.
    pub(super) fn turn(&mut self, number: LinkId) {
        if self.link.number != number
            && let Some(other) = self.others.iter_mut().find(|link| link.number == number)
        {
            core::mem::swap(&mut self.link, other);
        }
    }

    /// Does something on another link, and comes back.
    pub(super) fn on<R>(&mut self, number: LinkId, f: impl FnOnce(&mut Self) -> R) -> R {
        let before = self.link.number;
        self.turn(number);
        let result = f(self);
        self.turn(before);
        result
    }

    /// How many links there are.
    pub(super) fn count(&self) -> LinkId {
        self.others.len() as LinkId + 1
    }

    /// The link of that number, or else the current one.
    pub(super) fn numbered(&self, number: LinkId) -> &Link {
        let other = || self.others.iter().find(|link| link.number == number);
        if self.link.number == number { &self.link } else { other().unwrap_or(&self.link) }
    }

    /// All links, the first card's first.
    pub(super) fn links(&self) -> impl Iterator<Item = &Link> + Clone {
        (0..self.count()).map(|number| self.numbered(number))
    }

    /// The links, as they lie.
    pub(super) fn links_mut(&mut self) -> impl Iterator<Item = &mut Box<Link>> {
        core::iter::once(&mut self.link).chain(&mut self.others)
    }

    /// Has each interface of smoltcp's use the addresses that there are now.
    pub(super) fn spread_addresses(&mut self) {
        let of = |link: &Link| link.network.addresses.iter().map(|&cidr| (link.number, cidr)).collect::<Vec<_>>();
        let all: Vec<_> = self.links().flat_map(of).collect();
        self.links_mut().for_each(|link| link.use_addresses(&all));
        self.review();
    }
}
