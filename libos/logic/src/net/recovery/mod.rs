//! Finding out sooner than smoltcp that something was lost, and what that means for the congestion window ([`super::congestion`]).
//!
//! smoltcp sends a segment again after three duplicate acknowledgements, and otherwise after a second or more. Of two segments lost
//! together the second waits for that second, and so does whatever is lost at the end of what there was to send. What ends such a wait is
//! known here: an acknowledgement of a part only (NewReno, RFC 6582), as many duplicates as so few segments under way can cause (early
//! retransmit, RFC 5827), what the peer says to have behind a hole ([`super::sack`], RFC 6675), which also tells of a segment that was lost
//! again, and silence (tail loss probe, RFC 8985; then a timeout that begins at 200 ms like Linux's). Then smoltcp is shown duplicate
//! acknowledgements that nobody has sent ([`super::offer`]), and does what it does then: it sends the oldest segment again.

#[cfg(all(test, not(loom)))]
mod tests;

use super::buffers::is_behind;
use super::congestion::{Acked, Congestion};
use super::conn::Conn;
use super::flow::{Segment, Span};
use super::mss::Said;
use super::offer::Offer;
use super::round_trip::RoundTrip;
use super::sack::{self, Scoreboard};
use super::stack::{Inner, instant};
use super::table::ConnId;
use crate::platform::Platform;
use crate::time::Instant;
use core::time::Duration;
use smoltcp::socket::tcp;
use smoltcp::wire::TcpPacket;

/// Duplicate acknowledgements that mean a loss (RFC 5681, 3.2).
const THRESHOLD: u8 = 3;
/// Bytes of a full segment. Where they are shorter, there are more of them, and more is waited for.
pub(super) const SEGMENT: u32 = 1460;
/// Timeouts in a row, each twice as long as the one before; then it is smoltcp's turn.
const TIMEOUTS: u32 = 3;

/// What the peer has not acknowledged.
#[derive(Clone, Copy)]
struct Flight {
    oldest: u32,
    end: u32,
}

impl Flight {
    const fn bytes(self) -> u32 {
        self.end.wrapping_sub(self.oldest)
    }

    const fn segments(self) -> u32 {
        self.bytes().div_ceil(SEGMENT)
    }
}

/// What a connection knows about its losses.
#[derive(Default)]
pub(super) struct Recovery {
    pub(super) congestion: Congestion,
    offer: Offer,
    /// The peer says what it has behind a hole.
    selects: bool,
    flight: Option<Flight>,
    duplicates: u8,
    /// Where sending had come to when a loss was found. Until the peer has that much, what it acknowledges ends before another loss.
    recover: Option<u32>,
    /// Where sending had come to when half of the congestion window or more was last under way. It has been of use until the peer has that.
    filled: Option<u32>,
    /// smoltcp is to send the oldest segment again. If it does so without, its own timer has run out.
    asked: bool,
    /// When the oldest byte was sent, or became the oldest.
    since: Instant,
    /// Timeouts since then.
    timeouts: u32,
    /// What the peer has beyond what it acknowledges, and whether the last segment told something new of that.
    board: Scoreboard,
    news: bool,
    /// Where sending had come to when the oldest segment was sent again. What is sent later and arrives says that it was lost again.
    mark: Option<u32>,
    round_trip: RoundTrip,
}

/// What the peer acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledgement {
    pub(super) number: u32,
    pub(super) window: u16,
    /// There is nothing else in the segment.
    pub(super) alone: bool,
}

impl Recovery {
    /// The peer's SYN says this; segments have so many bytes.
    pub(super) fn begin(&mut self, said: Said, segment: u32) {
        self.offer.begin(said.scale, said.window);
        self.selects = said.selects;
        self.congestion.begin(segment);
        if self.flight.is_some() && !self.round_trip.is_measuring() {
            // What it answers was lost (RFC 6928, 2).
            self.congestion.cramp();
        }
    }

    /// A segment was sent; SYN and FIN count as a byte. True if smoltcp has begun again by itself, and knows a window that is too long.
    pub(super) fn sent(&mut self, Span { start, end }: Span, now: Instant) -> bool {
        let flight = self.flight.get_or_insert(Flight { oldest: start, end: start });
        if !is_behind(end, flight.end) {
            if start == end {
                return false;
            }
            self.round_trip.give_up();
            let unasked = start == flight.oldest && !core::mem::take(&mut self.asked);
            // The handshake says nothing of the path, nor a peer that takes nothing.
            if !unasked || self.round_trip.mean().is_none() || !self.offer.is_open() {
                return false;
            }
            let before = self.congestion.window();
            self.time_out();
            // It sends again what has arrived, too.
            (self.asked, self.board) = (false, Scoreboard::default());
            return self.congestion.window() != before;
        }
        if flight.oldest == flight.end {
            self.since = now;
        }
        flight.end = end;
        if flight.bytes() >= self.congestion.window() / 2 {
            self.filled = Some(end);
        }
        self.round_trip.begin(end, now);
        false
    }

