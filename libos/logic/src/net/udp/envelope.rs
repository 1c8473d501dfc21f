//! The envelope as a frame, and the frame that takes its place.

use super::outbox::{ENVELOPE, Letter};
use crate::net::checksum;
use crate::net::device::PartialChecksum;
use crate::net::packet::{ETHERNET, Packet};
use smoltcp::wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, UdpPacket};

/// Bytes of UDP's header, and offset of the checksum in it (RFC 768).
const UDP: usize = 8;
const CHECKSUM: u16 = 6;
/// The longest headers: those of IPv6, without extensions.
const HEADERS: usize = ETHERNET + IPV6_HEADER_LEN + UDP;

/// A datagram of smoltcp's that stands for another.
pub(in crate::net) struct Envelope {
    headers: [u8; HEADERS],
    len: usize,
    ends: (IpAddress, IpAddress),
    /// What it carried.
    pub(in crate::net) carried: [u8; ENVELOPE],
}

impl Envelope {
    /// The envelope that a frame of smoltcp's is. No other datagram that it sends, of its DHCP client's, is so short.
    pub(in crate::net) fn of(frame: &[u8], packet: &Packet) -> Option<Self> {
        let short = packet.payload.len() == UDP + ENVELOPE;
        if packet.protocol != IpProtocol::Udp || !short || packet.part.is_some() {
            return None;
        }
        let len = packet.payload.start + UDP;
        let mut headers = [0; HEADERS];
        headers.get_mut(..len)?.copy_from_slice(&frame[..len]);
        Some(Self { headers, len, ends: (packet.from, packet.to), carried: *frame[len..].first_chunk()? })
    }

    /// Writes the frame with the letter in it, checksums and all: its length; None if it is too long.
    pub(in crate::net) fn fill(&self, Letter { data, service }: &Letter, to: &mut [u8]) -> Option<usize> {
        let whole = self.len + data.len();
        let frame = to.get_mut(..whole)?;
        frame[..self.len].copy_from_slice(&self.headers[..self.len]);
        frame[self.len..].copy_from_slice(data);
        let start = self.len - UDP;
        let (from, to) = self.ends;
        let udp_len = UDP + data.len();
        match from {
            IpAddress::Ipv4(_) => {
                let mut ip = Ipv4Packet::new_unchecked(&mut frame[ETHERNET..]);
                ip.set_total_len(u16::try_from(IPV4_HEADER_LEN + udp_len).ok()?);
                ip.fill_checksum();
            }
            IpAddress::Ipv6(_) => {
                Ipv6Packet::new_unchecked(&mut frame[ETHERNET..]).set_payload_len(u16::try_from(udp_len).ok()?);
            }
        }
        service.apply(frame);
        let mut udp = UdpPacket::new_unchecked(&mut frame[start..]);
        udp.set_len(udp_len as u16);
        udp.set_checksum(checksum::pseudo(from, to, IpProtocol::Udp, udp_len));
        checksum::complete(frame, PartialChecksum { start: start as u16, offset: CHECKSUM }).then_some(whole)
    }
}
