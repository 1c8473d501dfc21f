//! A host between the two that changes what they say, and says more: for as long as one likes.
//!
//! `cargo xtask fuzz` runs it for minutes or hours, the other tests for a moment. A round is two hosts with connections and datagrams of
//! both IP versions, and some hundred frames that are made from theirs. Its seed makes it again.

use super::sim::{Net, Rng};
use super::udp::{Udp, bound, send_to};
use super::*;
use crate::net::checksum;
use crate::net::device::{Offloads, PartialChecksum};
use crate::net::packet::{ETHERNET, Packet};
use crate::virtio::features::Features;
use crate::virtio::header::{HEADER_LEN, Header};
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Packet};
use std::env;
use std::time::Instant;

/// Rounds without the variable that says how many seconds to go on.
const FEW: u64 = 3;
const SECONDS: &str = "TRAPLESS_FUZZ_SECONDS";
/// The first round's seed; the next one has the next.
const SEED: &str = "TRAPLESS_FUZZ_SEED";
/// Frames that the host in the middle sends in a round.
const FRAMES: u64 = 600;
/// Numbers at which something often changes.
const EDGES: [u8; 12] = [0, 1, 2, 4, 6, 17, 44, 58, 0x7f, 0x80, 0xfe, 0xff];

#[test]
fn what_comes_by_the_wire_does_no_harm() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (seconds, first) = (number(SECONDS), number(SEED).unwrap_or(1));
    let begun = Instant::now();
    let mut told = begun;
    for round in 0.. {
        if seconds.map_or(round >= FEW, |seconds| begun.elapsed().as_secs() >= seconds) {
            println!("{round} rounds, {} frames, seeds from {first}", round * FRAMES);
            return;
        }
        let seed = first + round;
        std::panic::catch_unwind(|| one_round(seed)).unwrap_or_else(|_| panic!("{SEED}={seed} finds it"));
        if told.elapsed().as_secs() >= 60 {
            told = Instant::now();
            println!("{} min: {round} rounds", begun.elapsed().as_secs() / 60);
        }
    }
}

fn one_round(seed: u64) {
    let mut rng = Rng::new(seed);
    let (checksum, long) = (true, Some(65_549));
    let offloads = match rng.below(4) {
        0 => Offloads::default(),
        1 => Offloads { checksum, ..Offloads::default() },
        2 => Offloads { checksum, segmentation: long, segmentation6: None },
        _ => Offloads { checksum, segmentation: long, segmentation6: long },
    };
    let net = Net::between([offloads; 2], Default::default(), seed);
    {
        let mut cable = net.cable.lock().unwrap();
        cable.ring = 100_000;
        cable.whole = offloads.checksum && rng.below(2) == 0;
        cable.tap = Some(Vec::new());
        // A router's complaints, to be changed as well.
        cable.narrow = (!cable.whole && rng.below(3) == 0).then_some(1300);
    }
    let mut talk = Talk::new(&net);
    for _ in 0..FRAMES {
        if rng.below(4) == 0 {
            talk.go_on(&net, &mut rng);
        }
        let mut frame = talk.pick(&net, &mut rng);
        change(&mut frame, &mut rng);
        parse_header(&frame, &mut rng);
        net.cable.lock().unwrap().inject(rng.below(2) as usize, frame);
        if rng.below(3) == 0 {
            net.run(Duration::from_micros(rng.below(2000)), || false);
        }
        if rng.below(100) == 0 {
            net.run(Duration::from_millis(rng.below(5000)), || false);
        }
    }
    drop(talk);
    net.cable.lock().unwrap().tap = None;
    // As long as anything waits for a peer that is not there.
    net.sleep(Duration::from_secs(2000));
    let server = TcpSocket::new(net.b.clone(), Family::Inet6);
    server.bind(&addr("[::]:99")).unwrap();
    server.listen(1).unwrap();
    for to in ["10.0.0.2:99", "[fd00::2]:99"] {
        serves(&net, &server, to);
    }
    drop(server);
    net.sleep(Duration::from_secs(2000));
    assert_eq!((net.a.sockets(), net.b.sockets()), (0, 0), "something is left");
}

