//! The DHCP client (RFC 2131): smoltcp's, and what it does not read in a server's answer.

use super::checksum;
use super::device::PartialChecksum;
use super::lease::Lease;
use super::packet::Packet;
use super::stack::Inner;
use super::udp::Header;
use crate::platform::Platform;
use alloc::string::String;
use alloc::vec::Vec;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::dhcpv4::{Event, Socket};
use smoltcp::wire::{DhcpPacket, IpProtocol, UdpPacket};

/// The port of clients (RFC 2131, 4.1).
const CLIENT: u16 = 68;
/// The longest answer: what every client must take (RFC 2131, 2), and more.
const LONGEST: usize = 1500;
/// What is asked for (RFC 2132, 9.8): mask, routers, name servers, host name, domain name.
const WANTED: &[u8] = &[1, 3, 6, HOST_NAME, DOMAIN_NAME];
/// Options of RFC 2132, 3.14 and 3.17.
const HOST_NAME: u8 = 12;
const DOMAIN_NAME: u8 = 15;
/// Where a message's options begin, behind the magic number (RFC 2131, 3), and three of them (RFC 2132, 3.1, 3.2, 9.10).
const OPTIONS: usize = 240;
const PAD: u8 = 0;
const END: u8 = 255;
const MAX_SIZE: u8 = 57;
/// The longest name of a host (hostname(7)).
const LONGEST_NAME: usize = 64;

impl<P: Platform> Inner<P> {
    /// Begins to look for a server.
    pub(super) fn start_dhcp(&mut self) {
        let mut socket = Socket::new();
        socket.set_parameter_request_list(WANTED);
        // There is one client, and it stays.
        socket.set_receive_packet_buffer(Vec::leak(alloc::vec![0; LONGEST]));
        self.dhcp = Some(self.datagrams.set.add(socket));
    }

    /// Whether a datagram is for the client.
    pub(super) fn is_for_dhcp(&self, header: &Header) -> bool {
        self.dhcp.is_some() && header.to.port == CLIENT
    }

    /// Takes what the server has said.
    pub(super) fn poll_dhcp(&mut self) {
        let Some(handle) = self.dhcp else { return };
        if let Some(lease) = self.heard(handle) {
            self.set_lease(lease);
        }
    }

    /// The lease, if there is news of it; none if it is over.
    fn heard(&mut self, handle: SocketHandle) -> Option<Option<Lease>> {
        match self.datagrams.set.get_mut::<Socket>(handle).poll()? {
            Event::Deconfigured => Some(None),
            Event::Configured(config) => Some(Some(Lease {
                address: config.address,
                router: config.router,
                dns: config.dns_servers.iter().copied().collect(),
                host_name: config.packet.as_ref().and_then(host_name),
            })),
        }
    }
}

/// The name that a server gives to this host, with its domain if that is known and the name has none.
fn host_name(packet: &DhcpPacket<&[u8]>) -> Option<String> {
    let text = |kind| {
        let option = packet.options().find(|option| option.kind == kind)?;
        // Some end it with a NUL (RFC 2132, 2).
        let text = core::str::from_utf8(option.data).ok()?.trim_end_matches('\0');
        is_name(text).then_some(text)
    };
    let name = text(HOST_NAME)?;
    let domain = text(DOMAIN_NAME).filter(|_| !name.contains('.'));
    let whole = domain.map(|domain| [name, domain].join("."));
    Some(whole.filter(|whole| is_name(whole)).unwrap_or_else(|| name.into()))
}

/// Has the client say that it takes no longer answers than it does: smoltcp counts on packets as long as they can be (RFC 2132, 9.10).
pub(super) fn correct(frame: &mut [u8], packet: &Packet) {
    let (from, to, payload) = (packet.from, packet.to, packet.payload.clone());
    let Ok(mut udp) = UdpPacket::new_checked(&mut frame[payload.clone()]) else { return };
    if udp.src_port() != CLIENT {
        return;
    }
    let mut options = udp.payload_mut().get_mut(OPTIONS..).unwrap_or_default();
    let found = loop {
        let step = match *options {
            [] | [END, ..] => break false,
            [PAD, ..] => 1,
            [MAX_SIZE, 2, ref mut high, ref mut low, ..] => {
                [*high, *low] = (LONGEST as u16).to_be_bytes();
                break true;
            }
            [_, len, ..] => 2 + usize::from(len),
            [_] => break false,
        };
        options = options.get_mut(step..).unwrap_or_default();
    };
    if found {
        udp.set_checksum(checksum::pseudo(from, to, IpProtocol::Udp, payload.len()));
        checksum::complete(frame, PartialChecksum { start: payload.start as u16, offset: 6 });
    }
}

/// Whether a text is a host's name (RFC 1123, 2.1): anything else could be an attempt to write lines into files.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let inside = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inside && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= LONGEST_NAME && text.split('.').all(is_label)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn told(options: &[(u8, &[u8])]) -> Option<String> {
        let mut bytes = [0; 400];
        let fields = options.iter().flat_map(|(kind, data)| [&[*kind, data.len() as u8], *data].concat());
        let options: Vec<u8> = fields.chain([255]).collect();
        bytes[240..240 + options.len()].copy_from_slice(&options);
        host_name(&DhcpPacket::new_unchecked(&bytes[..]))
    }

    #[test]
    fn a_host_has_its_name_and_its_domain() {
        assert_eq!(told(&[(HOST_NAME, b"web1")]).as_deref(), Some("web1"));
        assert_eq!(told(&[(DOMAIN_NAME, b"example.org\0"), (HOST_NAME, b"web1")]).as_deref(), Some("web1.example.org"));
        assert_eq!(told(&[(HOST_NAME, b"web1.lan"), (DOMAIN_NAME, b"example.org")]).as_deref(), Some("web1.lan"));
        assert_eq!(told(&[(DOMAIN_NAME, b"example.org")]), None);
    }

    #[test]
    fn what_is_no_name_is_not_taken() {
        for wrong in [&b"a b"[..], b"a\n127.0.0.1 x", b"-a", b"a..b", b"", b"\xff", &[b'a'; 65]] {
            assert_eq!(told(&[(HOST_NAME, wrong)]), None, "{wrong:?}");
        }
        assert_eq!(told(&[(HOST_NAME, b"web1"), (DOMAIN_NAME, &[b'a'; 62])]).as_deref(), Some("web1"));
    }
}
