//! Netlink sockets; the answers are taken apart by byte positions as the manual pages give them.

use super::{Netlink, NetlinkSocket};
use crate::fake::Fake;
use crate::file::File;
use crate::net::device::{Counters, Integrity, Offloads, Orders, Pair, Receiver, Transmitter};
use crate::net::{Addressing, Addressing6, Ipv4Address, Ipv4Cidr, NetStack, Nic};
use crate::socket::{MsgFlags, SockAddr, Socket};
use crate::wait::Ready;
use std::sync::Arc;
use trapless_abi::Errno;

/// A card that nothing is sent to.
struct Card;

impl Receiver for Card {
    fn receive(&mut self) -> Option<Integrity> {
        None
    }

    fn held(&mut self) -> &mut [u8] {
        &mut []
    }

    fn release(&mut self) {}

    fn kick(&mut self) {}

    fn rearm(&mut self) -> bool {
        false
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

impl Transmitter for Card {
    fn transmit(&mut self, _: usize, _: &mut dyn FnMut(&mut [u8]) -> Option<Orders>) -> bool {
        true
    }

    fn can_transmit(&mut self) -> bool {
        true
    }

    fn kick(&mut self) {}

    fn rearm(&mut self) -> bool {
        false
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

fn card() -> Nic {
    let pair = Pair { receiver: Box::new(Card), transmitter: Box::new(Card) };
    Nic { mac: [2, 0, 0, 0, 0, 7], offloads: Offloads::default(), pairs: vec![pair] }
}

/// Netlink of process 42, with a card of this address.
fn netlink(address: Option<[u8; 4]>) -> Arc<Netlink<Fake>> {
    Netlink::new(stack(address), 42)
}

fn stack(address: Option<[u8; 4]>) -> Arc<NetStack<Fake>> {
    let addressing = address.map_or(Addressing::None, |address| Addressing::Static {
        address: Ipv4Cidr::new(Ipv4Address::from(address), 20),
        router: None,
    });
    NetStack::new(Some(card()), addressing, Addressing6::Auto, 2)
}

fn socket() -> Arc<NetlinkSocket<Fake>> {
    NetlinkSocket::new(netlink(Some([10, 1, 18, 5])), 3)
}

const GETLINK: u16 = 18;
const GETADDR: u16 = 22;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
/// The number of every request here.
const SEQ: u32 = 0x0102_0304;

/// A request whose payload is an address family and, as musl sends it, three bytes more.
fn request(kind: u16, flags: u16, family: u8) -> Vec<u8> {
    let mut bytes = 20u32.to_le_bytes().to_vec();
    bytes.extend(kind.to_le_bytes());
    bytes.extend(flags.to_le_bytes());
    bytes.extend(SEQ.to_le_bytes());
    bytes.extend([0, 0, 0, 0, family, 0, 0, 0]);
    bytes
}

/// A message: kind, flags, payload. Its number and port have been looked at.
type Message = (u16, u16, Vec<u8>);

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn messages(mut bytes: &[u8], port: u32) -> Vec<Message> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let len = u32_at(bytes, 0) as usize;
        assert_eq!((u32_at(bytes, 8), u32_at(bytes, 12)), (SEQ, port));
        found.push((u16_at(bytes, 4), u16_at(bytes, 6), bytes[16..len].to_vec()));
        assert!(bytes[len..len.next_multiple_of(4)].iter().all(|&b| b == 0));
        bytes = &bytes[len.next_multiple_of(4)..];
    }
    found
}

/// The value of an attribute.
fn attribute(mut bytes: &[u8], kind: u16) -> Option<&[u8]> {
    while !bytes.is_empty() {
        let len = usize::from(u16_at(bytes, 0));
        if u16_at(bytes, 2) == kind {
            return Some(&bytes[4..len]);
        }
        bytes = &bytes[len.next_multiple_of(4)..];
    }
    None
}

/// Receives one message of the socket, with its sender checked.
fn receive(socket: &NetlinkSocket<Fake>) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::with_capacity(8192);
    let received = socket.recv(&mut bytes, MsgFlags::empty())?;
    assert_eq!((received.len, received.truncated), (bytes.len(), false));
    assert_eq!(received.from, Some(SockAddr::Netlink { port: 0, groups: 0 }));
    Ok(bytes)
}

/// What a request is answered with, by the first socket of the process.
fn ask(socket: &NetlinkSocket<Fake>, request: &[u8]) -> Vec<Message> {
    assert_eq!(socket.write(&mut &*request), Ok(request.len()));
    messages(&receive(socket).unwrap(), 42)
}

#[test]
fn the_interfaces_are_listed() {
    let parts = ask(&socket(), &request(GETLINK, REQUEST | DUMP, 0));
    let heads: Vec<_> = parts.iter().map(|(kind, flags, _)| (*kind, *flags)).collect();
    assert_eq!(heads, [(16, 2), (16, 2), (3, 2)]);
    assert_eq!(parts[2].2, [0; 4]);
    let lo = &parts[0].2;
    // ifi_family, padding, ifi_type, ifi_index, ifi_flags, ifi_change.
    assert_eq!(lo[..2], [0, 0]);
    assert_eq!((u16_at(lo, 2), u32_at(lo, 4), u32_at(lo, 8), u32_at(lo, 12)), (772, 1, 0x10049, 0));
    assert_eq!(attribute(&lo[16..], 3), Some(&b"lo\0"[..]));
    assert_eq!(attribute(&lo[16..], 4), Some(&65536u32.to_le_bytes()[..]));
    assert_eq!(attribute(&lo[16..], 1), Some(&[0; 6][..]));
    let eth0 = &parts[1].2;
    assert_eq!((u16_at(eth0, 2), u32_at(eth0, 4), u32_at(eth0, 8)), (1, 2, 0x11043));
    assert_eq!(attribute(&eth0[16..], 3), Some(&b"eth0\0"[..]));
    assert_eq!(attribute(&eth0[16..], 4), Some(&1500u32.to_le_bytes()[..]));
    assert_eq!(attribute(&eth0[16..], 1), Some(&[2, 0, 0, 0, 0, 7][..]));
    assert_eq!(attribute(&eth0[16..], 2), Some(&[0xff; 6][..]));
}

#[test]
fn the_addresses_are_listed_by_family() {
    let stack = stack(Some([10, 1, 18, 5]));
    let socket = NetlinkSocket::new(Netlink::new(stack.clone(), 42), 3);
    // Whether another host has the address of the link shows within a second.
    while stack.interfaces()[1].ipv6.is_empty() {
        stack.poll();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    for family in [0, 2] {
        let parts = ask(&socket, &request(GETADDR, REQUEST | DUMP, family));
        let heads: Vec<_> = parts.iter().map(|(kind, flags, _)| (*kind, *flags)).collect();
        assert_eq!(heads[..3], [(20, 2), (20, 2), if family == 0 { (20, 2) } else { (3, 2) }]);
        // ifa_family, ifa_prefixlen, ifa_flags, ifa_scope, ifa_index.
        let (lo, eth0) = (&parts[0].2, &parts[1].2);
        assert_eq!(lo[..8], [2, 8, 0x80, 254, 1, 0, 0, 0]);
        assert_eq!(attribute(&lo[8..], 1), Some(&[127, 0, 0, 1][..]));
        assert_eq!(attribute(&lo[8..], 2), Some(&[127, 0, 0, 1][..]));
        assert_eq!(attribute(&lo[8..], 3), Some(&b"lo\0"[..]));
        assert_eq!(attribute(&lo[8..], 4), None);
        assert_eq!(eth0[..8], [2, 20, 0x80, 0, 2, 0, 0, 0]);
        assert_eq!(attribute(&eth0[8..], 2), Some(&[10, 1, 18, 5][..]));
        assert_eq!(attribute(&eth0[8..], 4), Some(&[10, 1, 31, 255][..]));
    }
    let parts = ask(&socket, &request(GETADDR, REQUEST | DUMP, 10));
    let heads: Vec<_> = parts.iter().map(|(kind, flags, _)| (*kind, *flags)).collect();
    assert_eq!(heads, [(20, 2), (20, 2), (3, 2)]);
    let (lo, eth0) = (&parts[0].2, &parts[1].2);
    assert_eq!((&lo[..8], &eth0[..8]), (&[10, 128, 0x80, 254, 1, 0, 0, 0][..], &[10, 64, 0x80, 253, 2, 0, 0, 0][..]));
    assert_eq!(attribute(&lo[8..], 1), Some(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..]));
    assert_eq!(attribute(&eth0[8..], 1), Some(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, 7][..]));
}

