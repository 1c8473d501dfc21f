//! What smoltcp takes for its network card: the real one, if any, and the loopback.
//!
//! Frames that this host sends to its own Ethernet address never reach the card: they come back as received. To make smoltcp send to
//! that address, it gets advertisements of the host's own IP addresses from here ([`Wire::announce`]). What comes from the card must not
//! pretend to come from this host (RFC 1122 3.2.1.3): [`martian`].
//!
//! smoltcp neither computes nor verifies the checksums of TCP: that is done behind its back (decision 16), by the card where it can,
//! else here, and not at all on the loopback.

use super::device::{Counters, Integrity, Offloads, Receiver, Transmitter};
use super::inspector;
use super::lane::Lane;
use super::martian::martian;
use super::neighbor;
use super::outgoing::{Outgoing, Sender};
use super::packet::{ETHERNET, Packet};
use super::path::Paths;
use super::sending::Sending;
use super::udp::Outbox;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroUsize;
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IPV6_HEADER_LEN, IpAddress, Ipv4Address, Ipv6Address};

/// Bytes of an IP packet on the wire.
pub(super) const MTU: usize = 1500;
/// Ethernet header and a packet.
pub(super) const MAX_FRAME: usize = ETHERNET + MTU;
/// Bytes of the longest packet of IPv4.
pub(super) const LONGEST: usize = 65535;
/// Ethernet header and such a packet: what is to be cut, or never leaves this host.
pub(super) const LONGEST_FRAME: usize = ETHERNET + LONGEST;
/// Bytes for a frame that no card has a buffer for: one of IPv6 does not count its header.
pub(super) const SCRATCH: usize = LONGEST_FRAME + IPV6_HEADER_LEN;

/// What [`Wire::stage`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staged {
    /// A frame for smoltcp.
    Frame,
    /// A frame that was thrown away.
    Dropped,
    /// No frame.
    Nothing,
}

/// Where a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From this host.
    Loopback,
    /// From the card, by another shard.
    Shard,
    /// From the card.
    Card,
}

/// Where the staged frame is.
enum Place {
    Nowhere,
    /// Here.
    Memory(Vec<u8>),
    /// In the card's own buffers.
    Card,
}

pub(super) struct Wire {
    /// None without a card, or where another shard receives for this one.
    receiver: Option<Box<dyn Receiver>>,
    /// None without a card.
    transmitter: Option<Box<dyn Transmitter>>,
    offloads: Offloads,
    pub(super) mac: EthernetAddress,
    /// This host's addresses, those of the card first: so many.
    addresses: Vec<IpAddress>,
    own: usize,
    /// The frame that the next `receive` hands over, and the packet in it.
    staged: Place,
    packet: Option<Packet>,
    origin: Origin,
    /// smoltcp has not had it yet.
    fresh: bool,
    out: Outgoing,
    /// Frames from the card with a wrong checksum, or of a kind that nobody here takes.
    refused: u64,
}

impl Wire {
    /// The wire of a card, or without one. Fragments are numbered from `ident` on; there are [`SCRATCH`] bytes to write frames to. Who does
    /// not speak for the host sends nothing but TCP, and questions for Ethernet addresses.
    pub(super) fn new(lane: Option<Lane>, ident: u32, scratch: Vec<u8>, speaks: bool) -> Self {
        // Without a card any locally administered address does.
        let mac = EthernetAddress(lane.as_ref().map_or([2, 0, 0, 0, 0, 1], |lane| lane.mac));
        // The loopback alone takes what a packet can hold.
        let long = Some(LONGEST_FRAME);
        let alone = Offloads { checksum: true, segmentation: long, segmentation6: long };
        let mut offloads = lane.as_ref().map_or(alone, |lane| lane.offloads);
        let sums = offloads.checksum;
        for longest in [&mut offloads.segmentation, &mut offloads.segmentation6] {
            *longest =
                longest.filter(|&longest| sums && longest >= MAX_FRAME).map(|longest| longest.min(LONGEST_FRAME));
        }
        let (receiver, transmitter) = lane.map(|lane| (lane.receiver, lane.transmitter)).unzip();
        Self {
            receiver: receiver.flatten(),
            transmitter,
            offloads,
            mac,
            addresses: Vec::new(),
            own: 0,
            staged: Place::Nowhere,
            packet: None,
            origin: Origin::Loopback,
            fresh: false,
            out: Outgoing::new(mac, offloads, ident, scratch, speaks),
            refused: 0,
        }
    }

