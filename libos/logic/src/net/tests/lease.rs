//! DHCP, with a server that the test plays.

use super::sim::Cable;
use super::*;
use crate::net::device::Offloads;
use crate::net::{Addresses, Addressing, NetStack};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    DhcpMessageType, DhcpOption, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
    IpAddress, IpProtocol, IpRepr, Ipv4Address, Ipv4Packet, UdpPacket, UdpRepr,
};
use std::sync::Mutex;

const SERVER: Ipv4Address = Ipv4Address::new(10, 0, 0, 1);
const ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 0, 254);

/// The host's name (RFC 2132, 3.14).
const NAME: &[DhcpOption<'_>] = &[DhcpOption { kind: 12, data: b"web1" }];

/// The server's answer to a frame, if it is a request: address 10.0.0.`host` for `seconds`.
fn answer(frame: &[u8], host: u8, seconds: u32) -> Option<Vec<u8>> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
    let udp = UdpPacket::new_checked(ip.payload()).ok().filter(|udp| udp.dst_port() == 67)?;
    let request = DhcpPacket::new_checked(udp.payload()).ok()?;
    let request = DhcpRepr::parse(&request).ok()?;
    let message_type = match request.message_type {
        DhcpMessageType::Discover => DhcpMessageType::Offer,
        DhcpMessageType::Request => DhcpMessageType::Ack,
        _ => return None,
    };
    let reply = DhcpRepr {
        message_type,
        your_ip: Ipv4Address::new(10, 0, 0, host),
        server_ip: SERVER,
        router: Some(ROUTER),
        subnet_mask: Some(Ipv4Address::new(255, 255, 255, 0)),
        server_identifier: Some(SERVER),
        lease_duration: Some(seconds),
        dns_servers: [Ipv4Address::new(9, 9, 9, 9)].into_iter().collect::<Vec<_>>().as_slice().try_into().ok(),
        client_identifier: None,
        requested_ip: None,
        parameter_request_list: None,
        max_size: None,
        additional_options: NAME,
        ..request
    };
    let ports = UdpRepr { src_port: 67, dst_port: 68 };
    let (from, to) = (IpAddress::Ipv4(SERVER), IpAddress::Ipv4(Ipv4Address::BROADCAST));
    let ip = IpRepr::new(from, to, IpProtocol::Udp, ports.header_len() + reply.buffer_len(), 64);
    let header = EthernetRepr {
        src_addr: EthernetAddress([2, 0, 0, 0, 0, 99]),
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Ipv4,
    };
    let mut bytes = vec![0; header.buffer_len() + ip.buffer_len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
    let mut udp = UdpPacket::new_unchecked(&mut frame.payload_mut()[ip.header_len()..]);
    let write = |payload: &mut [u8]| reply.emit(&mut DhcpPacket::new_unchecked(payload)).unwrap();
    ports.emit(&mut udp, &from, &to, reply.buffer_len(), write, &ChecksumCapabilities::default());
    Some(bytes)
}

#[test]
fn a_lease_is_taken_used_and_lost() {
    let mut cable = Cable::default();
    (cable.ring, cable.tap) = (1000, Some(Vec::new()));
    let cable = Arc::new(Mutex::new(cable));
    let nic = sim::card(&cable, 0, Offloads::default());
    let stack: Stack = NetStack::new(Some(nic), Addressing::Dhcp, Addressing6::None, sim::cpus());
    let news = Arc::new(Mutex::new(Vec::new()));
    stack.on_lease({
        let news = news.clone();
        let stack = Arc::downgrade(&stack);
        move |addresses: &[Addresses]| {
            // No lock is held: the hook may ask the stack.
            assert_eq!(stack.upgrade().unwrap().lease(), addresses[0].lease);
            news.lock().unwrap().push(addresses[0].lease.clone());
        }
    });
    stack.poll();
    let serve = |seconds: u64, host: u8| {
        for _ in 0..seconds * 10 {
            let frames = core::mem::take(cable.lock().unwrap().tap.as_mut().unwrap());
            for reply in frames.iter().filter_map(|frame| answer(frame, host, 100)) {
                cable.lock().unwrap().inject(0, reply);
            }
            stack.poll();
            sim::pass(Duration::from_millis(100));
        }
    };
    assert_eq!(TcpSocket::new(stack.clone(), Family::Inet).connect(&addr("192.0.2.1:80")), Err(Errno::ENETUNREACH));
    serve(30, 15);
    let lease = stack.lease().unwrap();
    assert_eq!((lease.address.to_string(), lease.router), ("10.0.0.15/24".into(), Some(ROUTER)));
    assert_eq!((&lease.dns[..], lease.host_name.as_deref()), (&[Ipv4Address::new(9, 9, 9, 9)][..], Some("web1")));
    let socket = TcpSocket::new(stack.clone(), Family::Inet);
    assert_eq!(socket.connect(&addr("192.0.2.1:80")), Err(Errno::EINPROGRESS));
    assert!(matches!(socket.local(), Ok(SockAddr::Inet(a)) if a.ip().to_string() == "10.0.0.15"));
    // Renewals are no news; another address is; and so is its loss.
    serve(300, 15);
    assert_eq!(*news.lock().unwrap(), [None, Some(lease.clone())]);
    serve(200, 16);
    sim::pass(Duration::from_secs(1000));
    let seen: Vec<_> = news.lock().unwrap().iter().map(|l| l.as_ref().map(|l| l.address.to_string())).collect();
    let text = |address: &str| Some(address.to_owned());
    assert_eq!(seen, [None, text("10.0.0.15/24"), text("10.0.0.16/24"), None]);
    assert_eq!(socket.ready().bits() & 8, 8, "its address is gone");
    assert_eq!(stack.lease(), None);
}
