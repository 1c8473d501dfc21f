//! Frames that must not come from the card or go to it.

use smoltcp::wire::{ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, Ipv4Address, Ipv4Packet};

/// Whether a frame from the card claims to come from this host or to go to its loopback, which would let a neighbour talk to
/// services that listen on 127.0.0.1 only, or redirect the host's own traffic (RFC 1122 3.2.1.3).
pub(super) fn martian(frame: &[u8], own: Option<Ipv4Address>) -> bool {
    let Ok(frame) = EthernetFrame::new_checked(frame) else { return true };
    let ours = |address: Ipv4Address| address.is_loopback() || own == Some(address);
    match frame.ethertype() {
        EthernetProtocol::Ipv4 => {
            Ipv4Packet::new_checked(frame.payload()).is_ok_and(|ip| ours(ip.src_addr()) || ip.dst_addr().is_loopback())
        }
        EthernetProtocol::Arp => {
            matches!(
                ArpPacket::new_checked(frame.payload()).and_then(|arp| ArpRepr::parse(&arp)),
                Ok(ArpRepr::EthernetIpv4 { source_protocol_addr, target_protocol_addr, .. })
                    if ours(source_protocol_addr) || target_protocol_addr.is_loopback()
            )
        }
        _ => false,
    }
}

/// Whether a frame for the card carries loopback addresses, which must not be seen outside a host (RFC 1122 3.2.1.3).
pub(super) fn leaks(frame: &[u8]) -> bool {
    martian(frame, None)
}