/// A client of host a gets what it asks for.
fn serves(net: &Net, server: &Tcp, to: &str) {
    let family = if to.starts_with('[') { Family::Inet6 } else { Family::Inet };
    let client = TcpSocket::new(net.a.clone(), family);
    let mut end = None;
    let began = client.connect(&addr(to));
    assert!(matches!(began, Err(Errno::EINPROGRESS)), "{began:?}");
    let connected = net.run(LONG, || {
        end = end.take().or_else(|| server.accept().ok());
        end.is_some() && client.ready().contains(Ready::WRITABLE)
    });
    assert!(connected, "nobody is let in");
    let (end, _) = end.unwrap();
    let (data, mut sent, mut got) = (pattern(5000), 0, Vec::new());
    let came = net.run(LONG, || {
        sent += send(&*client, &data[sent..]).unwrap_or(0);
        got.extend(recv(&*end, 10_000).unwrap_or_default());
        got.len() >= data.len()
    });
    assert!(came && got == data, "what was sent does not come");
}

/// What goes on between the hosts.
struct Talk {
    servers: Vec<Tcp>,
    clients: Vec<Tcp>,
    ends: Vec<End>,
    udp: Vec<Udp>,
}

impl Talk {
    fn new(net: &Net) -> Self {
        let server = TcpSocket::new(net.b.clone(), Family::Inet6);
        server.bind(&addr("[::]:80")).unwrap();
        server.listen(4).unwrap();
        let udp = [(&net.a, "[::]:9"), (&net.b, "[::]:9")].map(|(stack, at)| bound(stack, at)).into();
        Self { servers: vec![server], clients: Vec::new(), ends: Vec::new(), udp }
    }

    /// Does something that a program might do.
    fn go_on(&mut self, net: &Net, rng: &mut Rng) {
        match rng.below(8) {
            0 | 1 if self.clients.len() < 8 => {
                let v6 = rng.below(2) == 0;
                let family = if v6 { Family::Inet6 } else { Family::Inet };
                let client = TcpSocket::new(net.a.clone(), family);
                let _ = client.connect(&addr(if v6 { "[fd00::2]:80" } else { "10.0.0.2:80" }));
                self.clients.push(client);
            }
            2 => self.ends.extend(self.servers[0].accept().ok().map(|(end, _)| end)),
            3 if !self.clients.is_empty() => {
                let client = self.clients.swap_remove(rng.below(self.clients.len() as u64) as usize);
                let _ = client.shutdown(crate::socket::Shutdown::Write);
            }
            4 if !self.ends.is_empty() => drop(self.ends.swap_remove(rng.below(self.ends.len() as u64) as usize)),
            5 => {
                let most = if rng.below(4) == 0 { 60_000 } else { 2000 };
                let len = rng.below(most) as usize;
                let to = if rng.below(2) == 0 { "[fd00::2]:9" } else { "[::ffff:10.0.0.2]:9" };
                let _ = send_to(&self.udp[0], &pattern(len), to);
            }
            6 => {
                for udp in &self.udp {
                    let _ = udp.recv(&mut Vec::with_capacity(70_000), MsgFlags::empty());
                }
            }
            _ => {
                let len = rng.below(20_000) as usize;
                for client in &self.clients {
                    let _ = send(&**client, &pattern(len));
                }
                for end in &self.ends {
                    let _ = (recv(&**end, 30_000), send(&**end, &pattern(len / 2)));
                }
            }
        }
    }

    /// One of the frames that were sent lately.
    fn pick(&self, net: &Net, rng: &mut Rng) -> Vec<u8> {
        let mut cable = net.cable.lock().unwrap();
        let tap = cable.tap.as_mut().unwrap();
        let old = tap.len().saturating_sub(200);
        tap.drain(..old);
        match rng.below(20) {
            0 => (0..rng.below(100)).map(|_| rng.next() as u8).collect(),
            _ if tap.is_empty() => vec![0; 60],
            _ => tap[rng.below(tap.len() as u64) as usize].clone(),
        }
    }
}

