//! A host that talks to itself.

use super::sim::{self, Net};
use super::*;
use crate::net::{Addressing, InterfaceInfo, NetStack};

/// Connects, sends 200 kB and checks them, inside one stack: nobody but the caller and timers drives it.
fn talk(stack: &Stack, listen_on: &str, to: &str) {
    let server = TcpSocket::new(stack.clone(), Family::Inet);
    server.bind(&addr(listen_on)).unwrap();
    server.listen(1).unwrap();
    let client = TcpSocket::new(stack.clone(), Family::Inet);
    assert_eq!(client.connect(&addr(to)), Ok(()));
    let (end, peer) = server.accept().unwrap();
    assert_eq!(Ok(peer), client.local());
    let data = pattern(200_000);
    let (mut sent, mut got) = (0, Vec::new());
    for _ in 0..100 {
        sent += send(&*client, &data[sent..]).unwrap_or(0);
        got.extend(recv(&*end, 50_000).unwrap_or_default());
        // An acknowledgement may wait for its timer.
        sim::pass(Duration::from_millis(1));
    }
    assert!(got == data, "{} sent, {} received", sent, got.len());
    server.close();
}

#[test]
fn a_host_without_a_card_reaches_itself() {
    let stack: Stack = NetStack::new(None, Addressing::None, Addressing6::None, sim::cpus());
    talk(&stack, "127.0.0.1:80", "127.0.0.1:80");
    talk(&stack, "0.0.0.0:81", "127.0.0.1:81");
    talk(&stack, "0.0.0.0:82", "0.0.0.0:82");
    talk(&stack, "0.0.0.0:83", "127.1.2.3:83");
    assert_eq!(TcpSocket::new(stack.clone(), Family::Inet).connect(&addr("10.0.0.1:80")), Err(Errno::ENETUNREACH));
    assert_eq!(TcpSocket::new(stack, Family::Inet).connect(&addr("127.0.0.1:99")), Err(Errno::ECONNREFUSED));
}

#[test]
fn a_host_reaches_itself_by_its_address_without_the_wire() {
    let net = Net::new();
    net.sleep(Duration::from_millis(1));
    let before = net.cable.lock().unwrap().frames;
    talk(&net.a, "0.0.0.0:80", "10.0.0.1:80");
    talk(&net.a, "10.0.0.1:81", "10.0.0.1:81");
    net.sleep(Duration::from_secs(1000));
    talk(&net.a, "127.0.0.1:82", "127.0.0.1:82");
    assert_eq!(net.cable.lock().unwrap().frames, before);
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
