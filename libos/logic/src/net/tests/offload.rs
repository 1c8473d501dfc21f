//! Cards that complete checksums and cut segments.

use super::loss::echo;
use super::sim::{Faults, Net};
use super::*;
use crate::net::device::Offloads;
use smoltcp::wire::{Ipv4Packet, TcpPacket};

const NONE: Offloads = Offloads { checksum: false, segmentation: None, segmentation6: None };
const SUMS: Offloads = Offloads { checksum: true, ..NONE };
const ALL: Offloads = Offloads { checksum: true, segmentation: Some(65_524), segmentation6: Some(65_524) };

fn mebibyte_between(offloads: [Offloads; 2], whole: bool, faults: Faults, seed: u64) -> u64 {
    let net = Net::between(offloads, faults, seed);
    net.cable.lock().unwrap().whole = whole;
    let (client, server) = pair(&net);
    echo(&net, &*client, &*server, &pattern(1 << 20));
    client.close();
    server.close();
    net.sleep(LONG);
    assert_eq!((net.a.sockets(), net.b.sockets()), (0, 0));
    net.cable.lock().unwrap().frames
}

#[test]
fn cards_of_all_kinds_understand_each_other() {
    for offloads in [[NONE, SUMS], [SUMS, ALL], [NONE, ALL]] {
        mebibyte_between(offloads, false, Faults::default(), 1);
    }
}

#[test]
fn segments_cut_by_the_card_survive_all_faults_at_once() {
    for seed in 2..8 {
        mebibyte_between([ALL, ALL], false, Faults { lost: 20, doubled: 20, late: 50, damaged: 20 }, seed);
    }
}

#[test]
fn large_segments_are_fewer() {
    let cut = mebibyte_between([SUMS, SUMS], false, Faults::default(), 1);
    let whole = mebibyte_between([ALL, ALL], true, Faults::default(), 1);
    assert!(whole * 4 < cut, "{whole} frames in place of {cut}");
}

/// A lost segment may be 60 KiB long; what is sent in its place is not.
#[test]
fn a_mebibyte_is_echoed_with_large_segments_lost() {
    for (seed, lost) in [(2, 10), (3, 50), (4, 200)] {
        mebibyte_between([ALL, ALL], true, Faults { lost, doubled: 10, late: 20, damaged: 0 }, seed);
    }
}

/// What a host sends on the cable, with the length of the TCP payload and where it begins in the stream.
fn payloads(frames: &[Vec<u8>]) -> Vec<(usize, i32)> {
    let payload = |frame: &Vec<u8>| {
        let ip = Ipv4Packet::new_checked(&frame[14..]).ok()?;
        let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
        (!tcp.payload().is_empty()).then_some((tcp.payload().len(), tcp.seq_number().0))
    };
    frames.iter().filter_map(payload).collect()
}

#[test]
fn what_is_sent_again_is_one_segment_of_the_wire() {
    let net = Net::between([ALL, ALL], Faults::default(), 1);
    net.cable.lock().unwrap().whole = true;
    let (client, server) = pair(&net);
    // Opens the congestion window.
    for _ in 0..20 {
        assert_eq!(send(&*client, &pattern(20_000)), Ok(20_000));
        net.sleep(Duration::from_secs(1));
        while recv(&*server, 30_000).is_ok() {}
    }
    let mut cable = net.cable.lock().unwrap();
    (cable.cut, cable.tap) = (true, Some(Vec::new()));
    drop(cable);
    let sent = send(&*client, &pattern(20_000)).unwrap();
    net.sleep(Duration::from_secs(10));
    let seen = payloads(&net.cable.lock().unwrap().tap.take().unwrap());
    assert!(seen[0].0 > 1460, "{seen:?}");
    let again = seen.iter().skip_while(|(_, seq)| *seq != seen[0].1).skip(1).filter(|(_, seq)| *seq == seen[0].1);
    let again: Vec<_> = again.map(|(len, _)| *len).collect();
    assert!(!again.is_empty() && again.iter().all(|&len| len <= 1460), "{sent} {seen:?}");
}

#[test]
fn datagrams_are_cut_as_before() {
    use crate::net::udp::UdpSocket;
    let net = Net::between([ALL, ALL], Faults::default(), 1);
    let receiver = UdpSocket::new(net.b.clone(), Family::Inet);
    receiver.bind(&addr("0.0.0.0:9")).unwrap();
    let sender = UdpSocket::new(net.a.clone(), Family::Inet);
    sender.connect(&addr("10.0.0.2:9")).unwrap();
    net.cable.lock().unwrap().tap = Some(Vec::new());
    assert_eq!(sender.write(&mut &pattern(4000)[..]), Ok(4000));
    net.sleep(Duration::from_secs(1));
    assert!(net.cable.lock().unwrap().tap.take().unwrap().iter().all(|frame| frame.len() <= 1514));
    assert!(recv(&*receiver, 5000).unwrap() == pattern(4000));
}

#[test]
fn a_small_window_is_not_overrun() {
    let net = Net::between([ALL, ALL], Faults::default(), 1);
    let (client, server) = pair(&net);
    let mut sent = 0;
    // The other side does not read.
    net.run(Duration::from_secs(20), || {
        while let Ok(more) = send(&*client, &pattern(10_000)) {
            sent += more;
        }
        false
    });
    let mut got = 0;
    net.run(Duration::from_secs(20), || {
        while let Ok(more) = recv(&*server, 1000) {
            got += more.len();
        }
        got == sent
    });
    assert_eq!(got, sent);
}

/// Nothing in a frame of the loopback is cut or summed up, so a long one passes whole.
#[test]
fn the_loopback_carries_long_segments() {
    for net in [Net::new(), Net::between([ALL, ALL], Faults::default(), 1)] {
        net.sleep(Duration::from_millis(1));
        let before = net.cable.lock().unwrap().frames;
        let server = listener(&net.a, 80, 8);
        let client = TcpSocket::new(net.a.clone(), Family::Inet);
        assert_eq!(client.connect(&addr("127.0.0.1:80")), Ok(()));
        let (accepted, _) = server.accept().unwrap();
        echo(&net, &*client, &*accepted, &pattern(1 << 20));
        assert_eq!(net.cable.lock().unwrap().frames, before);
    }
}
