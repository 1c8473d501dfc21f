//! Frames that must not come from the card or go to it.

use super::address::is_loopback;
use super::packet::Packet;
use smoltcp::wire::{ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, IpAddress};

/// Whether a frame, with this packet in it, claims to come from this host or to go to its loopback. From the card that would let a
/// neighbour talk to services that listen on the loopback only, or redirect the host's own traffic (RFC 1122 3.2.1.3, RFC 4291 2.5.3);
/// and so would an address of IPv4 in the dress of IPv6, which belongs into programs only (RFC 4291 2.5.5.2). Without addresses of its
/// own it tells the same of a frame for the card, where those of the loopback must not be seen.
pub(super) fn martian(frame: &[u8], packet: Option<&Packet>, own: &[IpAddress]) -> bool {
    let ours = |address: IpAddress| is_loopback(address) || own.contains(&address);
    if let Some(packet) = packet {
        let mapped = |address| matches!(address, IpAddress::Ipv6(v6) if v6.to_ipv4_mapped().is_some());
        return ours(packet.from) || is_loopback(packet.to) || mapped(packet.from) || mapped(packet.to);
    }
    let Ok(frame) = EthernetFrame::new_checked(frame) else { return true };
    frame.ethertype() == EthernetProtocol::Arp
        && matches!(
            ArpPacket::new_checked(frame.payload()).and_then(|arp| ArpRepr::parse(&arp)),
            Ok(ArpRepr::EthernetIpv4 { source_protocol_addr, target_protocol_addr, .. })
                if ours(source_protocol_addr.into()) || target_protocol_addr.is_loopback()
        )
}
