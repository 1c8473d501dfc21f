//! What routers say of themselves and of their networks: addresses without a server (RFC 4861, RFC 4862), and name servers (RFC 8106).
//!
//! smoltcp has this too, but has every socket served at once, again and again, where no router answers (decision 19).

use super::flow::Content;
use super::neighbor::solicitation;
use super::stack::Inner;
use crate::platform::Platform;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::wire::{
    EthernetAddress, HardwareAddress, Icmpv6Packet, IpAddress, Ipv6Address, Ipv6Cidr, NdiscOption, NdiscOptionType,
    NdiscPrefixInfoFlags,
};

/// Solicitations at most, and the time between two (RFC 4861, 10).
const SOLICITATIONS: u8 = 3;
const INTERVAL: Duration = Duration::from_secs(4);
/// Bytes of an advertisement before its options.
const ADVERTISEMENT: usize = 16;
/// The option with name servers (RFC 8106, 5.1).
const RDNSS: u8 = 25;
/// What the rest of an address' life is not cut below, so that one false message does no harm (RFC 4862, 5.5.3).
const TWO_HOURS: Duration = Duration::from_secs(7200);
/// Networks that are remembered, and name servers: resolv.conf(5) takes no more.
pub(super) const NETWORKS: usize = 4;
const SERVERS: usize = 3;

/// Something that is true until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Until<T>(T, Instant);

/// What is known of the routers on the link.
pub(super) struct Routers {
    mac: EthernetAddress,
    /// Solicitations that may still be sent, and when the next is due.
    solicit: Option<(u8, Instant)>,
    router: Option<Until<Ipv6Address>>,
    /// This host's addresses in their networks.
    addresses: Vec<Until<Ipv6Cidr>>,
    servers: Vec<Until<Ipv6Address>>,
}

impl Routers {
    /// Nobody is asked, and nobody listened to.
    pub(super) const fn new(mac: EthernetAddress) -> Self {
        Self { mac, solicit: None, router: None, addresses: Vec::new(), servers: Vec::new() }
    }

    /// Has the routers asked.
    pub(super) const fn begin(&mut self) {
        self.solicit = Some((SOLICITATIONS, Instant::ZERO));
    }

