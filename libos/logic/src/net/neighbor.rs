//! Frames by which hosts on a link find each other: ARP (RFC 826), and neighbour and router discovery (RFC 4861).

use super::packet::Packet;
use alloc::vec::Vec;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet,
    Icmpv6Repr, IpAddress, IpProtocol, Ipv4Address, Ipv6Address, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscOption,
    NdiscRepr,
};

/// Kinds of messages (RFC 4861, 4.3 and 4.4).
const SOLICIT: u8 = 135;
const ADVERT: u8 = 136;
/// The option with a nonce (RFC 3971, 5.3.2), and its length in units of 8 bytes: the shortest there is.
const NONCE: u8 = 14;
const NONCE_UNITS: u8 = 1;
/// All nodes and all routers of a link (RFC 4291, 2.7.1).
const ALL_NODES: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// A number by which who asks for an address knows his own question when the wire brings it back (RFC 7527).
pub(super) type Nonce = [u8; 6];

/// Says to `mac` itself that `own` is its address.
pub(super) fn advertisement(mac: EthernetAddress, own: IpAddress) -> Vec<u8> {
    match own {
        IpAddress::Ipv4(own) => {
            let reply = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: mac,
                source_protocol_addr: own,
                target_hardware_addr: mac,
                target_protocol_addr: own,
            };
            ethernet(mac, mac, EthernetProtocol::Arp, reply.buffer_len(), |payload| {
                reply.emit(&mut ArpPacket::new_unchecked(payload));
            })
        }
        IpAddress::Ipv6(own) => {
            let (flags, lladdr) = (NdiscNeighborFlags::OVERRIDE, Some(mac.into()));
            discovery(mac, Some(mac), own, own, NdiscRepr::NeighborAdvert { flags, target_addr: own, lladdr }, &[])
        }
    }
}

/// Asks the routers of the link who they are, from an address of this host's if it has one.
pub(super) fn solicitation(mac: EthernetAddress, from: Option<Ipv6Address>) -> Vec<u8> {
    let (lladdr, from) = (from.map(|_| mac.into()), from.unwrap_or(Ipv6Address::UNSPECIFIED));
    discovery(mac, None, from, ALL_ROUTERS, NdiscRepr::RouterSolicit { lladdr }, &[])
}

/// Asks who has an address that this host would like to have (RFC 4862, 5.4.2; RFC 7527, 4.1). Each question needs a nonce of its own.
pub(super) fn probe(mac: EthernetAddress, target_addr: Ipv6Address, nonce: Nonce) -> Vec<u8> {
    let message = NdiscRepr::NeighborSolicit { target_addr, lladdr: None };
    let option = [&[NONCE, NONCE_UNITS][..], &nonce].concat();
    discovery(mac, None, Ipv6Address::UNSPECIFIED, solicited_node(target_addr), message, &option)
}

/// Says to all that `own` is this host's (RFC 4861, 7.2.4).
pub(super) fn defence(mac: EthernetAddress, own: Ipv6Address) -> Vec<u8> {
    let (flags, lladdr) = (NdiscNeighborFlags::OVERRIDE, Some(mac.into()));
    discovery(mac, None, own, ALL_NODES, NdiscRepr::NeighborAdvert { flags, target_addr: own, lladdr }, &[])
}

/// The group by which the owner of an address is asked (RFC 4291, 2.7.1).
pub(super) const fn solicited_node(address: Ipv6Address) -> Ipv6Address {
    let [.., high, low] = address.segments();
    Ipv6Address::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | high & 0xff, low)
}

/// The address whose owner a frame is for, if it is a packet of ARP (RFC 826).
pub(super) fn asked_for(frame: &[u8]) -> Option<Ipv4Address> {
    let frame = EthernetFrame::new_checked(frame).ok().filter(|frame| frame.ethertype() == EthernetProtocol::Arp)?;
    let arp = ArpPacket::new_checked(frame.payload()).ok()?;
    <[u8; 4]>::try_from(arp.target_protocol_addr()).ok().map(Ipv4Address::from)
}

/// Whether a frame, with this packet in it, asks for somebody's Ethernet address.
pub(super) fn is_question(frame: &[u8], packet: Option<&Packet>) -> bool {
    match packet {
        Some(packet) => packet.protocol == IpProtocol::Icmpv6 && frame.get(packet.payload.start) == Some(&SOLICIT),
        None => EthernetFrame::new_checked(frame).is_ok_and(|frame| {
            let arp = ArpPacket::new_checked(frame.payload());
            frame.ethertype() == EthernetProtocol::Arp && arp.is_ok_and(|arp| arp.operation() == ArpOperation::Request)
        }),
    }
}

/// What another host says of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) address: Ipv6Address,
    /// It does not have it, but would like to.
    pub(super) wanted: bool,
    /// What its question is known by, if that is as long as this host's.
    pub(super) nonce: Option<Nonce>,
}

/// What a message of ICMPv6, whose checksum is right, says of who has or wants an address (RFC 4861, 7.1; RFC 4862, 5.4.3 and 5.4.4).
pub(super) fn claim(packet: &Packet, message: &[u8]) -> Option<Claim> {
    let IpAddress::Ipv6(from) = packet.from else { return None };
    let (&[kind, code, ..], rest) = message.split_first_chunk::<8>()?;
    let (&address, options) = rest.split_first_chunk::<16>()?;
    let address = Ipv6Address::from(address);
    let wanted = match kind {
        SOLICIT if from.is_unspecified() => true,
        ADVERT => false,
        _ => return None,
    };
    // A message with another hop limit may come from beyond the link.
    let sound =
        packet.protocol == IpProtocol::Icmpv6 && packet.hop_limit == 255 && code == 0 && !address.is_multicast();
    sound.then(|| Claim { address, wanted, nonce: nonce(options) })
}

