//! Hosts with several cards.

use super::loss::echo;
use super::sim::Net;
use super::udp::{Udp, bound, recv_from, send_to};
use super::*;
use crate::net::udp::UdpSocket;
use crate::socket::Control;

/// SOL_SOCKET with SO_BINDTODEVICE; IPPROTO_IP with IP_PKTINFO.
const DEVICE: (i32, i32) = (1, 25);
const PKTINFO: (i32, i32) = (0, 8);

fn bind_to_device(socket: &dyn Socket<Sim>, name: &[u8]) -> Result<(), Errno> {
    socket.set_option(DEVICE.0, DEVICE.1, name)
}

/// A connection from one host to a port of another, whose server is bound to an address.
fn between(net: &Net, from: &Stack, to: &Stack, listen: &str, at: &str) -> (Tcp, End) {
    let family = if listen.starts_with('[') { Family::Inet6 } else { Family::Inet };
    let (server, client) = (TcpSocket::new(to.clone(), family), TcpSocket::new(from.clone(), family));
    server.bind(&addr(listen)).unwrap();
    server.listen(8).unwrap();
    assert!(matches!(client.connect(&addr(at)), Err(Errno::EINPROGRESS) | Ok(())));
    let mut accepted = None;
    assert!(
        net.run(LONG, || {
            accepted = accepted.take().or_else(|| server.accept().ok());
            accepted.is_some() && client.connect(&addr(at)) != Err(Errno::EALREADY)
        }),
        "{listen} {at}"
    );
    (client, accepted.unwrap().0)
}

/// The local address and the peer's, without the port of the client.
fn own(end: &dyn Socket<Sim>) -> String {
    let SockAddr::Inet(address) = end.local().unwrap() else { panic!() };
    address.ip().to_string()
}

/// Where a datagram came by: interface, own address, address sent to.
fn informed(socket: &Udp) -> (Vec<u8>, u32, [u8; 4], [u8; 4]) {
    let mut buf = Vec::with_capacity(100);
    let received = socket.recv(&mut buf, MsgFlags::empty()).unwrap();
    let [Control { data, .. }] = &received.control[..] else { panic!("{:?}", received.control) };
    let word = |at: usize| <[u8; 4]>::try_from(&data[at..at + 4]).unwrap();
    (buf, u32::from_ne_bytes(word(0)), word(4), word(8))
}

#[test]
fn each_card_is_an_interface() {
    let net = Net::with_cards(3, None);
    let seen: Vec<_> =
        net.a.interfaces().iter().map(|i| (i.name, i.index, i.address.unwrap().to_string(), i.ipv6.len())).collect();
    let expected =
        [("lo", 1, "127.0.0.1", 1), ("eth0", 2, "10.0.0.1", 2), ("eth1", 3, "10.0.1.1", 2), ("eth2", 4, "10.0.2.1", 2)];
    assert_eq!(seen, expected.map(|(name, index, address, v6)| (name, index, address.to_owned(), v6)));
    assert_eq!(net.a.counters().len(), 3);
}

#[test]
fn connections_use_the_card_that_leads_there() {
    let net = Net::with_cards(2, None);
    let c = &net.others[0].0;
    for (peer, at, from) in [(&net.b, "10.0.0.2:80", "10.0.0.1"), (c, "10.0.1.2:80", "10.0.1.1")] {
        let (client, server) = between(&net, &net.a, peer, "0.0.0.0:80", at);
        assert_eq!(own(&*client), from);
        echo(&net, &*client, &*server, &pattern(200_000));
    }
    for (peer, at, from) in [(&net.b, "[fd00::2]:81", "fd00::1"), (c, "[fd00:1::2]:81", "fd00:1::1")] {
        let (client, server) = between(&net, &net.a, peer, "[::]:81", at);
        assert_eq!(own(&*client), from);
        echo(&net, &*client, &*server, &pattern(20_000));
    }
    // And the other way: one listener hears both cards, and answers by the one that was asked.
    let server = listener(&net.a, 90, 8);
    for (peer, at) in [(&net.b, "10.0.0.1:90"), (c, "10.0.1.1:90")] {
        let client = connecting(peer, at);
        let mut accepted = None;
        assert!(net.run(LONG, || {
            accepted = accepted.take().or_else(|| server.accept().ok());
            accepted.is_some() && client.connect(&addr(at)) != Err(Errno::EALREADY)
        }));
        echo(&net, &*client, &*accepted.unwrap().0, &pattern(20_000));
    }
    let none = TcpSocket::new(net.a.clone(), Family::Inet);
    assert_eq!(none.connect(&addr("192.0.2.1:80")), Err(Errno::ENETUNREACH));
}

