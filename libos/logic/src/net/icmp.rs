//! Messages of ICMP that are not for smoltcp: what became of a packet (RFC 792, RFC 4443), and what routers say (RFC 4861).

use super::flow::{Content, Flow};
use super::packet::Packet;
use super::path::TooBig;
use smoltcp::wire::{
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpEndpoint,
    IpProtocol, Ipv4Packet, Ipv6Packet,
};
use trapless_abi::Errno;

/// The code of "fragmentation needed".
const TOO_BIG: u8 = 4;

/// What a message says. Its packet's header is right.
pub(super) fn v4(message: &[u8]) -> Option<Content> {
    let icmp = Icmpv4Packet::new_checked(message).ok()?;
    if icmp.msg_type() != Icmpv4Message::DstUnreachable || !icmp.verify_checksum() {
        return None;
    }
    // Its length is that of the whole datagram, of which the header and the ports are here.
    let about = icmp.data();
    let inner = Ipv4Packet::new_unchecked(about.get(..IPV4_HEADER_LEN)?);
    if inner.version() != 4 || inner.frag_offset() != 0 {
        return None;
    }
    let (from, to) = (inner.src_addr().into(), inner.dst_addr().into());
    let transport = about.get(usize::from(inner.header_len())..)?;
    match inner.next_header() {
        IpProtocol::Udp => {}
        IpProtocol::Tcp if icmp.msg_code() == TOO_BIG => {
            // The lower half of a word that once was unused (RFC 1191, 4).
            let told = u32::from(u16::from_be_bytes([*message.get(6)?, *message.get(7)?]));
            return too_big(from, to, transport, inner.total_len(), told);
        }
        _ => return None,
    }
    // RFC 1122, 3.2.2.1.
    let error = match icmp.msg_code() {
        2 => Errno::ENOPROTOOPT,
        3 => Errno::ECONNREFUSED,
        TOO_BIG => Errno::EMSGSIZE,
        0 | 6 | 9 | 11 => Errno::ENETUNREACH,
        _ => Errno::EHOSTUNREACH,
    };
    unreachable(from, to, transport, error)
}

/// As [`v4`].
pub(super) fn v6(packet: &Packet, message: &[u8]) -> Option<Content> {
    let (IpAddress::Ipv6(from), IpAddress::Ipv6(to)) = (packet.from, packet.to) else { return None };
    let icmp = Icmpv6Packet::new_checked(message).ok()?;
    if !icmp.verify_checksum(&from, &to) {
        return None;
    }
    match icmp.msg_type() {
        Icmpv6Message::NeighborSolicit | Icmpv6Message::NeighborAdvert => return Some(Content::Neighbor),
        // A router is on the same link, or it is none (RFC 4861, 6.1.2).
        Icmpv6Message::RouterAdvert if packet.hop_limit == 255 && from.is_unicast_link_local() => {
            return Some(Content::Router(packet.payload.clone()));
        }
        Icmpv6Message::DstUnreachable | Icmpv6Message::PktTooBig => {}
        _ => return None,
    }
    let (head, about) = message.split_first_chunk::<8>()?;
    let inner = Ipv6Packet::new_unchecked(about.get(..IPV6_HEADER_LEN)?);
    if inner.version() != 6 {
        return None;
    }
    let (from, to) = (inner.src_addr().into(), inner.dst_addr().into());
    let transport = &about[IPV6_HEADER_LEN..];
    match (icmp.msg_type(), inner.next_header()) {
        (Icmpv6Message::DstUnreachable, IpProtocol::Udp) => {}
        (Icmpv6Message::PktTooBig, IpProtocol::Tcp) => {
            let len = inner.payload_len().saturating_add(IPV6_HEADER_LEN as u16);
            let [.., a, b, c, d] = *head;
            return too_big(from, to, transport, len, u32::from_be_bytes([a, b, c, d]));
        }
        _ => return None,
    }
    // As Linux has them.
    let error = match icmp.msg_code() {
        0 => Errno::ENETUNREACH,
        1 | 5 | 6 => Errno::EACCES,
        4 => Errno::ECONNREFUSED,
        _ => Errno::EHOSTUNREACH,
    };
    unreachable(from, to, transport, error)
}

fn unreachable(from: IpAddress, to: IpAddress, udp: &[u8], error: Errno) -> Option<Content> {
    let Flow { local: from, remote: to } = ends(from, to, udp)?;
    Some(Content::Unreachable { from, to, error })
}

/// About a segment, of whose packet of `len` bytes the first are here: the ports and the number at least.
fn too_big(from: IpAddress, to: IpAddress, tcp: &[u8], len: u16, told: u32) -> Option<Content> {
    let flow = ends(from, to, tcp)?;
    let number = u32::from_be_bytes(*tcp.get(4..)?.first_chunk()?);
    Some(Content::TooBig(TooBig { flow, number, len, told }))
}

/// The ends of a packet of this host's, of which the first bytes behind the header of IP are here.
fn ends(from: IpAddress, to: IpAddress, transport: &[u8]) -> Option<Flow> {
    let [a, b, c, d] = *transport.first_chunk()?;
    let [own, other] = [[a, b], [c, d]].map(u16::from_be_bytes);
    Some(Flow { local: IpEndpoint::new(from, own), remote: IpEndpoint::new(to, other) })
}
