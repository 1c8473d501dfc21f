//! Cards with several pairs of queues.

use super::loss::echo;
use super::sim::Net;
use super::*;
use crate::net::udp::UdpSocket;

const QUEUES: usize = 4;

/// The port of a connected client.
fn port_of(client: &dyn Socket<Sim>) -> u16 {
    let SockAddr::Inet(own) = client.local().unwrap() else { panic!() };
    own.port()
}

#[test]
fn a_connection_is_answered_by_the_queue_it_comes_by() {
    let net = Net::with_queues([1, QUEUES]);
    let pairs: Vec<_> = (0..8).map(|number| pair_on(&net, 80 + number)).collect();
    for (client, server) in &pairs {
        echo(&net, &**client, &**server, &pattern(100_000));
    }
    let cable = net.cable.lock().unwrap();
    let sent = &cable.sent_by[1];
    let mut used = [0; QUEUES];
    for (client, _) in &pairs {
        let port = port_of(&**client);
        let queues: Vec<_> = sent.iter().filter(|(_, to)| *to == port).map(|(queue, _)| *queue).collect();
        assert!(
            queues.len() > 50 && queues.iter().all(|&queue| queue == usize::from(port) % QUEUES),
            "{port} {queues:?}"
        );
        used[usize::from(port) % QUEUES] += 1;
    }
    assert!(used.iter().filter(|&&count| count > 0).count() > 1, "all by one queue: {used:?}");
}

#[test]
fn a_segment_of_no_connection_is_refused_by_its_queue() {
    let net = Net::with_queues([1, QUEUES]);
    let clients: Vec<_> = (0..8).map(|_| connecting(&net.a, "10.0.0.2:9")).collect();
    net.sleep(Duration::from_secs(1));
    assert!(clients.iter().all(|client| so_error(&**client) == Errno::ECONNREFUSED as i32));
    let cable = net.cable.lock().unwrap();
    let refusals: Vec<_> = cable.sent_by[1].iter().filter(|(_, to)| *to != 0).collect();
    assert!(
        refusals.len() == 8 && refusals.iter().all(|(queue, to)| *queue == usize::from(*to) % QUEUES),
        "{refusals:?}"
    );
}

#[test]
fn a_full_queue_holds_up_its_own_connections_only() {
    let net = Net::with_queues([1, 2]);
    let pairs: Vec<_> = (0..8).map(|number| pair_on(&net, 80 + number)).collect();
    let of = |queue: u16| pairs.iter().filter(move |(client, _)| port_of(&**client) % 2 == queue);
    net.cable.lock().unwrap().full = Some(1);
    for (_, server) in &pairs {
        assert_eq!(send(&**server, &pattern(1000)), Ok(1000));
    }
    net.sleep(Duration::from_millis(20));
    assert!(of(0).count() > 0 && of(1).count() > 0);
    assert!(of(0).all(|(client, _)| recv(&**client, 2000) == Ok(pattern(1000))));
    assert!(of(1).all(|(client, _)| recv(&**client, 2000) == Err(Errno::EAGAIN)));
    net.cable.lock().unwrap().full = None;
    net.sleep(Duration::from_millis(20));
    assert!(of(1).all(|(client, _)| recv(&**client, 2000) == Ok(pattern(1000))));
}

/// Whatever CPU calls: the simulated machine has one.
#[test]
fn datagrams_leave_by_the_queue_of_the_cpu() {
    let net = Net::with_queues([QUEUES, 1]);
    let receiver = UdpSocket::new(net.b.clone(), Family::Inet);
    receiver.bind(&addr("0.0.0.0:9")).unwrap();
    let sender = UdpSocket::new(net.a.clone(), Family::Inet);
    sender.connect(&addr("10.0.0.2:9")).unwrap();
    for cpu in [0, 1, 2, 3, 5] {
        sim::CPU.set(cpu);
        assert_eq!(sender.write(&mut &b"x"[..]), Ok(1));
        net.sleep(Duration::from_millis(10));
    }
    sim::CPU.set(0);
    let sent = &net.cable.lock().unwrap().sent_by[0];
    // The first may have waited for the other's Ethernet address.
    let queues: Vec<_> = sent.iter().filter(|(_, to)| *to == 9).map(|(queue, _)| *queue).skip(1).collect();
    assert_eq!(queues, [1, 2, 3, 1]);
}
