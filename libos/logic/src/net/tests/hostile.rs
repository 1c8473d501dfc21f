//! Frames that nobody should send.

use super::sim::{Faults, Net, Rng};
use super::*;
use crate::net::device::Offloads;
use crate::net::udp::UdpSocket;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpAddress,
    IpProtocol, IpRepr, Ipv4Address, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
};

const A: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 10]);
const B: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 11]);

/// Frames of an ordinary conversation between the hosts, TCP, UDP with fragments, and ARP.
fn samples(net: &Net) -> Vec<Vec<u8>> {
    net.cable.lock().unwrap().tap = Some(Vec::new());
    let (client, server) = pair(net);
    send(&*client, &pattern(3000)).unwrap();
    let udp = UdpSocket::new(net.a.clone(), Family::Inet);
    udp.connect(&addr("10.0.0.2:9")).unwrap();
    udp.write(&mut &pattern(4000)[..]).unwrap();
    net.sleep(Duration::from_secs(1));
    drop((client, server));
    net.sleep(Duration::from_secs(1));
    net.cable.lock().unwrap().tap.take().unwrap()
}

#[test]
fn malformed_frames_do_no_harm() {
    malformed_frames(&Net::new());
}

/// The card vouches for segments that it should not vouch for.
#[test]
fn malformed_frames_that_nobody_verifies_do_no_harm() {
    let all = Offloads { checksum: true, segmentation: Some(65_524), segmentation6: Some(65_524) };
    let net = Net::between([all, all], Faults::default(), 1);
    net.cable.lock().unwrap().whole = true;
    malformed_frames(&net);
}

fn malformed_frames(net: &Net) {
    let frames = samples(net);
    let _listener = listener(&net.b, 81, 16);
    let udp = UdpSocket::new(net.b.clone(), Family::Inet);
    udp.bind(&addr("0.0.0.0:9")).unwrap();
    let mut rng = Rng::new(77);
    for round in 0..30_000 {
        let mut frame = frames[rng.below(frames.len() as u64) as usize].clone();
        match round % 4 {
            // Noise, with and without an Ethernet header that leads somewhere.
            0 => frame[14 * (round / 4 % 2)..].fill_with(|| rng.next() as u8),
            1 if rng.below(2) == 0 => frame.truncate(rng.below(frame.len() as u64) as usize),
            1 => frame.resize(1500 + rng.below(64_000) as usize, 0x5a),
            _ => {
                for _ in 0..=rng.below(4) {
                    let at = rng.below(frame.len() as u64) as usize;
                    frame[at] = rng.next() as u8;
                }
                if round % 4 == 2 {
                    mend(&mut frame);
                }
            }
        }
        net.cable.lock().unwrap().inject(round % 2, frame);
        if round % 50 == 0 {
            net.run(Duration::from_millis(1), || false);
        }
    }
    net.sleep(Duration::from_secs(200));
    let client = connecting(&net.a, "10.0.0.2:81");
    net.sleep(Duration::from_secs(10));
    assert_eq!(client.connect(&addr("10.0.0.2:81")), Ok(()));
}

/// Makes the checksums right, so that the damage gets further in.
fn mend(bytes: &mut [u8]) {
    use smoltcp::wire::{Ipv4Packet, UdpPacket};
    let Some(packet) = bytes.get_mut(14..) else { return };
    let Ok(mut ip) = Ipv4Packet::new_checked(packet) else { return };
    ip.fill_checksum();
    let (from, to) = (IpAddress::Ipv4(ip.src_addr()), IpAddress::Ipv4(ip.dst_addr()));
    match ip.next_header() {
        IpProtocol::Tcp => {
            if let Ok(mut tcp) = TcpPacket::new_checked(ip.payload_mut()) {
                tcp.fill_checksum(&from, &to);
            }
        }
        IpProtocol::Udp => {
            if let Ok(mut udp) = UdpPacket::new_checked(ip.payload_mut()) {
                udp.fill_checksum(&from, &to);
            }
        }
        _ => {}
    }
}

/// smoltcp would take it, and later believe to have bytes that never found room.
#[test]
fn data_behind_the_buffer_is_not_taken() {
    let net = Net::new();
    let (client, end) = pair(&net);
    let data = pattern(100_000);
    // The server has said nothing since its SYN.
    {
        let mut cable = net.cable.lock().unwrap();
        (cable.cut, cable.tap) = (true, Some(Vec::new()));
    }
    let mut sent = send(&*client, &data[..1000]).unwrap();
    let mut frame = net.cable.lock().unwrap().tap.take().unwrap().pop().unwrap();
    let mut tcp = TcpPacket::new_unchecked(&mut frame[34..]);
    tcp.set_seq_number(tcp.seq_number() + 65_536);
    mend(&mut frame);
    net.cable.lock().unwrap().cut = false;
    net.cable.lock().unwrap().inject(1, frame);
    let mut got = Vec::new();
    assert!(net.run(LONG, || {
        sent += send(&*client, &data[sent..]).unwrap_or(0);
        if sent > 65_000 {
            got.extend(recv(&*end, 10_000).unwrap_or_default());
        }
        got.len() == data.len()
    }));
    assert!(got == data);
}

