//! Messages of ICMP that are not for smoltcp: what became of a datagram (RFC 792, RFC 4443), and what routers say (RFC 4861).

use super::flow::Content;
use super::packet::Packet;
use smoltcp::wire::{
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, Icmpv4Message, Icmpv4Packet, Icmpv6Message, Icmpv6Packet, IpAddress, IpEndpoint,
    IpProtocol, Ipv4Packet, Ipv6Packet,
};
use trapless_abi::Errno;

/// What a message says. Its packet's header is right.
pub(super) fn v4(message: &[u8]) -> Option<Content> {
    let icmp = Icmpv4Packet::new_checked(message).ok()?;
    if icmp.msg_type() != Icmpv4Message::DstUnreachable || !icmp.verify_checksum() {
        return None;
    }
    // Its length is that of the whole datagram, of which the header and the ports are here.
    let about = icmp.data();
    let inner = Ipv4Packet::new_unchecked(about.get(..IPV4_HEADER_LEN)?);
    if inner.version() != 4 || inner.next_header() != IpProtocol::Udp || inner.frag_offset() != 0 {
        return None;
    }
    let udp = about.get(usize::from(inner.header_len())..)?;
    // RFC 1122, 3.2.2.1.
    let error = match icmp.msg_code() {
        2 => Errno::ENOPROTOOPT,
        3 => Errno::ECONNREFUSED,
        4 => Errno::EMSGSIZE,
        0 | 6 | 9 | 11 => Errno::ENETUNREACH,
        _ => Errno::EHOSTUNREACH,
    };
    unreachable(inner.src_addr().into(), inner.dst_addr().into(), udp, error)
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
        Icmpv6Message::DstUnreachable => {}
        _ => return None,
    }
    let about = message.get(8..)?;
    let inner = Ipv6Packet::new_unchecked(about.get(..IPV6_HEADER_LEN)?);
    if inner.version() != 6 || inner.next_header() != IpProtocol::Udp {
        return None;
    }
    // As Linux has them.
    let error = match icmp.msg_code() {
        0 => Errno::ENETUNREACH,
        1 | 5 | 6 => Errno::EACCES,
        4 => Errno::ECONNREFUSED,
        _ => Errno::EHOSTUNREACH,
    };
    unreachable(inner.src_addr().into(), inner.dst_addr().into(), &about[IPV6_HEADER_LEN..], error)
}

fn unreachable(from: IpAddress, to: IpAddress, udp: &[u8], error: Errno) -> Option<Content> {
    let [a, b, c, d] = *udp.first_chunk()?;
    let (from, to) =
        (IpEndpoint::new(from, u16::from_be_bytes([a, b])), IpEndpoint::new(to, u16::from_be_bytes([c, d])));
    Some(Content::Unreachable { from, to, error })
}