    pub(super) fn has_nic(&self) -> bool {
        self.transmitter.is_some()
    }

    /// Whether another shard hears what the card says, also about room.
    pub(super) fn is_deaf(&self) -> bool {
        self.has_nic() && self.receiver.is_none()
    }

    /// The card's addresses, and those of this host's that other cards have.
    pub(super) fn set_addresses(&mut self, own: impl Iterator<Item = IpAddress>, others: Vec<IpAddress>) {
        self.addresses.clear();
        self.addresses.extend(own);
        self.own = self.addresses.len();
        self.addresses.extend(others);
    }

    /// The card's addresses.
    pub(super) fn own(&self) -> &[IpAddress] {
        &self.addresses[..self.own]
    }

    /// Frames that smoltcp has sent.
    pub(super) fn sent(&self) -> u64 {
        self.out.sent
    }

    /// Lets the connection of `sending` be the one that smoltcp sends for, and then again another.
    pub(super) fn exchange(&mut self, sending: &mut Sending) {
        core::mem::swap(&mut self.out.sending, sending);
    }

    /// What the card has done by this pair of queues, if it is heard here, and how many of its frames were refused.
    pub(super) fn counters(&self) -> (Option<Counters>, u64) {
        let heard = self.receiver.as_ref().zip(self.transmitter.as_ref());
        (heard.map(|(receiver, transmitter)| receiver.counters() + transmitter.counters()), self.refused)
    }

    /// Frames wait in the loopback.
    pub(super) fn has_looped(&self) -> bool {
        self.out.has_looped()
    }

    /// Takes the next frame, from the loopback first, then, if `from_nic`, from the card. It stays until [`Wire::drop_staged`].
    pub(super) fn stage(&mut self, from_nic: bool) -> Staged {
        self.drop_staged();
        if let Some(frame) = self.out.take_looped() {
            self.put_on_stage(frame, Origin::Loopback);
            return Staged::Frame;
        }
        let Some(receiver) = self.receiver.as_mut().filter(|_| from_nic) else { return Staged::Nothing };
        let Some(integrity) = receiver.receive() else { return Staged::Nothing };
        let frame = receiver.held();
        self.packet = Packet::of(frame);
        let packet = self.packet.as_ref();
        if martian(frame, packet, &self.addresses) || !inspector::admits(frame, packet, integrity) {
            self.refused += 1;
            receiver.release();
            return Staged::Dropped;
        }
        (self.staged, self.origin, self.fresh) = (Place::Card, Origin::Card, true);
        Staged::Frame
    }

    /// Takes a frame that another shard has had from the card.
    pub(super) fn stage_left(&mut self, frame: Vec<u8>) {
        self.drop_staged();
        self.put_on_stage(frame, Origin::Shard);
    }

    fn put_on_stage(&mut self, frame: Vec<u8>, origin: Origin) {
        self.packet = Packet::of(&frame);
        (self.staged, self.origin, self.fresh) = (Place::Memory(frame), origin, true);
    }

    /// Where the staged frame comes from.
    pub(super) const fn origin(&self) -> Origin {
        self.origin
    }

    /// The staged frame, and the packet in it.
    pub(super) fn staged(&mut self) -> (&[u8], Option<&Packet>) {
        let frame: &[u8] = match (&self.staged, &mut self.receiver) {
            (Place::Memory(frame), _) => frame,
            (Place::Card, Some(receiver)) => receiver.held(),
            _ => &[],
        };
        (frame, self.packet.as_ref())
    }

    /// What the packet in the staged frame carries, to be put right before smoltcp sees it.
    pub(super) fn payload(&mut self) -> &mut [u8] {
        let frame: &mut [u8] = match (&mut self.staged, &mut self.receiver) {
            (Place::Memory(frame), _) => frame,
            (Place::Card, Some(receiver)) => receiver.held(),
            _ => &mut [],
        };
        let Some(packet) = &self.packet else { return &mut [] };
        frame.get_mut(packet.payload.clone()).unwrap_or_default()
    }

