//! What becomes of a frame that smoltcp sends: it comes back by the loopback, or the card gets it, with orders.

use super::device::{Offloads, Orders, PartialChecksum, Segmentation, Transmitter};
use super::martian::martian;
use super::packet::{ETHERNET, Packet};
use super::path::Paths;
use super::sending::Sending;
use super::service::Service;
use super::udp::{Envelope, Outbox};
use super::wire::MAX_FRAME;
use super::{checksum, dhcp, fragments, mss, multicast, neighbor, segments};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::num::NonZeroU16;
use smoltcp::phy::TxToken;
use smoltcp::wire::{EthernetAddress, EthernetFrame, IpAddress, IpProtocol, TcpPacket};

/// Frames, and bytes in them, that wait in the loopback before more are refused, as a full ring would.
const LOOPBACK_DEPTH: usize = 256;
const LOOPBACK_BYTES: usize = 512 * 1024;
/// Offset of a TCP header's checksum (RFC 9293, 3.1).
const TCP_CHECKSUM: u16 = 16;

/// The way out.
pub(super) struct Outgoing {
    pub(super) mac: EthernetAddress,
    offloads: Offloads,
    looped: VecDeque<Vec<u8>>,
    looped_bytes: usize,
    /// Frame buffers to use again.
    spare: Vec<Vec<u8>>,
    /// For a frame that the card has no buffer for, and for datagrams.
    scratch: Vec<u8>,
    /// Whether anything but TCP and questions for Ethernet addresses may be sent.
    speaks: bool,
    /// The number of the next packet that is cut.
    ident: u32,
    /// Of the connection that smoltcp sends for; of nobody's in between.
    pub(super) sending: Sending,
    pub(super) outbox: Outbox,
    pub(super) paths: Paths,
    /// The card took frames since the last kick.
    pub(super) unkicked: bool,
    /// Frames that smoltcp has sent.
    pub(super) sent: u64,
}

impl Outgoing {
    pub(super) fn new(mac: EthernetAddress, offloads: Offloads, ident: u32, scratch: Vec<u8>, speaks: bool) -> Self {
        Self {
            mac,
            offloads,
            looped: VecDeque::new(),
            looped_bytes: 0,
            spare: Vec::new(),
            scratch,
            speaks,
            ident,
            sending: Sending::default(),
            outbox: Outbox::new(),
            paths: Paths::default(),
            unkicked: false,
            sent: 0,
        }
    }

    /// The longest frame that the card may take as it is.
    fn longest(&self) -> usize {
        let Offloads { segmentation, segmentation6, .. } = self.offloads;
        segmentation.max(segmentation6).unwrap_or(MAX_FRAME)
    }

    /// Frames wait in the loopback.
    pub(super) fn has_looped(&self) -> bool {
        !self.looped.is_empty()
    }

    /// Whether the loopback takes another frame.
    pub(super) fn has_room(&self) -> bool {
        self.looped.len() < LOOPBACK_DEPTH && self.looped_bytes < LOOPBACK_BYTES
    }

    /// The next frame that comes back.
    pub(super) fn take_looped(&mut self) -> Option<Vec<u8>> {
        let frame = self.looped.pop_front()?;
        self.looped_bytes -= frame.len();
        Some(frame)
    }

    pub(super) fn loop_back(&mut self, frame: &[u8]) {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        // Without memory for it a frame is lost, as on a wire.
        if copy.try_reserve(frame.len()).is_ok() && self.looped.try_reserve(1).is_ok() {
            copy.extend_from_slice(frame);
            self.looped_bytes += copy.len();
            self.looped.push_back(copy);
        }
    }

