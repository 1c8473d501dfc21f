//! The receive queue of a network card (virtio 1.2, 5.1.6.3, 5.1.6.4).
//!
//! Buffer `i` always belongs to descriptor `i`, so handing one back costs one element of the ring. As they go back in the order in
//! which they came, the buffers of a merged frame mostly lie side by side, and the frame can be read where it is; only one that goes
//! around the end of the memory is put together elsewhere.

use super::device::{Device, Error};
use super::hal::Buffers;
use super::ring::{Direction, LEN, Ring};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::net::device::{Counters, Integrity, Receiver as Door};
use trapless_logic::virtio::features::{Features, header_len};
use trapless_logic::virtio::header::Header;
use trapless_logic::virtio::merge::side_by_side;

/// Bytes per buffer: a frame of the usual size and a header.
pub(super) const BUFFER_LEN: usize = 2048;
/// Bytes of all of them.
pub(super) const BYTES: usize = LEN * BUFFER_LEN;
/// Most buffers of a frame: 64 KiB and headers.
const MOST: usize = 33;

/// The frame that is held.
enum Held {
    Nothing,
    /// In the buffers, as a range of their bytes.
    InPlace(Range<usize>),
    /// In [`Receiver::gathered`].
    Gathered,
}

pub(super) struct Receiver {
    ring: Ring,
    /// Interrupts are on.
    armed: bool,
    buffers: Buffers,
    agreed: Features,
    /// Which buffers the device has: it can only give back those.
    lent: [bool; LEN],
    /// The bytes of the frame that is held, buffer by buffer in order; `count` of them.
    taken: [Range<usize>; MOST],
    count: usize,
    held: Held,
    gathered: Vec<u8>,
    received: u64,
    malformed: u64,
    /// The device has given back what it did not have: it is not listened to any more.
    broken: bool,
}

impl Receiver {
    /// Queue `index`, all its buffers with the device, which does not interrupt.
    pub(super) fn new(device: &mut Device, index: u16, agreed: Features) -> Result<Receiver, Error> {
        let mut gathered = Vec::new();
        if agreed.contains(Features::MRG_RXBUF) {
            gathered.try_reserve_exact(MOST * BUFFER_LEN).map_err(|_| Error::NoMemory)?;
        }
        let mut receiver = Receiver {
            ring: Ring::new(device, index, agreed.contains(Features::EVENT_IDX))?,
            armed: false,
            buffers: Buffers::new(LEN, BUFFER_LEN).ok_or(Error::NoMemory)?,
            agreed,
            lent: [false; LEN],
            taken: [const { 0..0 }; MOST],
            count: 0,
            held: Held::Nothing,
            gathered,
            received: 0,
            malformed: 0,
            broken: false,
        };
        for number in 0..LEN as u16 {
            // SAFETY: only its place is looked at.
            let memory = unsafe { receiver.buffers.run(number.into(), 1) };
            receiver.ring.describe(number, memory, Direction::ToDriver);
            receiver.lend(number);
        }
        receiver.ring.interrupt_after(0);
        Ok(receiver)
    }

    fn lend(&mut self, number: u16) {
        self.lent[usize::from(number)] = true;
        self.ring.hand_over(number);
    }

    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            self.ring.interrupt_after(0);
        }
    }

    /// Takes the next buffer that the device gives back; false when there is none.
    fn take_buffer(&mut self) -> bool {
        if self.broken {
            return false;
        }
        let Some((number, written)) = self.ring.take_used() else { return false };
        let (number, written) = (number as usize, written as usize);
        if self.lent.get(number) != Some(&true) || written > BUFFER_LEN {
            self.broken = true;
            return false;
        }
        self.lent[number] = false;
        let begin = number * BUFFER_LEN;
        if let Some(place) = self.taken.get_mut(self.count) {
            *place = begin..begin + written;
            self.count += 1;
        } else {
            // More than any frame has: it will be thrown away, so the buffer can go back at once.
            self.lend(number as u16);
        }
        true
    }

    /// Holds the frame that begins in the one buffer that was taken, with what belongs to it; `None` when it makes no sense.
    fn assemble(&mut self) -> Option<Integrity> {
        let header_len = header_len(self.agreed);
        let first = self.taken[0].clone();
        // SAFETY: the device has just given this buffer back.
        let bytes = unsafe { self.buffers.bytes(first) };
        let header = Header::parse(bytes.get(..header_len)?, self.agreed)?;
        // A frame's buffers come all at once (5.1.6.4.1).
        let complete = (1..header.buffers).all(|_| self.take_buffer());
        if !complete || usize::from(header.buffers) > MOST {
            return None;
        }
        let pieces = &self.taken[..self.count];
        let len = pieces.iter().map(Range::len).sum::<usize>().checked_sub(header_len)?;
        let integrity = header.integrity(len)?;
        self.held = match side_by_side(pieces.iter().cloned()) {
            Some(whole) => Held::InPlace(whole.start + header_len..whole.end),
            None => {
                self.gathered.clear();
                for piece in pieces {
                    // SAFETY: the device has given these buffers back, and they are not lent again before `release`. There is room
                    // for all of them.
                    self.gathered.extend_from_slice(unsafe { self.buffers.bytes(piece.clone()) });
                }
                Held::Gathered
            }
        };
        Some(integrity)
    }
}

impl Door for Receiver {
    fn receive(&mut self) -> Option<Integrity> {
        self.disarm();
        loop {
            self.release();
            if !self.take_buffer() {
                return None;
            }
            match self.assemble() {
                Some(integrity) => {
                    self.received += 1;
                    return Some(integrity);
                }
                // It makes no sense.
                None => self.malformed += 1,
            }
        }
    }

    fn held(&mut self) -> &mut [u8] {
        match &self.held {
            Held::Nothing => &mut [],
            // SAFETY: the device has given these buffers back, and they are not lent again before `release`.
            Held::InPlace(range) => unsafe { self.buffers.bytes(range.clone()) },
            Held::Gathered => &mut self.gathered[header_len(self.agreed)..],
        }
    }

    fn release(&mut self) {
        self.held = Held::Nothing;
        for place in 0..core::mem::take(&mut self.count) {
            self.lend((self.taken[place].start / BUFFER_LEN) as u16);
        }
    }

    fn kick(&mut self) {
        self.ring.kick();
    }

    fn rearm(&mut self) -> bool {
        self.ring.kick();
        self.armed = true;
        self.ring.interrupt_after(1);
        // What came before the device could see that makes no interrupt: look once more, after it is out for sure.
        fence(Ordering::SeqCst);
        let more = !self.broken && self.ring.pending();
        if more {
            self.disarm();
        }
        more
    }

    fn counters(&self) -> Counters {
        Counters { received: self.received, malformed: self.malformed, kicks: self.ring.kicks, ..Counters::default() }
    }
}