    pub(super) fn router(&self) -> Option<Ipv6Address> {
        self.router.map(|router| router.0)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Ipv6Cidr> {
        self.addresses.iter().map(|address| address.0)
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = Ipv6Address> {
        self.servers.iter().map(|server| server.0)
    }

    /// When there is something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        let asked = self.solicit.filter(|(left, _)| *left > 0).map(|(_, at)| at);
        let ends = self.addresses.iter().map(|address| address.1).chain(self.servers.iter().map(|server| server.1));
        ends.chain(self.router.map(|router| router.1)).chain(asked).min()
    }

    /// Whether the routers are to be asked now, which then counts as done.
    fn asks(&mut self, now: Instant) -> bool {
        match &mut self.solicit {
            Some((left, at)) if *left > 0 && *at <= now => {
                (*left, *at) = (*left - 1, now + INTERVAL);
                true
            }
            _ => false,
        }
    }

    /// Forgets what is over; true if something was.
    fn expire(&mut self, now: Instant) -> bool {
        let before = (self.router.is_some(), self.addresses.len(), self.servers.len());
        self.router = self.router.filter(|router| router.1 > now);
        self.addresses.retain(|address| address.1 > now);
        self.servers.retain(|server| server.1 > now);
        before != (self.router.is_some(), self.addresses.len(), self.servers.len())
    }

    /// An advertisement came, as ICMPv6 message whose checksum is right. True if it changes something.
    pub(super) fn hear(&mut self, from: Ipv6Address, message: &[u8], now: Instant) -> bool {
        let Some((_, options)) = message.split_at_checked(ADVERTISEMENT) else { return false };
        let Some((left, _)) = &mut self.solicit else { return false };
        *left = 0;
        let lifetime = Icmpv6Packet::new_unchecked(message).router_lifetime();
        let before = (self.router(), self.addresses.len(), self.servers.len());
        match &mut self.router {
            Some(known) if known.0 == from => known.1 = now + lifetime.into(),
            Some(_) => {}
            None => self.router = Some(Until(from, now + lifetime.into())),
        }
        let mut rest = options;
        while let Ok(option) = NdiscOption::new_checked(rest) {
            let (this, others) = rest.split_at(usize::from(option.data_len()) * 8);
            if option.option_type() == NdiscOptionType::PrefixInformation {
                self.network(&option, now);
            } else if this[0] == RDNSS {
                self.name_servers(this, now);
            }
            rest = others;
        }
        self.expire(now);
        before != (self.router(), self.addresses.len(), self.servers.len())
    }

    /// RFC 4862, 5.5.3.
    fn network(&mut self, option: &NdiscOption<&[u8]>, now: Instant) {
        let [valid, preferred]: [Duration; 2] = [option.valid_lifetime().into(), option.preferred_lifetime().into()];
        let prefix = Ipv6Cidr::new(option.prefix(), option.prefix_len().min(128));
        let usable = option.prefix_flags().contains(NdiscPrefixInfoFlags::ADDRCONF)
            && preferred <= valid
            && prefix.prefix_len() == 64
            && !prefix.address().is_unicast_link_local()
            && !prefix.address().is_multicast();
        let Some(address) = Ipv6Cidr::from_link_prefix(&prefix, HardwareAddress::Ethernet(self.mac)) else { return };
        if !usable {
            return;
        }
        if let Some(known) = self.addresses.iter_mut().find(|known| known.0 == address) {
            let rest = known.1.saturating_since(now);
            known.1 = now + if valid > TWO_HOURS || valid > rest { valid } else { rest.min(TWO_HOURS) };
        } else if valid > Duration::ZERO && self.addresses.len() < NETWORKS {
            self.addresses.push(Until(address, now + valid));
        }
    }

    /// RFC 8106, 5.1: reserved bytes, a lifetime, and addresses.
    fn name_servers(&mut self, option: &[u8], now: Instant) {
        let Some((lifetime, addresses)) = option[4..].split_first_chunk() else { return };
        let until = now + Duration::from_secs(u32::from_be_bytes(*lifetime).into());
        for octets in addresses.as_chunks::<16>().0 {
            let address = Ipv6Address::from(*octets);
            if let Some(known) = self.servers.iter_mut().find(|known| known.0 == address) {
                known.1 = until;
            } else if self.servers.len() < SERVERS {
                self.servers.push(Until(address, until));
            }
        }
    }
}

/// The address that a card has on its link without anybody's help (RFC 4291, 2.5.6).
pub(super) fn link_local(mac: EthernetAddress) -> Option<Ipv6Cidr> {
    let prefix = Ipv6Cidr::new(Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 64);
    Ipv6Cidr::from_link_prefix(&prefix, HardwareAddress::Ethernet(mac))
}

impl<P: Platform> Inner<P> {
    /// Asks the routers if it is time to, and forgets what they said if it is not true any longer.
    pub(super) fn discover(&mut self, now: Instant) {
        if self.link.routers.asks(now) {
            let own = self.link.link_local().map(|own| own.address());
            self.link.wire.send(&solicitation(self.link.wire.mac, own));
        }
        if self.link.routers.expire(now) {
            self.readdress();
        }
    }