#[test]
fn the_first_card_with_a_router_leads_elsewhere() {
    let net = Net::with_cards(3, Some(1));
    for (at, from) in [("192.0.2.1:80", "10.0.1.1"), ("10.0.2.77:80", "10.0.2.1")] {
        assert_eq!(own(&*connecting(&net.a, at)), from);
    }
    net.others[0].1.lock().unwrap().tap = Some(Vec::new());
    assert_eq!(send_to(&bound(&net.a, "0.0.0.0:5"), b"far", "192.0.2.1:9"), Ok(3));
    net.sleep(Duration::from_secs(1));
    let tap = net.others[0].1.lock().unwrap().tap.take().unwrap();
    assert!(tap.iter().any(|frame| frame.ends_with(b"far")), "by the card with the router");
}

#[test]
fn all_addresses_of_the_host_are_the_host() {
    let net = Net::with_cards(2, None);
    let frames = |net: &Net| net.cable.lock().unwrap().frames + net.others[0].1.lock().unwrap().frames;
    let before = frames(&net);
    for (at, listen) in [("10.0.1.1:80", "0.0.0.0:80"), ("127.0.0.1:81", "0.0.0.0:81"), ("[fd00:1::1]:82", "[::]:82")] {
        let (client, server) = between(&net, &net.a, &net.a, listen, at);
        echo(&net, &*client, &*server, &pattern(20_000));
    }
    // From one card's address to another's.
    let (one, other) = (bound(&net.a, "10.0.0.1:7"), bound(&net.a, "10.0.1.1:8"));
    assert_eq!(send_to(&one, b"over", "10.0.1.1:8"), Ok(4));
    net.sleep(Duration::from_millis(10));
    assert_eq!(recv_from(&other, 9), Ok((b"over".to_vec(), addr("10.0.0.1:7"))));
    assert_eq!(send_to(&other, b"back", "10.0.0.1:7"), Ok(4));
    net.sleep(Duration::from_millis(10));
    assert_eq!(recv_from(&one, 9), Ok((b"back".to_vec(), addr("10.0.1.1:8"))));
    let server = listener(&net.a, 90, 8);
    let client = TcpSocket::new(net.a.clone(), Family::Inet);
    client.bind(&addr("10.0.0.1:0")).unwrap();
    assert!(matches!(client.connect(&addr("10.0.1.1:90")), Err(Errno::EINPROGRESS) | Ok(())));
    let mut accepted = None;
    assert!(net.run(Duration::from_secs(1), || {
        accepted = accepted.take().or_else(|| server.accept().ok());
        accepted.is_some()
    }));
    echo(&net, &*client, &*accepted.unwrap().0, &pattern(20_000));
    assert_eq!(own(&*client), "10.0.0.1");
    assert_eq!(frames(&net), before, "nothing of it is on a wire");
}

#[test]
fn a_datagram_tells_by_which_card_it_came() {
    let net = Net::with_cards(2, None);
    let c = &net.others[0].0;
    let server = bound(&net.a, "0.0.0.0:53");
    set(&*server, PKTINFO.0, PKTINFO.1, 1);
    for (peer, at, index, own) in [(&net.b, "10.0.0.1:53", 2, [10, 0, 0, 1]), (c, "10.0.1.1:53", 3, [10, 0, 1, 1])] {
        let client = bound(peer, "0.0.0.0:1000");
        assert_eq!(send_to(&client, b"who?", at), Ok(4));
        net.sleep(Duration::from_secs(1));
        assert_eq!(informed(&server), (b"who?".to_vec(), index, own, own));
        let back = if index == 2 { "10.0.0.2:1000" } else { "10.0.1.2:1000" };
        assert_eq!(send_to(&server, b"me", back), Ok(2));
        net.sleep(Duration::from_secs(1));
        assert_eq!(recv_from(&client, 9), Ok((b"me".to_vec(), addr(at))));
    }
    assert_eq!(send_to(&bound(&net.a, "0.0.0.0:9"), b"me", "10.0.1.1:53"), Ok(2));
    net.sleep(Duration::from_millis(10));
    assert_eq!(informed(&server).1, 1, "from this host");
}