    /// Puts another frame in the place of the staged one, as if it came from where that one did, unless there is something wrong with it.
    pub(super) fn restage(&mut self, mut frame: Vec<u8>) -> bool {
        self.drop_staged();
        self.packet = Packet::of(&frame);
        let good = inspector::admits(&mut frame, self.packet.as_ref(), Integrity::Unknown);
        if good {
            (self.staged, self.fresh) = (Place::Memory(frame), true);
        } else {
            self.refused += 1;
        }
        good
    }

    /// Ends the use of the staged frame.
    pub(super) fn drop_staged(&mut self) {
        self.fresh = false;
        match (core::mem::replace(&mut self.staged, Place::Nowhere), &mut self.receiver) {
            (Place::Memory(frame), _) => self.out.recycle(frame),
            (Place::Card, Some(receiver)) => receiver.release(),
            _ => {}
        }
    }

    /// What is known of the ways to other hosts.
    pub(super) const fn paths(&mut self) -> &mut Paths {
        &mut self.out.paths
    }

    /// What UDP sockets send.
    pub(super) fn outbox(&mut self) -> &mut Outbox {
        &mut self.out.outbox
    }

    /// Tells the card about what was sent, and about buffers that it got back.
    pub(super) fn kick(&mut self) {
        if core::mem::take(&mut self.out.unkicked) {
            self.transmitter.iter_mut().for_each(|transmitter| transmitter.kick());
            self.receiver.iter_mut().for_each(|receiver| receiver.kick());
        }
    }

    /// Turns the interrupts of the pair on; true if there is more to do. See [`Receiver::rearm`] and [`Transmitter::rearm`].
    pub(super) fn rearm(&mut self) -> bool {
        self.out.unkicked = false;
        let room = self.transmitter.as_mut().is_some_and(|transmitter| transmitter.rearm());
        let frames = self.receiver.as_mut().is_some_and(|receiver| receiver.rearm());
        room || frames
    }

    /// Whether a frame can be sent, wherever it goes.
    pub(super) fn has_room(&mut self) -> bool {
        self.out.has_room() && self.transmitter.as_mut().is_none_or(|transmitter| transmitter.can_transmit())
    }

    /// Lets smoltcp find this host at its own addresses: queues advertisements that say so.
    pub(super) fn announce(&mut self) {
        let loopback = [IpAddress::Ipv4(Ipv4Address::LOCALHOST), IpAddress::Ipv6(Ipv6Address::LOCALHOST)];
        for &own in loopback.iter().chain(&self.addresses) {
            self.out.loop_back(&neighbor::advertisement(self.mac, own));
        }
    }

    /// Sends a frame that is not smoltcp's; false if there is no room for it.
    pub(super) fn send(&mut self, frame: &[u8]) -> bool {
        let Some(sender) = self.transmit(Instant::ZERO) else { return false };
        sender.consume(frame.len(), |to| to.copy_from_slice(frame));
        true
    }
}

/// The staged frame, where it is.
pub(super) struct Received<'a>(&'a [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl Device for Wire {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sender<'_>)> {
        // An answer needs no room: the loopback may overflow by it, because a frame just left it, and a full card loses it. If
        // receiving waited for room, a card that cannot send would keep the stack busy with frames that it cannot take.
        let fresh = core::mem::take(&mut self.fresh);
        let frame: &[u8] = match (&self.staged, &mut self.receiver) {
            (Place::Memory(frame), _) => frame,
            (Place::Card, Some(receiver)) => receiver.held(),
            _ => return None,
        };
        let card = self.transmitter.as_mut().map(|card| &mut **card as &mut dyn Transmitter);
        fresh.then_some((Received(frame), Sender { out: &mut self.out, card }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        if !self.has_room() {
            return None;
        }
        let card = self.transmitter.as_mut().map(|card| &mut **card as &mut dyn Transmitter);
        Some(Sender { out: &mut self.out, card })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ethernet;
        // What is longer than a packet is cut behind smoltcp's back, and what it says of its limits corrected (decision 26).
        caps.max_transmission_unit = LONGEST_FRAME;
        caps.checksum.tcp = Checksum::None;
        caps.segmentation.tcpv4 = self.offloads.segmentation.and_then(NonZeroUsize::new);
        caps.segmentation.tcpv6 = self.offloads.segmentation6.and_then(NonZeroUsize::new);
        caps
    }
}
