//! IPv6, alone and beside IPv4.

use super::sim::{Cable, Faults, Net};
use super::udp::{bound, recv_from, send_to};
use super::*;
use crate::net::device::Offloads;
use crate::net::udp::UdpSocket;
use crate::net::{Addressing, NetStack};
use crate::socket::Control;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IPV6_HEADER_LEN, Icmpv6Message, Icmpv6Packet,
    IpProtocol, Ipv6Address, Ipv6Cidr, Ipv6Packet, Ipv6Repr,
};
use std::sync::Mutex;

const IPPROTO_IPV6: i32 = 41;
const V6ONLY: i32 = 26;

fn listening(stack: &Stack, at: &str, only: bool) -> Result<Tcp, Errno> {
    let socket = TcpSocket::new(stack.clone(), Family::Inet6);
    set(&*socket, IPPROTO_IPV6, V6ONLY, only.into());
    socket.bind(&addr(at))?;
    socket.listen(8)?;
    Ok(socket)
}

/// A connection from host a to a server on host b.
fn connect(net: &Net, server: &Tcp, family: Family, to: &str) -> (Tcp, End, SockAddr) {
    let client = TcpSocket::new(net.a.clone(), family);
    assert_eq!(client.connect(&addr(to)), Err(Errno::EINPROGRESS));
    let mut accepted = None;
    assert!(net.run(LONG, || {
        accepted = server.accept().ok();
        accepted.is_some()
    }));
    let (end, from) = accepted.unwrap();
    assert_eq!(client.local(), Ok(from.clone()).map(|from| in_family(family, from)));
    (client, end, from)
}

/// An address as a socket of this family sees it.
fn in_family(family: Family, address: SockAddr) -> SockAddr {
    let seen = [Family::Inet, Family::Inet6].into_iter().find_map(|other| other.decode(&address).ok());
    family.encode(seen.unwrap(), 0)
}

fn carries(net: &Net, from: &dyn Socket<Sim>, to: &dyn Socket<Sim>, len: usize) {
    let data = pattern(len);
    let (mut sent, mut got) = (0, Vec::new());
    assert!(net.run(LONG, || {
        sent += send(from, &data[sent..]).unwrap_or(0);
        got.extend(recv(to, 100_000).unwrap_or_default());
        got.len() >= data.len()
    }));
    assert_eq!(got, data);
}

#[test]
fn a_connection_carries_data_both_ways() {
    let lossy = Faults { lost: 30, doubled: 20, late: 50, damaged: 20 };
    for (offloads, faults) in [
        (Offloads::default(), Faults::default()),
        (Offloads { checksum: true, segmentation: Some(65_549), segmentation6: None }, Faults::default()),
        (Offloads { checksum: true, segmentation: None, segmentation6: Some(65_549) }, Faults::default()),
        (Offloads { checksum: true, segmentation: Some(65_549), segmentation6: Some(65_549) }, lossy),
        (Offloads::default(), lossy),
    ] {
        let net = Net::between([offloads; 2], faults, 7);
        let server = listening(&net.b, "[::]:80", false).unwrap();
        let (client, end, from) = connect(&net, &server, Family::Inet6, "[fd00::2]:80");
        assert!(matches!(&from, SockAddr::Inet(from) if from.ip().to_string() == "fd00::1"));
        assert_eq!((client.peer(), end.local()), (Ok(addr("[fd00::2]:80")), Ok(addr("[fd00::2]:80"))));
        carries(&net, &*client, &*end, 300_000);
        carries(&net, &*end, &*client, 300_000);
        client.close();
        assert_eq!(recv_all(&net, &*end), Ok(vec![]));
    }
}

#[test]
fn large_segments_are_fewer() {
    let frames = |offloads: Offloads| {
        let net = Net::between([offloads; 2], Faults::default(), 7);
        net.cable.lock().unwrap().whole = true;
        let server = listening(&net.b, "[::]:80", false).unwrap();
        let (client, end, _) = connect(&net, &server, Family::Inet6, "[fd00::2]:80");
        carries(&net, &*client, &*end, 1 << 20);
        net.cable.lock().unwrap().frames
    };
    let sums = Offloads { checksum: true, ..Offloads::default() };
    let (cut, whole) = (frames(sums), frames(Offloads { segmentation6: Some(65_549), ..sums }));
    assert!(whole * 4 < cut, "{whole} frames in place of {cut}");
}

