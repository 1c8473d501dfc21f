//! What must be right with a frame from the card before anybody looks further.
//!
//! smoltcp verifies the checksums of all TCP segments or of none. So it verifies none, and this does it where the card does not vouch
//! for a frame. A frame on the loopback has never left the machine's memory and is not looked at.

use super::checksum::{self, RIGHT, add, sum};
use super::device::Integrity;
use super::packet::Packet;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpAddress, IpProtocol};

/// Whether a frame, with this packet in it, may go on. Completes a checksum that smoltcp will verify.
pub(super) fn admits(bytes: &mut [u8], packet: Option<&Packet>, integrity: Integrity) -> bool {
    let Some(packet) = packet else {
        let kind = EthernetFrame::new_checked(&*bytes).map(|frame| frame.ethertype());
        return kind.is_ok_and(|kind| !matches!(kind, EthernetProtocol::Ipv4 | EthernetProtocol::Ipv6));
    };
    match packet.protocol {
        // It is looked at once it is whole.
        IpProtocol::Tcp if packet.part.is_some() => true,
        IpProtocol::Tcp if integrity != Integrity::Unknown => true,
        IpProtocol::Tcp => {
            let segment = &bytes[packet.payload.clone()];
            add(checksum::pseudo(packet.from, packet.to, IpProtocol::Tcp, segment.len()), sum(segment)) == RIGHT
        }
        _ if conceals(packet, bytes) => false,
        _ => match integrity {
            Integrity::Partial(checksum) => checksum::complete(bytes, checksum),
            _ => true,
        },
    }
}