    /// The peer has answered the SYN, and so acknowledged it.
    pub(super) fn opened(&mut self, now: Instant) {
        let Some(flight) = &mut self.flight else { return };
        flight.oldest = flight.end;
        self.round_trip.acknowledged(flight.end, now);
    }

    /// An acknowledgement came. True if the oldest segment is to be sent again.
    pub(super) fn heard(&mut self, ack: Acknowledgement, now: Instant) -> bool {
        let news = core::mem::take(&mut self.news);
        let was_open = self.offer.is_open();
        self.offer.hear(ack.window);
        let Some(flight) = self.flight.filter(|flight| !is_behind(ack.number, flight.end)) else { return false };
        let again = if is_behind(ack.number, flight.oldest) {
            self.advance(ack.number, flight, now);
            self.recover.is_some()
        } else {
            // Only of a peer that does not select such an acknowledgement without news may be more than one of a window.
            let counts = news || (ack.alone && !self.selects);
            let waits = ack.number == flight.oldest && flight.oldest != flight.end;
            // What is under way to a peer that takes nothing is a probe.
            was_open && waits && counts && self.repeats(flight)
        };
        if !was_open {
            self.since = now;
        }
        let again = again && self.offer.is_open();
        self.asked |= again;
        again
    }

    /// What is under way is acknowledged up to this number.
    fn advance(&mut self, number: u32, flight: Flight, now: Instant) {
        self.flight = Some(Flight { oldest: number, ..flight });
        self.board.acknowledge(number);
        (self.since, self.timeouts, self.duplicates) = (now, 0, 0);
        self.round_trip.acknowledged(number, now);
        if self.round_trip.mean().is_none() {
            // The answer to the peer's SYN was lost (RFC 6928, 2).
            self.congestion.cramp();
        }
        self.congestion.acked(Acked {
            bytes: number.wrapping_sub(flight.oldest),
            used: self.filled.is_some(),
            repairing: self.recover.is_some(),
            now,
            round_trip: self.round_trip.mean().unwrap_or_default(),
        });
        self.filled = self.filled.filter(|&filled| is_behind(filled, number));
        self.recover = self.recover.filter(|&recover| is_behind(recover, number));
        self.mark = self.recover.map(|_| flight.end);
    }

    /// The peer acknowledges the same again. True if that means a loss.
    fn repeats(&mut self, flight: Flight) -> bool {
        let threshold = flight.segments().saturating_sub(1).clamp(1, THRESHOLD.into());
        self.duplicates = self.duplicates.saturating_add(1);
        // Of a peer that selects, what it has says more than how often it repeats itself, once a loss is known.
        let counted = u32::from(self.duplicates) == threshold && (self.recover.is_none() || self.board.bytes() == 0);
        if !counted && !self.tells_of_a_loss(threshold) {
            return false;
        }
        if self.recover.is_none() {
            self.congestion.lost(flight.bytes());
            self.recover = Some(flight.end);
        }
        self.mark = Some(flight.end);
        true
    }

    /// Whether what the peer has says that the oldest segment is lost: there is too much of it behind that one (RFC 6675, 4, IsLost), or,
    /// when that was sent again, something that was sent still later.
    fn tells_of_a_loss(&self, threshold: u32) -> bool {
        match self.mark.filter(|_| self.recover.is_some()) {
            Some(mark) => self.board.end().is_some_and(|end| is_behind(end, mark)),
            None => self.recover.is_none() && self.board.bytes() > (threshold - 1) * SEGMENT,
        }
    }

    /// The segment of which [`Recovery::heard`] is about to hear tells that the peer has these.
    pub(super) fn selected(&mut self, blocks: impl Iterator<Item = Span>) {
        let Some(Flight { oldest, end }) = self.flight else { return };
        for block in blocks {
            self.news |= self.board.add(block, oldest, end);
        }
    }

    /// Bytes from the oldest one that may be under way, when so many wait to be sent.
    fn allowance(&self, unsent: u32) -> u32 {
        // What has arrived behind a hole is under way no more (RFC 3042; RFC 5681, 3.2; RFC 6675, 4, pipe).
        let segment = self.congestion.segment;
        let arrived = self.board.bytes().max(u32::from(self.duplicates) * segment);
        let most = self.congestion.window().saturating_add(arrived);
        let usable = most.saturating_sub(self.under_way() as u32);
        // The window makes no segment shorter than it is (RFC 9293, 3.8.6.2.1).
        if usable < unsent { most - usable % segment } else { most }
    }

