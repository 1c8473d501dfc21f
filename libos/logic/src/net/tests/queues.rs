//! Cards with several pairs of queues, and hosts with as many shards.

use super::loss::echo;
use super::sim::{self, Net};
use super::*;
use crate::net::Load;
use crate::net::flow::Flow;
use crate::net::steering::{FIRST, shard_of};
use crate::net::udp::UdpSocket;
use smoltcp::wire::{IpAddress, IpEndpoint};
use std::process::Command;

const QUEUES: usize = 4;

/// The port of a connected client.
fn port_of(client: &dyn Socket<Sim>) -> u16 {
    let SockAddr::Inet(own) = client.local().unwrap() else { panic!() };
    own.port()
}

/// The shard of host b for what goes from a port of host a's to this port.
fn shard(port: u16, from: u16) -> usize {
    let end = |host, port| IpEndpoint::new(IpAddress::v4(10, 0, 0, host), port);
    shard_of(&Flow { local: end(2, port), remote: end(1, from) }, QUEUES)
}

/// Eight connections to host b, and the shard of each.
fn pairs(net: &Net) -> Vec<(Tcp, End, usize)> {
    let pair = |number: u16| {
        let (client, server) = pair_on(net, 80 + number);
        let shard = shard(80 + number, port_of(&*client));
        (client, server, shard)
    };
    (0..8).map(pair).collect()
}

/// What was handed from shard to shard, and lost thereby.
fn handed(net: &Net) -> (u64, u64) {
    let load = net.b.load();
    (load.iter().map(|shard| shard.handed).sum(), load.iter().map(|shard| shard.lost).sum())
}

/// All connections of host b carry data, by the queues of their shards.
fn carries(net: &Net, pairs: &[(Tcp, End, usize)]) {
    net.cable.lock().unwrap().sent_by[1].clear();
    for (client, server, _) in pairs {
        echo(net, &**client, &**server, &pattern(100_000));
    }
    let cable = net.cable.lock().unwrap();
    for (client, _, shard) in pairs {
        let port = port_of(&**client);
        let sent = cable.sent_by[1].iter().filter(|(_, to)| *to == port);
        let queues: Vec<_> = sent.map(|(queue, _)| *queue).collect();
        assert!(queues.len() > 50 && queues.iter().all(|queue| queue == shard), "{port} {shard} {queues:?}");
    }
    let used = (0..QUEUES).filter(|queue| pairs.iter().any(|(.., shard)| shard == queue));
    assert!(used.count() > 1, "all are on one shard");
}

#[test]
fn what_comes_to_the_right_shard_is_not_handed_over() {
    let net = Net::with_queues([1, QUEUES], true);
    let pairs = pairs(&net);
    let before = handed(&net);
    carries(&net, &pairs);
    assert_eq!(handed(&net), before);
    let spread: Vec<_> = net.b.load().iter().map(|load| load.connections).collect();
    let of = |shard: usize| pairs.iter().filter(|(.., of)| *of == shard).count();
    assert_eq!(spread, (0..QUEUES).map(of).collect::<Vec<_>>());
}

#[test]
fn what_comes_to_another_shard_is_handed_over() {
    let net = Net::with_queues([1, QUEUES], false);
    let pairs = pairs(&net);
    carries(&net, &pairs);
    let (handed, lost) = handed(&net);
    assert!(handed > 100 && lost == 0, "{handed} {lost}");
}

#[test]
fn a_segment_of_no_connection_is_refused_by_its_shard() {
    let net = Net::with_queues([1, QUEUES], false);
    let clients: Vec<_> = (0..8).map(|_| connecting(&net.a, "10.0.0.2:9")).collect();
    // Each shard asks for the other's Ethernet address, once in a second.
    net.sleep(Duration::from_secs(20));
    assert!(clients.iter().all(|client| so_error(&**client) == Errno::ECONNREFUSED as i32));
    let cable = net.cable.lock().unwrap();
    let refusals: Vec<_> = cable.sent_by[1].iter().filter(|(_, to)| *to != 0).collect();
    assert!(!refusals.is_empty() && refusals.iter().all(|(queue, to)| *queue == shard(9, *to)), "{refusals:?}");
}

#[test]
fn a_full_queue_holds_up_its_own_connections_only() {
    let net = Net::with_queues([1, QUEUES], true);
    let pairs = pairs(&net);
    let full = pairs[0].2;
    net.cable.lock().unwrap().full = Some(full);
    for (_, server, _) in &pairs {
        assert_eq!(send(&**server, &pattern(1000)), Ok(1000));
    }
    net.sleep(Duration::from_millis(20));
    let received = |held_up: bool, expected: Result<Vec<u8>, Errno>| {
        let of = pairs.iter().filter(|(.., shard)| (*shard == full) == held_up);
        assert!(of.clone().count() > 0 && of.clone().all(|(client, ..)| recv(&**client, 2000) == expected));
    };
    received(false, Ok(pattern(1000)));
    received(true, Err(Errno::EAGAIN));
    net.cable.lock().unwrap().full = None;
    net.sleep(Duration::from_millis(20));
    received(true, Ok(pattern(1000)));
}

