//! Which connection a frame belongs to.

use super::recovery::Acknowledgement;
use super::udp::Header;
use core::hash::{Hash, Hasher};
use core::net::SocketAddrV4;
use core::ops::Range;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IPV4_HEADER_LEN, Icmpv4Message, Icmpv4Packet, IpAddress, IpEndpoint, IpProtocol,
    Ipv4Packet, TCP_HEADER_LEN, TcpPacket, UdpPacket,
};

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
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Tcp(Segment),
    /// A datagram, and where in the frame its data is.
    Udp(Header, Range<usize>),
    /// A UDP datagram of this host's did not arrive; with the code of RFC 792.
    Unreachable {
        from: SocketAddrV4,
        to: SocketAddrV4,
        code: u8,
    },
    Arp,
    Other,
}

/// Tells frames apart. Fragments are put together before ([`super::reassembly`]).
pub(super) fn classify(frame: &[u8]) -> Content {
    parse(frame).unwrap_or(Content::Other)
}

fn parse(bytes: &[u8]) -> Option<Content> {
    let frame = EthernetFrame::new_checked(bytes).ok()?;
    match frame.ethertype() {
        EthernetProtocol::Ipv4 => {}
        EthernetProtocol::Arp => return Some(Content::Arp),
        _ => return None,
    }
    let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
    if ip.more_frags() || ip.frag_offset() != 0 {
        return None;
    }
    match ip.next_header() {
        IpProtocol::Tcp => segment(&ip),
        IpProtocol::Udp => datagram(bytes, &ip),
        IpProtocol::Icmp => unreachable(&ip),
        _ => None,
    }
}

fn segment(ip: &Ipv4Packet<&[u8]>) -> Option<Content> {
    // Cut off options are for smoltcp to find.
    let tcp = TcpPacket::new_unchecked(ip.payload().get(..).filter(|bytes| bytes.len() >= TCP_HEADER_LEN)?);
    let flow = Flow {
        local: IpEndpoint::new(ip.dst_addr().into(), tcp.dst_port()),
        remote: IpEndpoint::new(ip.src_addr().into(), tcp.src_port()),
    };
    let data = ip.payload().len().saturating_sub(tcp.header_len().into());
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
    Some(Content::Tcp(Segment { flow, kind, span: Span { start, end: start.wrapping_add(data as u32) }, ack }))
}

/// A UDP datagram whose checksums are right.
fn datagram(frame: &[u8], ip: &Ipv4Packet<&[u8]>) -> Option<Content> {
    let udp = UdpPacket::new_checked(ip.payload()).ok()?;
    if !ip.verify_checksum() || !udp.verify_checksum(&ip.src_addr().into(), &ip.dst_addr().into()) {
        return None;
    }
    let header = Header {
        from: SocketAddrV4::new(ip.src_addr(), udp.src_port()),
        to: SocketAddrV4::new(ip.dst_addr(), udp.dst_port()),
        ttl: ip.hop_limit(),
        tos: ip.dscp() << 2 | ip.ecn(),
    };
    let start = udp.payload().as_ptr().addr() - frame.as_ptr().addr();
    Some(Content::Udp(header, start..start + udp.payload().len()))
}

/// Destination unreachable (RFC 792), about a UDP datagram. Of that it has the IP header and the ports.
fn unreachable(ip: &Ipv4Packet<&[u8]>) -> Option<Content> {
    let icmp = Icmpv4Packet::new_checked(ip.payload()).ok()?;
    if icmp.msg_type() != Icmpv4Message::DstUnreachable || !ip.verify_checksum() || !icmp.verify_checksum() {
        return None;
    }
    // Its length is that of the whole datagram.
    let about = icmp.data();
    let inner = Ipv4Packet::new_unchecked(about.get(..IPV4_HEADER_LEN)?);
    let ports = about.get(usize::from(inner.header_len())..)?.first_chunk::<4>()?;
    if inner.version() != 4 || inner.next_header() != IpProtocol::Udp || inner.frag_offset() != 0 {
        return None;
    }
    let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
    Some(Content::Unreachable {
        from: SocketAddrV4::new(inner.src_addr(), port(0)),
        to: SocketAddrV4::new(inner.dst_addr(), port(2)),
        code: icmp.msg_code(),
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::wire::{Ipv4Address, TcpSeqNumber};

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

    fn flow() -> Flow {
        Flow { local: IpEndpoint::new(ENDS.1.into(), 80), remote: IpEndpoint::new(ENDS.0.into(), 1000) }
    }

    #[test]
    fn segments_are_told_apart() {
        let of = |kind, ack| Content::Tcp(Segment { flow: flow(), kind, span: Span { start: 7, end: 7 }, ack });
        let alone = |alone| Some(Acknowledgement { number: 0, window: 0, alone });
        let kind = |set| classify(&frame(1, 0, false, &header(set)));
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
            classify(&frame(1, 0, false, &data)),
            Content::Tcp(Segment { flow: flow(), kind: Kind::Data, span, ack: alone(false) })
        );
    }

    #[test]
    fn what_is_cut_off_is_something_else() {
        let whole = frame(1, 0, false, &header(|_| {}));
        for len in 0..whole.len() {
            assert_eq!(classify(&whole[..len]), Content::Other);
        }
    }
}
