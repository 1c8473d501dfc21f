//! What must be right with a frame from the card before anybody looks further.
//!
//! smoltcp verifies the checksums of all TCP segments or of none. So it verifies none, and this does it where the card does not vouch
//! for a frame. A frame on the loopback has never left the machine's memory and is not looked at.

use super::checksum::{self, RIGHT, add, sum};
use super::device::Integrity;
use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet};

/// Whether a frame may go on. Completes a checksum that smoltcp will verify.
pub(super) fn admits(bytes: &mut [u8], integrity: Integrity) -> bool {
    let Ok(frame) = EthernetFrame::new_checked(&*bytes) else { return false };
    match frame.ethertype() {
        EthernetProtocol::Ipv4 => {}
        // The host has no address in it.
        EthernetProtocol::Ipv6 => return false,
        _ => return true,
    }
    let Ok(ip) = Ipv4Packet::new_checked(frame.payload()) else { return false };
    if ip.next_header() != IpProtocol::Tcp {
        return match integrity {
            Integrity::Partial(checksum) => checksum::complete(bytes, checksum),
            _ => true,
        };
    }
    if ip.more_frags() || ip.frag_offset() != 0 {
        // It is looked at once it is whole.
        return true;
    }
    integrity != Integrity::Unknown || add(pseudo(&ip, ip.payload().len()), sum(ip.payload())) == RIGHT
}

fn pseudo(ip: &Ipv4Packet<&[u8]>, len: usize) -> u16 {
    checksum::pseudo(ip.src_addr(), ip.dst_addr(), IpProtocol::Tcp, len)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::device::PartialChecksum;
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::wire::{IpAddress, Ipv4Address, TcpPacket, UdpPacket};

    const ENDS: (Ipv4Address, Ipv4Address) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2));

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

    fn admits(bytes: &[u8], integrity: Integrity) -> bool {
        super::admits(&mut bytes.to_vec(), integrity)
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
        udp.set_checksum(checksum::pseudo(ENDS.0, ENDS.1, IpProtocol::Udp, 30));
        let mut whole = frame(IpProtocol::Udp, 0, false, &bytes);
        let partial = |start| Integrity::Partial(PartialChecksum { start, offset: 6 });
        assert!(super::admits(&mut whole, partial(34)));
        let udp = UdpPacket::new_checked(&whole[34..]).unwrap();
        assert!(udp.verify_checksum(&IpAddress::Ipv4(ENDS.0), &IpAddress::Ipv4(ENDS.1)));
        assert!(!super::admits(&mut whole, partial(60)));
    }

    #[test]
    fn fragments_are_left_for_later() {
        assert!(admits(&frame(IpProtocol::Tcp, 0, true, &[0; 40]), Integrity::Unknown));
        assert!(admits(&frame(IpProtocol::Tcp, 40, false, &[0; 40]), Integrity::Unknown));
        assert!(!admits(&frame(IpProtocol::Tcp, 0, false, &[0; 40]), Integrity::Unknown));
    }

    #[test]
    fn other_protocols_pass_but_for_ipv6() {
        let mut bytes = frame(IpProtocol::Tcp, 0, false, b"");
        let mut of = |kind| {
            EthernetFrame::new_unchecked(&mut bytes[..]).set_ethertype(kind);
            admits(&bytes, Integrity::Unknown)
        };
        assert!(of(EthernetProtocol::Arp));
        assert!(!of(EthernetProtocol::Ipv6));
        assert!(!admits(&[0; 13], Integrity::Unknown));
        assert!(!admits(&frame(IpProtocol::Tcp, 0, false, b"")[..20], Integrity::Verified));
    }
}
