//! Two hosts that want the same address (RFC 4862, 5.4).

use super::sim::{Cable, pass};
use super::*;
use crate::net::device::Offloads;
use crate::net::{Addressing, Ipv6Address, Ipv6Cidr, NetStack};
use std::sync::Mutex;

/// A host at one end of a cable with the fixed address fd00::1.
fn host(cable: &Arc<Mutex<Cable>>, end: usize) -> Stack {
    let address = Ipv6Cidr::new("fd00::1".parse().unwrap(), 64);
    let nic = sim::card(cable, end, Offloads::default());
    let stack = NetStack::new(Some(nic), Addressing::None, Addressing6::Static { address, router: None }, sim::cpus());
    stack.poll();
    stack
}

/// A cable, and one that brings back to each host what it has sent.
fn cables() -> [Arc<Mutex<Cable>>; 2] {
    [false, true].map(|reflects| Arc::new(Mutex::new(Cable { ring: 1000, reflects, ..Cable::default() })))
}

fn addresses(stack: &Stack) -> Vec<Ipv6Address> {
    stack.interfaces()[1].ipv6.iter().map(Ipv6Cidr::address).collect()
}

/// Lets time pass for hosts whose cards interrupt them.
fn run(hosts: &[&Stack], time: Duration) {
    for _ in 0..100 {
        pass(time / 100);
        hosts.iter().for_each(|host| while host.poll() {});
    }
}

#[test]
fn an_address_is_used_after_a_second_of_silence() {
    for cable in cables() {
        let first = host(&cable, 0);
        assert!(addresses(&first).is_empty());
        let socket = TcpSocket::new(first.clone(), Family::Inet6);
        assert_eq!(socket.bind(&addr("[fd00::1]:80")), Err(Errno::EADDRNOTAVAIL));
        run(&[&first], Duration::from_millis(900));
        assert!(addresses(&first).is_empty());
        run(&[&first], Duration::from_millis(200));
        assert_eq!(addresses(&first).len(), 2);
        assert_eq!(socket.bind(&addr("[fd00::1]:80")), Ok(()));
    }
}

#[test]
fn who_comes_second_does_without() {
    for cable in cables() {
        let first = host(&cable, 0);
        run(&[&first], Duration::from_secs(2));
        let second = host(&cable, 1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let seen = told.clone();
        second.on_lease(move |addresses| *seen.lock().unwrap() = addresses[0].duplicates.clone());
        run(&[&first, &second], Duration::from_secs(3));
        let shared: Ipv6Address = "fd00::1".parse().unwrap();
        assert!(addresses(&first).contains(&shared) && !addresses(&second).contains(&shared));
        assert_eq!(*told.lock().unwrap(), [shared]);
        // That of the link is another's nowhere.
        assert_eq!(addresses(&second).len(), 1);
    }
}

#[test]
fn of_two_who_come_at_once_none_gets_it() {
    for cable in cables() {
        let (first, second) = (host(&cable, 0), host(&cable, 1));
        run(&[&first, &second], Duration::from_secs(3));
        assert_eq!((addresses(&first).len(), addresses(&second).len()), (1, 1));
    }
}
