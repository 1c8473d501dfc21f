//! What smoltcp takes for its network card: the real one, if any, and the loopback.
//!
//! Frames that this host sends to its own Ethernet address never reach the card: they come back as received. To make smoltcp send to
//! that address, it gets advertisements of the host's own IP addresses from here ([`Wire::announce`]). What comes from the card must not
//! pretend to come from this host (RFC 1122 3.2.1.3): [`martian`].
//!
//! smoltcp neither computes nor verifies the checksums of TCP: that is done behind its back (decision 16), by the card where it can,
//! else here, and not at all on the loopback.

use super::device::{Arrival, Counters, Integrity, NetDevice, Offloads};
use super::inspector;
use super::martian::martian;
use super::mss::{self, Said};
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
use smoltcp::wire::{EthernetAddress, IpAddress, Ipv4Address, Ipv6Address};

/// Bytes of an IP packet on the wire.
pub(super) const MTU: usize = 1500;
/// Ethernet header and a packet.
pub(super) const MAX_FRAME: usize = ETHERNET + MTU;
/// Ethernet header and the longest packet of IPv4: what is to be cut, or never leaves this host.
pub(super) const LONGEST_FRAME: usize = ETHERNET + 65535;

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

/// Where the staged frame is.
enum Place {
    Nowhere,
    /// Here.
    Looped(Vec<u8>),
    /// In the card's own buffers.
    Card,
}

pub(super) struct Wire {
    nic: Option<Box<dyn NetDevice>>,
    /// Its pairs of queues; one without a card.
    queues: usize,
    offloads: Offloads,
    pub(super) mac: EthernetAddress,
    /// This host's addresses, those of the card first: so many.
    addresses: Vec<IpAddress>,
    own: usize,
    /// The frame that the next `receive` hands over, and the packet in it.
    staged: Place,
    packet: Option<Packet>,
    /// smoltcp has not had it yet.
    fresh: bool,
    out: Outgoing,
    /// Frames from the card with a wrong checksum, or of a kind that nobody here takes.
    refused: u64,
}

impl Wire {
    /// The wire of `nic`. Fragments are numbered from `ident` on.
    pub(super) fn new(nic: Option<Box<dyn NetDevice>>, ident: u32) -> Self {
        // Without a card any locally administered address does.
        let mac = EthernetAddress(nic.as_ref().map_or([2, 0, 0, 0, 0, 1], |nic| nic.mac()));
        // The loopback alone takes what a packet can hold.
        let long = Some(LONGEST_FRAME);
        let alone = Offloads { checksum: true, segmentation: long, segmentation6: long };
        let mut offloads = nic.as_ref().map_or(alone, |nic| nic.offloads());
        let sums = offloads.checksum;
        for longest in [&mut offloads.segmentation, &mut offloads.segmentation6] {
            *longest =
                longest.filter(|&longest| sums && longest >= MAX_FRAME).map(|longest| longest.min(LONGEST_FRAME));
        }
        Self {
            queues: nic.as_ref().map_or(1, |nic| nic.queues()),
            nic,
            offloads,
            mac,
            addresses: Vec::new(),
            own: 0,
            staged: Place::Nowhere,
            packet: None,
            fresh: false,
            out: Outgoing::new(mac, offloads, ident),
            refused: 0,
        }
    }

