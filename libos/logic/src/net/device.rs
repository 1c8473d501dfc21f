//! The door between the network stack and a network card.

use core::num::NonZeroU16;

/// What a card does in place of the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// It completes the checksums of what it sends.
    pub checksum: bool,
    /// It cuts TCP segments over IPv4 into packets: the longest frame that it takes for that. Only with `checksum`.
    pub segmentation: Option<usize>,
    /// The same over IPv6.
    pub segmentation6: Option<usize>,
}

/// A checksum of which a frame holds only the pseudo header's part, uncomplemented. Complete, it covers all from `start` to the
/// frame's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where the checksummed bytes begin, from the frame's first byte.
    pub start: u16,
    /// Where in them the checksum is.
    pub offset: u16,
}

impl PartialChecksum {
    /// Whether the checksum lies within a frame of `len` bytes.
    pub fn fits(&self, len: usize) -> bool {
        usize::from(self.start) + usize::from(self.offset) + 2 <= len
    }
}

/// What a card knows about a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// Nothing: whoever takes the frame verifies its checksums.
    Unknown,
    /// The checksum of its TCP segment or UDP datagram is right.
    Verified,
    /// It has seen no wire yet: whoever sends it on completes the checksum.
    Partial(PartialChecksum),
}

/// A frame that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// What the card knows about it.
    pub integrity: Integrity,
    /// The queue by which it came.
    pub queue: usize,
}

/// What a card has to do with a frame that it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Complete a checksum.
    pub checksum: Option<PartialChecksum>,
    /// Cut the TCP segment in it.
    pub segmentation: Option<Segmentation>,
}

/// How a TCP segment is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// Bytes of Ethernet, IP and TCP header, which each piece gets.
    pub headers: u16,
    /// Most bytes of payload in a piece.
    pub size: NonZeroU16,
    /// It goes over IPv6.
    pub v6: bool,
}

/// What a card has done so far with a pair of queues, or with all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub received: u64,
    /// Frames queued for sending.
    pub transmitted: u64,
    /// Received frames that made no sense.
    pub malformed: u64,
    /// Frames that were too long to send.
    pub too_long: u64,
    /// Times that a frame found the transmit ring full.
    pub ring_full: u64,
    /// Times that the card was told about new buffers.
    pub kicks: u64,
}

impl core::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            received: sum.received + one.received,
            transmitted: sum.transmitted + one.transmitted,
            malformed: sum.malformed + one.malformed,
            too_long: sum.too_long + one.too_long,
            ring_full: sum.ring_full + one.ring_full,
            kicks: sum.kicks + one.kicks,
        })
    }
}

/// A card that carries Ethernet frames, driven by one caller at a time.
///
/// It may have several pairs of queues, one to receive by and one to send by, each with an interrupt of its own. Which of them a frame comes
/// by is the card's affair; packets of one connection come by the same, and those of them that answer should leave by its other half:
/// from that many a card learns where the connection's packets are wanted.
///
/// Its interrupts are off while the stack works and on while the stack is idle, so that a busy link costs no interrupts:
/// 1. the card's interrupt raises the network softirq;
/// 2. the stack takes frames with [`receive`](NetDevice::receive) and hands over frames with [`Transmitter::transmit`];
/// 3. [`kick`](NetDevice::kick) tells the card about the latter, once for all of them;
/// 4. [`rearm`](NetDevice::rearm) turns interrupts on again, unless there is more to do: then go to 2.
pub trait NetDevice: Send {
    /// The card's Ethernet address.
    fn mac(&self) -> [u8; 6];

    /// What the card does in place of the stack.
    fn offloads(&self) -> Offloads;

    /// Pairs of queues, from one on.
    fn queues(&self) -> usize;

    /// Takes the next frame of any queue, if there is one, and holds it until [`release`](NetDevice::release) or the next call.
    fn receive(&mut self) -> Option<Arrival>;

    /// The frame that is held, from the destination address on and without Ethernet's checksum, empty without one; and beside it the way
    /// out by a queue, for an answer. The frame may be longer than a packet can be on the wire: then it is a TCP segment put together from
    /// several. Its bytes may be changed.
    fn parts(&mut self, queue: usize) -> (&mut [u8], &mut dyn Transmitter);

    /// Ends the use of the frame that is held, if any.
    fn release(&mut self);

    /// Whether there is room in any queue, as [`Transmitter::can_transmit`] tells of one.
    fn can_transmit(&mut self) -> bool;

    /// Tells the card about everything queued since the last time.
    fn kick(&mut self);

    /// Turns the card's interrupts on. Returns true when frames have come meanwhile (or room, when the ring was full): then no
    /// interrupt may announce them, interrupts are still off, and the stack must go on working. Includes a [`kick`](NetDevice::kick).
    fn rearm(&mut self) -> bool;

    /// What the card has done so far with a pair of queues.
    fn counters(&self, queue: usize) -> Counters;
}

/// The sending side of a card.
pub trait Transmitter {
    /// Lets `fill` write a frame of `len` bytes and queues it, with what is to be done with it; a frame without orders is forgotten.
    /// Returns false, without calling `fill`, when the ring is full: the stack keeps the frame, and hears of room by the network
    /// softirq after [`NetDevice::rearm`]. The slice holds bytes of earlier frames: `fill` writes all of it. A frame longer than the
    /// card can carry is dropped, as a wire would, without calling `fill`: then the result is false, too.
    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Option<Orders>) -> bool;

    /// Whether [`transmit`](Transmitter::transmit) would find room, even for the longest frame.
    fn can_transmit(&mut self) -> bool;
}