/// What a card might say of a frame, which is taken apart too.
fn parse_header(frame: &[u8], rng: &mut Rng) {
    let mut bytes = [0; HEADER_LEN];
    bytes.fill_with(|| if rng.below(2) == 0 { EDGES[rng.below(12) as usize] } else { rng.next() as u8 });
    let agreed = Features::from_bits_truncate(rng.next());
    if let Some(header) = Header::parse(&bytes[..rng.below(13) as usize], agreed) {
        header.integrity(frame.len());
    }
}

/// Changes a frame, in one way or several.
fn change(frame: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.below(4) {
        let len = frame.len().max(1) as u64;
        // Mostly in the headers.
        let most = if rng.below(4) == 0 { len } else { len.min(100) };
        let at = rng.below(most) as usize;
        match rng.below(10) {
            0 => frame.truncate(at),
            1 => frame.resize(frame.len() + rng.below(64) as usize, rng.next() as u8),
            2 if rng.below(8) == 0 => frame.resize(65_000, 0x5a),
            3 if at >= ETHERNET => frame[at..].rotate_left(rng.below(2) as usize * 8 % (len as usize - at).max(1)),
            4 => drop(frame.splice(at.min(frame.len())..at.min(frame.len()), [EDGES[rng.below(12) as usize]; 8])),
            5 => sequence(frame, rng),
            6 | 7 => frame.get_mut(at).into_iter().for_each(|byte| *byte = EDGES[rng.below(12) as usize]),
            _ => frame.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << rng.below(8)),
        }
    }
    // Right lengths and checksums, so that the damage gets further in.
    if rng.below(4) > 0 {
        mend(frame);
    }
}

/// Other flags, and numbers near those of a segment or far from them.
fn sequence(frame: &mut [u8], rng: &mut Rng) {
    let Some(packet) = Packet::of(frame).filter(|packet| packet.protocol == IpProtocol::Tcp) else { return };
    let Some(header) = frame[packet.payload].first_chunk_mut::<20>() else { return };
    let near = |rng: &mut Rng| match rng.below(4) {
        0 => rng.next() as u32,
        1 => 0x8000_0000,
        _ => (rng.below(3000) as u32).wrapping_sub(1500),
    };
    for at in [4, 8] {
        if rng.below(2) == 0 {
            let number = u32::from_be_bytes(header[at..at + 4].try_into().unwrap()).wrapping_add(near(rng));
            header[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
    }
    if rng.below(2) == 0 {
        header[13] = rng.next() as u8;
    }
    if rng.below(4) == 0 {
        header[14..16].copy_from_slice(&[0, rng.below(2) as u8]);
    }
}

fn mend(frame: &mut [u8]) {
    if let Some(packet) = frame.get_mut(ETHERNET..).filter(|packet| packet.first().is_some_and(|first| first >> 4 == 4))
        && let Ok(mut ip) = Ipv4Packet::new_checked(packet)
    {
        ip.fill_checksum();
    }
    let Some(Packet { from, to, protocol, payload, .. }) = Packet::of(frame) else { return };
    let (offset, pseudo) = match (protocol, from) {
        (IpProtocol::Tcp, _) => (16, true),
        (IpProtocol::Udp, _) => (6, true),
        (IpProtocol::Icmp, _) => (2, false),
        (IpProtocol::Icmpv6, IpAddress::Ipv6(_)) => (2, true),
        _ => return,
    };
    let Some(field) = frame[payload.clone()].get_mut(offset..offset + 2) else { return };
    let seed = if pseudo { checksum::pseudo(from, to, protocol, payload.len()) } else { 0 };
    field.copy_from_slice(&seed.to_be_bytes());
    // Nothing behind the packet counts.
    let whole = &mut frame[..payload.end];
    checksum::complete(whole, PartialChecksum { start: payload.start as u16, offset: offset as u16 });
}
