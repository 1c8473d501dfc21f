//! A wire between two network stacks that loses, doubles, delays and damages frames, and the cards at its ends.

use super::sim::{Rng, Sim};
use crate::net::Nic;
use crate::net::device::{Counters, Integrity, Offloads, Orders, Pair, PartialChecksum, Receiver, Transmitter};
use crate::net::flow::{Content, classify};
use crate::net::packet::Packet;
use crate::net::steering::shard_of;
use crate::platform::Platform;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetRepr, Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, IpRepr,
    Ipv4Address, Ipv4Packet, Ipv6Address, Ipv6Packet, TcpPacket,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What goes wrong on a wire, in frames of 1000.
#[derive(Clone, Copy, Default)]
pub struct Faults {
    pub lost: u64,
    pub doubled: u64,
    /// Late by up to 10 ms, so that others overtake it.
    pub late: u64,
    /// A byte changed, or the end cut off.
    pub damaged: u64,
}

/// Two directions, each with the frames under way by arrival.
#[derive(Default)]
pub struct Cable {
    pub faults: Faults,
    /// Nothing arrives any more.
    pub cut: bool,
    /// What a card sends comes back to it as well, as from a multicast socket of QEMU's.
    pub reflects: bool,
    /// Frames that one direction can hold; more are refused, as by a full ring.
    pub ring: usize,
    pub frames: u64,
    pub rng: Rng,
    pub seq: u64,
    pub under_way: [BTreeMap<(u64, u64), Vec<u8>>; 2],
    /// Segments travel as they are, uncut and without checksums, as between two machines on one host.
    pub whole: bool,
    /// A copy of everything sent, if wanted.
    pub tap: Option<Vec<Vec<u8>>>,
    /// Pairs of queues of each card, one at least. A frame comes by the one that its port of TCP or UDP beyond the cable says, if the cards
    /// are not `steered`: else TCP by the one that the stack wants it by, and all else by the first.
    pub queues: [usize; 2],
    pub steered: bool,
    /// By which queue each card has sent, and to which port.
    pub sent_by: [Vec<(usize, u16)>; 2],
    /// Its number, which is in the Ethernet addresses of its cards.
    pub number: u8,
    /// The queue of either card that is full.
    pub full: Option<usize>,
    /// Nanoseconds from end to end beside [`LATENCY`].
    pub delay: u64,
    /// Bytes of a packet that a router in the middle sends on. It says so to who sends longer ones.
    pub narrow: Option<usize>,
}

/// Bytes of an Ethernet header, and of one and a packet.
const ETHERNET: usize = 14;
const MAX_FRAME: usize = 1514;
/// Nanoseconds from end to end.
const LATENCY: u64 = 50_000;

impl Cable {
    fn put(&mut self, from: usize, mut frame: Vec<u8>) {
        self.frames += 1;
        if let Some(tap) = &mut self.tap {
            tap.push(frame.clone());
        }
        if self.cut || self.rng.below(1000) < self.faults.lost {
            return;
        }
        if let Some(mtu) = self.narrow.filter(|&mtu| frame.len() > ETHERNET + mtu && frame[12..14] != [8, 6]) {
            let message = too_big(&frame, mtu as u32);
            if let Some(tap) = &mut self.tap {
                tap.push(message.clone());
            }
            self.inject(from, message);
            return;
        }
        let copies = if self.rng.below(1000) < self.faults.doubled { 2 } else { 1 };
        if self.rng.below(1000) < self.faults.damaged {
            let at = self.rng.below(frame.len() as u64) as usize;
            if self.rng.below(2) == 0 {
                frame[at] ^= 1 << self.rng.below(8);
            } else {
                frame.truncate(at);
            }
        }
        for _ in 0..copies {
            let late = if self.rng.below(1000) < self.faults.late { self.rng.below(10_000_000) } else { 0 };
            self.seq += 1;
            let at = Sim::now().as_nanos() + LATENCY + self.delay + late;
            self.under_way[1 - from].insert((at, self.seq), frame.clone());
            if self.reflects {
                self.under_way[from].insert((at, self.seq), frame.clone());
            }
        }
    }

    /// A frame from nowhere.
    pub fn inject(&mut self, to: usize, frame: Vec<u8>) {
        self.seq += 1;
        self.under_way[to].insert((Sim::now().as_nanos(), self.seq), frame);
    }

    /// The next frame that has come by a queue.
    fn arrived(&self, end: usize, queue: usize) -> Option<(u64, u64)> {
        let now = Sim::now().as_nanos();
        let mut arrived = self.under_way[end].iter().take_while(|((at, _), _)| *at <= now);
        arrived.find(|(_, frame)| self.queue_of(end, frame) == queue).map(|(key, _)| *key)
    }

