//! What becomes of a frame that smoltcp sends: it comes back by the loopback, or the card gets it, with orders.

use super::checksum;
use super::device::{Offloads, Orders, PartialChecksum, Segmentation, Transmitter};
use super::flow::Span;
use super::marks::{Marks, segment};
use super::martian::leaks;
use super::service::Service;
use super::wire::{LONGEST_FRAME, MAX_FRAME};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::num::NonZeroU16;
use smoltcp::phy::{PacketMeta, TxToken};
use smoltcp::wire::{EthernetAddress, EthernetFrame, IpProtocol};

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
    /// For a frame that the card has no buffer for.
    scratch: Vec<u8>,
    pub(super) marks: Marks,
    /// The card took frames since the last kick.
    pub(super) unkicked: bool,
    /// Frames that smoltcp has sent.
    pub(super) sent: u64,
    /// The last of them, if it was a TCP segment.
    pub(super) last: Option<Span>,
}

impl Outgoing {
    pub(super) fn new(mac: EthernetAddress, offloads: Offloads) -> Self {
        let longest = if offloads.segmentation.is_some() { LONGEST_FRAME } else { MAX_FRAME };
        Self {
            mac,
            offloads,
            looped: VecDeque::new(),
            looped_bytes: 0,
            spare: Vec::new(),
            scratch: alloc::vec![0; longest],
            marks: Marks::new(),
            unkicked: false,
            sent: 0,
            last: None,
        }
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

    /// Sends a frame where it belongs: returns the orders for the card, if that is where.
    fn dispose(&mut self, frame: &mut [u8], size: Option<NonZeroU16>, service: Service) -> Option<Orders> {
        self.last = self.marks.correct(frame);
        service.apply(frame);
        if EthernetFrame::new_checked(&*frame).is_ok_and(|header| header.dst_addr() == self.mac) {
            // Neither cut nor checked: it never leaves the memory.
            self.loop_back(frame);
            return None;
        }
        if leaks(frame) {
            return None;
        }
        self.unkicked = true;
        Some(seal(frame, size, self.offloads))
    }
}

/// Sees to a frame's TCP checksum, which smoltcp has left out, and to the size of its pieces.
fn seal(frame: &mut [u8], size: Option<NonZeroU16>, offloads: Offloads) -> Orders {
    let whole = frame.len();
    let Some((from, to, mut tcp)) = segment(frame) else { return Orders::default() };
    let (header, len) = (u16::from(tcp.header_len()), usize::from(tcp.header_len()) + tcp.payload_mut().len());
    tcp.set_checksum(checksum::pseudo(from, to, IpProtocol::Tcp, len));
    let partial = PartialChecksum { start: (whole - len) as u16, offset: TCP_CHECKSUM };
    if !offloads.checksum {
        checksum::complete(frame, partial);
        return Orders::default();
    }
    let segmentation = size.map(|size| Segmentation { headers: partial.start + header, size });
    Orders { checksum: Some(partial), segmentation }
}

/// smoltcp's permission to send one frame.
pub(super) struct Sender<'a> {
    pub(super) out: &'a mut Outgoing,
    pub(super) card: Option<&'a mut dyn Transmitter>,
    /// The most payload of a piece, when the segment is to be cut.
    pub(super) size: Option<NonZeroU16>,
    pub(super) service: Service,
}

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let Sender { out, card, size, service } = self;
        out.sent += 1;
        let (mut write, mut result) = (Some(f), None);
        if let Some(card) = card {
            card.transmit(len, &mut |frame| {
                result = write.take().map(|write| write(frame));
                out.dispose(frame, size, service)
            });
        }
        match (result, write) {
            (Some(result), _) => result,
            // No card, or no room in it: the frame may still be for the loopback.
            (None, Some(write)) => {
                let mut scratch = core::mem::take(&mut out.scratch);
                let result = write(&mut scratch[..len]);
                let unkicked = out.unkicked;
                out.dispose(&mut scratch[..len], size, service);
                out.unkicked = unkicked;
                out.scratch = scratch;
                result
            }
            (None, None) => unreachable!("a frame is written once"),
        }
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.size = meta.segmentation_offload_size;
        self.service = Service::from_id(meta.id);
    }
}
