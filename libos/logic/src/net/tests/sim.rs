//! A simulated machine with virtual time, and a wire between two network stacks that loses, doubles, delays and damages frames.
//!
//! Everything runs on the test's own thread: a test is the same in each run, and minutes of retransmissions take no time.

use crate::net::device::{Arrival, Counters, Integrity, NetDevice, Offloads, Orders, PartialChecksum, Transmitter};
use crate::net::{Addressing, Addressing6, NetStack};
use crate::platform::{Platform, SparseName, Supply, TimerId};
use crate::time::Instant;
use crate::wait::{Observer, Ready};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetRepr, Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, IpRepr,
    Ipv4Address, Ipv4Cidr, Ipv4Packet, Ipv6Address, Ipv6Cidr, Ipv6Packet, TcpPacket,
};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The simulated machine.
pub struct Sim;

#[derive(Default)]
struct World {
    now: u64,
    seq: u64,
    timers: BTreeMap<(Instant, u64), Arc<dyn Observer>>,
    rng: Rng,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
    /// The CPU that the test's thread runs on.
    pub static CPU: Cell<usize> = const { Cell::new(0) };
    /// What the machine says of its memory.
    pub static MEMORY: Cell<Supply> = const { Cell::new(Supply::Ample) };
    /// The buffers whose memory was taken back.
    pub static DISCARDED: RefCell<Vec<SparseName>> = RefCell::default();
}

/// A generator of numbers that only have to look random (xorshift64*).
pub struct Rng(u64);

impl Default for Rng {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        rng.next();
        rng
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }
}

impl Platform for Sim {
    type Thread = ();

    fn now() -> Instant {
        WORLD.with_borrow(|w| Instant::from_nanos(w.now))
    }

    fn realtime_ns() -> u64 {
        Self::now().as_nanos()
    }

    fn cpu() -> usize {
        CPU.get()
    }

    fn preempt_disable() {}

    fn preempt_enable() {}

    fn halt() {
        panic!("the only thread waits for a lock");
    }

    fn kick(_: usize) {}

    fn current() {}

    fn park(_: Option<Instant>) {
        panic!("the only thread sleeps");
    }

    fn unpark((): &()) {}

    fn signal_pending() -> bool {
        false
    }

    fn timer_arm(at: Instant, target: Arc<dyn Observer>) -> TimerId {
        WORLD.with_borrow_mut(|w| {
            w.seq += 1;
            w.timers.insert((at, w.seq), target);
            TimerId { cpu: 0, at, seq: w.seq }
        })
    }

    fn timer_cancel(id: TimerId) -> bool {
        WORLD.with_borrow_mut(|w| w.timers.remove(&(id.at, id.seq))).is_some()
    }

    fn random(buf: &mut [u8]) {
        WORLD.with_borrow_mut(|w| buf.fill_with(|| w.rng.next() as u8));
    }

    fn sparse_bytes(len: usize) -> Option<Vec<u8>> {
        Some(vec![0; len])
    }

    fn sparse_discard(buffers: &mut dyn Iterator<Item = SparseName>) {
        DISCARDED.with_borrow_mut(|all| all.extend(buffers));
    }

    fn memory() -> Supply {
        MEMORY.get()
    }
}

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
    /// Frames that one direction can hold; more are refused, as by a full ring.
    pub ring: usize,
    pub frames: u64,
    rng: Rng,
    seq: u64,
    under_way: [BTreeMap<(u64, u64), Vec<u8>>; 2],
    /// Segments travel as they are, uncut and without checksums, as between two machines on one host.
    pub whole: bool,
    /// A copy of everything sent, if wanted.
    pub tap: Option<Vec<Vec<u8>>>,
    /// Pairs of queues of each card, one at least; a frame comes by the one that its port of TCP or UDP beyond the cable says.
    pub queues: [usize; 2],
    /// By which queue each card has sent, and to which port.
    pub sent_by: [Vec<(usize, u16)>; 2],
    /// The queue of either card that is full.
    pub full: Option<usize>,
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
            let at = Sim::now().as_nanos() + LATENCY + late;
            self.under_way[1 - from].insert((at, self.seq), frame.clone());
        }
    }

    /// A frame from nowhere.
    pub fn inject(&mut self, to: usize, frame: Vec<u8>) {
        self.seq += 1;
        self.under_way[to].insert((Sim::now().as_nanos(), self.seq), frame);
    }

    fn arrived(&self, end: usize) -> bool {
        self.under_way[end].first_key_value().is_some_and(|(&(at, _), _)| at <= Sim::now().as_nanos())
    }

    fn next_arrival(&self) -> Option<u64> {
        self.under_way.iter().filter_map(|w| w.first_key_value()).map(|(&(at, _), _)| at).min()
    }
}

/// A card at one end of a cable.
pub struct Nic {
    port: Port,
    held: Vec<u8>,
}

/// The sending side of it.
struct Port {
    cable: Arc<Mutex<Cable>>,
    end: usize,
    offloads: Offloads,
    /// That is in use.
    queue: usize,
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

impl Nic {
    pub fn new(cable: &Arc<Mutex<Cable>>, end: usize, offloads: Offloads) -> Self {
        Self { port: Port { cable: cable.clone(), end, offloads, queue: 0 }, held: Vec::new() }
    }
}

impl NetDevice for Nic {
    fn mac(&self) -> [u8; 6] {
        [2, 0, 0, 0, 0, 10 + self.port.end as u8]
    }

    fn offloads(&self) -> Offloads {
        self.port.offloads
    }

    fn queues(&self) -> usize {
        self.port.cable.lock().unwrap().queues[self.port.end].max(1)
    }

