//! What UDP sockets promise.

use super::sim::Net;
use super::*;
use crate::net::udp::UdpSocket;
use crate::socket::Control;

pub type Udp = Arc<UdpSocket<Sim>>;

/// A socket of the address's family, bound to it.
pub fn bound(stack: &Stack, to: &str) -> Udp {
    let family = if to.starts_with('[') { Family::Inet6 } else { Family::Inet };
    let socket = UdpSocket::new(stack.clone(), family);
    socket.bind(&addr(to)).unwrap();
    socket
}

pub fn send_to(socket: &Udp, data: &[u8], to: &str) -> Result<usize, Errno> {
    socket.send(&mut &data[..], Some(&addr(to)), &mut Vec::new(), &[], MsgFlags::empty())
}

pub fn recv_from(socket: &Udp, room: usize) -> Result<(Vec<u8>, SockAddr), Errno> {
    let mut buf = Vec::with_capacity(room);
    let received = socket.recv(&mut buf, MsgFlags::empty())?;
    Ok((buf, received.from.unwrap()))
}

#[test]
fn datagrams_are_echoed() {
    let net = Net::new();
    let (client, server) = (UdpSocket::new(net.a.clone(), Family::Inet), bound(&net.b, "0.0.0.0:53"));
    assert_eq!((client.ready(), server.ready()), (Ready::WRITABLE, Ready::WRITABLE));
    assert_eq!(send_to(&client, b"who?", "10.0.0.2:53"), Ok(4));
    net.sleep(Duration::from_secs(1));
    assert_eq!(server.ready(), Ready::READABLE | Ready::WRITABLE);
    let (data, from) = recv_from(&server, 100).unwrap();
    assert_eq!(data, b"who?");
    let SockAddr::Inet(from) = from else { panic!() };
    assert_eq!(send_to(&server, b"me", &from.to_string()), Ok(2));
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv_from(&client, 100), Ok((b"me".to_vec(), addr("10.0.0.2:53"))));
    assert_eq!(recv_from(&client, 100), Err(Errno::EAGAIN));
}

#[test]
fn datagrams_keep_their_borders_and_lose_what_does_not_fit() {
    let net = Net::new();
    let (a, b) = (bound(&net.a, "127.0.0.1:1000"), bound(&net.a, "127.0.0.1:2000"));
    for data in [&b"first"[..], b"", b"second"] {
        assert_eq!(send_to(&a, data, "127.0.0.1:2000"), Ok(data.len()));
    }
    let mut buf = Vec::with_capacity(3);
    let peeked = b.recv(&mut buf, MsgFlags::PEEK | MsgFlags::TRUNC).unwrap();
    assert_eq!((peeked.len, peeked.truncated, &buf[..]), (5, true, &b"fir"[..]));
    let mut buf = Vec::with_capacity(3);
    let got = b.recv(&mut buf, MsgFlags::empty()).unwrap();
    assert_eq!((got.len, got.truncated), (3, true));
    assert_eq!(recv_from(&b, 9), Ok((vec![], addr("127.0.0.1:1000"))));
    assert_eq!(recv_from(&b, 9).unwrap().0, b"second");
}

#[test]
fn a_connected_socket_hears_only_its_peer() {
    let net = Net::new();
    let (a, b, c) = (bound(&net.a, "0.0.0.0:1"), bound(&net.a, "0.0.0.0:2"), bound(&net.a, "0.0.0.0:3"));
    assert_eq!(a.peer(), Err(Errno::ENOTCONN));
    assert_eq!(a.write(&mut &b"x"[..]), Err(Errno::EDESTADDRREQ));
    a.connect(&addr("127.0.0.1:2")).unwrap();
    assert_eq!((a.peer(), a.local()), (Ok(addr("127.0.0.1:2")), Ok(addr("127.0.0.1:1"))));
    send_to(&c, b"noise", "127.0.0.1:1").unwrap();
    assert_eq!(a.ready(), Ready::WRITABLE);
    send_to(&b, b"signal", "127.0.0.1:1").unwrap();
    assert_eq!(recv_from(&a, 9).unwrap().0, b"signal");
    assert_eq!(a.write(&mut &b"back"[..]), Ok(4));
    assert_eq!(recv_from(&b, 9), Ok((b"back".to_vec(), addr("127.0.0.1:1"))));
    a.connect(&SockAddr::Unspecified).unwrap();
    send_to(&c, b"noise", "127.0.0.1:1").unwrap();
    assert_eq!(recv_from(&a, 9).unwrap().0, b"noise");
}

