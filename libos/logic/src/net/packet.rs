//! What the headers of an IP packet say, alike for both versions (RFC 791, RFC 8200).

use core::ops::Range;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IPV6_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv6FragmentHeader, Ipv6Packet,
};

/// Bytes of an Ethernet header.
pub(super) const ETHERNET: usize = 14;
/// Bytes of a fragment header (RFC 8200, 4.5): the next header and a reserved byte are before what smoltcp calls so.
pub(super) const FRAGMENT: usize = 8;

/// Where a fragment belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// What all fragments of a packet have in common, beside addresses and protocol.
    pub(super) ident: u32,
    /// Bytes before it.
    pub(super) offset: usize,
    /// Others come behind it.
    pub(super) more: bool,
}

/// A packet in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) from: IpAddress,
    pub(super) to: IpAddress,
    /// What the payload is. Of IPv6's extension headers only that of fragments counts for the header, when it comes first.
    pub(super) protocol: IpProtocol,
    pub(super) hop_limit: u8,
    /// Type of service or traffic class: DSCP and ECN (RFC 2474, RFC 3168).
    pub(super) tos: u8,
    /// None: the packet is whole.
    pub(super) part: Option<Part>,
    /// Where in the frame its payload is.
    pub(super) payload: Range<usize>,
}

impl Packet {
    /// The IP packet in a frame; None if it is something else, or cut off.
    pub(super) fn of(frame: &[u8]) -> Option<Self> {
        let header = EthernetFrame::new_checked(frame).ok()?;
        match header.ethertype() {
            EthernetProtocol::Ipv4 => Self::v4(header.payload()),
            EthernetProtocol::Ipv6 => Self::v6(header.payload()),
            _ => None,
        }
    }

    fn v4(bytes: &[u8]) -> Option<Self> {
        let ip = Ipv4Packet::new_checked(bytes).ok().filter(|ip| ip.version() == 4)?;
        let (offset, more) = (usize::from(ip.frag_offset()), ip.more_frags());
        let part = (more || offset != 0).then(|| Part { ident: ip.ident().into(), offset, more });
        Some(Self {
            from: ip.src_addr().into(),
            to: ip.dst_addr().into(),
            protocol: ip.next_header(),
            hop_limit: ip.hop_limit(),
            tos: ip.dscp() << 2 | ip.ecn(),
            part,
            payload: ETHERNET + usize::from(ip.header_len())..ETHERNET + usize::from(ip.total_len()),
        })
    }

    fn v6(bytes: &[u8]) -> Option<Self> {
        let ip = Ipv6Packet::new_checked(bytes).ok().filter(|ip| ip.version() == 6)?;
        let (mut start, mut protocol, mut part) = (IPV6_HEADER_LEN, ip.next_header(), None);
        if protocol == IpProtocol::Ipv6Frag {
            let header = bytes.get(start..ip.total_len())?.get(..FRAGMENT)?;
            let fragment = Ipv6FragmentHeader::new_checked(&header[2..]).ok()?;
            // smoltcp counts in units of 8 bytes here, and in bytes with IPv4.
            let (offset, more) = (usize::from(fragment.frag_offset()) * 8, fragment.more_frags());
            // A packet may consist of one fragment (RFC 6946).
            part = Some(Part { ident: fragment.ident(), offset, more });
            (start, protocol) = (start + FRAGMENT, IpProtocol::from(header[0]));
        }
        Some(Self {
            from: ip.src_addr().into(),
            to: ip.dst_addr().into(),
            protocol,
            hop_limit: ip.hop_limit(),
            tos: ip.traffic_class(),
            part,
            payload: ETHERNET + start..ETHERNET + ip.total_len(),
        })
    }

    /// Whether the header's checksum is right; IPv6 has none.
    pub(super) fn is_header_right(&self, frame: &[u8]) -> bool {
        match self.from {
            IpAddress::Ipv4(_) => Ipv4Packet::new_checked(&frame[ETHERNET..]).is_ok_and(|ip| ip.verify_checksum()),
            IpAddress::Ipv6(_) => true,
        }
    }
}