#[test]
fn a_card_without_an_address_is_an_interface_all_the_same() {
    let socket = NetlinkSocket::new(netlink(None), 2);
    assert_eq!(ask(&socket, &request(GETLINK, REQUEST | DUMP, 0)).len(), 3);
    assert_eq!(ask(&socket, &request(GETADDR, REQUEST | DUMP, 2)).len(), 2);
}

#[test]
fn other_requests_are_refused_with_all_they_said() {
    let socket = socket();
    for (kind, flags) in [(GETLINK, REQUEST), (GETLINK, REQUEST | 0x100), (26, REQUEST | DUMP), (16, REQUEST | ACK)] {
        let request = request(kind, flags, 0);
        let mut error = (-95i32).to_le_bytes().to_vec();
        error.extend(&request);
        assert_eq!(ask(&socket, &request), [(2, 0, error)]);
    }
}

#[test]
fn what_is_no_request_is_acknowledged_if_asked_for() {
    let socket = socket();
    let noop = request(1, REQUEST | ACK, 0);
    let mut ok = vec![0; 4];
    ok.extend(&noop[..16]);
    assert_eq!(ask(&socket, &noop), [(2, 0x100, ok)]);
    for silent in [request(1, REQUEST, 0), request(GETLINK, DUMP, 0), vec![9; 15], vec![0xff; 16]] {
        assert_eq!(socket.write(&mut &silent[..]), Ok(silent.len()));
        assert_eq!(receive(&socket), Err(Errno::EAGAIN));
    }
}

