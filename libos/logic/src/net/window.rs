//! The receive window as a peer is told of it: room is told in large pieces (RFC 9293, 3.8.6.2.2).
//!
//! A program that reads slowly makes room for a segment, or less, at a time. smoltcp says in each acknowledgement how much room there is;
//! told that, the peer would send as much each time, as a packet of its own. So the end of the window stays where it is until there is
//! room worth telling. smoltcp never learns of this: what it takes for told is more than what was.

use super::buffers::{RECEIVE, is_behind};

/// Bytes of room that are told to a peer that knows of less.
pub(super) const WORTH_TELLING: u32 = RECEIVE as u32 / 4;
/// The scale that smoltcp says: the least by which the whole buffer fits into the field (RFC 7323, 2.2).
const SHIFT: u32 = RECEIVE.ilog2() + 1 - u16::BITS;

/// What the peer of a connection knows of the room here.
#[derive(Clone, Copy, Default)]
pub(super) struct Window {
    shift: u32,
    /// The sequence number behind the last byte that the peer may send. None until it was told.
    edge: Option<u32>,
}

impl Window {
    /// Begins: the peer has agreed to scaled windows, or not.
    pub(super) fn open(&mut self, scaled: bool) {
        *self = Self { shift: if scaled { SHIFT } else { 0 }, edge: None };
    }

    /// What is said in a segment that acknowledges up to `ack`, where smoltcp says `window`.
    pub(super) fn tell(&mut self, ack: u32, window: u16) -> u16 {
        let room = u32::from(window) << self.shift;
        let edge = ack.wrapping_add(room);
        match self.edge {
            Some(told) if room < WORTH_TELLING && !is_behind(ack, told) && is_behind(edge, told) => {
                (told.wrapping_sub(ack) >> self.shift) as u16
            }
            _ => {
                self.edge = Some(edge);
                window
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Bytes of room that are told, where there are so many.
    fn told(window: &mut Window, ack: u32, room: u32) -> u32 {
        u32::from(window.tell(ack, (room >> window.shift) as u16)) << window.shift
    }

    #[test]
    fn room_is_told_when_there_is_much() {
        for (scaled, whole) in [(true, RECEIVE as u32), (false, 65532)] {
            let mut window = Window::default();
            window.open(scaled);
            let start = u32::MAX - 1000;
            assert_eq!(told(&mut window, start, whole), whole);
            let full = start.wrapping_add(whole);
            assert_eq!(told(&mut window, full.wrapping_sub(100), 100), 100);
            assert_eq!(told(&mut window, full, 0), 0);
            assert_eq!(told(&mut window, full, WORTH_TELLING - 4), 0);
            assert_eq!(told(&mut window, full, WORTH_TELLING), WORTH_TELLING);
            let next = full.wrapping_add(1000);
            assert_eq!(told(&mut window, next, WORTH_TELLING - 4), WORTH_TELLING - 1000, "no more than before");
            assert_eq!(told(&mut window, next, 2 * WORTH_TELLING - 4), 2 * WORTH_TELLING - 4);
        }
    }

    #[test]
    fn a_peer_that_sent_more_than_it_may_is_told_the_truth() {
        let mut window = Window::default();
        window.open(true);
        told(&mut window, 1000, 0);
        assert_eq!(told(&mut window, 1001, 400), 400);
    }
}