    /// Has a segment that smoltcp is about to see say no more than it may send; `unsent` bytes wait for that.
    pub(super) fn show(&mut self, unsent: usize, tcp: &mut [u8]) {
        let mut tcp = TcpPacket::new_unchecked(tcp);
        let most = self.allowance(unsent as u32);
        let window = tcp.window_len();
        if tcp.syn() {
            // Nothing is scaled there.
            tcp.set_window_len(window.min(u16::try_from(most).unwrap_or(u16::MAX)));
        } else if tcp.ack() {
            let (bytes, number) = (self.offer.scaled(window), tcp.ack_number().0 as u32);
            tcp.set_window_len(self.offer.show_of(bytes, number, most, self.under_way() > 0));
        }
    }

    /// The acknowledgement that the peer would repeat, with a window as smoltcp is shown it.
    pub(super) fn acknowledgement(&mut self, unsent: usize) -> Option<(u32, u16)> {
        let number = self.flight?.oldest;
        let most = self.allowance(unsent as u32);
        Some((number, self.offer.show(number, most)))
    }

    /// Bytes that the peer has not acknowledged.
    pub(super) fn under_way(&self) -> usize {
        self.flight.map_or(0, Flight::bytes) as usize
    }

    /// Whether the peer has not acknowledged the byte with this number, which was sent.
    pub(super) fn is_under_way(&self, number: u32) -> bool {
        self.flight.is_some_and(|flight| !is_behind(flight.oldest, number) && is_behind(flight.end, number))
    }

    /// Nothing of what is under way arrives.
    pub(super) fn lose_all(&mut self) {
        self.round_trip.give_up();
        self.recover = self.flight.map(|flight| flight.end);
        self.mark = self.recover;
        self.asked = true;
    }

    /// How long to wait before a first timeout that only asks whether anything arrives.
    fn probe(&self) -> Option<Duration> {
        let several = self.timeouts == 0 && self.flight.is_some_and(|flight| flight.segments() > 1);
        self.round_trip.probe().filter(|_| several)
    }

    /// When the oldest segment is to be sent again if nothing is heard. Without a round trip measured, that is smoltcp's to say.
    pub(super) fn due(&self) -> Option<Instant> {
        // A peer that takes nothing is probed by smoltcp.
        let waits = self.under_way() > 0 && self.offer.is_open() && self.timeouts < TIMEOUTS;
        let timeout = self.round_trip.timeout().filter(|_| waits)?;
        Some(self.since + self.probe().unwrap_or(timeout * (1 << self.timeouts)))
    }

    /// It is: counts a timeout.
    fn expire(&mut self, now: Instant) {
        let probes = self.probe().is_some();
        (self.timeouts, self.since) = (self.timeouts + 1, now);
        if !probes {
            return self.time_out();
        }
        if self.recover.is_none() {
            self.congestion.lost(self.under_way() as u32);
        }
        self.lose_all();
    }

    /// Nothing has been heard for long.
    fn time_out(&mut self) {
        let flight = self.under_way() as u32;
        self.congestion.timed_out(self.recover.is_none().then_some(flight));
        self.lose_all();
    }

    /// There is something to send. True if smoltcp may send less at once than it knows, for nothing was for long.
    pub(super) fn rested(&mut self, now: Instant) -> bool {
        let idle = self.under_way() == 0 && self.round_trip.timeout().is_some_and(|timeout| now - self.since > timeout);
        idle && self.congestion.rested()
    }
}

impl Conn {
    /// Hears what a segment acknowledges, and has it, whose TCP header `tcp` begins with, say no more to smoltcp than that may send. True if
    /// the oldest segment is to be sent again.
    pub(super) fn hear(&mut self, socket: &tcp::Socket, segment: &Segment, tcp: &mut [u8], now: Instant) -> bool {
        let unsent = self.unsent(socket);
        // The path may have become another.
        self.recovery.congestion.segment = self.full(segment.flow.remote.addr);
        if segment.ack.is_some() && segment.options {
            self.recovery.selected(sack::blocks(tcp));
        }
        let lost = segment.ack.is_some_and(|ack| self.recovery.heard(ack, now));
        self.recovery.show(unsent, tcp);
        lost
    }

    /// Bytes of the send buffer that were never sent.
    pub(super) fn unsent(&self, socket: &tcp::Socket) -> usize {
        socket.send_queue().saturating_sub(self.recovery.under_way())
    }
}

impl<P: Platform> Inner<P> {
    /// Has smoltcp send the oldest segment of a connection again if it has waited for too long.
    pub(super) fn check_timeout(&mut self, id: ConnId, now: smoltcp::time::Instant) {
        let Some((socket, conn)) = self.both(id) else { return };
        if conn.recovery.due().is_some_and(|due| due <= instant(now)) {
            conn.recovery.expire(instant(now));
            self.send_again(id, now);
        } else if socket.send_queue() > 0 && conn.recovery.rested(instant(now)) {
            self.show_window(id, now);
        }
    }
}
