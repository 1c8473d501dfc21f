//! Many connections at once.

use super::sim::{Faults, Net};
use super::*;
use smoltcp::wire::{EthernetFrame, Ipv4Packet, TcpPacket};

/// Whether a frame is a TCP segment with RST.
fn is_reset(frame: &[u8]) -> bool {
    let Ok(frame) = EthernetFrame::new_checked(frame) else { return false };
    let Ok(ip) = Ipv4Packet::new_checked(frame.payload()) else { return false };
    TcpPacket::new_checked(ip.payload()).is_ok_and(|tcp| tcp.rst())
}

/// `count` clients at once against a listener that accepts when it can: the seconds until all were served.
fn burst(count: usize, backlog: usize) -> u64 {
    let net = Net::new();
    net.cable.lock().unwrap().tap = Some(Vec::new());
    let begun = Sim::now();
    let server = listener(&net.b, 80, backlog);
    let clients: Vec<_> = (0..count).map(|_| connecting(&net.a, "10.0.0.2:80")).collect();
    // Nobody accepts at first, so that the backlog fills.
    net.sleep(Duration::from_millis(500));
    let mut accepted = Vec::new();
    assert!(net.run(LONG, || {
        accepted.extend(core::iter::from_fn(|| server.accept().ok()));
        accepted.len() == count
    }));
    let seconds = (Sim::now() - begun).as_secs();
    for client in &clients {
        send(&**client, b"x").unwrap();
    }
    net.sleep(Duration::from_secs(1));
    for (socket, _) in &accepted {
        assert_eq!(recv(&**socket, 9), Ok(b"x".to_vec()));
    }
    assert_eq!(server.accept().err(), Some(Errno::EAGAIN));
    assert!(!net.cable.lock().unwrap().tap.as_ref().unwrap().iter().any(|frame| is_reset(frame)));
    seconds
}

#[test]
fn a_burst_within_the_backlog_is_served_at_once() {
    assert_eq!(burst(100, 128), 0);
}

#[test]
fn a_burst_beyond_the_backlog_waits_but_nobody_is_refused() {
    assert!(burst(100, 5) > 0);
}

#[test]
fn half_open_connections_do_not_block_the_backlog_for_ever() {
    let net = Net::new();
    let server = listener(&net.b, 80, 5);
    let clients: Vec<_> = (0..70).map(|_| connecting(&net.a, "10.0.0.2:80")).collect();
    // The SYNs arrive, nothing else does.
    net.run(LONG, || net.b.sockets() > 0);
    assert_eq!(net.b.sockets(), 64);
    net.cable.lock().unwrap().cut = true;
    net.sleep(Duration::from_secs(100));
    net.cable.lock().unwrap().cut = false;
    drop(clients);
    net.sleep(Duration::from_secs(10));
    let _client = connecting(&net.a, "10.0.0.2:80");
    assert!(net.run(Duration::from_secs(10), || server.accept().is_ok()));
}

#[test]
fn closing_a_listener_resets_who_waits() {
    let net = Net::new();
    let server = listener(&net.b, 80, 5);
    let client = connecting(&net.a, "10.0.0.2:80");
    net.sleep(Duration::from_secs(1));
    assert_eq!(client.connect(&addr("10.0.0.2:80")), Ok(()));
    server.close();
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv(&*client, 1), Err(Errno::ECONNRESET));
    assert_eq!(net.b.sockets(), 0);
}

#[test]
fn fifty_connections_share_a_bad_wire() {
    let net = Net::with(Faults { lost: 10, late: 20, ..Faults::default() }, 9);
    let server = listener(&net.b, 80, 64);
    let clients: Vec<_> = (0..50).map(|_| connecting(&net.a, "10.0.0.2:80")).collect();
    let data = pattern(100_000);
    let mut sent = [0; 50];
    let mut accepted: Vec<(End, Vec<u8>)> = Vec::new();
    let done = net.run(LONG, || {
        for (client, sent) in clients.iter().zip(&mut sent) {
            if *sent < data.len() {
                *sent += send(&**client, &data[*sent..]).unwrap_or(0);
                if *sent == data.len() {
                    client.close();
                }
            }
        }
        while let Ok((socket, _)) = server.accept() {
            accepted.push((socket, Vec::new()));
        }
        for (socket, got) in &mut accepted {
            got.extend(recv(&**socket, 10_000).unwrap_or_default());
        }
        accepted.iter().filter(|(_, got)| got.len() == data.len()).count() == 50
    });
    assert!(done, "{:?}", accepted.iter().map(|(_, got)| got.len()).collect::<Vec<_>>());
    assert!(accepted.iter().all(|(_, got)| *got == data));
    drop((accepted, clients));
    net.sleep(LONG);
    assert_eq!((net.a.sockets(), net.b.sockets()), (0, 0));
}