    /// Hears the advertisement in the staged frame.
    pub(super) fn hear_router(&mut self, content: &Content, now: Instant) {
        let Content::Router(message) = content else { return };
        let (frame, packet) = self.link.wire.staged();
        let Some(IpAddress::Ipv6(from)) = packet.map(|packet| packet.from) else { return };
        let message = frame.get(message.clone()).unwrap_or_default();
        if self.link.routers.hear(from, message, now) {
            self.readdress();
        }
        // What changes nothing may still end earlier than it would have.
        self.review();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const ROUTER: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn routers() -> Routers {
        let mut routers = Routers::new(EthernetAddress([2, 0, 0, 0, 0, 1]));
        routers.begin();
        routers
    }

    /// An advertisement of a router for `lifetime` seconds.
    fn advertisement(lifetime: u16, options: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = alloc::vec![134, 0, 0, 0, 64, 0];
        bytes.extend(lifetime.to_be_bytes());
        bytes.extend([0; 8]);
        bytes.extend(options.concat());
        bytes
    }

    /// 2001:db8:0:N::/64, valid for `valid` seconds.
    fn network(number: u8, valid: u32, flags: u8) -> Vec<u8> {
        let mut bytes = alloc::vec![3, 4, 64, flags];
        bytes.extend(valid.to_be_bytes());
        bytes.extend(valid.min(100).to_be_bytes());
        bytes.extend([0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    fn servers(lifetime: u32, last: &[u8]) -> Vec<u8> {
        let mut bytes = alloc::vec![RDNSS, 1 + 2 * last.len() as u8, 0, 0];
        bytes.extend(lifetime.to_be_bytes());
        last.iter().for_each(|&last| bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]));
        bytes
    }

    #[test]
    fn who_hears_nothing_asks_three_times() {
        let mut routers = routers();
        for turn in 0..3 {
            assert_eq!(routers.due().unwrap().max(at(0)), at(4 * turn));
            assert!(routers.asks(at(4 * turn)) && !routers.asks(at(4 * turn)));
        }
        assert_eq!(routers.due(), None);
        assert!(!routers.asks(at(99)));
    }

    #[test]
    fn an_advertisement_brings_a_router_an_address_and_name_servers() {
        let mut routers = routers();
        let message = advertisement(1800, &[network(1, 3600, 0xc0), servers(600, &[3, 4, 5, 6])]);
        assert!(routers.hear(ROUTER, &message, at(1)) && !routers.hear(ROUTER, &message, at(2)));
        assert_eq!(routers.router(), Some(ROUTER));
        let expected = Ipv6Cidr::new(Ipv6Address::new(0x2001, 0xdb8, 0, 1, 0, 0xff, 0xfe00, 1), 64);
        assert_eq!(routers.addresses().collect::<Vec<_>>(), [expected]);
        assert_eq!(routers.servers().map(|server| server.octets()[15]).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!(routers.due(), Some(at(602)));
        assert!(routers.expire(at(602)) && routers.servers().count() == 0);
        assert!(routers.expire(at(1802)) && routers.router().is_none() && routers.addresses().count() == 1);
        assert!(routers.expire(at(3602)) && routers.due().is_none());
    }

    #[test]
    fn a_router_that_leaves_says_so() {
        let mut routers = routers();
        routers.hear(ROUTER, &advertisement(1800, &[]), at(1));
        let other = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
        assert!(!routers.hear(other, &advertisement(0, &[]), at(2)));
        assert!(routers.hear(ROUTER, &advertisement(0, &[]), at(3)) && routers.router().is_none());
        assert!(routers.hear(other, &advertisement(9, &[]), at(4)) && routers.router() == Some(other));
    }

    #[test]
    fn one_message_does_not_take_an_address_away() {
        let mut routers = routers();
        routers.hear(ROUTER, &advertisement(9, &[network(1, 100_000, 0xc0)]), at(0));
        routers.hear(ROUTER, &advertisement(9, &[network(1, 0, 0xc0)]), at(1));
        assert_eq!(routers.addresses[0].1, at(7201));
        routers.hear(ROUTER, &advertisement(9, &[network(1, 5, 0xc0)]), at(2));
        assert_eq!(routers.addresses[0].1, at(7201), "less than two hours are left alone");
        routers.hear(ROUTER, &advertisement(9, &[network(1, 9000, 0xc0)]), at(3));
        assert_eq!(routers.addresses[0].1, at(9003));
    }

    #[test]
    fn what_makes_no_sense_changes_nothing() {
        let mut routers = routers();
        let mut long = network(2, 3600, 0xc0);
        long[2] = 65;
        let none: [&[Vec<u8>]; 5] = [
            &[network(2, 3600, 0x80)],
            &[network(2, 0, 0xc0)],
            &[long],
            &[alloc::vec![3, 0, 64, 0xc0]],
            &[servers(600, &[3])[..16].to_vec()],
        ];
        for options in none {
            routers.hear(ROUTER, &advertisement(9, options), at(0));
            assert!(routers.addresses.is_empty() && routers.servers.is_empty(), "{options:x?}");
        }
        let whole = advertisement(9, &[network(1, 3600, 0xc0), servers(600, &[3])]);
        for len in 0..whole.len() {
            routers.hear(ROUTER, &whole[..len], at(0));
        }
        let many: Vec<_> = (0..9).map(|number| network(number, 3600, 0xc0)).collect();
        routers.hear(ROUTER, &advertisement(9, &many), at(0));
        assert_eq!(routers.addresses.len(), NETWORKS);
        assert!(!Routers::new(EthernetAddress([2; 6])).hear(ROUTER, &whole, at(0)), "nobody has asked");
    }
}