#[test]
fn several_requests_may_come_at_once() {
    let socket = socket();
    let both = [request(GETLINK, REQUEST | DUMP, 0), request(GETADDR, REQUEST | DUMP, 0)].concat();
    assert_eq!(ask(&socket, &both)[0].0, 16);
    assert_eq!(messages(&receive(&socket).unwrap(), 42)[0].0, 20);
    assert_eq!(receive(&socket), Err(Errno::EAGAIN));
}

#[test]
fn what_does_not_fit_is_lost_unless_it_is_peeked_at() {
    let socket = socket();
    socket.write(&mut &request(GETLINK, REQUEST | DUMP, 0)[..]).unwrap();
    assert!(socket.ready().contains(Ready::IN));
    let mut little = Vec::with_capacity(16);
    let seen = socket.recv(&mut little, MsgFlags::PEEK | MsgFlags::TRUNC).unwrap();
    assert!(seen.truncated && seen.len > 100 && little.len() == 16);
    little.clear();
    let got = socket.recv(&mut little, MsgFlags::empty()).unwrap();
    assert!(got.truncated && got.len == 16);
    assert_eq!(receive(&socket), Err(Errno::EAGAIN));
    assert!(!socket.ready().contains(Ready::IN));
}

#[test]
fn answers_that_nobody_takes_are_lost_and_that_is_told() {
    let socket = socket();
    let request = request(GETLINK, REQUEST | DUMP, 0);
    while !socket.ready().contains(Ready::ERR) {
        socket.write(&mut &request[..]).unwrap();
    }
    assert_eq!(receive(&socket), Err(Errno::ENOBUFS));
    let waiting = std::iter::from_fn(|| receive(&socket).ok()).count();
    assert!(waiting > 100, "{waiting} answers");
    assert_eq!(ask(&socket, &request).len(), 3);
}

#[test]
fn ports_are_unique_and_the_first_is_the_process() {
    let netlink = netlink(None);
    let new = || NetlinkSocket::new(netlink.clone(), 3);
    let at = |port| SockAddr::Netlink { port, groups: 0 };
    let (a, b, c) = (new(), new(), new());
    assert_eq!(a.local(), Ok(at(0)));
    a.bind(&at(0)).unwrap();
    b.connect(&at(0)).unwrap();
    assert_eq!((a.local(), b.local()), (Ok(at(42)), Ok(at(-4096i32 as u32))));
    assert_eq!(c.bind(&at(42)), Err(Errno::EADDRINUSE));
    assert_eq!(a.bind(&at(7)), Err(Errno::EINVAL));
    drop(a);
    c.bind(&at(42)).unwrap();
    assert_eq!(c.peer(), Ok(at(0)));
}

#[test]
fn only_the_kernel_can_be_talked_to() {
    let socket = socket();
    let bytes = request(GETLINK, REQUEST | DUMP, 0);
    let send = |to| socket.send(&mut &bytes[..], Some(&to), &mut Vec::new(), &[], MsgFlags::empty());
    assert_eq!(send(SockAddr::Netlink { port: 0, groups: 0 }), Ok(20));
    assert_eq!(send(SockAddr::Netlink { port: 7, groups: 0 }), Err(Errno::ECONNREFUSED));
    assert_eq!(send(SockAddr::Unix([].into())), Err(Errno::EINVAL));
    assert_eq!(socket.bind(&SockAddr::Netlink { port: 0, groups: 1 }), Err(Errno::EOPNOTSUPP));
}