#[test]
fn the_longest_datagrams_arrive() {
    let net = Net::new();
    for (any, to, own, here) in
        [("0.0.0.0:1", "10.0.0.2:1", "0.0.0.0:2", "127.0.0.1:2"), ("[::]:3", "[fd00::2]:3", "[::]:4", "[::1]:4")]
    {
        let (a, b, own) = (bound(&net.a, any), bound(&net.b, any), bound(&net.a, own));
        for len in [1452, 1453, 1472, 1473, 8164, 8165, 65_507] {
            let data = pattern(len);
            assert_eq!(send_to(&a, &data, to), Ok(len), "{to} {len}");
            net.sleep(Duration::from_secs(1));
            assert!(recv_from(&b, 65_536).is_ok_and(|(got, _)| got == data), "{to} {len}");
        }
        assert_eq!(send_to(&a, &pattern(65_508), to), Err(Errno::EMSGSIZE));
        assert_eq!(send_to(&a, &pattern(65_507), here), Ok(65_507));
        assert!(recv_from(&own, 65_536).is_ok_and(|(got, _)| got == pattern(65_507)));
    }
}

#[test]
fn broadcasts_need_permission() {
    let net = Net::new();
    let (a, b) = (bound(&net.a, "0.0.0.0:1"), bound(&net.b, "0.0.0.0:2"));
    for to in ["255.255.255.255:2", "10.0.0.255:2"] {
        assert_eq!(send_to(&a, b"all", to), Err(Errno::EACCES));
    }
    a.set_option(1, 6, &1i32.to_ne_bytes()).unwrap();
    for to in ["255.255.255.255:2", "10.0.0.255:2"] {
        assert_eq!(send_to(&a, b"all", to), Ok(3));
        net.sleep(Duration::from_secs(1));
        assert_eq!(recv_from(&b, 9), Ok((b"all".to_vec(), addr("10.0.0.1:1"))));
    }
    assert_eq!(send_to(&a, b"x", "192.0.2.1:2"), Err(Errno::ENETUNREACH));
}

#[test]
fn a_closed_sockets_last_datagram_still_leaves() {
    let net = Net::new();
    let (a, b) = (UdpSocket::new(net.a.clone(), Family::Inet), bound(&net.b, "0.0.0.0:2"));
    // It waits for the answer to ARP.
    send_to(&a, b"bye", "10.0.0.2:2").unwrap();
    a.close();
    net.sleep(Duration::from_secs(5));
    assert_eq!(recv_from(&b, 9).unwrap().0, b"bye");
    assert_eq!(net.a.sockets(), 0);
}

#[test]
fn a_receiver_that_does_not_read_costs_only_datagrams() {
    let net = Net::new();
    let (a, b) = (bound(&net.a, "127.0.0.1:1"), bound(&net.a, "127.0.0.1:2"));
    for _ in 0..500 {
        assert_eq!(send_to(&a, &[7; 1000], "127.0.0.1:2"), Ok(1000));
    }
    let mut got = 0;
    while recv_from(&b, 1000).is_ok() {
        got += 1;
    }
    assert!((60..=128).contains(&got), "{got}");
    send_to(&a, b"again", "127.0.0.1:2").unwrap();
    assert_eq!(recv_from(&b, 9).unwrap().0, b"again");
}

#[test]
fn nobody_there_is_told_to_who_is_connected() {
    let net = Net::new();
    let (a, stranger) = (UdpSocket::new(net.a.clone(), Family::Inet), bound(&net.a, "0.0.0.0:9"));
    for to in ["10.0.0.2:7", "127.0.0.1:7"] {
        a.connect(&addr(to)).unwrap();
        send_to(&stranger, b"anyone?", to).unwrap();
        a.write(&mut &b"anyone?"[..]).unwrap();
        net.sleep(Duration::from_secs(1));
        assert_eq!(a.ready(), Ready::WRITABLE | Ready::ERR);
        assert_eq!(recv_from(&a, 9), Err(Errno::ECONNREFUSED));
        assert_eq!(recv_from(&a, 9), Err(Errno::EAGAIN));
        a.write(&mut &b"again"[..]).unwrap();
        net.sleep(Duration::from_secs(1));
        assert_eq!((so_error(&*a), so_error(&*a)), (Errno::ECONNREFUSED as i32, 0));
        a.write(&mut &b"and again"[..]).unwrap();
        net.sleep(Duration::from_secs(1));
        assert_eq!(a.write(&mut &b"no"[..]), Err(Errno::ECONNREFUSED));
        assert_eq!((stranger.ready(), recv_from(&stranger, 9)), (Ready::WRITABLE, Err(Errno::EAGAIN)));
    }
}

