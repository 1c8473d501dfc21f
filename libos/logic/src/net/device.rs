//! The door between the network stack and a network card.

use alloc::boxed::Box;
use alloc::vec::Vec;
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

/// What a card has done so far with a queue, with a pair of them, or with all of them.
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

impl core::ops::Add for Counters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            transmitted: self.transmitted + other.transmitted,
            malformed: self.malformed + other.malformed,
            too_long: self.too_long + other.too_long,
            ring_full: self.ring_full + other.ring_full,
            kicks: self.kicks + other.kicks,
        }
    }
}

impl core::iter::Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| sum + one)
    }
}

/// A card that carries Ethernet frames.
///
/// It has pairs of queues, each with an interrupt of its own and driven by one caller at a time, whatever others do with other pairs. Which
/// of them a frame comes by is the card's affair; best by the one that [`steering`](super::steering) says. Packets that answer should leave
/// by the other half of the pair: from that some cards learn where a connection's packets are wanted.
///
/// A pair's interrupts are off while the stack works and on while the stack is idle, so that a busy link costs no interrupts:
/// 1. the pair's interrupt raises the network softirq;
/// 2. the stack takes frames with [`Receiver::receive`] and hands over frames with [`Transmitter::transmit`];
/// 3. `kick` tells the card about the latter, once for all of them;
/// 4. `rearm` turns interrupts on again, unless there is more to do: then go to 2.
pub struct Nic {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// What it does in place of the stack.
    pub offloads: Offloads,
    /// Its pairs of queues, one at least, and [`SHARDS`](super::SHARDS) at most. Of pair `i` the interrupt asks for
    /// [`NetStack::poll_shards`](super::NetStack::poll_shards) of shard `i`.
    pub pairs: Vec<Pair>,
}

/// A pair of queues.
pub struct Pair {
    /// The one to receive by.
    pub receiver: Box<dyn Receiver>,
    /// The one to send by.
    pub transmitter: Box<dyn Transmitter>,
}

/// The receiving side of a pair of queues.
pub trait Receiver: Send {
    /// Takes the next frame, if there is one, and holds it until [`release`](Receiver::release) or the next call: what the card knows about
    /// it.
    fn receive(&mut self) -> Option<Integrity>;

    /// The frame that is held, from the destination address on and without Ethernet's checksum, empty without one. It may be longer than
    /// a packet can be on the wire: then it is a TCP segment put together from several. Its bytes may be changed.
    fn held(&mut self) -> &mut [u8];

    /// Ends the use of the frame that is held, if any.
    fn release(&mut self);

    /// Tells the card about the buffers that it got back since the last time.
    fn kick(&mut self);

    /// Turns interrupts on. Returns true when frames have come meanwhile: then no interrupt may announce them, interrupts are still off,
    /// and the stack must go on working. Includes a [`kick`](Receiver::kick).
    fn rearm(&mut self) -> bool;

    /// What it has done so far.
    fn counters(&self) -> Counters;
}

/// The sending side of a pair of queues.
pub trait Transmitter: Send {
    /// Lets `fill` write a frame of `len` bytes and queues it, with what is to be done with it; a frame without orders is forgotten.
    /// Returns false, without calling `fill`, when the ring is full: the stack keeps the frame, and hears of room by the network
    /// softirq after [`rearm`](Transmitter::rearm). The slice holds bytes of earlier frames: `fill` writes all of it. A frame longer than the
    /// card can carry is dropped, as a wire would, without calling `fill`: then the result is false, too.
    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Option<Orders>) -> bool;

    /// Whether [`transmit`](Transmitter::transmit) would find room, even for the longest frame.
    fn can_transmit(&mut self) -> bool;

    /// Tells the card about everything queued since the last time.
    fn kick(&mut self);

    /// Asks for an interrupt when a ring that is full has room again. Returns true when one that was full has room by now: then the stack
    /// must go on working. Includes a [`kick`](Transmitter::kick).
    fn rearm(&mut self) -> bool;

    /// What it has done so far.
    fn counters(&self) -> Counters;
}