#[test]
fn a_listener_of_both_sees_clients_of_ipv4_as_mapped() {
    let net = Net::new();
    let server = listening(&net.b, "[::]:80", false).unwrap();
    let (client, end, from) = connect(&net, &server, Family::Inet, "10.0.0.2:80");
    let SockAddr::Inet(from) = from else { panic!() };
    assert_eq!(from.ip().to_string(), "::ffff:10.0.0.1");
    assert_eq!((end.local(), end.kind().0), (Ok(addr("[::ffff:10.0.0.2]:80")), 10));
    carries(&net, &*client, &*end, 1000);
    let (client, _, _) = connect(&net, &server, Family::Inet6, "[::ffff:10.0.0.2]:80");
    assert_eq!(client.peer(), Ok(addr("[::ffff:10.0.0.2]:80")));
}

#[test]
fn ports_of_both_families_are_one_unless_only_ipv6_is_wanted() {
    let net = Net::new();
    let v4 = listener(&net.b, 80, 8);
    assert_eq!(listening(&net.b, "[::]:80", false).err(), Some(Errno::EADDRINUSE));
    assert_eq!(listening(&net.b, "[::ffff:0.0.0.0]:80", true).err(), Some(Errno::EINVAL));
    let only = listening(&net.b, "[::]:80", true).unwrap();
    assert_eq!(only.set_option(IPPROTO_IPV6, V6ONLY, &[0; 4]), Err(Errno::EINVAL), "it is bound");
    assert!(v4.accept().is_err());
    connect(&net, &only, Family::Inet6, "[fd00::2]:80");
    connect(&net, &v4, Family::Inet, "10.0.0.2:80");
    let client = TcpSocket::new(net.a.clone(), Family::Inet6Only);
    assert_eq!(client.connect(&addr("[::ffff:10.0.0.2]:80")), Err(Errno::ENETUNREACH));
    assert_eq!(client.option(IPPROTO_IPV6, V6ONLY), Ok(vec![1, 0, 0, 0]));
    let plain = TcpSocket::new(net.a.clone(), Family::Inet);
    assert_eq!(plain.set_option(IPPROTO_IPV6, V6ONLY, &[0; 4]), Err(Errno::ENOPROTOOPT));
    assert_eq!(plain.connect(&addr("[fd00::2]:80")), Err(Errno::EAFNOSUPPORT));
}

#[test]
fn who_is_not_there_refuses_or_cannot_be_reached() {
    let net = Net::new();
    let client = TcpSocket::new(net.a.clone(), Family::Inet6);
    assert_eq!(client.connect(&addr("[fd00::2]:81")), Err(Errno::EINPROGRESS));
    assert!(net.run(LONG, || client.connect(&addr("[fd00::2]:81")) == Err(Errno::ECONNREFUSED)));
    let far = TcpSocket::new(net.a.clone(), Family::Inet6);
    assert_eq!(far.connect(&addr("[2001:db8::1]:80")), Err(Errno::ENETUNREACH));
    assert_eq!(far.bind(&addr("[fd00::7]:80")), Err(Errno::EADDRNOTAVAIL));
    let udp = UdpSocket::new(net.a.clone(), Family::Inet6);
    udp.connect(&addr("[fd00::2]:9")).unwrap();
    udp.write(&mut &b"x"[..]).unwrap();
    net.sleep(Duration::from_secs(1));
    assert_eq!(udp.write(&mut &b"x"[..]), Err(Errno::ECONNREFUSED));
}

#[test]
fn the_loopback_has_both() {
    let stack: Stack = NetStack::new(None, Addressing::None, Addressing6::None, sim::cpus());
    let server = listening(&stack, "[::]:80", false).unwrap();
    for (family, to) in [
        (Family::Inet6, "[::1]:80"),
        (Family::Inet6, "[::]:80"),
        (Family::Inet, "127.0.0.1:80"),
        (Family::Inet6, "[::ffff:127.0.0.1]:80"),
    ] {
        let client = TcpSocket::new(stack.clone(), family);
        assert_eq!(client.connect(&addr(to)), Ok(()), "{to}");
        let (_, from) = server.accept().unwrap();
        assert_eq!(client.local(), Ok(in_family(family, from)));
    }
}

#[test]
fn datagrams_go_both_ways_with_what_they_ask_for() {
    let net = Net::new();
    let (a, b) = (bound(&net.a, "[::]:1000"), bound(&net.b, "[::]:2000"));
    for name in [51, 66] {
        set(&*b, IPPROTO_IPV6, name, 1);
    }
    let control = |kind, value: i32| Control { level: IPPROTO_IPV6, kind, data: value.to_ne_bytes().to_vec() };
    let asked = [control(52, 9), control(67, 0xb8)];
    let to = addr("[fd00::2]:2000");
    assert_eq!(a.send(&mut &b"x"[..], Some(&to), &mut Vec::new(), &asked, MsgFlags::empty()), Ok(1));
    net.sleep(Duration::from_secs(1));
    let mut buf = Vec::with_capacity(9);
    let received = b.recv(&mut buf, MsgFlags::empty()).unwrap();
    assert_eq!((received.from, received.control), (Some(addr("[fd00::1]:1000")), asked.to_vec()));
    // One of IPv4 comes to the same socket.
    let v4 = bound(&net.a, "10.0.0.1:7");
    send_to(&v4, b"y", "10.0.0.2:2000").unwrap();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv_from(&b, 9), Ok((b"y".to_vec(), addr("[::ffff:10.0.0.1]:7"))));
    send_to(&b, b"z", "[::ffff:10.0.0.1]:7").unwrap();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv_from(&v4, 9), Ok((b"z".to_vec(), addr("10.0.0.2:2000"))));
}