#[test]
fn datagrams_come_and_leave_by_the_first_shard() {
    let net = Net::with_queues([QUEUES, QUEUES], false);
    let receiver = UdpSocket::new(net.b.clone(), Family::Inet);
    receiver.bind(&addr("0.0.0.0:9")).unwrap();
    for port in 1000..1000 + QUEUES {
        let sender = UdpSocket::new(net.a.clone(), Family::Inet);
        sender.bind(&addr(&format!("0.0.0.0:{port}"))).unwrap();
        sender.connect(&addr("10.0.0.2:9")).unwrap();
        assert_eq!(sender.write(&mut &b"x"[..]), Ok(1));
        net.sleep(Duration::from_secs(2));
        assert_eq!(recv(&*receiver, 9), Ok(b"x".to_vec()), "{port}");
    }
    let sent = &net.cable.lock().unwrap().sent_by[0];
    assert!(sent.iter().filter(|(_, to)| *to == 9).all(|(queue, _)| *queue == FIRST));
}

/// Runs `f` while the locks of these shards of host b are held: whoever waits for one of them panics.
fn holding_shards(net: &Net, mut shards: Vec<usize>, f: &mut dyn FnMut()) {
    match shards.pop() {
        Some(shard) => net.b.on(shard).look(|_| holding_shards(net, shards, f)),
        None => f(),
    }
}

#[test]
fn connections_need_no_lock_but_that_of_their_shard() {
    let net = Net::with_queues([1, QUEUES], true);
    for (client, server, shard) in &pairs(&net) {
        let others = (0..QUEUES).filter(|other| other != shard).collect();
        holding_shards(&net, others, &mut || {
            // Nor that of ports and listeners.
            let _names = net.b.shared.names.lock();
            carry(&net, &**client, &**server, 200_000);
            carry(&net, &**server, &**client, 200_000);
            // What is lost is sent again: the timer needs none, either.
            net.cable.lock().unwrap().cut = true;
            assert_eq!(send(&**server, b"again"), Ok(5));
            net.sleep(Duration::from_millis(10));
            net.cable.lock().unwrap().cut = false;
            net.sleep(Duration::from_secs(5));
            assert_eq!(recv(&**client, 9), Ok(b"again".to_vec()));
            assert!(server.ready().contains(Ready::WRITABLE));
        });
    }
}

#[test]
fn what_is_left_for_a_busy_shard_is_done_by_who_has_its_lock() {
    let net = Net::with_queues([1, QUEUES], false);
    let pairs = pairs(&net);
    let Load { left: before, .. } = net.b.load()[pairs[0].2];
    let (client, server, shard) = &pairs[0];
    net.b.on(*shard).look(|_| {
        assert_eq!(send(&**client, b"data"), Ok(4));
        net.sleep(Duration::from_millis(1));
    });
    assert_eq!(recv(&**server, 9), Ok(b"data".to_vec()));
    assert!(net.b.load()[*shard].left > before);
}

#[test]
fn connections_of_all_shards_are_accepted_in_their_order() {
    let net = Net::with_queues([1, QUEUES], true);
    let server = listener(&net.b, 80, 64);
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let client = connecting(&net.a, "10.0.0.2:80");
            net.sleep(Duration::from_secs(1));
            client
        })
        .collect();
    assert!(net.b.load().iter().filter(|load| load.connections > 0).count() > 1);
    for client in &clients {
        let (_, from) = server.accept().unwrap();
        assert_eq!(Ok(from), client.local());
    }
    // Whether there are more is seen without a look at any shard.
    holding_shards(&net, (0..QUEUES).collect(), &mut || {
        assert_eq!((server.accept().err(), server.ready()), (Some(Errno::EAGAIN), Ready::empty()));
    });
}

#[test]
fn closing_a_listener_resets_connections_of_all_shards() {
    let net = Net::with_queues([1, QUEUES], true);
    let server = listener(&net.b, 80, 64);
    let clients: Vec<_> = (0..16).map(|_| connecting(&net.a, "10.0.0.2:80")).collect();
    net.sleep(Duration::from_secs(2));
    assert!(clients.iter().all(|client| client.connect(&addr("10.0.0.2:80")) == Ok(())));
    // Further ones are half-open: no acknowledgement arrives.
    let late: Vec<_> = (0..8).map(|_| connecting(&net.a, "10.0.0.2:80")).collect();
    net.sleep(Duration::from_micros(60));
    net.cable.lock().unwrap().cut = true;
    net.sleep(Duration::from_secs(1));
    net.cable.lock().unwrap().cut = false;
    assert_eq!(net.b.sockets(), 16 + 8);
    server.close();
    net.sleep(Duration::from_secs(5));
    assert!(clients.iter().chain(&late).all(|client| recv(&**client, 1) == Err(Errno::ECONNRESET)));
    assert_eq!(net.b.sockets(), 0);
}

/// All other tests of the network, on hosts with several CPUs and a queue for them all.
#[test]
fn everything_else_works_with_several_shards() {
    if std::env::var(sim::CPUS).is_ok() {
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["net::tests::", "--skip", "several_shards"])
        .env(sim::CPUS, "4")
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && !out.contains(" 0 passed"), "{out}");
}
