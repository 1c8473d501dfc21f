//! Packets that are too long for the wire, cut into fragments (RFC 791, 3.2; RFC 8200, 4.5).

use super::packet::{ETHERNET, FRAGMENT, Packet};
use core::ops::Range;
use smoltcp::wire::{IPV6_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv6FragmentHeader, Ipv6Packet};

/// The longest headers in front of a fragment: Ethernet's, IPv4's with options.
const HEADERS: usize = ETHERNET + 60;

/// A fragment of a packet.
pub(super) struct Fragment {
    bytes: [u8; HEADERS],
    len: usize,
    /// Where in the frame of the packet its data is.
    pub(super) data: Range<usize>,
}

impl Fragment {
    /// The headers, Ethernet's first.
    pub(super) fn headers(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The fragments of the packet in `frame`, which is whole, in frames of `longest` bytes. `ident` tells those of one packet from others.
pub(super) fn cut<'a>(
    frame: &'a [u8],
    packet: &'a Packet,
    ident: u32,
    longest: usize,
) -> impl Iterator<Item = Fragment> + 'a {
    let v6 = matches!(packet.from, IpAddress::Ipv6(_));
    let own = packet.payload.start;
    let len = if v6 { own + FRAGMENT } else { own };
    // All but the last are of a multiple of 8 bytes.
    let size = (longest - len) & !7;
    let starts = packet.payload.clone().step_by(size);
    starts.map(move |start| {
        let data = start..(start + size).min(packet.payload.end);
        let (offset, more) = (start - own, data.end < packet.payload.end);
        let mut bytes = [0; HEADERS];
        bytes[..own].copy_from_slice(&frame[..own]);
        if v6 {
            let mut ip = Ipv6Packet::new_unchecked(&mut bytes[ETHERNET..]);
            ip.set_next_header(IpProtocol::Ipv6Frag);
            ip.set_payload_len((FRAGMENT + data.len()) as u16);
            bytes[own] = packet.protocol.into();
            let mut header = Ipv6FragmentHeader::new_unchecked(&mut bytes[own + 2..]);
            header.set_frag_offset((offset / 8) as u16);
            header.set_more_frags(more);
            header.set_ident(ident);
        } else {
            let mut ip = Ipv4Packet::new_unchecked(&mut bytes[ETHERNET..]);
            ip.set_total_len((own - ETHERNET + data.len()) as u16);
            ip.set_ident(ident as u16);
            ip.set_dont_frag(false);
            ip.set_more_frags(more);
            ip.set_frag_offset(offset as u16);
            ip.fill_checksum();
        }
        Fragment { bytes, len, data }
    })
}

/// The longest payload behind IPv6's headers fits into an array for IPv4's.
const _: () = assert!(ETHERNET + IPV6_HEADER_LEN + FRAGMENT <= HEADERS);

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::reassembly::{Piece, Reassembly};
    use super::super::wire::MAX_FRAME;
    use super::*;
    use crate::time::Instant;
    use alloc::vec::Vec;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpRepr, Ipv4Address, Ipv6Address};

    fn whole(from: IpAddress, to: IpAddress, len: usize) -> Vec<u8> {
        let ip = IpRepr::new(from, to, IpProtocol::Udp, len, 64);
        let mut bytes: Vec<u8> = (0..ETHERNET + ip.buffer_len()).map(|i| (i ^ (i >> 8)) as u8).collect();
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        let kind = if matches!(from, IpAddress::Ipv4(_)) { EthernetProtocol::Ipv4 } else { EthernetProtocol::Ipv6 };
        frame.set_ethertype(kind);
        ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
        bytes
    }

    #[test]
    fn what_is_cut_can_be_put_together() {
        let v4 = [1, 2].map(|host| IpAddress::Ipv4(Ipv4Address::new(10, 0, 0, host)));
        let v6 = [1, 2].map(|host| IpAddress::Ipv6(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, host)));
        for ([from, to], len) in [(v4, 1481), (v4, 65_515), (v6, 1461), (v6, 2896), (v6, 65_515)] {
            let frame = whole(from, to, len);
            let packet = Packet::of(&frame).unwrap();
            let mut reassembly = Reassembly::new();
            let mut last = Piece::Whole;
            for fragment in cut(&frame, &packet, 0x0102_0304, MAX_FRAME) {
                assert!(!matches!(last, Piece::Complete(_)));
                let bytes = [fragment.headers(), &frame[fragment.data.clone()]].concat();
                assert!(bytes.len() <= MAX_FRAME);
                last = reassembly.take(&bytes, &Packet::of(&bytes).unwrap(), Instant::ZERO);
            }
            let Piece::Complete(mut joined) = last else { panic!("{from} {len}: {last:?}") };
            if let IpAddress::Ipv4(_) = from {
                // The number stays, which a packet that was never cut does not have.
                let mut ip = Ipv4Packet::new_unchecked(&mut joined[ETHERNET..]);
                assert_eq!(ip.ident(), 0x0304);
                ip.set_ident(0);
                ip.set_dont_frag(true);
                ip.fill_checksum();
            }
            assert_eq!(joined, frame, "{from} {len}");
        }
    }
}