/// A SYN from one address to another.
fn syn(from: Ipv4Address, to: Ipv4Address, port: u16) -> Vec<u8> {
    syn_from_port(4000, from, to, port)
}

fn syn_from_port(src_port: u16, from: Ipv4Address, to: Ipv4Address, port: u16) -> Vec<u8> {
    let tcp = TcpRepr {
        src_port,
        dst_port: port,
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(1),
        ack_number: None,
        window_len: 1000,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: b"",
    };
    let (from, to) = (IpAddress::Ipv4(from), IpAddress::Ipv4(to));
    let ip = IpRepr::new(from, to, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let header = EthernetRepr { src_addr: A, dst_addr: B, ethertype: EthernetProtocol::Ipv4 };
    let mut bytes = vec![0; header.buffer_len() + ip.buffer_len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
    let mut packet = TcpPacket::new_unchecked(&mut frame.payload_mut()[ip.header_len()..]);
    tcp.emit(&mut packet, &from, &to, &ChecksumCapabilities::default());
    bytes
}

#[test]
fn nobody_outside_speaks_for_this_host() {
    let net = Net::new();
    let _server = listener(&net.b, 80, 8);
    let (us, them, local) = (Ipv4Address::new(10, 0, 0, 2), Ipv4Address::new(10, 0, 0, 1), Ipv4Address::LOCALHOST);
    for (from, to) in [(local, us), (them, local), (us, us), (Ipv4Address::new(127, 9, 9, 9), us)] {
        net.cable.lock().unwrap().inject(1, syn(from, to, 80));
    }
    net.sleep(Duration::from_millis(1));
    assert_eq!(net.b.sockets(), 0);
    net.cable.lock().unwrap().inject(1, syn(them, us, 80));
    // Until the other host resets what it did not ask for.
    assert!(net.run(Duration::from_millis(1), || net.b.sockets() == 1));
}

#[test]
fn a_syn_that_smoltcp_refuses_leaves_nothing_behind() {
    let net = Net::new();
    let server = listener(&net.b, 80, 8);
    let mut bad = syn(Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2), 80);
    *bad.last_mut().unwrap() ^= 1;
    for to in [bad, syn(Ipv4Address::new(10, 0, 0, 1), Ipv4Address::BROADCAST, 80)] {
        net.cable.lock().unwrap().inject(1, to);
        net.sleep(Duration::from_millis(1));
        assert_eq!(net.b.sockets(), 0);
    }
    let _client = connecting(&net.a, "10.0.0.2:80");
    assert!(net.run(LONG, || server.accept().is_ok()));
}

#[test]
fn a_flood_of_syns_keeps_nobody_out() {
    let net = Net::new();
    let server = listener(&net.b, 80, 8);
    let (nobody, us) = (Ipv4Address::new(10, 0, 0, 99), Ipv4Address::new(10, 0, 0, 2));
    let flood = |ports: core::ops::Range<u16>| {
        ports.for_each(|port| net.cable.lock().unwrap().inject(1, syn_from_port(port, nobody, us, 80)));
        net.sleep(Duration::from_millis(1));
    };
    flood(1000..3000);
    let full = net.b.sockets();
    assert!((100..1000).contains(&full), "{full}");
    // It asks and answers in between.
    let client = connecting(&net.a, "10.0.0.2:80");
    for at in 3..30 {
        flood(1000 * at..1000 * at + 100);
    }
    assert_eq!(net.b.sockets(), full + 1);
    assert!(server.accept().is_ok());
    assert_eq!(client.connect(&addr("10.0.0.2:80")), Ok(()));
    drop((client, server));
    // Nobody ever answers, and what they took is free again.
    net.sleep(Duration::from_secs(200));
    assert_eq!(net.b.sockets(), 0);
}

#[test]
fn a_neighbour_cannot_take_over_the_loopback() {
    let net = Net::new();
    let claim = |own: Ipv4Address| {
        let reply = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: A,
            source_protocol_addr: own,
            target_hardware_addr: B,
            target_protocol_addr: Ipv4Address::new(10, 0, 0, 2),
        };
        let header = EthernetRepr { src_addr: A, dst_addr: B, ethertype: EthernetProtocol::Arp };
        let mut bytes = vec![0; header.buffer_len() + reply.buffer_len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        header.emit(&mut frame);
        reply.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
        bytes
    };
    for own in [Ipv4Address::LOCALHOST, Ipv4Address::new(10, 0, 0, 2)] {
        net.cable.lock().unwrap().inject(1, claim(own));
    }
    net.sleep(Duration::from_millis(1));
    let before = net.cable.lock().unwrap().frames;
    let _server = listener(&net.b, 80, 8);
    for own in ["127.0.0.1:80", "10.0.0.2:80"] {
        assert_eq!(TcpSocket::new(net.b.clone(), Family::Inet).connect(&addr(own)), Ok(()));
    }
    assert_eq!(net.cable.lock().unwrap().frames, before);
}
