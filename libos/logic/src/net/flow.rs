//! Which connection a frame belongs to.

use super::icmp;
use super::packet::Packet;
use super::path::TooBig;
use super::recovery::Acknowledgement;
use super::udp::Header;
use core::hash::{Hash, Hasher};
use core::ops::Range;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpEndpoint, IpProtocol, TCP_HEADER_LEN, TcpPacket, UdpPacket,
};
use trapless_abi::Errno;

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) local: IpEndpoint,
    pub(super) remote: IpEndpoint,
}

// By hand because the derived one is several times as long.
impl Hash for Flow {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for end in [self.local, self.remote] {
            let address = match end.addr {
                IpAddress::Ipv4(address) => u64::from(address.to_bits()) << 16,
                IpAddress::Ipv6(address) => {
                    state.write_u128(address.to_bits());
                    0
                }
            };
            state.write_u64(address | u64::from(end.port));
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
    /// Data, without SYN and RST.
    Data,
    Other,
}

/// Sequence numbers, from that of the first byte, or the SYN before it, to that behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) flow: Flow,
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// None for SYN and RST too.
    pub(super) ack: Option<Acknowledgement>,
    /// There are options behind the header.
    pub(super) options: bool,
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Tcp(Segment),
    /// A datagram, and where in the frame its data is.
    Udp(Header, Range<usize>),
    /// A UDP datagram of this host's did not arrive.
    Unreachable {
        from: IpEndpoint,
        to: IpEndpoint,
        error: Errno,
    },
    /// A segment of this host's was too long for a router.
    TooBig(TooBig),
    /// Somebody says which Ethernet address he has, or asks for ours: ARP, or neighbour discovery (RFC 4861).
    Neighbor,
    /// A router tells of itself (RFC 4861): where in the frame its ICMPv6 message is.
    Router(Range<usize>),
    Other,
}

/// Tells frames apart, by the packet in them. Fragments are put together before ([`super::reassembly`]).
pub(super) fn classify(frame: &[u8], packet: Option<&Packet>) -> Content {
    let Some(packet) = packet else {
        let arp = EthernetFrame::new_checked(frame).is_ok_and(|frame| frame.ethertype() == EthernetProtocol::Arp);
        return if arp { Content::Neighbor } else { Content::Other };
    };
    let payload = &frame[packet.payload.clone()];
    let content = match packet.protocol {
        _ if packet.part.is_some() => None,
        IpProtocol::Tcp => segment(packet, payload),
        IpProtocol::Udp => datagram(packet, frame),
        IpProtocol::Icmp if packet.is_header_right(frame) => icmp::v4(payload),
        IpProtocol::Icmpv6 => icmp::v6(packet, payload),
        _ => None,
    };
    content.unwrap_or(Content::Other)
}

fn segment(packet: &Packet, payload: &[u8]) -> Option<Content> {
    // Cut off options are for smoltcp to find.
    let tcp = TcpPacket::new_unchecked(Some(payload).filter(|bytes| bytes.len() >= TCP_HEADER_LEN)?);
    let flow = Flow {
        local: IpEndpoint::new(packet.to, tcp.dst_port()),
        remote: IpEndpoint::new(packet.from, tcp.src_port()),
    };
    let data = payload.len().saturating_sub(tcp.header_len().into());
    let kind = match (tcp.rst(), tcp.syn(), tcp.ack()) {
        (true, ..) => Kind::Reset,
        (_, true, false) => Kind::Opening,
        (_, false, _) if data > 0 => Kind::Data,
        _ => Kind::Other,
    };
    let start = tcp.seq_number().0 as u32;
    let ack = (tcp.ack() && !tcp.syn() && !tcp.rst()).then(|| Acknowledgement {
        number: tcp.ack_number().0 as u32,
        window: tcp.window_len(),
        alone: data == 0 && !tcp.fin(),
    });
    let options = usize::from(tcp.header_len()) > TCP_HEADER_LEN;
    Some(Content::Tcp(Segment { flow, kind, span: Span { start, end: start.wrapping_add(data as u32) }, ack, options }))
}

/// A UDP datagram whose checksums are right. Only with IPv4 it may have none (RFC 8200, 8.1).
fn datagram(packet: &Packet, frame: &[u8]) -> Option<Content> {
    let &Packet { from, to, hop_limit: ttl, tos, .. } = packet;
    let udp = UdpPacket::new_checked(&frame[packet.payload.clone()]).ok()?;
    let sealed = matches!(from, IpAddress::Ipv4(_)) || udp.checksum() != 0;
    if !sealed || !packet.is_header_right(frame) || !udp.verify_checksum(&from, &to) {
        return None;
    }
    let header =
        Header { from: IpEndpoint::new(from, udp.src_port()), to: IpEndpoint::new(to, udp.dst_port()), ttl, tos };
    let start = udp.payload().as_ptr().addr() - frame.as_ptr().addr();
    Some(Content::Udp(header, start..start + udp.payload().len()))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::wire::{Ipv4Address, Ipv4Packet, TcpSeqNumber};

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
        tcp.set_header_len(20);
        tcp.set_seq_number(TcpSeqNumber(7));
        set(&mut tcp);
        bytes
    }

    fn told(frame: &[u8]) -> Content {
        classify(frame, Packet::of(frame).as_ref())
    }

    fn flow() -> Flow {
        Flow { local: IpEndpoint::new(ENDS.1.into(), 80), remote: IpEndpoint::new(ENDS.0.into(), 1000) }
    }

    #[test]
    fn segments_are_told_apart() {
        let of = |kind, ack| {
            Content::Tcp(Segment { flow: flow(), kind, span: Span { start: 7, end: 7 }, ack, options: false })
        };
        let alone = |alone| Some(Acknowledgement { number: 0, window: 0, alone });
        let kind = |set| told(&frame(1, 0, false, &header(set)));
        assert_eq!(kind(|tcp| tcp.set_syn(true)), of(Kind::Opening, None));
        assert_eq!(kind(|tcp| tcp.set_ack(true)), of(Kind::Other, alone(true)));
        assert_eq!(kind(|tcp| tcp.set_rst(true)), of(Kind::Reset, None));
        let answer = |tcp: &mut TcpPacket<&mut [u8]>| {
            tcp.set_syn(true);
            tcp.set_ack(true);
        };
        assert_eq!(kind(answer), of(Kind::Other, None));
        let data = [&header(|tcp| tcp.set_ack(true))[..], b"x"].concat();
        let span = Span { start: 7, end: 8 };
        assert_eq!(
            told(&frame(1, 0, false, &data)),
            Content::Tcp(Segment { flow: flow(), kind: Kind::Data, span, ack: alone(false), options: false })
        );
    }

    #[test]
    fn what_is_cut_off_is_something_else() {
        let whole = frame(1, 0, false, &header(|_| {}));
        for len in 0..whole.len() {
            assert_eq!(told(&whole[..len]), Content::Other);
        }
    }
}