    fn queue_of(&self, end: usize, frame: &[u8]) -> usize {
        let queues = self.queues[end].max(1);
        if !self.steered {
            return usize::from(port_at(frame, 0)) % queues;
        }
        match classify(frame, Packet::of(frame).as_ref()) {
            Content::Tcp(segment) => shard_of(&segment.flow, queues),
            _ => 0,
        }
    }

    /// When the next frame arrives at either end.
    pub fn next_arrival(&self) -> Option<u64> {
        self.under_way.iter().filter_map(|w| w.first_key_value()).map(|(&(at, _), _)| at).min()
    }
}

/// The receiving side of a pair of queues of a card at one end of a cable.
struct Ear {
    cable: Arc<Mutex<Cable>>,
    end: usize,
    queue: usize,
    held: Vec<u8>,
}

/// The sending side.
struct Port {
    cable: Arc<Mutex<Cable>>,
    end: usize,
    queue: usize,
    offloads: Offloads,
}

impl Port {
    /// Carries out orders: what would be on a wire.
    fn obey(&self, mut frame: Vec<u8>, orders: Orders) -> Vec<Vec<u8>> {
        assert!(frame.len() <= MAX_FRAME || orders.segmentation.is_some());
        let Some(partial) = orders.checksum else {
            assert_eq!(orders, Orders::default());
            return vec![frame];
        };
        assert!(self.offloads.checksum);
        match orders.segmentation {
            None => {
                finish(&mut frame, partial);
                vec![frame]
            }
            Some(cut) => {
                let Offloads { segmentation, segmentation6, .. } = self.offloads;
                let longest = if cut.v6 { segmentation6 } else { segmentation };
                assert!(cut.v6 == (frame[14] >> 4 == 6) && longest.is_some_and(|longest| frame.len() <= longest));
                let (headers, payload) = frame.split_at(cut.headers.into());
                let pieces = payload.chunks(cut.size.get().into());
                let last = pieces.len() - 1;
                let at = |n: usize| n as u32 * u32::from(cut.size.get());
                pieces.enumerate().map(|(n, piece)| cut_out(headers, piece, at(n), n == last)).collect()
            }
        }
    }
}

/// The ends of a packet behind an Ethernet header, and the bytes of its own header.
fn ends(frame: &[u8]) -> (IpAddress, IpAddress, usize) {
    if frame[14] >> 4 == 4 {
        let ip = Ipv4Packet::new_unchecked(&frame[14..]);
        return (ip.src_addr().into(), ip.dst_addr().into(), ip.header_len().into());
    }
    let ip = Ipv6Packet::new_unchecked(&frame[14..]);
    (ip.src_addr().into(), ip.dst_addr().into(), 40)
}

/// The port that is so many bytes behind the header of a packet; 0 of anything that is no TCP or UDP over IPv4.
fn port_at(frame: &[u8], offset: usize) -> u16 {
    match (frame.get(12..15), frame.get(23), frame.get(34 + offset..36 + offset)) {
        (Some([8, 0, 0x45]), Some(6 | 17), Some(&[high, low])) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
}

/// What a router says to who has sent this frame: it would have sent on so many bytes.
pub fn too_big(frame: &[u8], mtu: u32) -> Vec<u8> {
    let (from, _, header) = ends(frame);
    let (protocol, router, message) = match from {
        IpAddress::Ipv4(_) => {
            let quoted = &frame[ETHERNET..ETHERNET + header + 8];
            let message = [&[3, 4, 0, 0, 0, 0][..], &(mtu as u16).to_be_bytes(), quoted].concat();
            (IpProtocol::Icmp, Ipv4Address::new(10, 0, 0, 254).into(), message)
        }
        IpAddress::Ipv6(_) => {
            let quoted = &frame[ETHERNET..frame.len().min(1200)];
            let message = [&[2, 0, 0, 0][..], &mtu.to_be_bytes(), quoted].concat();
            let router = Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, 254);
            (IpProtocol::Icmpv6, IpAddress::Ipv6(router), message)
        }
    };
    let ip = IpRepr::new(router, from, protocol, message.len(), 64);
    let ethertype = EthernetFrame::new_unchecked(frame).ethertype();
    let dst_addr = EthernetFrame::new_unchecked(frame).src_addr();
    let header = EthernetRepr { src_addr: EthernetAddress([2, 0, 0, 0, 0, 99]), dst_addr, ethertype };
    let mut bytes = vec![0; header.buffer_len() + ip.buffer_len()];
    let mut whole = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut whole);
    ip.emit(whole.payload_mut(), &ChecksumCapabilities::default());
    let icmp = &mut whole.payload_mut()[ip.header_len()..];
    icmp.copy_from_slice(&message);
    match (router, from) {
        (IpAddress::Ipv6(router), IpAddress::Ipv6(from)) => {
            Icmpv6Packet::new_unchecked(icmp).fill_checksum(&router, &from);
        }
        _ => Icmpv4Packet::new_unchecked(icmp).fill_checksum(),
    }
    bytes
}

