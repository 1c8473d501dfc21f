//! Groups of hosts.

use super::sim::Net;
use super::udp::{Udp, bound, recv_from, send_to};
use super::*;
use crate::net::packet::Packet;
use crate::net::udp::UdpSocket;
use crate::net::{Addressing, NetStack};
use core::net::SocketAddrV6;
use smoltcp::wire::{Icmpv6Packet, IpProtocol, Ipv6Address};

/// IPPROTO_IP with IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP.
const JOIN: (i32, i32) = (0, 35);
const LEAVE: (i32, i32) = (0, 36);
const GROUP: [u8; 4] = [239, 1, 2, 3];
const TO: &str = "239.1.2.3:7";

fn change(socket: &Udp, (level, name): (i32, i32), interface: [u8; 4]) -> Result<(), Errno> {
    socket.set_option(level, name, &[GROUP, interface].concat())
}

#[test]
fn members_hear_what_is_sent_to_the_group() {
    let net = Net::new();
    let (sender, one) = (bound(&net.a, "0.0.0.0:5"), bound(&net.b, "0.0.0.0:7"));
    set(&*one, 1, 2, 1);
    let heard = |socket: &Udp| {
        assert_eq!(send_to(&sender, b"all", TO), Ok(3));
        net.sleep(Duration::from_secs(1));
        recv_from(socket, 9).ok()
    };
    assert_eq!(heard(&one), None);
    net.cable.lock().unwrap().tap = Some(Vec::new());
    assert_eq!(change(&one, JOIN, [0; 4]), Ok(()));
    let frames = net.cable.lock().unwrap().tap.take().unwrap();
    assert_eq!(
        frames.iter().filter(|frame| Packet::of(frame).is_some_and(|p| p.protocol == IpProtocol::Igmp)).count(),
        1
    );
    assert_eq!(heard(&one), Some((b"all".to_vec(), addr("10.0.0.1:5"))));
    assert_eq!(change(&one, JOIN, [0; 4]), Err(Errno::EADDRINUSE));
    // Another of the host is in the group; who is in another or bound elsewhere hears nothing.
    let other = UdpSocket::new(net.b.clone(), Family::Inet);
    assert_eq!(change(&other, JOIN, [10, 0, 0, 2]), Ok(()));
    assert_eq!(change(&one, LEAVE, [0; 4]), Ok(()));
    assert!(heard(&one).is_some(), "as in Linux, the host is still in it");
    other.close();
    assert_eq!((heard(&one), change(&one, LEAVE, [0; 4])), (None, Err(Errno::EADDRNOTAVAIL)));
    assert_eq!(change(&one, JOIN, [10, 0, 0, 9]), Err(Errno::ENODEV));
    let lonely: Stack = NetStack::new(None, Addressing::None, Addressing6::None, sim::cpus());
    assert_eq!(change(&bound(&lonely, "0.0.0.0:7"), JOIN, [0; 4]), Err(Errno::ENODEV));
}

#[test]
fn a_host_hears_itself_unless_it_does_not_want_to() {
    let net = Net::new();
    let (all, group) = (UdpSocket::new(net.a.clone(), Family::Inet), UdpSocket::new(net.a.clone(), Family::Inet));
    for (socket, at) in [(&all, "0.0.0.0:7"), (&group, TO)] {
        set(&**socket, 1, 2, 1);
        socket.bind(&addr(at)).unwrap();
        change(socket, JOIN, [0; 4]).unwrap();
    }
    assert_eq!(group.local(), Ok(addr(TO)));
    assert_eq!(send_to(&group, b"me", TO), Ok(2));
    for socket in [&all, &group] {
        assert_eq!(recv_from(socket, 9), Ok((b"me".to_vec(), addr("10.0.0.1:7"))));
    }
    // IP_MULTICAST_LOOP.
    set(&*group, 0, 34, 0);
    assert_eq!(send_to(&group, b"you", TO), Ok(3));
    net.sleep(Duration::from_secs(1));
    assert_eq!(recv_from(&all, 9), Err(Errno::EAGAIN));
}

#[test]
fn groups_of_ipv6_are_those_of_a_link() {
    let net = Net::new();
    let (sender, member) = (bound(&net.a, "[::]:5"), bound(&net.b, "[::]:7"));
    let group: Ipv6Address = "ff02::fb".parse().unwrap();
    let value = [&group.octets()[..], &2u32.to_ne_bytes()].concat();
    net.sleep(Duration::from_millis(1));
    net.cable.lock().unwrap().tap = Some(Vec::new());
    assert_eq!(member.set_option(41, 20, &value), Ok(()));
    let reports = |net: &Net| {
        let frames = net.cable.lock().unwrap().tap.replace(Vec::new()).unwrap();
        // Behind Ethernet's, IPv6's and the router alert's header: report, its reserved bytes, one record's kind and group.
        let report = |frame: &Vec<u8>| {
            let message = frame.get(62..).filter(|message| message[0] == 143)?;
            let (from, to) = (frame[22..38].try_into().ok()?, frame[38..54].try_into().ok()?);
            let (from, to): ([u8; 16], [u8; 16]) = (from, to);
            let icmp = Icmpv6Packet::new_checked(message).ok()?;
            assert!(icmp.verify_checksum(&from.into(), &to.into()));
            Some((message[8], message[12..28] == group.octets()))
        };
        frames.iter().filter_map(report).collect::<Vec<_>>()
    };
    assert_eq!(reports(&net), [(4, true)], "nobody is excluded");
    assert_eq!(bound(&net.b, "0.0.0.0:8").set_option(41, 20, &value), Err(Errno::ENOPROTOOPT));
    let to = SockAddr::Inet(SocketAddrV6::new(group, 7, 0, 2).into());
    assert_eq!(sender.send(&mut &b"x"[..], Some(&to), &mut Vec::new(), &[], MsgFlags::empty()), Ok(1));
    net.sleep(Duration::from_secs(1));
    let from: Ipv6Address = "fe80::ff:fe00:a".parse().unwrap();
    assert_eq!(recv_from(&member, 9), Ok((b"x".to_vec(), SockAddr::Inet(SocketAddrV6::new(from, 5, 0, 2).into()))));
    net.cable.lock().unwrap().tap = Some(Vec::new());
    assert_eq!(member.set_option(41, 21, &value), Ok(()));
    assert_eq!(reports(&net), [(3, true)], "nobody is included");
}