    pub(super) fn has_nic(&self) -> bool {
        self.nic.is_some()
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

    /// Lets what belongs to no connection leave by the queue of this CPU, and new connections begin there.
    pub(super) fn speak_for(&mut self, cpu: impl FnOnce() -> usize) {
        if self.queues > 1 {
            self.out.sending.queue = (cpu() % self.queues) as u16;
        }
    }

    /// The queue by which answers leave: that of the staged frame, or of the CPU that calls, or that of the connection.
    pub(super) fn queue(&self) -> u16 {
        self.out.sending.queue
    }

    /// What the card has done, by its pairs of queues, and how many of its frames were refused.
    pub(super) fn counters(&self) -> (Vec<Counters>, u64) {
        let queues = self.nic.iter().flat_map(|nic| (0..nic.queues()).map(|queue| nic.counters(queue)));
        (queues.collect(), self.refused)
    }

    /// Frames wait in the loopback.
    pub(super) fn has_looped(&self) -> bool {
        self.out.has_looped()
    }

    /// Takes the next frame, from the loopback first, then, if `from_nic`, from the card. It stays until [`Wire::drop_staged`].
    pub(super) fn stage(&mut self, from_nic: bool) -> Staged {
        self.drop_staged();
        if let Some(frame) = self.out.take_looped() {
            self.packet = Packet::of(&frame);
            (self.staged, self.fresh) = (Place::Looped(frame), true);
            return Staged::Frame;
        }
        let Some(nic) = self.nic.as_mut().filter(|_| from_nic) else { return Staged::Nothing };
        let Some(Arrival { integrity, queue }) = nic.receive() else { return Staged::Nothing };
        self.out.sending.queue = queue as u16;
        let frame = nic.parts(queue).0;
        self.packet = Packet::of(frame);
        let packet = self.packet.as_ref();
        if martian(frame, packet, &self.addresses) || !inspector::admits(frame, packet, integrity) {
            self.refused += 1;
            nic.release();
            return Staged::Dropped;
        }
        (self.staged, self.fresh) = (Place::Card, true);
        Staged::Frame
    }

    /// The staged frame, and the packet in it.
    pub(super) fn staged(&mut self) -> (&[u8], Option<&Packet>) {
        let frame: &[u8] = match (&self.staged, &mut self.nic) {
            (Place::Looped(frame), _) => frame,
            (Place::Card, Some(nic)) => nic.parts(0).0,
            _ => &[],
        };
        (frame, self.packet.as_ref())
    }

    /// Has the SYN in the staged frame say no more than `most` of its sender's segments: what it says then.
    pub(super) fn clamp_mss(&mut self, most: u16) -> Said {
        let frame: &mut [u8] = match (&mut self.staged, &mut self.nic) {
            (Place::Looped(frame), _) => frame,
            (Place::Card, Some(nic)) => nic.parts(0).0,
            _ => &mut [],
        };
        let segment = self.packet.as_ref().and_then(|packet| frame.get_mut(packet.payload.clone()));
        segment.map_or(Said::default(), |segment| mss::clamp(segment, most))
    }

    /// Puts another frame in the place of the staged one, unless there is something wrong with it.
    pub(super) fn restage(&mut self, mut frame: Vec<u8>) -> bool {
        self.drop_staged();
        self.packet = Packet::of(&frame);
        let good = inspector::admits(&mut frame, self.packet.as_ref(), Integrity::Unknown);
        if good {
            (self.staged, self.fresh) = (Place::Looped(frame), true);
        } else {
            self.refused += 1;
        }
        good
    }

    /// Ends the use of the staged frame.
    pub(super) fn drop_staged(&mut self) {
        self.fresh = false;
        match (core::mem::replace(&mut self.staged, Place::Nowhere), &mut self.nic) {
            (Place::Looped(frame), _) => self.out.recycle(frame),
            (Place::Card, Some(nic)) => nic.release(),
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

    /// Tells the card about what was sent.
    pub(super) fn kick(&mut self) {
        if core::mem::take(&mut self.out.unkicked)
            && let Some(nic) = &mut self.nic
        {
            nic.kick();
        }
    }

    /// See [`NetDevice::rearm`].
    pub(super) fn rearm(&mut self) -> bool {
        self.out.unkicked = false;
        self.nic.as_mut().is_some_and(|nic| nic.rearm())
    }

    /// Whether a frame can be sent, wherever it goes, by one queue or another.
    pub(super) fn has_room(&mut self) -> bool {
        self.out.has_room() && self.nic.as_mut().is_none_or(|nic| nic.can_transmit())
    }

    /// Whether one can by this queue, when there is room at all.
    pub(super) fn has_room_in(&mut self, queue: u16) -> bool {
        self.queues == 1 || self.nic.as_mut().is_none_or(|nic| nic.parts(queue.into()).1.can_transmit())
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
        let queue = self.out.sending.queue.into();
        let (held, card) = self.nic.as_mut().map(|nic| nic.parts(queue)).unzip();
        let frame: &[u8] = match &self.staged {
            Place::Looped(frame) => frame,
            Place::Card => held?,
            Place::Nowhere => return None,
        };
        fresh.then_some((Received(frame), Sender { out: &mut self.out, card }))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        let queue = self.out.sending.queue;
        if !self.has_room() || !self.has_room_in(queue) {
            return None;
        }
        let card = self.nic.as_mut().map(|nic| nic.parts(queue.into()).1);
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