    pub(super) fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < 8 && self.spare.try_reserve(1).is_ok() {
            self.spare.push(buffer);
        }
    }

    /// Sees to a frame of smoltcp's: says what becomes of it.
    fn dispose(&mut self, frame: &mut [u8]) -> Fate {
        let packet = Packet::of(frame);
        let mut header_len = None;
        let segment = packet.as_ref().is_some_and(|packet| packet.protocol == IpProtocol::Tcp);
        if !self.speaks && !segment && !neighbor::is_question(frame, packet.as_ref()) {
            return Fate::Done;
        }
        if let Some(packet) = &packet {
            match packet.protocol {
                IpProtocol::Tcp => header_len = self.correct(frame, packet),
                IpProtocol::HopByHop => multicast::correct(frame, packet),
                IpProtocol::Udp => {
                    if let Some(envelope) = Envelope::of(frame, packet) {
                        return Fate::Envelope(envelope);
                    }
                    dhcp::correct(frame, packet);
                }
                _ => {}
            }
        }
        if self.keeps(frame, packet.as_ref()) {
            return Fate::Done;
        }
        match (packet, header_len) {
            (Some(packet), Some(header)) => self.seal(frame, packet, header),
            (Some(packet), None) if frame.len() > MAX_FRAME => Fate::Fragments(packet),
            _ => Fate::Card(Orders::default()),
        }
    }

    /// Puts a segment right, but for its checksum: the length of its header. None if it is none.
    fn correct(&mut self, frame: &mut [u8], packet: &Packet) -> Option<u16> {
        let mut tcp = segment(frame, packet)?;
        self.sending.correct(&mut tcp);
        let (header_len, syn) = (tcp.header_len().into(), tcp.syn());
        if syn {
            mss::clamp(&mut frame[packet.payload.clone()], mss::of_packet(packet.to, self.sending.mtu()), None);
        }
        Service { tos: self.sending.service_class, ttl: None }.apply(frame);
        Some(header_len)
    }

    /// Sees to the checksum of a segment with this header, which smoltcp has left out, and to its size.
    fn seal(&self, frame: &mut [u8], packet: Packet, header: u16) -> Fate {
        let size = self.sending.limits.payload(packet.to);
        let v6 = matches!(packet.to, IpAddress::Ipv6(_));
        if packet.payload.len() <= usize::from(header) + usize::from(size.get()) {
            return Fate::Card(sum_up(frame, &packet, self.offloads));
        }
        let longest = if v6 { self.offloads.segmentation6 } else { self.offloads.segmentation };
        if longest.is_none() {
            return Fate::Pieces(packet, header, size);
        }
        let mut orders = sum_up(frame, &packet, self.offloads);
        orders.segmentation = Some(Segmentation { headers: packet.payload.start as u16 + header, size, v6 });
        Fate::Card(orders)
    }

    /// Whether a frame is not for the card: it comes back, or goes nowhere.
    fn keeps(&mut self, frame: &[u8], packet: Option<&Packet>) -> bool {
        if EthernetFrame::new_checked(frame).is_ok_and(|header| header.dst_addr() == self.mac) {
            // Neither cut nor checked: it never leaves the memory.
            self.loop_back(frame);
            return true;
        }
        martian(frame, packet, &[])
    }

    /// Sends the letter that belongs into an envelope. Without a card, or room in it, it may still be for the loopback.
    fn post(&mut self, envelope: &Envelope, card: Option<&mut dyn Transmitter>) {
        let Some(letter) = self.outbox.take(envelope.carried) else { return };
        let mut scratch = core::mem::take(&mut self.scratch);
        if let Some(len) = envelope.fill(&letter, &mut scratch) {
            let frame = &scratch[..len];
            let packet = Packet::of(frame);
            match (card, packet) {
                (Some(card), Some(packet)) if !self.keeps(frame, Some(&packet)) => self.transmit(frame, &packet, card),
                (None, packet) => drop(self.keeps(frame, packet.as_ref())),
                _ => {}
            }
        }
        self.scratch = scratch;
    }

    /// Sends a frame that is complete, in fragments if it is too long.
    fn transmit(&mut self, frame: &[u8], packet: &Packet, card: &mut dyn Transmitter) {
        let longest = self.paths.known(packet.to).map_or(MAX_FRAME, |path| ETHERNET + usize::from(path.mtu));
        if frame.len() <= longest {
            self.unkicked |= put(card, &[], frame, |_| Orders::default());
            return;
        }
        self.ident = self.ident.wrapping_add(1);
        for fragment in fragments::cut(frame, packet, self.ident, longest) {
            self.unkicked |= put(card, fragment.headers(), &frame[fragment.data.clone()], |_| Orders::default());
        }
    }

    /// Sends a segment in pieces.
    fn transmit_pieces(
        &mut self,
        frame: &[u8],
        packet: &Packet,
        header: u16,
        size: NonZeroU16,
        card: &mut dyn Transmitter,
    ) {
        for piece in segments::cut(frame, packet, header.into(), size) {
            let data = &frame[piece.data.clone()];
            let payload = packet.payload.start..piece.headers().len() + data.len();
            let own = Packet { payload, ..packet.clone() };
            let seal = |frame: &mut [u8]| sum_up(frame, &own, self.offloads);
            self.unkicked |= put(card, piece.headers(), data, seal);
        }
    }
}

