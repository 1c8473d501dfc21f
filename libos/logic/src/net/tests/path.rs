//! Ways that carry shorter packets than the wire, and who lies about them.

use super::sim::{Faults, Net, too_big};
use super::*;
use crate::net::device::Offloads;
use smoltcp::wire::{IpProtocol, Ipv4Packet, Ipv6Packet};

const CARDS: [Offloads; 2] = [
    Offloads { checksum: false, segmentation: None, segmentation6: None },
    Offloads { checksum: true, segmentation: Some(65_549), segmentation6: Some(65_549) },
];

/// A connection from host a to host b over either version.
fn connected(net: &Net, v6: bool, port: u16) -> (Tcp, End) {
    let (family, at, to) =
        if v6 { (Family::Inet6, "[::]", "[fd00::2]") } else { (Family::Inet, "0.0.0.0", "10.0.0.2") };
    let server = TcpSocket::new(net.b.clone(), family);
    server.bind(&addr(&format!("{at}:{port}"))).unwrap();
    server.listen(8).unwrap();
    let client = TcpSocket::new(net.a.clone(), family);
    assert_eq!(client.connect(&addr(&format!("{to}:{port}"))), Err(Errno::EINPROGRESS));
    let mut accepted = None;
    assert!(net.run(LONG, || {
        accepted = server.accept().ok();
        accepted.is_some()
    }));
    (client, accepted.unwrap().0)
}

/// Bytes of the longest packet of TCP that was sent since the last call.
fn longest(net: &Net) -> usize {
    let frames = net.cable.lock().unwrap().tap.replace(Vec::new()).unwrap_or_default();
    frames.iter().filter(|frame| transport(frame).is_some()).map(|frame| frame.len() - 14).max().unwrap_or(0)
}

/// Where the TCP header of a frame begins.
fn transport(frame: &[u8]) -> Option<usize> {
    let tcp = |next, header: usize| (next == IpProtocol::Tcp).then_some(14 + header);
    match frame[14] >> 4 {
        4 => Ipv4Packet::new_checked(&frame[14..]).ok().and_then(|ip| tcp(ip.next_header(), ip.header_len().into())),
        6 => Ipv6Packet::new_checked(&frame[14..]).ok().and_then(|ip| tcp(ip.next_header(), 40)),
        _ => None,
    }
}

#[test]
fn segments_become_as_short_as_the_way_is_narrow() {
    for (v6, narrow) in [(false, 1400), (false, 600), (true, 1280)] {
        for offloads in CARDS {
            let net = Net::between([offloads; 2], Faults::default(), 1);
            net.cable.lock().unwrap().narrow = Some(narrow);
            let (client, end) = connected(&net, v6, 80);
            let took = carry(&net, &*client, &*end, 300_000);
            assert!(took < Duration::from_millis(500), "{v6} {narrow} {offloads:?}: {took:?}");
            // What is known is known to the next connection, both ways.
            longest(&net);
            let (client, end) = connected(&net, v6, 81);
            carry(&net, &*client, &*end, 100_000);
            assert_eq!(longest(&net), narrow, "{v6} {offloads:?}");
            let took = carry(&net, &*end, &*client, 100_000);
            assert!(took < Duration::from_millis(500), "{took:?}");
        }
    }
}

#[test]
fn a_router_that_does_not_say_is_understood() {
    let net = Net::new();
    let (client, end) = connected(&net, false, 80);
    longest(&net);
    carry(&net, &*client, &*end, 10_000);
    assert_eq!(longest(&net), 1500);
    for expected in [1492, 1006, 552, 552] {
        while_under_way(&net, &*client, &*end, || quote(&net, 0, |frame| frame));
        carry(&net, &*client, &*end, 10_000);
        assert_eq!(longest(&net), expected);
    }
}

/// Does something while segments are under way that do not arrive, and lets them be sent again.
fn while_under_way(net: &Net, from: &dyn Socket<Sim>, to: &dyn Socket<Sim>, act: impl FnOnce()) {
    // What was sent before is acknowledged by then, and the congestion window not full.
    net.sleep(Duration::from_secs(1));
    net.cable.lock().unwrap().cut = true;
    send(from, &pattern(5000)).unwrap();
    act();
    net.cable.lock().unwrap().cut = false;
    let mut got = 0;
    assert!(net.run(LONG, || {
        got += recv(to, 10_000).map_or(0, |more| more.len());
        got == 5000
    }));
    longest(net);
}

/// A router's complaint about a segment that is under way from host a, as `change` makes it.
fn quote(net: &Net, mtu: u32, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut cable = net.cable.lock().unwrap();
    let at = |frame: &&Vec<u8>| transport(frame).is_some_and(|at| frame.len() > at + 20);
    let last = cable
        .tap
        .as_ref()
        .and_then(|tap| tap.iter().filter(at).max_by_key(|frame| frame.len()))
        .cloned()
        .expect("a segment with data");
    let message = too_big(&change(last), mtu);
    cable.inject(0, message);
    drop(cable);
    net.run(Duration::from_micros(1), || false);
}

#[test]
fn who_does_not_see_the_connection_is_not_believed() {
    for v6 in [false, true] {
        let net = Net::new();
        let (client, end) = connected(&net, v6, 80);
        longest(&net);
        carry(&net, &*client, &*end, 10_000);
        net.sleep(Duration::from_secs(1));
        // Everything is acknowledged: nothing can have been too long.
        quote(&net, 1300, |frame| frame);
        let add = |field: usize, more: u32| {
            move |mut frame: Vec<u8>| {
                let at = transport(&frame).unwrap() + field;
                let number = u32::from_be_bytes(frame[at..at + 4].try_into().unwrap()).wrapping_add(more);
                frame[at..at + 4].copy_from_slice(&number.to_be_bytes());
                frame
            }
        };
        while_under_way(&net, &*client, &*end, || {
            // Ports, and numbers before and behind.
            for (field, more) in [(0, 1), (0, 1 << 16), (4, 100_000), (4, 0u32.wrapping_sub(100_000)), (4, 1 << 31)] {
                quote(&net, 1300, add(field, more));
            }
            // What is no news, and what no link can want.
            for told in [1500, 9000, u32::from(u16::MAX)] {
                quote(&net, told, |frame| frame);
            }
            if v6 {
                [0, 68, 1279, u32::MAX].into_iter().for_each(|told| quote(&net, told, |frame| frame));
            }
        });
        carry(&net, &*client, &*end, 10_000);
        assert_eq!(longest(&net), 1500, "{v6}");
        // Who sees it is, but not below what every link carries.
        while_under_way(&net, &*client, &*end, || quote(&net, if v6 { 1280 } else { 1 }, |frame| frame));
        carry(&net, &*client, &*end, 10_000);
        assert_eq!(longest(&net), if v6 { 1280 } else { 552 });
    }
}

#[test]
fn a_way_may_become_wide_again() {
    let net = Net::new();
    net.cable.lock().unwrap().narrow = Some(1000);
    let (client, end) = connected(&net, false, 80);
    carry(&net, &*client, &*end, 10_000);
    net.cable.lock().unwrap().narrow = None;
    longest(&net);
    carry(&net, &*client, &*end, 10_000);
    assert_eq!(longest(&net), 1000);
    net.sleep(Duration::from_secs(601));
    longest(&net);
    carry(&net, &*client, &*end, 10_000);
    assert_eq!(longest(&net), 1500);
}