/// The nonce among the options of a message, if it is as long as this host's.
fn nonce(options: &[u8]) -> Option<Nonce> {
    let mut rest = options;
    while let Ok(option) = NdiscOption::new_checked(rest) {
        let (this, others) = rest.split_at(usize::from(option.data_len()) * 8);
        if let [NONCE, NONCE_UNITS, nonce @ ..] = this {
            return nonce.try_into().ok();
        }
        rest = others;
    }
    None
}

/// A message of neighbour discovery with these options behind those of smoltcp's.
fn discovery(
    mac: EthernetAddress,
    to_mac: Option<EthernetAddress>,
    from: Ipv6Address,
    to: Ipv6Address,
    message: NdiscRepr<'_>,
    options: &[u8],
) -> Vec<u8> {
    // That of a group: RFC 2464, 7.
    let [.., a, b, c, d] = to.octets();
    let to_mac = to_mac.unwrap_or(EthernetAddress([0x33, 0x33, a, b, c, d]));
    let message = Icmpv6Repr::Ndisc(message);
    let len = message.buffer_len() + options.len();
    let ip = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: len,
        // Nobody beyond the link can send it so.
        hop_limit: 255,
    };
    ethernet(mac, to_mac, EthernetProtocol::Ipv6, ip.buffer_len() + len, |payload| {
        let mut packet = Ipv6Packet::new_unchecked(payload);
        ip.emit(&mut packet);
        let bytes = packet.payload_mut();
        // smoltcp knows none of these, but sums up all that is there.
        bytes[message.buffer_len()..].copy_from_slice(options);
        let mut icmp = Icmpv6Packet::new_unchecked(bytes);
        message.emit(&from, &to, &mut icmp, &ChecksumCapabilities::default());
    })
}

fn ethernet(
    src_addr: EthernetAddress,
    dst_addr: EthernetAddress,
    ethertype: EthernetProtocol,
    len: usize,
    fill: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let header = EthernetRepr { src_addr, dst_addr, ethertype };
    let mut bytes = alloc::vec![0; header.buffer_len() + len];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    fill(frame.payload_mut());
    bytes
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::flow::Content;
    use super::super::icmp;
    use super::*;

    const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
    const OWN: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 1, 2, 0xab34, 0x5678);
    const OF_OURS: Nonce = [1, 2, 3, 4, 5, 6];

    fn told(frame: &[u8]) -> Option<Claim> {
        let packet = Packet::of(frame)?;
        claim(&packet, &frame[packet.payload.clone()])
    }

    #[test]
    fn what_is_asked_is_understood() {
        let asked = probe(MAC, OWN, OF_OURS);
        assert_eq!(told(&asked), Some(Claim { address: OWN, wanted: true, nonce: Some(OF_OURS) }));
        assert_eq!(asked[..6], [0x33, 0x33, 0xff, 0x34, 0x56, 0x78]);
        assert_eq!(Packet::of(&asked).unwrap().to, "ff02::1:ff34:5678".parse::<Ipv6Address>().unwrap().into());
        assert_eq!(asked.len(), 14 + 40 + 24 + 8, "who has no address says nothing of his Ethernet address");
        let had = Some(Claim { address: OWN, wanted: false, nonce: None });
        assert_eq!((told(&defence(MAC, OWN)), told(&advertisement(MAC, OWN.into()))), (had, had));
        assert_eq!(told(&solicitation(MAC, None)), None);
        // The sum is over the option as well.
        let packet = Packet::of(&asked).unwrap();
        assert_eq!(icmp::v6(&packet, &asked[packet.payload.clone()]), Some(Content::Neighbor));
    }

    #[test]
    fn a_nonce_is_found_among_options() {
        let link_layer = [1, 1, 2, 0, 0, 0, 0, 1];
        let short = [&[NONCE, 1][..], &OF_OURS].concat();
        let long = [&[NONCE, 2][..], &[7; 14]].concat();
        assert_eq!(nonce(&[&link_layer[..], &short].concat()), Some(OF_OURS));
        assert_eq!(nonce(&[&long[..], &short].concat()), Some(OF_OURS), "that of another host may be longer");
        for without in [&[][..], &link_layer[..], &long[..], &short[..7], &[NONCE, 0, 1, 2, 3, 4, 5, 6][..]] {
            assert_eq!(nonce(without), None, "{without:?}");
        }
    }

    #[test]
    fn questions_are_told_from_answers() {
        let of = |frame: &[u8]| is_question(frame, Packet::of(frame).as_ref());
        let own = Ipv4Address::new(10, 0, 0, 1);
        let mut arp = advertisement(MAC, own.into());
        assert_eq!((of(&probe(MAC, OWN, OF_OURS)), of(&defence(MAC, OWN)), of(&arp)), (true, false, false));
        assert_eq!((asked_for(&arp), asked_for(&probe(MAC, OWN, OF_OURS))), (Some(own), None));
        ArpPacket::new_unchecked(&mut arp[14..]).set_operation(ArpOperation::Request);
        assert!(of(&arp) && !of(&arp[..20]));
    }

    #[test]
    fn what_makes_no_sense_is_no_claim() {
        let good = probe(MAC, OWN, OF_OURS);
        let changed = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            told(&bad)
        };
        // Next header, hop limit, sender, kind, code, target.
        for (at, value) in [(20, 17), (21, 254), (22, 0xfe), (54, 133), (55, 1), (62, 0xff)] {
            assert_eq!(changed(at, value), None, "{at}");
        }
        assert!((0..good.len()).all(|len| told(&good[..len]).is_none()));
    }
}