    fn receive(&mut self) -> Option<Arrival> {
        let mut cable = self.port.cable.lock().unwrap();
        if !cable.arrived(self.port.end) {
            return None;
        }
        let (_, frame) = cable.under_way[self.port.end].pop_first().unwrap();
        self.held = frame;
        // What comes over a cable that carries whole segments has never been summed up.
        let (kind, start) = if self.held.get(12..14) == Some(&[0x86, 0xdd]) { (20, 54) } else { (23, 34) };
        let partial = Integrity::Partial(PartialChecksum { start, offset: 16 });
        let tcp = self.held.get(kind) == Some(&6);
        let queue = usize::from(port_at(&self.held, 0)) % cable.queues[self.port.end].max(1);
        let integrity = if cable.whole && tcp { partial } else { Integrity::Unknown };
        Some(Arrival { integrity, queue })
    }

    fn parts(&mut self, queue: usize) -> (&mut [u8], &mut dyn Transmitter) {
        self.port.queue = queue;
        (&mut self.held, &mut self.port)
    }

    fn release(&mut self) {
        self.held.clear();
    }

    fn can_transmit(&mut self) -> bool {
        (0..self.queues()).any(|queue| self.parts(queue).1.can_transmit())
    }

    fn kick(&mut self) {}

    fn rearm(&mut self) -> bool {
        self.port.cable.lock().unwrap().arrived(self.port.end)
    }

    fn counters(&self, _: usize) -> Counters {
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
}

pub type Stack = Arc<NetStack<Sim>>;

/// The address fd00::`host`.
fn fixed6(host: u8) -> Addressing6 {
    let address = Ipv6Cidr::new(Ipv6Address::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into()), 64);
    Addressing6::Static { address, router: None }
}

/// Two hosts, 10.0.0.1 and fd00::1, 10.0.0.2 and fd00::2, on one cable.
pub struct Net {
    pub a: Stack,
    pub b: Stack,
    pub cable: Arc<Mutex<Cable>>,
    /// Events so far.
    pub steps: Cell<u64>,
}

impl Net {
    pub fn new() -> Self {
        Self::with(Faults::default(), 1)
    }

    pub fn with(faults: Faults, seed: u64) -> Self {
        Self::between([Offloads::default(); 2], faults, seed)
    }

    /// Between two cards with these offloads.
    pub fn between(offloads: [Offloads; 2], faults: Faults, seed: u64) -> Self {
        let net = Self::on(Cable { ring: 64, ..Cable::default() }, offloads);
        let mut cable = net.cable.lock().unwrap();
        (cable.faults, cable.rng, cable.frames) = (faults, Rng::new(seed), 0);
        drop(cable);
        net
    }

    /// On a cable whose cards have several pairs of queues.
    pub fn with_queues(queues: [usize; 2]) -> Self {
        let cable = Cable { rng: Rng::new(1), ring: 64, queues, ..Cable::default() };
        Self::on(cable, [Offloads::default(); 2])
    }

    fn on(cable: Cable, offloads: [Offloads; 2]) -> Self {
        let cable = Arc::new(Mutex::new(cable));
        let host = |end: usize| {
            let address = Ipv4Cidr::new(Ipv4Address::new(10, 0, 0, 1 + end as u8), 24);
            let nic = Box::new(Nic::new(&cable, end, offloads[end]));
            let stack = NetStack::new(Some(nic), Addressing::Static { address, router: None }, fixed6(1 + end as u8));
            stack.poll();
            stack
        };
        let net = Self { a: host(0), b: host(1), cable, steps: Cell::new(0) };
        // Until the hosts know that nobody else has their addresses.
        net.sleep(Duration::from_secs(2));
        net.steps.set(0);
        net
    }

    /// Goes to the next event, if there is one before `limit`.
    fn step(&self, limit: u64) -> bool {
        let timer = WORLD.with_borrow(|w| w.timers.first_key_value().map(|(&(at, _), _)| at.as_nanos()));
        let arrival = self.cable.lock().unwrap().next_arrival();
        let Some(next) = timer.into_iter().chain(arrival).min().filter(|&at| at <= limit) else { return false };
        WORLD.with_borrow_mut(|w| w.now = w.now.max(next));
        self.steps.set(self.steps.get() + 1);
        fire();
        for stack in [&self.a, &self.b] {
            while stack.poll() {}
        }
        true
    }

    /// Lets time pass until `done`; false if it is not within `limit` of virtual time.
    pub fn run(&self, limit: Duration, mut done: impl FnMut() -> bool) -> bool {
        let limit = (Sim::now() + limit).as_nanos();
        loop {
            if done() {
                return true;
            }
            if !self.step(limit) {
                WORLD.with_borrow_mut(|w| w.now = w.now.max(limit));
                return done();
            }
        }
    }

    /// Lets time pass.
    pub fn sleep(&self, time: Duration) {
        self.run(time, || false);
    }
}

/// Lets time pass without a wire.
pub fn pass(time: Duration) {
    let limit = (Sim::now() + time).as_nanos();
    loop {
        let timer = WORLD.with_borrow(|w| w.timers.first_key_value().map(|(&(at, _), _)| at.as_nanos()));
        let next = timer.filter(|&at| at <= limit);
        WORLD.with_borrow_mut(|w| w.now = w.now.max(next.unwrap_or(limit)));
        if next.is_none() {
            return;
        }
        fire();
    }
}

/// Calls the timers that are due.
fn fire() {
    loop {
        let due = WORLD.with_borrow_mut(|w| match w.timers.first_entry() {
            Some(first) if first.key().0.as_nanos() <= w.now => Some(first.remove()),
            _ => None,
        });
        match due {
            Some(target) => target.notify(Ready::TIMER),
            None => return,
        }
    }
}