#[test]
fn a_router_gives_an_address_and_a_way_out() {
    let mut cable = Cable::default();
    (cable.ring, cable.tap) = (1000, Some(Vec::new()));
    let cable = Arc::new(Mutex::new(cable));
    let nic = sim::card(&cable, 0, Offloads::default());
    let stack: Stack = NetStack::new(Some(nic), Addressing::None, Addressing6::Auto, sim::cpus());
    let news = Arc::new(Mutex::new(Vec::new()));
    let seen = news.clone();
    stack.on_lease(move |addresses| seen.lock().unwrap().push((addresses[0].ipv6.clone(), addresses[0].dns.clone())));
    stack.poll();
    let far = TcpSocket::new(stack.clone(), Family::Inet6);
    assert_eq!(far.connect(&addr("[2001:db8:9::1]:80")), Err(Errno::ENETUNREACH));
    let frames = core::mem::take(cable.lock().unwrap().tap.as_mut().unwrap());
    let solicits = |frame: &Vec<u8>| {
        let frame = EthernetFrame::new_checked(&frame[..]).unwrap();
        let ip = Ipv6Packet::new_checked(frame.payload()).unwrap();
        ip.next_header() == IpProtocol::Icmpv6
            && Icmpv6Packet::new_checked(ip.payload()).unwrap().msg_type() == Icmpv6Message::RouterSolicit
    };
    assert_eq!(frames.iter().filter(|frame| solicits(frame)).count(), 1);
    cable.lock().unwrap().inject(0, advertisement(2, 1800));
    stack.poll();
    // Until nobody has said that the addresses are his.
    assert!(stack.interfaces()[1].ipv6.is_empty());
    sim::pass(Duration::from_secs(2));
    let own = Ipv6Cidr::new("2001:db8::ff:fe00:a".parse().unwrap(), 64);
    assert_eq!(
        news.lock().unwrap().last(),
        Some(&(vec![own], vec!["fd00::53".parse::<Ipv6Address>().unwrap().into()]))
    );
    assert_eq!(far.connect(&addr("[2001:db8:9::1]:80")), Err(Errno::EINPROGRESS));
    assert!(matches!(far.local(), Ok(SockAddr::Inet(at)) if at.ip() == own.address()));
    assert_eq!(stack.interfaces()[1].ipv6, [Ipv6Cidr::new("fe80::ff:fe00:a".parse().unwrap(), 64), own]);
    // From beyond the link it is no router's.
    cable.lock().unwrap().inject(0, advertisement(3, 1800));
    stack.poll();
    assert_eq!(stack.interfaces()[1].ipv6.len(), 2);
    sim::pass(Duration::from_secs(9000));
    assert_eq!(news.lock().unwrap().last(), Some(&(vec![], vec![])));
    assert_eq!(far.ready().bits() & 8, 8, "its address is gone");
}

/// A router's advertisement of 2001:db8::/64 and of a name server for so many seconds; the third one comes from far away.
pub(super) fn advertisement(number: u8, served: u32) -> Vec<u8> {
    let (from, to): (Ipv6Address, Ipv6Address) = ("fe80::1".parse().unwrap(), "ff02::1".parse().unwrap());
    let mut message = vec![134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend([3, 4, 64, 0xc0, 0, 0, 0x20, 0, 0, 0, 0x10, 0, 0, 0, 0, 0]);
    message.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, number - 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend([25, 3, 0, 0]);
    message.extend(served.to_be_bytes());
    message.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53]);
    let hop_limit = if number == 3 { 254 } else { 255 };
    let ip = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.len(),
        hop_limit,
    };
    let header = EthernetRepr {
        src_addr: EthernetAddress([2, 0, 0, 0, 0, 99]),
        dst_addr: EthernetAddress([0x33, 0x33, 0, 0, 0, 1]),
        ethertype: EthernetProtocol::Ipv6,
    };
    let mut bytes = vec![0; header.buffer_len() + IPV6_HEADER_LEN + message.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    let mut packet = Ipv6Packet::new_unchecked(frame.payload_mut());
    ip.emit(&mut packet);
    packet.payload_mut().copy_from_slice(&message);
    Icmpv6Packet::new_unchecked(packet.payload_mut()).fill_checksum(&from, &to);
    bytes
}