/// Has the card send a frame, with the orders that `seal` makes of it.
fn put(card: &mut dyn Transmitter, headers: &[u8], data: &[u8], seal: impl Fn(&mut [u8]) -> Orders) -> bool {
    card.transmit(headers.len() + data.len(), &mut |to| {
        let (front, rest) = to.split_at_mut(headers.len());
        front.copy_from_slice(headers);
        rest.copy_from_slice(data);
        Some(seal(to))
    })
}

/// What becomes of a frame of smoltcp's.
enum Fate {
    /// The card sends it.
    Card(Orders),
    /// A letter goes in its place.
    Envelope(Envelope),
    /// It is a segment with a header of so many bytes, and the card sends pieces of it with so much payload.
    Pieces(Packet, u16, NonZeroU16),
    /// The card sends fragments of it.
    Fragments(Packet),
    /// It has come back, or is gone.
    Done,
}

/// A TCP segment in one piece.
fn segment<'a>(frame: &'a mut [u8], packet: &Packet) -> Option<TcpPacket<&'a mut [u8]>> {
    TcpPacket::new_checked(&mut frame[packet.payload.clone()]).ok().filter(|_| packet.part.is_none())
}

/// Sees to a segment's checksum, which smoltcp has left out.
fn sum_up(frame: &mut [u8], packet: &Packet, offloads: Offloads) -> Orders {
    let pseudo = checksum::pseudo(packet.from, packet.to, IpProtocol::Tcp, packet.payload.len());
    TcpPacket::new_unchecked(&mut frame[packet.payload.clone()]).set_checksum(pseudo);
    let partial = PartialChecksum { start: packet.payload.start as u16, offset: TCP_CHECKSUM };
    if !offloads.checksum {
        checksum::complete(frame, partial);
        return Orders::default();
    }
    Orders { checksum: Some(partial), segmentation: None }
}

/// smoltcp's permission to send one frame.
pub(super) struct Sender<'a> {
    pub(super) out: &'a mut Outgoing,
    pub(super) card: Option<&'a mut dyn Transmitter>,
}

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let Sender { out, mut card } = self;
        out.sent += 1;
        let (mut write, mut result, mut fate) = (Some(f), None, Fate::Done);
        let mut scratch = core::mem::take(&mut out.scratch);
        // What comes back is written elsewhere, and what no card takes as it is, to be cut.
        if let Some(card) = card.as_mut().filter(|_| len <= out.longest() && !out.sending.local) {
            card.transmit(len, &mut |frame| {
                result = write.take().map(|write| write(frame));
                fate = out.dispose(frame);
                match fate {
                    Fate::Card(orders) => return Some(orders),
                    Fate::Pieces(..) | Fate::Fragments(_) => scratch[..len].copy_from_slice(frame),
                    Fate::Envelope(_) | Fate::Done => {}
                }
                None
            });
            out.unkicked |= matches!(fate, Fate::Card(_));
        }
        if let Some(write) = write {
            // No card, or no room in it: the frame may still be for the loopback.
            result = Some(write(&mut scratch[..len]));
            fate = out.dispose(&mut scratch[..len]);
        }
        match (&fate, card) {
            // This host has lost the address.
            (&Fate::Card(orders), Some(card)) if out.sending.local => {
                out.unkicked |= put(card, &[], &scratch[..len], |_| orders);
            }
            (Fate::Pieces(packet, header, size), Some(card)) => {
                out.transmit_pieces(&scratch[..len], packet, *header, *size, card);
            }
            (Fate::Fragments(packet), Some(card)) => out.transmit(&scratch[..len], packet, card),
            (Fate::Envelope(envelope), card) => {
                out.scratch = scratch;
                out.post(envelope, card);
                scratch = core::mem::take(&mut out.scratch);
            }
            _ => {}
        }
        out.scratch = scratch;
        let Some(result) = result else { unreachable!("a frame is written once") };
        result
    }
}
