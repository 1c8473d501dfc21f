//! Long segments of TCP cut into those of a path, where no card does it.

use super::packet::{ETHERNET, Packet};
use core::num::NonZeroU16;
use core::ops::Range;
use smoltcp::wire::{IpAddress, Ipv4Packet, Ipv6Packet, TcpPacket};

/// The longest headers: Ethernet's, those of IPv4 and of TCP with options.
const HEADERS: usize = ETHERNET + 60 + 60;

/// A piece of a segment.
pub(super) struct Piece {
    bytes: [u8; HEADERS],
    len: usize,
    /// Where in the frame of the segment its payload is.
    pub(super) data: Range<usize>,
}

impl Piece {
    /// The headers, Ethernet's first. The checksum of TCP is to be computed.
    pub(super) fn headers(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// The pieces of the segment in `frame`, which is whole and has a TCP header of `header` bytes: `size` bytes of payload each.
pub(super) fn cut<'a>(
    frame: &'a [u8],
    packet: &'a Packet,
    header: usize,
    size: NonZeroU16,
) -> impl Iterator<Item = Piece> + 'a {
    let ip = packet.payload.start;
    let len = ip + header;
    let (begin, end) = (len.min(packet.payload.end), packet.payload.end);
    (begin..end).step_by(usize::from(size.get())).map(move |start| {
        let data = start..(start + usize::from(size.get())).min(end);
        let mut bytes = [0; HEADERS];
        bytes[..len].copy_from_slice(&frame[..len]);
        match packet.from {
            IpAddress::Ipv4(_) => {
                let mut ip = Ipv4Packet::new_unchecked(&mut bytes[ETHERNET..]);
                ip.set_total_len((len - ETHERNET + data.len()) as u16);
                ip.fill_checksum();
            }
            IpAddress::Ipv6(_) => {
                Ipv6Packet::new_unchecked(&mut bytes[ETHERNET..]).set_payload_len((header + data.len()) as u16);
            }
        }
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[ip..]);
        tcp.set_seq_number(tcp.seq_number() + (start - begin));
        // They are about the end.
        let last = data.end == end;
        tcp.set_psh(last && tcp.psh());
        tcp.set_fin(last && tcp.fin());
        Piece { bytes, len, data }
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{EthernetFrame, EthernetProtocol, IpProtocol, IpRepr, Ipv4Address, Ipv6Address, TcpSeqNumber};

    /// A segment with four bytes of options, a FIN and this payload.
    fn whole(from: IpAddress, to: IpAddress, len: usize) -> Vec<u8> {
        let ip = IpRepr::new(from, to, IpProtocol::Tcp, 24 + len, 64);
        let mut bytes: Vec<u8> = (0..ETHERNET + ip.buffer_len()).map(|i| (i ^ (i >> 8)) as u8).collect();
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        let kind = if matches!(from, IpAddress::Ipv4(_)) { EthernetProtocol::Ipv4 } else { EthernetProtocol::Ipv6 };
        frame.set_ethertype(kind);
        ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
        let mut tcp = TcpPacket::new_unchecked(&mut frame.payload_mut()[ip.header_len()..]);
        tcp.clear_flags();
        tcp.set_header_len(24);
        tcp.set_seq_number(TcpSeqNumber(-1000));
        tcp.set_fin(true);
        tcp.set_psh(true);
        tcp.set_ack(true);
        bytes
    }

    #[test]
    fn pieces_are_the_whole() {
        let v4 = [1, 2].map(|host| IpAddress::Ipv4(Ipv4Address::new(10, 0, 0, host)));
        let v6 = [1, 2].map(|host| IpAddress::Ipv6(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, host)));
        for ([from, to], len) in [(v4, 1), (v4, 1000), (v4, 1001), (v4, 60_000), (v6, 2000), (v6, 60_001)] {
            let frame = whole(from, to, len);
            let packet = Packet::of(&frame).unwrap();
            let size = NonZeroU16::new(1000).unwrap();
            let (mut data, mut ends) = (Vec::new(), 0);
            for piece in cut(&frame, &packet, 24, size) {
                let bytes = [piece.headers(), &frame[piece.data.clone()]].concat();
                let own = Packet::of(&bytes).unwrap();
                assert_eq!((own.from, own.to, own.payload.end, own.part), (from, to, bytes.len(), None));
                assert!(own.is_header_right(&bytes));
                let tcp = TcpPacket::new_checked(&bytes[own.payload]).unwrap();
                assert_eq!((tcp.header_len(), tcp.ack()), (24, true));
                assert_eq!(tcp.options(), &frame[packet.payload.start + 20..][..4]);
                assert_eq!(tcp.seq_number(), TcpSeqNumber(-1000) + data.len());
                assert!(tcp.payload().len() <= 1000);
                data.extend(tcp.payload());
                assert_eq!((tcp.fin(), tcp.psh()), (data.len() == len, data.len() == len));
                ends += usize::from(tcp.fin());
            }
            assert_eq!((data, ends), (frame[packet.payload.start + 24..].to_vec(), 1), "{from} {len}");
        }
    }

    #[test]
    fn without_payload_there_is_nothing_to_cut() {
        let ends = [1, 2].map(|host| IpAddress::Ipv4(Ipv4Address::new(10, 0, 0, host)));
        let frame = whole(ends[0], ends[1], 0);
        let packet = Packet::of(&frame).unwrap();
        assert_eq!(cut(&frame, &packet, 24, NonZeroU16::MIN).count(), 0);
        assert_eq!(cut(&frame, &packet, 60, NonZeroU16::MIN).count(), 0);
    }
}