#[test]
fn a_sender_may_say_by_which_card() {
    let net = Net::with_cards(2, None);
    let sender = bound(&net.a, "0.0.0.0:5");
    set(&*sender, 1, 6, 1);
    let hears: Vec<_> = [&net.b, &net.others[0].0].map(|stack| bound(stack, "0.0.0.0:7")).into();
    let send = |index: u32| {
        let data = [&index.to_ne_bytes()[..], &[0; 8]].concat();
        let control = Control { level: PKTINFO.0, kind: PKTINFO.1, data };
        let to = addr("255.255.255.255:7");
        sender.send(&mut &b"all"[..], Some(&to), &mut Vec::new(), &[control], MsgFlags::empty())
    };
    let heard = |net: &Net| {
        net.sleep(Duration::from_secs(1));
        [0, 1].map(|host: usize| recv_from(&hears[host], 9).ok().map(|(_, from)| from))
    };
    assert_eq!(send(2), Ok(3));
    assert_eq!(heard(&net), [Some(addr("10.0.0.1:5")), None]);
    assert_eq!(send(3), Ok(3));
    assert_eq!(heard(&net), [None, Some(addr("10.0.1.1:5"))]);
    assert_eq!(send(4), Err(Errno::ENODEV));
    assert_eq!(send_to(&sender, b"net", "10.0.1.255:7"), Ok(3));
    assert_eq!(heard(&net), [None, Some(addr("10.0.1.1:5"))]);
}

#[test]
fn a_socket_is_bound_to_a_card() {
    let net = Net::with_cards(2, Some(0));
    let c = &net.others[0].0;
    let socket = bound(&net.a, "0.0.0.0:53");
    assert_eq!(socket.option(DEVICE.0, DEVICE.1), Ok(Vec::new()));
    assert_eq!(bind_to_device(&*socket, b"eth2\0"), Err(Errno::ENODEV));
    assert_eq!(bind_to_device(&*socket, b"eth1\0"), Ok(()));
    assert_eq!(socket.option(DEVICE.0, DEVICE.1), Ok(b"eth1\0".to_vec()));
    for (peer, at) in [(&net.b, "10.0.0.1:53"), (c, "10.0.1.1:53")] {
        assert_eq!(send_to(&bound(peer, "0.0.0.0:5"), b"who?", at), Ok(4));
    }
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv_from(&socket, 9), Ok((b"who?".to_vec(), addr("10.0.1.2:5"))));
    assert_eq!(recv_from(&socket, 9), Err(Errno::EAGAIN));
    assert_eq!(send_to(&socket, b"x", "192.0.2.1:9"), Err(Errno::ENETUNREACH), "the router is another card's");
    assert_eq!(bind_to_device(&*socket, b""), Ok(()));
    assert_eq!(send_to(&socket, b"x", "192.0.2.1:9"), Ok(1));
    // A listener.
    let server = TcpSocket::new(net.a.clone(), Family::Inet);
    bind_to_device(&*server, b"eth1").unwrap();
    server.bind(&addr("0.0.0.0:80")).unwrap();
    server.listen(8).unwrap();
    let [refused, taken] = [(&net.b, "10.0.0.1:80"), (c, "10.0.1.1:80")].map(|(peer, at)| connecting(peer, at));
    net.sleep(Duration::from_secs(1));
    assert_eq!([so_error(&*refused), so_error(&*taken)], [Errno::ECONNREFUSED as i32, 0]);
    assert!(server.accept().is_ok() && server.accept().is_err());
    bind_to_device(&*server, b"eth0").unwrap();
    let [taken, refused] = [(&net.b, "10.0.0.1:80"), (c, "10.0.1.1:80")].map(|(peer, at)| connecting(peer, at));
    net.sleep(Duration::from_secs(1));
    assert_eq!([so_error(&*taken), so_error(&*refused)], [0, Errno::ECONNREFUSED as i32]);
}

