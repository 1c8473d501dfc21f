//! Frames by which hosts on a link find each other: ARP (RFC 826), and neighbour and router discovery (RFC 4861).

use alloc::vec::Vec;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet,
    Icmpv6Repr, IpAddress, IpProtocol, Ipv6Address, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
};

/// All routers of a link (RFC 4291, 2.7.1).
const ALL_ROUTERS: Ipv6Address = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

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
            discovery(mac, mac, own, own, NdiscRepr::NeighborAdvert { flags, target_addr: own, lladdr })
        }
    }
}

/// Asks the routers of the link who they are.
pub(super) fn solicitation(mac: EthernetAddress, from: Ipv6Address) -> Vec<u8> {
    // RFC 2464, 7.
    let all = EthernetAddress([0x33, 0x33, 0, 0, 0, 2]);
    discovery(mac, all, from, ALL_ROUTERS, NdiscRepr::RouterSolicit { lladdr: Some(mac.into()) })
}

fn discovery(
    mac: EthernetAddress,
    to_mac: EthernetAddress,
    from: Ipv6Address,
    to: Ipv6Address,
    message: NdiscRepr<'_>,
) -> Vec<u8> {
    let message = Icmpv6Repr::Ndisc(message);
    let ip = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.buffer_len(),
        // Nobody beyond the link can send it so.
        hop_limit: 255,
    };
    ethernet(mac, to_mac, EthernetProtocol::Ipv6, ip.buffer_len() + message.buffer_len(), |payload| {
        let mut packet = Ipv6Packet::new_unchecked(payload);
        ip.emit(&mut packet);
        let mut icmp = Icmpv6Packet::new_unchecked(packet.payload_mut());
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
