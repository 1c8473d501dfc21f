//! The transmit queue of a network card (virtio 1.2, 5.1.6.2).
//!
//! A frame with its header lies in one piece, in as many neighbouring slots of the memory as it needs, and is described by the
//! descriptor with the number of the first.

use super::device::{Device, Error};
use super::hal::Buffers;
use super::ring::{Direction, LEN, Ring};
use core::sync::atomic::{Ordering, fence};
use trapless_logic::net::device::{Counters, Orders, Transmitter as Door};
use trapless_logic::virtio::features::{Features, header_len};
use trapless_logic::virtio::header::emit;
use trapless_logic::virtio::runs::Runs;

/// Bytes per slot: a header and a frame of the usual size.
const SLOT_LEN: usize = 2048;
/// Bytes of all of them.
pub(super) const BYTES: usize = LEN * SLOT_LEN;
/// Slots of the longest frame, which the device cuts.
const LONG: usize = 32;
/// The longest frame that the device does not cut: Ethernet without checksum, with room for one VLAN tag.
const MAX_FRAME: usize = 1518;

pub(super) struct Transmitter {
    ring: Ring,
    slots: Buffers,
    runs: Runs<LEN>,
    header_len: usize,
    longest: usize,
    /// A frame found the ring full, so room is to be announced by an interrupt.
    starved: bool,
    /// Interrupts are on.
    armed: bool,
    transmitted: u64,
    too_long: u64,
    ring_full: u64,
    /// The device has given back what it did not have: it is not listened to any more.
    broken: bool,
}

impl Transmitter {
    /// Queue `index`, empty, which does not interrupt.
    pub(super) fn new(device: &mut Device, index: u16, agreed: Features) -> Result<Transmitter, Error> {
        let header_len = header_len(agreed);
        let long = agreed.intersects(Features::HOST_TSO4 | Features::HOST_TSO6);
        let mut ring = Ring::new(device, index, agreed.contains(Features::EVENT_IDX))?;
        ring.interrupt_after(0);
        Ok(Transmitter {
            ring,
            slots: Buffers::new(LEN, SLOT_LEN).ok_or(Error::NoMemory)?,
            runs: Runs::default(),
            header_len,
            longest: if long { LONG * SLOT_LEN - header_len } else { MAX_FRAME },
            starved: false,
            armed: false,
            transmitted: 0,
            too_long: 0,
            ring_full: 0,
            broken: false,
        })
    }

    /// The longest frame that can be sent.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    fn slots_for(&self, len: usize) -> usize {
        (self.header_len + len).div_ceil(SLOT_LEN)
    }

    /// Takes back the slots of frames that are sent.
    fn reclaim(&mut self) {
        while !self.broken
            && let Some((first, _)) = self.ring.take_used()
        {
            self.broken = usize::try_from(first).map_or(true, |first| !self.runs.give(first));
        }
    }
}

impl Door for Transmitter {
    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8]) -> Option<Orders>) -> bool {
        if len > self.longest || len == 0 {
            self.too_long += 1;
            return false;
        }
        self.reclaim();
        let count = self.slots_for(len);
        let Some(first) = self.runs.take(count) else {
            self.starved = true;
            self.ring_full += 1;
            return false;
        };
        // SAFETY: the run was just taken, so the device does not have its slots.
        let bytes = unsafe { self.slots.run(first, count) };
        let whole = &mut bytes[..self.header_len + len];
        let (header, frame) = whole.split_at_mut(self.header_len);
        match fill(frame) {
            // The longest frames are for cutting; the device would not take one as it is.
            Some(orders) if len <= MAX_FRAME || orders.segmentation.is_some() => {
                header.copy_from_slice(&emit(orders)[..self.header_len]);
                self.ring.describe(first as u16, whole, Direction::ToDevice);
                self.ring.hand_over(first as u16);
                self.transmitted += 1;
            }
            _ => _ = self.runs.give(first),
        }
        true
    }

    fn can_transmit(&mut self) -> bool {
        let longest = self.slots_for(self.longest);
        if !self.runs.has_room(longest) {
            self.reclaim();
        }
        self.runs.has_room(longest)
    }

    fn kick(&mut self) {
        self.ring.kick();
    }

    fn rearm(&mut self) -> bool {
        self.ring.kick();
        // The stack asks for room before it sends, so a full ring means that it may wait for some.
        self.reclaim();
        let longest = self.slots_for(self.longest);
        let full = !self.runs.has_room(longest);
        let waited = core::mem::replace(&mut self.starved, full);
        if !full {
            if core::mem::take(&mut self.armed) {
                self.ring.interrupt_after(0);
            }
            return waited;
        }
        self.armed = true;
        // Half of them at once are worth an interrupt.
        self.ring.interrupt_after(self.ring.outstanding().div_ceil(2).max(1));
        fence(Ordering::SeqCst);
        self.reclaim();
        self.starved = !self.runs.has_room(longest);
        !self.starved
    }

    fn counters(&self) -> Counters {
        let Self { transmitted, too_long, ring_full, ref ring, .. } = *self;
        Counters { transmitted, too_long, ring_full, kicks: ring.kicks, ..Counters::default() }
    }
}