/// Whether there may be a TCP segment behind extension headers of IPv6, where nobody would verify it. Only multicast listener discovery
/// has a reason for one (RFC 2711).
fn conceals(packet: &Packet, bytes: &[u8]) -> bool {
    match (packet.from, packet.protocol) {
        (IpAddress::Ipv4(_), _) => false,
        (_, IpProtocol::Udp | IpProtocol::Icmpv6 | IpProtocol::Ipv6NoNxt) => false,
        (_, IpProtocol::HopByHop) => {
            bytes[packet.payload.clone()].first().map(|&next| IpProtocol::from(next)) != Some(IpProtocol::Icmpv6)
        }
        _ => true,
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::device::PartialChecksum;
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::wire::{Ipv4Address, Ipv4Packet, Ipv6Address, Ipv6Packet, TcpPacket, UdpPacket};

    const ENDS: (Ipv4Address, Ipv4Address) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2));
    const ENDS6: (Ipv6Address, Ipv6Address) =
        (Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, 1), Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

    fn frame(protocol: IpProtocol, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = alloc::vec![0; 34 + payload.len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        frame.set_ethertype(EthernetProtocol::Ipv4);
        let mut ip = Ipv4Packet::new_unchecked(frame.payload_mut());
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(20 + payload.len() as u16);
        ip.set_ident(7);
        ip.set_more_frags(more);
        ip.set_frag_offset(offset);
        ip.set_next_header(protocol);
        ip.set_src_addr(ENDS.0);
        ip.set_dst_addr(ENDS.1);
        ip.payload_mut().copy_from_slice(payload);
        bytes
    }

    /// A TCP segment with a right checksum, by smoltcp.
    fn segment(len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[..]);
        tcp.set_header_len(20);
        tcp.fill_checksum(&IpAddress::Ipv4(ENDS.0), &IpAddress::Ipv4(ENDS.1));
        bytes
    }

    fn inspected(bytes: &mut [u8], integrity: Integrity) -> bool {
        let packet = Packet::of(bytes);
        super::admits(bytes, packet.as_ref(), integrity)
    }

    fn admits(bytes: &[u8], integrity: Integrity) -> bool {
        inspected(&mut bytes.to_vec(), integrity)
    }

    #[test]
    fn wrong_segments_are_noticed_unless_the_card_vouches() {
        let partial = Integrity::Partial(PartialChecksum { start: 34, offset: 16 });
        for len in [20, 21, 1460, 60_000] {
            let good = frame(IpProtocol::Tcp, 0, false, &segment(len));
            for at in [0, 10, len - 1] {
                let mut bad = good.clone();
                bad[34 + at] ^= 0x10;
                assert!(admits(&good, Integrity::Unknown) && !admits(&bad, Integrity::Unknown));
                assert!(admits(&bad, Integrity::Verified) && admits(&bad, partial));
            }
        }
    }

    #[test]
    fn what_is_behind_the_packet_does_not_count() {
        let mut padded = frame(IpProtocol::Tcp, 0, false, &segment(20));
        padded.extend([0xaa; 6]);
        assert!(admits(&padded, Integrity::Unknown));
    }

    #[test]
    fn a_datagrams_checksum_is_completed() {
        let mut bytes = [0x55; 30];
        let mut udp = UdpPacket::new_unchecked(&mut bytes[..]);
        udp.set_len(30);
        udp.set_checksum(checksum::pseudo(ENDS.0.into(), ENDS.1.into(), IpProtocol::Udp, 30));
        let mut whole = frame(IpProtocol::Udp, 0, false, &bytes);
        let partial = |start| Integrity::Partial(PartialChecksum { start, offset: 6 });
        assert!(inspected(&mut whole, partial(34)));
        let udp = UdpPacket::new_checked(&whole[34..]).unwrap();
        assert!(udp.verify_checksum(&IpAddress::Ipv4(ENDS.0), &IpAddress::Ipv4(ENDS.1)));
        assert!(!inspected(&mut whole, partial(60)));
    }

    #[test]
    fn fragments_are_left_for_later() {
        assert!(admits(&frame(IpProtocol::Tcp, 0, true, &[0; 40]), Integrity::Unknown));
        assert!(admits(&frame(IpProtocol::Tcp, 40, false, &[0; 40]), Integrity::Unknown));
        assert!(!admits(&frame(IpProtocol::Tcp, 0, false, &[0; 40]), Integrity::Unknown));
    }

    #[test]
    fn other_protocols_pass() {
        let mut bytes = frame(IpProtocol::Tcp, 0, false, b"");
        EthernetFrame::new_unchecked(&mut bytes[..]).set_ethertype(EthernetProtocol::Arp);
        assert!(admits(&bytes, Integrity::Unknown));
        assert!(!admits(&[0; 13], Integrity::Unknown));
        assert!(!admits(&frame(IpProtocol::Tcp, 0, false, b"")[..20], Integrity::Verified));
    }

    /// A frame of IPv6 with this payload.
    fn frame6(next: IpProtocol, payload: &[u8]) -> Vec<u8> {
        let mut bytes = alloc::vec![0; 54 + payload.len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        frame.set_ethertype(EthernetProtocol::Ipv6);
        let mut ip = Ipv6Packet::new_unchecked(frame.payload_mut());
        ip.set_version(6);
        ip.set_payload_len(payload.len() as u16);
        ip.set_next_header(next);
        ip.set_src_addr(ENDS6.0);
        ip.set_dst_addr(ENDS6.1);
        ip.payload_mut().copy_from_slice(payload);
        bytes
    }

    #[test]
    fn segments_of_ipv6_are_verified_and_do_not_hide() {
        let mut bytes: Vec<u8> = (0..100).collect();
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[..]);
        tcp.set_header_len(20);
        tcp.fill_checksum(&IpAddress::Ipv6(ENDS6.0), &IpAddress::Ipv6(ENDS6.1));
        assert!(admits(&frame6(IpProtocol::Tcp, &bytes), Integrity::Unknown));
        let behind = |next: IpProtocol| [&[next.into(), 0, 5, 2, 0, 0, 1, 0][..], &bytes].concat();
        for header in [IpProtocol::HopByHop, IpProtocol::Ipv6Opts, IpProtocol::Ipv6Route] {
            assert!(!admits(&frame6(header, &behind(IpProtocol::Tcp)), Integrity::Verified), "{header}");
        }
        assert!(admits(&frame6(IpProtocol::HopByHop, &behind(IpProtocol::Icmpv6)), Integrity::Verified));
        bytes[50] ^= 1;
        assert!(!admits(&frame6(IpProtocol::Tcp, &bytes), Integrity::Unknown));
    }
}
