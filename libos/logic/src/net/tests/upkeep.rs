//! What time alone brings, and when.

use super::ipv6::advertisement;
use super::sim::{self, Cable, Net};
use super::*;
use crate::net::device::Offloads;
use crate::net::path::Path;
use crate::net::{Addressing, NetStack};
use crate::time::Instant;
use smoltcp::wire::{IpAddress, Ipv6Cidr};
use std::sync::Mutex;

/// Lets time pass, and somebody call.
fn call_after(net: &Net, time: Duration) {
    net.sleep(time);
    net.a.poll();
}

#[test]
fn a_run_before_anything_is_due_looks_at_nothing() {
    let net = Net::new();
    net.a.poll();
    let next = || net.a.look(|inner| inner.link.next_announce);
    // Nobody is told, so nobody can know.
    net.a.look(|inner| inner.link.next_announce = Instant::ZERO);
    call_after(&net, Duration::from_millis(1));
    assert_eq!(next(), Instant::ZERO);
    call_after(&net, Duration::from_millis(100));
    assert!(next() > Sim::now());
}

#[test]
fn what_is_due_earlier_than_all_else_is_done_then() {
    let net = Net::new();
    net.a.poll();
    let (to, until) = (IpAddress::v4(10, 0, 0, 9), Sim::now() + Duration::from_millis(10));
    let known = || net.a.look(|inner| inner.link.wire.paths().known(to).is_some());
    net.a.look(|inner| inner.learn_path(to, Path { mtu: 1400, until }));
    call_after(&net, Duration::from_millis(9));
    assert!(known());
    call_after(&net, Duration::from_millis(1));
    assert!(!known());
}

#[test]
fn the_host_finds_itself_again_before_anything_else_is_done() {
    let net = Net::new();
    net.a.poll();
    let next = || net.a.look(|inner| inner.link.next_announce);
    net.a.with(|inner| inner.readdress());
    net.a.poll();
    assert!(next() > Sim::now());
    // And reminds itself as long as somebody calls.
    for _ in 0..4 {
        let before = next();
        call_after(&net, Duration::from_secs(30));
        assert!(next() >= before + Duration::from_secs(30));
    }
}

/// Nobody calls here, so that only a timer can tell.
#[test]
fn what_a_router_takes_back_ends_without_a_call() {
    let cable = Arc::new(Mutex::new(Cable { ring: 1000, ..Cable::default() }));
    let nic = sim::card(&cable, 0, Offloads::default());
    let stack: Stack = NetStack::new(Some(nic), Addressing::None, Addressing6::Auto, sim::cpus());
    let news = Arc::new(Mutex::new(Vec::new()));
    let seen = news.clone();
    stack.on_lease(move |addresses| seen.lock().unwrap().push((Sim::now(), addresses[0].clone())));
    let hear = |frame| {
        cable.lock().unwrap().inject(0, frame);
        stack.poll();
    };
    hear(advertisement(2, 1800));
    sim::pass(Duration::from_secs(2));
    let (_, last) = news.lock().unwrap().last().unwrap().clone();
    assert_eq!((last.ipv6.iter().map(Ipv6Cidr::prefix_len).collect::<Vec<_>>(), last.dns.len()), (vec![64], 1));
    // The same, but for the name server's lifetime, which is ten seconds now.
    let begun = Sim::now();
    hear(advertisement(2, 10));
    sim::pass(Duration::from_secs(11));
    let (at, last) = news.lock().unwrap().last().unwrap().clone();
    assert_eq!((at, last.ipv6.len(), last.dns.len()), (begun + Duration::from_secs(10), 1, 0));
}