#[test]
fn groups_are_those_of_a_card() {
    let net = Net::with_cards(2, None);
    let c = &net.others[0].0;
    let member = bound(&net.a, "0.0.0.0:7");
    let join = |interface: [u8; 4]| member.set_option(0, 35, &[[239, 1, 2, 3], interface].concat());
    let heard = |net: &Net| {
        for peer in [&net.b, c] {
            assert_eq!(send_to(&bound(peer, "0.0.0.0:5"), b"all", "239.1.2.3:7"), Ok(3));
        }
        net.sleep(Duration::from_secs(1));
        let all: Vec<_> = core::iter::from_fn(|| recv_from(&member, 9).ok()).map(|(_, from)| from).collect();
        all
    };
    assert_eq!(join([10, 0, 1, 1]), Ok(()));
    assert_eq!(heard(&net), [addr("10.0.1.2:5")]);
    assert_eq!((join([0; 4]), join([10, 0, 1, 1])), (Ok(()), Err(Errno::EADDRINUSE)));
    assert_eq!(heard(&net), [addr("10.0.0.2:5"), addr("10.0.1.2:5")]);
    // IP_MULTICAST_IF.
    let sender = UdpSocket::new(net.a.clone(), Family::Inet);
    net.others[0].1.lock().unwrap().tap = Some(Vec::new());
    sender.set_option(0, 32, &[10, 0, 1, 1]).unwrap();
    assert_eq!(send_to(&sender, b"group", "239.9.9.9:7"), Ok(5));
    net.sleep(Duration::from_millis(10));
    let tap = net.others[0].1.lock().unwrap().tap.take().unwrap();
    assert!(tap.iter().any(|frame| frame.ends_with(b"group")));
}

#[test]
fn an_address_of_a_link_is_of_the_link_that_it_says() {
    let net = Net::with_cards(2, None);
    let server = bound(&net.others[0].0, "[::]:7");
    let client = bound(&net.a, "[::]:5");
    let to = |scope: u32| {
        let peer: core::net::SocketAddrV6 = format!("[fe80::ff:fe00:10b%{scope}]:7").parse().unwrap();
        let to = SockAddr::Inet(peer.into());
        client.send(&mut &b"x"[..], Some(&to), &mut Vec::new(), &[], MsgFlags::empty())
    };
    assert_eq!((to(4), to(3)), (Err(Errno::ENODEV), Ok(1)));
    net.sleep(Duration::from_secs(2));
    let (_, from) = recv_from(&server, 9).unwrap();
    assert_eq!(from, addr("[fe80::ff:fe00:10a%2]:5"));
    assert_eq!(server.send(&mut &b"y"[..], Some(&from), &mut Vec::new(), &[], MsgFlags::empty()), Ok(1));
    net.sleep(Duration::from_secs(2));
    assert_eq!(recv_from(&client, 9).unwrap().1, addr("[fe80::ff:fe00:10b%3]:7"));
}

#[test]
fn a_card_that_is_cut_off_does_not_hold_up_the_other() {
    let net = Net::with_cards(2, None);
    let c = &net.others[0].0;
    let (good, good_server) = between(&net, &net.a, c, "0.0.0.0:80", "10.0.1.2:80");
    let (stuck, stuck_server) = between(&net, &net.a, &net.b, "0.0.0.0:80", "10.0.0.2:80");
    // A ring without room.
    net.cable.lock().unwrap().ring = 0;
    assert!(send(&*stuck, &pattern(10_000)).is_ok());
    echo(&net, &*good, &*good_server, &pattern(100_000));
    net.cable.lock().unwrap().ring = 64;
    net.sleep(Duration::from_secs(5));
    assert_eq!(recv(&*stuck_server, 10_000).map(|data| !data.is_empty()), Ok(true));
}
