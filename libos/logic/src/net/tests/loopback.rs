//! A host that talks to itself.

use super::sim::{self, Net};
use super::*;
use crate::net::{Addressing, InterfaceInfo, NetStack};

/// A connection inside one stack: nobody but the caller and timers drives it.
fn connected(stack: &Stack, listen_on: &str, to: &str) -> (Tcp, End) {
    let server = TcpSocket::new(stack.clone(), Family::Inet);
    server.bind(&addr(&format!("{listen_on}:0"))).unwrap();
    server.listen(1).unwrap();
    let SockAddr::Inet(own) = server.local().unwrap() else { panic!() };
    let client = TcpSocket::new(stack.clone(), Family::Inet);
    assert_eq!(client.connect(&addr(&format!("{to}:{}", own.port()))), Ok(()));
    let (end, peer) = server.accept().unwrap();
    assert_eq!(Ok(peer), client.local());
    server.close();
    (client, end)
}

/// Connects, sends 200 kB and checks them.
fn talk(stack: &Stack, listen_on: &str, to: &str) {
    let (client, end) = connected(stack, listen_on, to);
    let data = pattern(200_000);
    let (mut sent, mut got) = (0, Vec::new());
    for _ in 0..100 {
        sent += send(&*client, &data[sent..]).unwrap_or(0);
        got.extend(recv(&*end, 50_000).unwrap_or_default());
        // An acknowledgement may wait for its timer.
        sim::pass(Duration::from_millis(1));
    }
    assert!(got == data, "{} sent, {} received", sent, got.len());
}

/// Moves data one way, written and read in pieces of so many bytes: how long that waits, since nothing else takes time here.
fn wait_of_transfer(stack: &Stack, len: usize, writes: usize, reads: usize) -> Duration {
    let (client, end) = connected(stack, "127.0.0.1", "127.0.0.1");
    let (data, begun) = (pattern(len), Sim::now());
    let (mut sent, mut got) = (0, Vec::new());
    while got.len() < len {
        let before = (sent, got.len());
        while let Ok(more @ 1..) = send(&*client, &data[sent..len.min(sent + writes)]) {
            sent += more;
        }
        while let Ok(more) = recv(&*end, reads) {
            got.extend(more);
        }
        // What the softirq has to do now takes no time.
        let idle = before == (sent, got.len());
        sim::pass(if idle { Duration::from_micros(100) } else { Duration::ZERO });
        assert!(Sim::now() < begun + LONG, "{sent} sent, {} received", got.len());
    }
    assert!(got == data);
    Sim::now() - begun
}

#[test]
fn a_host_without_a_card_reaches_itself() {
    let stack: Stack = NetStack::new(None, Addressing::None, Addressing6::None, sim::cpus());
    talk(&stack, "127.0.0.1", "127.0.0.1");
    talk(&stack, "0.0.0.0", "127.0.0.1");
    talk(&stack, "0.0.0.0", "0.0.0.0");
    talk(&stack, "0.0.0.0", "127.1.2.3");
    assert_eq!(TcpSocket::new(stack.clone(), Family::Inet).connect(&addr("10.0.0.1:80")), Err(Errno::ENETUNREACH));
    assert_eq!(TcpSocket::new(stack, Family::Inet).connect(&addr("127.0.0.1:99")), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_host_reaches_itself_by_its_address_without_the_wire() {
    let net = Net::new();
    net.sleep(Duration::from_millis(1));
    let before = net.cable.lock().unwrap().frames;
    talk(&net.a, "0.0.0.0", "10.0.0.1");
    talk(&net.a, "10.0.0.1", "10.0.0.1");
    net.sleep(Duration::from_secs(1000));
    talk(&net.a, "127.0.0.1", "127.0.0.1");
    assert_eq!(net.cable.lock().unwrap().frames, before);
}

#[test]
fn a_transfer_waits_for_nobody() {
    let net = Net::new();
    let without_card: Stack = NetStack::new(None, Addressing::None, Addressing6::None, sim::cpus());
    for stack in [&net.a, &without_card] {
        for (len, writes, reads) in
            [(8 << 20, 1 << 20, 1 << 20), (8 << 20, 1 << 20, 1460), (1 << 20, 1000, 100_000), (1 << 20, 100, 1460)]
        {
            assert_eq!(wait_of_transfer(stack, len, writes, reads), Duration::ZERO, "{writes} {reads}");
        }
    }
}

#[test]
fn an_answer_to_a_request_in_pieces_waits_for_nobody() {
    let stack: Stack = NetStack::new(None, Addressing::None, Addressing6::None, sim::cpus());
    let (client, end) = connected(&stack, "127.0.0.1", "127.0.0.1");
    let begun = Sim::now();
    for _ in 0..10 {
        for piece in [&b"header"[..], b"body", b"end"] {
            assert_eq!(send(&*client, piece), Ok(piece.len()));
            assert_eq!(recv(&*end, 100).unwrap(), piece);
            assert_eq!(recv(&*end, 100), Err(Errno::EAGAIN));
        }
        assert_eq!(send(&*end, b"answer"), Ok(6));
        assert_eq!(recv(&*client, 100).unwrap(), b"answer");
    }
    assert_eq!(Sim::now(), begun);
}

#[test]
fn segments_are_as_long_as_packets_can_be() {
    let net = Net::new();
    let sent = || (0..net.a.shards()).map(|shard| net.a.on(shard).look(|inner| inner.link.wire.sent())).sum::<u64>();
    let before = sent();
    wait_of_transfer(&net.a, 8 << 20, 1 << 20, 1 << 20);
    let frames = sent() - before;
    assert!(frames < 1000, "{frames}");
}

#[test]
fn services_on_the_loopback_are_not_seen_from_outside() {
    let net = Net::new();
    let server = TcpSocket::new(net.b.clone(), Family::Inet);
    server.bind(&addr("127.0.0.1:80")).unwrap();
    server.listen(1).unwrap();
    let client = connecting(&net.a, "10.0.0.2:80");
    net.sleep(Duration::from_secs(1));
    assert_eq!(client.connect(&addr("10.0.0.2:80")), Err(Errno::ECONNREFUSED));
}

#[test]
fn listeners_on_different_addresses_share_a_port() {
    let net = Net::new();
    let listen = |on: &str| {
        let server = TcpSocket::new(net.a.clone(), Family::Inet);
        server.bind(&addr(on)).unwrap();
        server.listen(1).unwrap();
        server
    };
    let (inside, outside) = (listen("127.0.0.1:80"), listen("10.0.0.1:80"));
    let client = TcpSocket::new(net.a.clone(), Family::Inet);
    client.connect(&addr("10.0.0.1:80")).unwrap();
    assert!(inside.accept().is_err() && outside.accept().is_ok());
}

#[test]
fn interfaces_are_listed() {
    let net = Net::new();
    let found = net.a.interfaces();
    let names: Vec<_> = found.iter().map(|i| (i.name, i.index, i.flags, i.address.unwrap().to_string())).collect();
    assert_eq!(names, [("lo", 1, 0x49, "127.0.0.1".into()), ("eth0", 2, 0x1043, "10.0.0.1".into())]);
    assert_eq!(found.iter().map(InterfaceInfo::broadcast).collect::<Vec<_>>(), [None, Some([10, 0, 0, 255].into())]);
    assert!(matches!(found[0], InterfaceInfo { mac: [0, 0, 0, 0, 0, 0], prefix: 8, mtu: 65536, .. }));
    assert!(matches!(found[1], InterfaceInfo { mac: [2, 0, 0, 0, 0, 10], prefix: 24, mtu: 1500, .. }));
}
