//! What one packet asks of the network: type of service and time to live (ip(7)).
//!
//! smoltcp sends all packets of a socket alike. It hands a number through from the datagram to the card, though, and that says what is to
//! be put into the packet on its way out.

use smoltcp::wire::{EthernetFrame, EthernetProtocol, Ipv4Packet};

/// What is asked for; zero and None leave what smoltcp has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// DSCP and ECN (RFC 2474, RFC 3168).
    pub(super) tos: u8,
    /// Not zero.
    pub(super) ttl: Option<u8>,
}

impl Service {
    /// As the number of a packet.
    pub(super) fn id(self) -> u32 {
        u32::from_le_bytes([self.tos, self.ttl.unwrap_or(0), 0, 0])
    }

    pub(super) fn from_id(id: u32) -> Self {
        let [tos, ttl, ..] = id.to_le_bytes();
        Self { tos, ttl: (ttl != 0).then_some(ttl) }
    }

    /// Puts it into a frame.
    pub(super) fn apply(self, frame: &mut [u8]) {
        if self == Self::default() {
            return;
        }
        let mut frame = EthernetFrame::new_unchecked(frame);
        if frame.ethertype() != EthernetProtocol::Ipv4 {
            return;
        }
        let mut ip = Ipv4Packet::new_unchecked(frame.payload_mut());
        ip.set_dscp(self.tos >> 2);
        ip.set_ecn(self.tos & 3);
        if let Some(ttl) = self.ttl {
            ip.set_hop_limit(ttl);
        }
        ip.fill_checksum();
    }
}
