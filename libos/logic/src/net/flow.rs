//! Which connection a frame belongs to.

use alloc::collections::VecDeque;
use core::hash::{Hash, Hasher};
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpEndpoint, IpProtocol, Ipv4Address, Ipv4Packet, TCP_HEADER_LEN,
    TcpPacket,
};

/// Segments in several fragments that are put together at the same time; of more the earliest is forgotten. As smoltcp's own number
/// (its feature `reassembly-buffer-count-8`).
const FRAGMENTED: usize = 8;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) local: IpEndpoint,
    pub(super) remote: IpEndpoint,
}

// By hand because addresses of IPv6, of which there are none, make the derived one several times as long.
impl Hash for Flow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for end in [self.local, self.remote] {
            let address = match end.addr {
                IpAddress::Ipv4(address) => address.to_bits(),
                IpAddress::Ipv6(_) => 0,
            };
            state.write_u64(u64::from(address) << 16 | u64::from(end.port));
        }
    }
}

/// What a segment asks for, as far as it matters before smoltcp sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// SYN without ACK and RST: a new connection.
    Opening,
    /// RST.
    Reset,
    Other,
}

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A TCP segment, or a fragment of one.
    Tcp(Flow, Kind),
    Arp,
    Other,
}

/// The fragments of one packet have this in common (RFC 791, 2.3): source, destination, identification.
type PacketId = (Ipv4Address, Ipv4Address, u16);

/// Tells frames apart. Only the first fragment of a packet has the ports, so those of the last few packets are remembered. smoltcp hands a
/// packet over when its last piece comes: that is the first fragment, or one that comes after it.
pub(super) struct Classifier {
    fragmented: VecDeque<(PacketId, Flow)>,
}

impl Classifier {
    pub(super) fn new() -> Self {
        Self { fragmented: VecDeque::with_capacity(FRAGMENTED) }
    }

    pub(super) fn classify(&mut self, frame: &[u8]) -> Content {
        self.parse(frame).unwrap_or(Content::Other)
    }

    fn parse(&mut self, frame: &[u8]) -> Option<Content> {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => {}
            EthernetProtocol::Arp => return Some(Content::Arp),
            _ => return None,
        }
        let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
        if ip.next_header() != IpProtocol::Tcp {
            return None;
        }
        let packet = (ip.src_addr(), ip.dst_addr(), ip.ident());
        if ip.frag_offset() != 0 {
            let known = self.fragmented.iter().rev().find(|(id, _)| *id == packet);
            return known.map(|&(_, flow)| Content::Tcp(flow, Kind::Other));
        }
        // A first fragment may end within the options.
        let tcp = TcpPacket::new_unchecked(ip.payload().get(..).filter(|bytes| bytes.len() >= TCP_HEADER_LEN)?);
        let flow = Flow {
            local: IpEndpoint::new(ip.dst_addr().into(), tcp.dst_port()),
            remote: IpEndpoint::new(ip.src_addr().into(), tcp.src_port()),
        };
        let kind = match (tcp.rst(), tcp.syn(), tcp.ack()) {
            (true, ..) => Kind::Reset,
            (_, true, false) => Kind::Opening,
            _ => Kind::Other,
        };
        if !ip.more_frags() {
            return Some(Content::Tcp(flow, kind));
        }
        if self.fragmented.len() == FRAGMENTED {
            self.fragmented.pop_front();
        }
        self.fragmented.push_back((packet, flow));
        Some(Content::Tcp(flow, Kind::Other))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const ENDS: (Ipv4Address, Ipv4Address) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2));

    /// A frame with this part of a packet of TCP from port 1000 to port 80: offset in bytes, more to follow, and its bytes.
    fn frame(ident: u16, offset: u16, more: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = alloc::vec![0; 34 + payload.len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        frame.set_ethertype(EthernetProtocol::Ipv4);
        let mut ip = Ipv4Packet::new_unchecked(frame.payload_mut());
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(20 + payload.len() as u16);
        ip.set_ident(ident);
        ip.set_more_frags(more);
        ip.set_frag_offset(offset);
        ip.set_next_header(IpProtocol::Tcp);
        ip.set_src_addr(ENDS.0);
        ip.set_dst_addr(ENDS.1);
        ip.payload_mut().copy_from_slice(payload);
        bytes
    }

    fn header(set: fn(&mut TcpPacket<&mut [u8]>)) -> [u8; 20] {
        let mut bytes = [0; 20];
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[..]);
        tcp.set_src_port(1000);
        tcp.set_dst_port(80);
        set(&mut tcp);
        bytes
    }

    fn flow() -> Flow {
        Flow { local: IpEndpoint::new(ENDS.1.into(), 80), remote: IpEndpoint::new(ENDS.0.into(), 1000) }
    }

    #[test]
    fn segments_are_told_apart() {
        let mut classifier = Classifier::new();
        let mut kind = |set| classifier.classify(&frame(1, 0, false, &header(set)));
        assert_eq!(kind(|tcp| tcp.set_syn(true)), Content::Tcp(flow(), Kind::Opening));
        assert_eq!(kind(|tcp| tcp.set_ack(true)), Content::Tcp(flow(), Kind::Other));
        assert_eq!(kind(|tcp| tcp.set_rst(true)), Content::Tcp(flow(), Kind::Reset));
        let answer = |tcp: &mut TcpPacket<&mut [u8]>| {
            tcp.set_syn(true);
            tcp.set_ack(true);
        };
        assert_eq!(kind(answer), Content::Tcp(flow(), Kind::Other));
    }

    #[test]
    fn fragments_go_where_the_first_one_went() {
        let mut classifier = Classifier::new();
        let first = frame(7, 0, true, &header(|tcp| tcp.set_syn(true)));
        assert_eq!(classifier.classify(&frame(7, 24, false, b"rest")), Content::Other);
        assert_eq!(classifier.classify(&first), Content::Tcp(flow(), Kind::Other));
        assert_eq!(classifier.classify(&frame(7, 24, false, b"rest")), Content::Tcp(flow(), Kind::Other));
        assert_eq!(classifier.classify(&frame(8, 24, false, b"rest")), Content::Other);
        // The number is used again, by another connection.
        classifier.classify(&frame(7, 0, true, &header(|tcp| tcp.set_dst_port(81))));
        let other = Flow { local: IpEndpoint::new(ENDS.1.into(), 81), ..flow() };
        assert_eq!(classifier.classify(&frame(7, 24, false, b"rest")), Content::Tcp(other, Kind::Other));
        for ident in 10..18 {
            classifier.classify(&frame(ident, 0, true, &header(|_| {})));
        }
        assert_eq!(classifier.classify(&frame(7, 24, false, b"rest")), Content::Other);
    }

    #[test]
    fn what_is_cut_off_is_something_else() {
        let mut classifier = Classifier::new();
        let whole = frame(1, 0, false, &header(|_| {}));
        for len in 0..whole.len() {
            assert_eq!(classifier.classify(&whole[..len]), Content::Other);
        }
    }
}
