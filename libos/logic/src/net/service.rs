//! What one packet asks of the network: type of service and time to live (ip(7)), or traffic class and hop
//! limit (ipv6(7)).

use smoltcp::wire::{EthernetFrame, EthernetProtocol, Ipv4Packet, Ipv6Packet};

/// What is asked for; zero and None leave what smoltcp has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Service {
    /// DSCP and ECN (RFC 2474, RFC 3168).
    pub(super) tos: u8,
    /// Not zero.
    pub(super) ttl: Option<u8>,
}

impl Service {
    /// Puts it into a frame.
    pub(super) fn apply(self, frame: &mut [u8]) {
        if self == Self::default() {
            return;
        }
        let mut frame = EthernetFrame::new_unchecked(frame);
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => {
                let mut ip = Ipv4Packet::new_unchecked(frame.payload_mut());
                ip.set_dscp(self.tos >> 2);
                ip.set_ecn(self.tos & 3);
                if let Some(ttl) = self.ttl {
                    ip.set_hop_limit(ttl);
                }
                ip.fill_checksum();
            }
            EthernetProtocol::Ipv6 => {
                let mut ip = Ipv6Packet::new_unchecked(frame.payload_mut());
                ip.set_traffic_class(self.tos);
                if let Some(ttl) = self.ttl {
                    ip.set_hop_limit(ttl);
                }
            }
            _ => {}
        }
    }
}