/// Completes a checksum as smoltcp knows how, after a look at what was left of it.
fn finish(frame: &mut [u8], partial: PartialChecksum) {
    let (from, to, header) = ends(frame);
    assert_eq!((usize::from(partial.start), partial.offset), (14 + header, 16));
    let mut tcp = TcpPacket::new_checked(&mut frame[14 + header..]).unwrap();
    let len = u32::from(tcp.header_len()) + tcp.payload_mut().len() as u32;
    let octets: Vec<u8> = [from, to]
        .iter()
        .flat_map(|address| match address {
            IpAddress::Ipv4(v4) => v4.octets().to_vec(),
            IpAddress::Ipv6(v6) => v6.octets().to_vec(),
        })
        .collect();
    let words = octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1]));
    assert_eq!(u32::from(tcp.checksum()) % 0xffff, (words.sum::<u32>() + 6 + len) % 0xffff);
    tcp.fill_checksum(&from, &to);
}

/// A piece of a segment, with headers of its own.
fn cut_out(headers: &[u8], piece: &[u8], offset: u32, last: bool) -> Vec<u8> {
    let mut frame = [headers, piece].concat();
    let len = (frame.len() - 14) as u16;
    let (from, to, header) = ends(&frame);
    if let IpAddress::Ipv4(_) = from {
        let mut ip = Ipv4Packet::new_unchecked(&mut frame[14..]);
        ip.set_total_len(len);
        ip.fill_checksum();
    } else {
        Ipv6Packet::new_unchecked(&mut frame[14..]).set_payload_len(len - 40);
    }
    let mut tcp = TcpPacket::new_checked(&mut frame[14 + header..]).unwrap();
    tcp.set_seq_number(tcp.seq_number() + offset as usize);
    tcp.set_psh(last && tcp.psh());
    tcp.set_fin(last && tcp.fin());
    tcp.fill_checksum(&from, &to);
    frame
}

/// A card at one end of a cable.
pub fn card(cable: &Arc<Mutex<Cable>>, end: usize, offloads: Offloads) -> Nic {
    let Cable { number, queues, .. } = *cable.lock().unwrap();
    let pair = |queue| Pair {
        receiver: Box::new(Ear { cable: cable.clone(), end, queue, held: Vec::new() }),
        transmitter: Box::new(Port { cable: cable.clone(), end, queue, offloads }),
    };
    Nic { mac: [2, 0, 0, 0, number, 10 + end as u8], offloads, pairs: (0..queues[end].max(1)).map(pair).collect() }
}

impl Receiver for Ear {
    fn receive(&mut self) -> Option<Integrity> {
        let mut cable = self.cable.lock().unwrap();
        let key = cable.arrived(self.end, self.queue)?;
        self.held = cable.under_way[self.end].remove(&key).unwrap();
        // What comes over a cable that carries whole segments has never been summed up.
        let (kind, start) = if self.held.get(12..14) == Some(&[0x86, 0xdd]) { (20, 54) } else { (23, 34) };
        let partial = Integrity::Partial(PartialChecksum { start, offset: 16 });
        let tcp = self.held.get(kind) == Some(&6);
        Some(if cable.whole && tcp { partial } else { Integrity::Unknown })
    }

    fn held(&mut self) -> &mut [u8] {
        &mut self.held
    }

    fn release(&mut self) {
        self.held.clear();
    }

    fn kick(&mut self) {}

    fn rearm(&mut self) -> bool {
        self.cable.lock().unwrap().arrived(self.end, self.queue).is_some()
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

impl Transmitter for Port {
    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Option<Orders>) -> bool {
        if !self.can_transmit() {
            return false;
        }
        let mut frame = vec![0xee; len];
        let Some(orders) = fill(&mut frame) else { return true };
        self.cable.lock().unwrap().sent_by[self.end].push((self.queue, port_at(&frame, 2)));
        let whole = self.cable.lock().unwrap().whole;
        let frames = if whole { vec![frame] } else { self.obey(frame, orders) };
        let mut cable = self.cable.lock().unwrap();
        frames.into_iter().for_each(|frame| cable.put(self.end, frame));
        true
    }

    fn can_transmit(&mut self) -> bool {
        let cable = self.cable.lock().unwrap();
        cable.under_way[1 - self.end].len() < cable.ring && cable.full != Some(self.queue)
    }

    fn kick(&mut self) {}

    fn rearm(&mut self) -> bool {
        false
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}