/// The ancillary data that came with the next datagram.
fn told(socket: &Udp) -> Vec<(i32, Vec<u8>)> {
    let received = socket.recv(&mut Vec::with_capacity(9), MsgFlags::empty()).unwrap();
    received.control.into_iter().map(|control| (control.kind, control.data)).collect()
}

#[test]
fn type_of_service_and_time_to_live_travel() {
    const TOS: i32 = 1;
    const TTL: i32 = 2;
    let net = Net::new();
    let (a, b) = (bound(&net.a, "0.0.0.0:1"), bound(&net.b, "0.0.0.0:2"));
    let ask = |control: &[Control]| {
        let sent = a.send(&mut &b"x"[..], Some(&addr("10.0.0.2:2")), &mut Vec::new(), control, MsgFlags::empty());
        net.sleep(Duration::from_secs(1));
        sent
    };
    let control = |kind, data: &[u8]| Control { level: 0, kind, data: data.to_vec() };
    ask(&[]).unwrap();
    assert_eq!(told(&b), []);
    set(&*b, 0, 12, 1);
    set(&*b, 0, 13, 1);
    ask(&[]).unwrap();
    assert_eq!(told(&b), [(TTL, 64i32.to_ne_bytes().to_vec()), (TOS, vec![0])]);
    set(&*a, 0, TOS, 0x10);
    set(&*a, 0, TTL, 9);
    ask(&[]).unwrap();
    assert_eq!(told(&b), [(TTL, 9i32.to_ne_bytes().to_vec()), (TOS, vec![0x10])]);
    ask(&[control(TOS, &8i32.to_ne_bytes()), control(TTL, &255i32.to_ne_bytes())]).unwrap();
    assert_eq!(told(&b), [(TTL, 255i32.to_ne_bytes().to_vec()), (TOS, vec![8])]);
    ask(&[control(TOS, &[3])]).unwrap();
    assert_eq!(told(&b), [(TTL, 9i32.to_ne_bytes().to_vec()), (TOS, vec![3])]);
    for bad in [control(TTL, &0i32.to_ne_bytes()), control(TTL, &[1]), control(TOS, &[]), control(99, &[0; 4])] {
        assert_eq!(ask(&[bad]), Err(Errno::EINVAL));
    }
}

#[test]
fn who_asked_most_closely_has_the_datagram() {
    let net = Net::new();
    let shared = |to: &str| {
        let socket = UdpSocket::new(net.b.clone(), Family::Inet);
        set(&*socket, 1, 2, 1);
        socket.bind(&addr(to)).unwrap();
        socket
    };
    let (any, own, late) = (shared("0.0.0.0:7"), shared("10.0.0.2:7"), shared("0.0.0.0:7"));
    let connected = shared("0.0.0.0:7");
    connected.connect(&addr("10.0.0.1:5")).unwrap();
    let (peer, other) = (bound(&net.a, "0.0.0.0:5"), bound(&net.a, "0.0.0.0:6"));
    let waiting = |from: &Udp, to: &str| {
        set(&**from, 1, 6, 1);
        send_to(from, b"x", to).unwrap();
        net.sleep(Duration::from_secs(1));
        [&any, &own, &late, &connected].map(|socket| recv_from(socket, 9).is_ok())
    };
    assert_eq!(waiting(&other, "10.0.0.2:7"), [false, true, false, false]);
    assert_eq!(waiting(&other, "10.0.0.255:7"), [true, false, true, false]);
    assert_eq!(waiting(&peer, "10.0.0.255:7"), [true, false, true, true]);
    own.close();
    assert_eq!(waiting(&peer, "10.0.0.2:7"), [false, false, false, true]);
    assert_eq!(waiting(&other, "10.0.0.2:7"), [false, false, true, false]);
}
