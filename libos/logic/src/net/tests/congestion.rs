//! How much leaves at once, and how long that makes transfers take.

use super::sim::{Faults, Net};
use super::*;
use crate::net::device::Offloads;

/// TCP_CONGESTION.
const CONGESTION: (i32, i32) = (6, 13);

/// A wire with a round trip of so long.
fn long_wire(milliseconds: u64, lost: u64, seed: u64) -> Net {
    let net = Net::with(Faults { lost, ..Faults::default() }, seed);
    net.cable.lock().unwrap().delay = milliseconds * 500_000 - 50_000;
    net
}

/// Round trips, in tenths, from the moment at which a server writes so much until all of it is there.
fn round_trips(net: &Net, len: usize) -> u128 {
    let (client, server) = pair(net);
    net.sleep(Duration::from_millis(100));
    carry(net, &*server, &*client, len).as_millis() / 2
}

#[test]
fn an_answer_of_ten_segments_leaves_at_once() {
    // By smoltcp's Reno in three and a half round trips.
    assert_eq!(round_trips(&long_wire(20, 0, 1), 14_000), 5);
    assert_eq!(round_trips(&long_wire(20, 0, 1), 14_601), 15);
    let offloads = Offloads { checksum: true, segmentation: Some(65_549), segmentation6: Some(65_549) };
    let net = Net::between([offloads; 2], Faults::default(), 1);
    net.cable.lock().unwrap().delay = 9_950_000;
    assert_eq!(round_trips(&net, 14_000), 5);
}

#[test]
fn the_window_doubles_until_the_buffer_is_under_way() {
    let trips = round_trips(&long_wire(20, 0, 1), 1 << 20);
    // 16 for as many buffers, and what the first flights have not filled; by smoltcp's Reno 37.
    assert!((160..200).contains(&trips), "{trips} tenths");
}

/// Virtual time that eight mebibytes take over a wire that loses so many frames of a thousand, on an average.
fn mean(milliseconds: u64, lost: u64, name: &[u8]) -> Duration {
    let one = |seed: u64| {
        let net = long_wire(milliseconds, lost, 100 + seed);
        let (client, server) = pair(&net);
        server.set_option(CONGESTION.0, CONGESTION.1, name).unwrap();
        carry(&net, &*server, &*client, 8 << 20)
    };
    (0..8).map(one).sum::<Duration>() / 8
}

#[test]
fn losses_slow_a_transfer_down_and_do_not_stall_it() {
    // By smoltcp's Reno 1.5, 5.4, 24 and 44 s.
    for (milliseconds, lost, limit) in [(1, 10, 1), (1, 50, 7), (20, 10, 15), (20, 50, 42)] {
        let times = [&b"cubic"[..], b"reno"].map(|name| mean(milliseconds, lost, name));
        let limit = Duration::from_secs(limit);
        assert!(times.iter().all(|&time| time < limit), "{milliseconds} ms, {lost}: {times:?}");
        assert_ne!(times[0], times[1], "the connection was there when this was chosen");
    }
}

/// Bytes that a host sends at once.
fn burst(net: &Net, end: &dyn Socket<Sim>) -> usize {
    net.cable.lock().unwrap().tap = Some(Vec::new());
    send(end, &pattern(60_000)).unwrap();
    net.sleep(Duration::from_millis(1));
    let seen = net.cable.lock().unwrap().tap.take().unwrap();
    seen.iter().map(|frame| frame.len() - 54).sum()
}

#[test]
fn after_a_rest_only_the_first_window_leaves_at_once() {
    let net = long_wire(20, 0, 1);
    let (client, server) = pair(&net);
    carry(&net, &*server, &*client, 1 << 20);
    net.sleep(Duration::from_millis(100));
    assert_eq!(burst(&net, &*server), 60_000, "it is still known what the path bears");
    net.sleep(Duration::from_millis(60));
    while recv(&*client, 100_000).is_ok() {}
    net.sleep(Duration::from_secs(1));
    assert_eq!(burst(&net, &*server), 14_600);
    net.sleep(Duration::from_secs(1));
    while recv(&*client, 100_000).is_ok() {}
}

#[test]
fn who_sends_little_learns_little_of_the_path() {
    let net = long_wire(20, 0, 1);
    let (client, server) = pair(&net);
    for _ in 0..100 {
        carry(&net, &*server, &*client, 4000);
    }
    net.sleep(Duration::from_millis(50));
    assert_eq!(burst(&net, &*server), 14_600);
}

#[test]
fn nothing_is_controlled_within_the_host() {
    let net = Net::new();
    let server = listener(&net.a, 80, 8);
    let client = TcpSocket::new(net.a.clone(), Family::Inet);
    assert_eq!(client.connect(&addr("127.0.0.1:80")), Ok(()));
    client.set_option(CONGESTION.0, CONGESTION.1, b"reno").unwrap();
    let (accepted, _) = server.accept().unwrap();
    send(&*client, &pattern(60_000)).unwrap();
    assert!(recv(&*accepted, 70_000).unwrap() == pattern(60_000));
}

fn name(end: &dyn Socket<Sim>) -> Vec<u8> {
    let mut name = end.option(CONGESTION.0, CONGESTION.1).unwrap();
    assert_eq!(name.len(), 16);
    name.retain(|&byte| byte != 0);
    name
}

#[test]
fn a_connection_has_the_congestion_control_of_its_listener() {
    let net = Net::new();
    let server = listener(&net.b, 80, 8);
    assert_eq!(name(&*server), b"cubic");
    server.set_option(CONGESTION.0, CONGESTION.1, b"reno").unwrap();
    assert_eq!(server.set_option(CONGESTION.0, CONGESTION.1, b"bbr"), Err(Errno::ENOENT));
    let client = connecting(&net.a, "10.0.0.2:80");
    net.sleep(Duration::from_secs(1));
    let (accepted, _) = server.accept().unwrap();
    assert_eq!((name(&*client), name(&*accepted)), (b"cubic".to_vec(), b"reno".to_vec()));
    accepted.set_option(CONGESTION.0, CONGESTION.1, b"cubic\0").unwrap();
    assert_eq!((name(&*accepted), name(&*server)), (b"cubic".to_vec(), b"reno".to_vec()));
}
