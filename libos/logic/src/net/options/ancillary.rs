//! Ancillary data of datagrams (cmsg(3)): what a sender asks for, and what a receiver is told.

use super::{
    IPPROTO_IP, IPPROTO_IPV6, MULTICAST_HOPS, MULTICAST_TTL, Number, Options, PACKET_INFO, PACKET_INFO6, RECEIVE_CLASS,
    RECEIVE_DESTINATION, RECEIVE_HOPS, RECEIVE_TOS, RECEIVE_TTL, TIMESTAMP, ip, ipv6, so,
};
use crate::net::address::Family;
use crate::net::service::Service;
use crate::net::udp::Header;
use crate::socket::Control;
use alloc::vec::Vec;
use smoltcp::wire::{IpAddress, Ipv4Address, Ipv6Address};
use trapless_abi::{Errno, SysResult};

/// What a datagram asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Asked {
    pub(in crate::net) service: Service,
    /// The source address, of this host's.
    pub(in crate::net) source: Option<IpAddress>,
    /// The index of the interface that it is to leave by; 0: any.
    pub(in crate::net) interface: u32,
}

/// What is known of a datagram that came.
pub(in crate::net) struct Known {
    pub(in crate::net) header: Header,
    /// The host's address on it.
    pub(in crate::net) own: IpAddress,
    /// When it came: nanoseconds since 1970.
    pub(in crate::net) at: u64,
}

/// The hop limit that a number at IPPROTO_IPV6 means: none is farther than the next host. EINVAL.
fn hops(number: i32) -> SysResult<u8> {
    super::HOPS.take(number).map(|hops| hops.clamp(1, 255) as u8)
}

fn specified(address: IpAddress) -> Option<IpAddress> {
    Some(address).filter(|address| !address.is_unspecified())
}

impl Options {
    /// What a datagram asks for, by its own ancillary data or by the socket's options. EINVAL.
    pub(in crate::net) fn asked(&self, control: &[Control], to: IpAddress) -> SysResult<Asked> {
        let ttl = match to {
            IpAddress::Ipv4(group) if group.is_multicast() => self.number(&MULTICAST_TTL).clamp(1, 255) as u8,
            IpAddress::Ipv6(group) if group.is_multicast() => self.number(&MULTICAST_HOPS).clamp(1, 255) as u8,
            _ => self.hop_limit(to),
        };
        let mut asked = Asked {
            service: Service { tos: self.service_class(to), ttl: Some(ttl) },
            source: None,
            interface: self.device,
        };
        control.iter().try_for_each(|control| self.ask(&mut asked, control))?;
        Ok(asked)
    }

    fn ask(&self, asked: &mut Asked, Control { level, kind, data }: &Control) -> SysResult<()> {
        let Asked { service, source, interface } = asked;
        let word = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        match (*level, *kind) {
            (IPPROTO_IP, ip::TOS) => {
                let byte = data.first().filter(|_| data.len() == 1).map(|&byte| i32::from(byte));
                service.tos = byte.or(word).and_then(|tos| tos.try_into().ok()).ok_or(Errno::EINVAL)?;
            }
            (IPPROTO_IP, ip::TTL) => {
                let ttl = word.and_then(|ttl| u8::try_from(ttl).ok()).filter(|&ttl| ttl > 0);
                service.ttl = Some(ttl.ok_or(Errno::EINVAL)?);
            }
            // `struct in_pktinfo`: interface, source address, and one that only the receiver is told.
            (IPPROTO_IP, ip::PKTINFO) => {
                let &[i, j, k, l, a, b, c, d, _, _, _, _] = &data[..] else { return Err(Errno::EINVAL) };
                self.prefer(interface, u32::from_ne_bytes([i, j, k, l]))?;
                *source = specified(Ipv4Address::new(a, b, c, d).into());
            }
            (IPPROTO_IPV6, _) if self.family == Family::Inet => return Err(Errno::EINVAL),
            (IPPROTO_IPV6, ipv6::TCLASS) => match word {
                Some(-1) => {}
                Some(class @ 0..=255) => service.tos = class as u8,
                _ => return Err(Errno::EINVAL),
            },
            (IPPROTO_IPV6, ipv6::HOPLIMIT) => service.ttl = Some(hops(word.ok_or(Errno::EINVAL)?)?),
            // `struct in6_pktinfo`: source address and interface.
            (IPPROTO_IPV6, ipv6::PKTINFO) => {
                let octets: [u8; 16] = *data.first_chunk().filter(|_| data.len() == 20).ok_or(Errno::EINVAL)?;
                let index = data.last_chunk().map_or(0, |index| u32::from_ne_bytes(*index));
                self.prefer(interface, index)?;
                *source = specified(Ipv6Address::from(octets).into());
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(())
    }

    /// A datagram asks for an interface. EINVAL for another than that of the socket.
    fn prefer(&self, interface: &mut u32, index: u32) -> SysResult<()> {
        if index != 0 {
            if self.device != 0 && self.device != index {
                return Err(Errno::EINVAL);
            }
            *interface = index;
        }
        Ok(())
    }

    /// Ancillary data of a datagram that came, as asked for (socket(7), ip(7), ipv6(7)).
    pub(in crate::net) fn told(&self, known: impl FnOnce() -> Known) -> Vec<Control> {
        // Most ask for nothing.
        if self.changed.is_empty() {
            return Vec::new();
        }
        let Known { header, own, at } = known();
        let interface = header.interface;
        let word = |number: u8| i32::from(number).to_ne_bytes().to_vec();
        let mut all = Vec::new();
        let mut tell = |wanted: &Number, kind: i32, data: &dyn Fn() -> Vec<u8>| {
            if self.on(wanted) {
                all.push(Control { level: wanted.level, kind, data: data() });
            }
        };
        tell(&TIMESTAMP, so::TIMESTAMP, &|| {
            let parts = [at / 1_000_000_000, at % 1_000_000_000 / 1000];
            parts.iter().flat_map(|part| part.to_ne_bytes()).collect()
        });
        let (ttl, tos) = (header.ttl, header.tos);
        match header.to.addr {
            IpAddress::Ipv4(to) => {
                let own = if let IpAddress::Ipv4(own) = own { own } else { to };
                let index = interface.to_ne_bytes();
                tell(&PACKET_INFO, ip::PKTINFO, &|| [index, own.octets(), to.octets()].concat());
                tell(&RECEIVE_TTL, ip::TTL, &|| word(ttl));
                tell(&RECEIVE_TOS, ip::TOS, &|| alloc::vec![tos]);
                tell(&RECEIVE_DESTINATION, ip::RECVORIGDSTADDR, &|| Family::Inet.encode(header.to, 0).encode());
                tell(&PACKET_INFO6, ipv6::PKTINFO, &|| [&to.to_ipv6_mapped().octets()[..], &index].concat());
            }
            IpAddress::Ipv6(to) => {
                tell(&PACKET_INFO6, ipv6::PKTINFO, &|| [&to.octets()[..], &interface.to_ne_bytes()].concat());
                tell(&RECEIVE_HOPS, ipv6::HOPLIMIT, &|| word(ttl));
                tell(&RECEIVE_CLASS, ipv6::TCLASS, &|| word(tos));
            }
        }
        all
    }
}
