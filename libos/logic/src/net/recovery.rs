//! Finding out sooner than smoltcp that something was lost.
//!
//! smoltcp sends a segment again after three duplicate acknowledgements, and otherwise after a second or more. Of two segments lost
//! together the second waits for that second, and so does whatever is lost at the end of what there was to send. What ends such a wait is
//! known here: an acknowledgement of a part only (NewReno, RFC 6582), as many duplicates as so few segments under way can cause (early
//! retransmit, RFC 5827), what the peer says to have behind a hole ([`super::sack`], RFC 6675), which also tells of a segment that was lost
//! again, and silence (tail loss probe, RFC 8985; then a timeout that begins at 200 ms like Linux's). Then smoltcp is shown duplicate
//! acknowledgements that nobody has sent, and does what it does then: it sends the oldest segment again, and slows down.

use super::buffers::is_behind;
use super::flow::Span;
use super::sack::Scoreboard;
use super::stack::{Inner, instant};
use super::table::ConnId;
use crate::platform::Platform;
use crate::time::Instant;
use core::time::Duration;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::tcp;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol, IpRepr, TcpControl, TcpPacket, TcpRepr,
    TcpSeqNumber,
};

/// Duplicate acknowledgements that mean a loss (RFC 5681, 3.2).
const THRESHOLD: u8 = 3;
/// The shortest timeout, as in Linux: a peer may wait with its acknowledgement.
const MIN_TIMEOUT: Duration = Duration::from_millis(200);
/// The shortest time before the first timeout when there are two full segments under way, the second of which a peer acknowledges at once.
const MIN_PROBE: Duration = Duration::from_millis(25);
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
    fn segments(self) -> u32 {
        self.end.wrapping_sub(self.oldest).div_ceil(SEGMENT)
    }
}

/// What a connection knows about its losses.
#[derive(Default)]
pub(super) struct Recovery {
    flight: Option<Flight>,
    /// The window field of the last segment.
    window: u16,
    duplicates: u8,
    /// smoltcp takes an acknowledgement with another window for none of the duplicates.
    uncounted: bool,
    /// Where sending had come to when a loss was found. Until the peer has that much, what it acknowledges ends before another loss.
    recover: Option<u32>,
    /// When the oldest byte was sent, or became the oldest.
    since: Instant,
    /// Timeouts since then.
    timeouts: u32,
    /// What the peer has beyond what it acknowledges, and whether the last segment told something new of that.
    board: Scoreboard,
    news: bool,
    /// Where sending had come to when the oldest segment was sent again. What is sent later and arrives says that it was lost again.
    mark: Option<u32>,
    /// A segment whose round trip is measured: its end, and when it was sent.
    timing: Option<(u32, Instant)>,
    /// Round trip time and its variation (RFC 6298), once measured.
    round_trip: Option<(Duration, Duration)>,
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
    /// A segment was sent; SYN and FIN count as a byte.
    pub(super) fn sent(&mut self, Span { start, end }: Span, now: Instant) {
        let flight = self.flight.get_or_insert(Flight { oldest: start, end: start });
        if !is_behind(end, flight.end) {
            // It was sent before, so nobody knows which of the two is acknowledged (Karn's algorithm, RFC 6298, 3).
            if start != end {
                self.timing = None;
            }
            return;
        }
        if flight.oldest == flight.end {
            self.since = now;
        }
        flight.end = end;
        self.timing.get_or_insert((end, now));
    }

    /// The peer has answered the SYN, and so acknowledged it. Its window there has no scale, and those that follow have: so far the
    /// smallest there is.
    pub(super) fn opened(&mut self, now: Instant) {
        let Some(flight) = &mut self.flight else { return };
        flight.oldest = flight.end;
        self.window = 1;
        if let Some((_, sent)) = self.timing.take() {
            self.measure(now.saturating_since(sent));
        }
    }

    /// An acknowledgement came. True if the oldest segment is to be sent again, and smoltcp does not know.
    pub(super) fn heard(&mut self, ack: Acknowledgement, now: Instant) -> bool {
        let news = core::mem::take(&mut self.news);
        let Some(flight) = &mut self.flight else { return false };
        let changed = core::mem::replace(&mut self.window, ack.window) != ack.window;
        if is_behind(ack.number, flight.end) {
            return false;
        }
        if is_behind(ack.number, flight.oldest) {
            flight.oldest = ack.number;
            let end = flight.end;
            self.board.acknowledge(ack.number);
            (self.since, self.timeouts, self.duplicates, self.uncounted) = (now, 0, 0, false);
            if let Some((_, sent)) = self.timing.take_if(|(end, _)| !is_behind(*end, ack.number)) {
                self.measure(now.saturating_since(sent));
            }
            self.recover = self.recover.filter(|&recover| is_behind(recover, ack.number));
            self.mark = self.recover.map(|_| end);
            return self.recover.is_some() && ack.window > 0;
        }
        if ack.number != flight.oldest || !(ack.alone || news) || flight.oldest == flight.end {
            return false;
        }
        let end = flight.end;
        let threshold = flight.segments().saturating_sub(1).clamp(1, THRESHOLD.into());
        self.duplicates = self.duplicates.saturating_add(1);
        // It counts none that carries data, either.
        self.uncounted |= changed || !ack.alone;
        // Of a peer that selects, what it has says more than how often it repeats itself, once a loss is known.
        let counted = u32::from(self.duplicates) == threshold && (self.recover.is_none() || self.board.bytes() == 0);
        if !counted && !self.tells_of_a_loss(threshold) {
            return false;
        }
        self.recover.get_or_insert(end);
        self.mark = Some(end);
        (!counted || self.uncounted || self.duplicates < THRESHOLD) && ack.window > 0
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

    /// Bytes that the peer has not acknowledged.
    pub(super) fn under_way(&self) -> usize {
        self.flight.map_or(0, |flight| flight.end.wrapping_sub(flight.oldest) as usize)
    }

    /// Whether the peer has not acknowledged the byte with this number, which was sent.
    pub(super) fn is_under_way(&self, number: u32) -> bool {
        self.flight.is_some_and(|flight| !is_behind(flight.oldest, number) && is_behind(flight.end, number))
    }

    /// Nothing of what is under way arrives.
    pub(super) fn lose_all(&mut self) {
        self.timing = None;
        self.recover = self.flight.map(|flight| flight.end);
        self.mark = self.recover;
    }

    /// RFC 6298, 2.
    fn measure(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            None => (sample, sample / 2),
            Some((mean, variation)) => ((mean * 7 + sample) / 8, (variation * 3 + mean.abs_diff(sample)) / 4),
        });
    }

    /// When the oldest segment is to be sent again if nothing is heard. Without a round trip measured, that is smoltcp's to say.
    pub(super) fn due(&self) -> Option<Instant> {
        // A peer that takes nothing is probed by smoltcp.
        let flight = self.flight.filter(|flight| flight.oldest != flight.end && self.window > 0)?;
        let (mean, variation) = self.round_trip.filter(|_| self.timeouts < TIMEOUTS)?;
        if self.timeouts == 0 && flight.segments() > 1 {
            return Some(self.since + (mean * 2 + variation * 4).max(MIN_PROBE));
        }
        Some(self.since + (mean + variation * 4).max(MIN_TIMEOUT) * (1 << self.timeouts))
    }

    /// It is: counts a timeout.
    fn expire(&mut self, now: Instant) {
        self.timeouts += 1;
        self.since = now;
        self.lose_all();
    }
}

impl<P: Platform> Inner<P> {
    /// Has smoltcp send the oldest segment of a connection again if it has waited for too long.
    pub(super) fn check_timeout(&mut self, id: ConnId, now: smoltcp::time::Instant) {
        let Some((_, conn)) = self.both(id) else { return };
        if conn.recovery.due().is_some_and(|due| due <= instant(now)) {
            conn.recovery.expire(instant(now));
            self.send_again(id, now);
        }
    }

    /// Shows smoltcp duplicate acknowledgements. Before them goes one with another window, which ends its counting of earlier ones.
    pub(super) fn send_again(&mut self, id: ConnId, now: smoltcp::time::Instant) {
        let Some(bytes) = self.duplicate(id) else { return };
        for _ in 0..=THRESHOLD {
            let staged = self.link.wire.restage(bytes.clone());
            if let Some(entry) = self.table.get_mut(id).filter(|_| staged) {
                self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut entry.set);
            }
        }
        self.table.touch(id);
    }

    /// An acknowledgement that acknowledges nothing new, as from the peer.
    fn duplicate(&mut self, id: ConnId) -> Option<alloc::vec::Vec<u8>> {
        use tcp::State::{CloseWait, Closing, LastAck, TimeWait};
        let mac = self.link.wire.mac;
        let entry = self.table.get_mut(id)?;
        let flow = entry.flow()?;
        let (socket, conn) = entry.both();
        if socket.send_queue() == 0 {
            // A FIN alone: smoltcp would give up its own timer for it, and send nothing.
            return None;
        }
        let oldest = conn.recovery.flight?.oldest;
        let finished = matches!(socket.state(), CloseWait | Closing | LastAck | TimeWait);
        let seq = conn.buffers.next(socket)?.wrapping_add(finished.into());
        let window = conn.recovery.window;
        let tcp = TcpRepr {
            src_port: flow.remote.port,
            dst_port: flow.local.port,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(seq as i32),
            ack_number: Some(TcpSeqNumber(oldest as i32)),
            window_len: if window == u16::MAX { window - 1 } else { window + 1 },
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        Some(frame(mac, &flow.remote.addr, &flow.local.addr, &tcp))
    }
}

fn frame(
    mac: EthernetAddress,
    from: &smoltcp::wire::IpAddress,
    to: &smoltcp::wire::IpAddress,
    tcp: &TcpRepr<'_>,
) -> alloc::vec::Vec<u8> {
    let ip = IpRepr::new(*from, *to, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let ethertype = match ip {
        IpRepr::Ipv4(_) => EthernetProtocol::Ipv4,
        IpRepr::Ipv6(_) => EthernetProtocol::Ipv6,
    };
    let header = EthernetRepr { src_addr: mac, dst_addr: mac, ethertype };
    let mut bytes = alloc::vec![0; header.buffer_len() + ip.buffer_len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
    let mut packet = TcpPacket::new_unchecked(&mut frame.payload_mut()[ip.header_len()..]);
    tcp.emit(&mut packet, from, to, &ChecksumCapabilities::default());
    bytes
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn ack(number: u32) -> Acknowledgement {
        Acknowledgement { number, window: 500, alone: true }
    }

    /// A connection with a round trip of 10 ms and ten segments of 100 bytes under way.
    fn busy() -> Recovery {
        let mut recovery = Recovery::default();
        recovery.sent(Span { start: 0, end: 1 }, at(0));
        assert!(!recovery.heard(ack(1), at(10)));
        for i in 0..10 {
            recovery.sent(Span { start: 1 + 1000 * i, end: 1001 + 1000 * i }, at(20));
        }
        recovery
    }

    #[test]
    fn a_part_acknowledged_means_another_loss() {
        let mut recovery = busy();
        // smoltcp counts the duplicates itself.
        assert!((0..9).all(|_| !recovery.heard(ack(1001), at(30))));
        assert!(recovery.heard(ack(4001), at(40)));
        assert!(recovery.heard(ack(8001), at(50)));
        assert!(!recovery.heard(ack(10_001), at(60)), "all of it");
        recovery.sent(Span { start: 10_001, end: 11_001 }, at(70));
        assert!(!recovery.heard(ack(10_501), at(80)), "no loss was found");
    }

    #[test]
    fn few_segments_under_way_cause_few_duplicates() {
        let mut recovery = busy();
        recovery.heard(ack(8001), at(30));
        assert!(recovery.heard(ack(8001), at(31)), "one of two");
        assert!(!recovery.heard(ack(8001), at(32)));
    }

    #[test]
    fn duplicates_with_other_windows_count() {
        let mut recovery = busy();
        let with = |window| Acknowledgement { window, ..ack(1) };
        assert!(!recovery.heard(with(501), at(30)) && !recovery.heard(with(502), at(30)));
        assert!(!recovery.heard(Acknowledgement { alone: false, ..with(7) }, at(30)), "data says nothing");
        assert!(recovery.heard(with(503), at(30)));
        assert!(!recovery.heard(with(504), at(30)), "once is enough");
    }

    /// The peer has these bytes, and repeats its last acknowledgement.
    fn selects(recovery: &mut Recovery, number: u32, start: u32, end: u32) -> bool {
        recovery.selected([Span { start, end }].into_iter());
        recovery.heard(ack(number), at(30))
    }

    #[test]
    fn the_first_segment_may_be_lost() {
        let mut recovery = Recovery::default();
        recovery.sent(Span { start: 0, end: 1 }, at(0));
        recovery.opened(at(10));
        assert_eq!(recovery.due(), None);
        recovery.sent(Span { start: 1, end: 1001 }, at(20));
        assert!(recovery.is_under_way(1) && !recovery.is_under_way(0) && !recovery.is_under_way(1001));
        assert_eq!(recovery.due(), Some(at(220)));
    }

    #[test]
    fn one_acknowledgement_is_enough_if_it_tells_enough() {
        let mut recovery = busy();
        assert!(!selects(&mut recovery, 1, 2001, 4001), "two segments may have overtaken one");
        // The acknowledgements between were lost.
        assert!(selects(&mut recovery, 1, 2001, 6001));
        assert!(!selects(&mut recovery, 1, 2001, 7001), "once is enough");
        // With data it counts as well, if it tells something new.
        let mut recovery = busy();
        let data = Acknowledgement { alone: false, ..ack(1) };
        recovery.selected([Span { start: 2001, end: 8001 }].into_iter());
        assert!(recovery.heard(data, at(30)) && !recovery.heard(data, at(31)));
    }

    #[test]
    fn what_is_lost_twice_is_sent_a_third_time() {
        let mut recovery = busy();
        assert!(selects(&mut recovery, 1, 2001, 8001));
        // What was under way when it was sent again says nothing of it.
        assert!(!selects(&mut recovery, 1, 2001, 10_001));
        recovery.sent(Span { start: 10_001, end: 11_001 }, at(40));
        assert!(selects(&mut recovery, 1, 10_001, 11_001), "sent later, and there sooner");
        recovery.sent(Span { start: 11_001, end: 12_001 }, at(50));
        assert!(selects(&mut recovery, 1, 11_001, 12_001), "and a fourth");
        recovery.heard(ack(12_001), at(60));
        assert_eq!((recovery.due(), recovery.board.bytes()), (None, 0));
    }

    #[test]
    fn silence_is_a_loss_after_a_while() {
        let mut recovery = busy();
        let mut expected = [at(60), at(460), at(1260)].into_iter();
        while let Some(due) = recovery.due() {
            assert_eq!(Some(due), expected.next());
            recovery.expire(due);
        }
        assert_eq!(expected.next(), None);
        assert!(recovery.heard(ack(9001), at(1500)), "the next one was lost as well");
        assert_eq!(recovery.due(), Some(at(1700)), "the peer may wait for a second one");
        recovery.heard(ack(10_001), at(1510));
        assert_eq!(recovery.due(), None, "nothing is under way");
    }

    #[test]
    fn a_long_way_has_a_long_timeout() {
        let mut recovery = Recovery::default();
        recovery.sent(Span { start: u32::MAX, end: 0 }, at(0));
        assert_eq!(recovery.due(), None);
        recovery.heard(ack(0), at(1000));
        recovery.sent(Span { start: 0, end: 100 }, at(1000));
        assert_eq!(recovery.due(), Some(at(4000)));
        // What was sent twice is not measured.
        recovery.sent(Span { start: 0, end: 100 }, at(2000));
        recovery.heard(ack(100), at(2001));
        assert_eq!(recovery.round_trip, Some((Duration::from_secs(1), Duration::from_millis(500))));
    }

    #[test]
    fn impossible_acknowledgements_change_nothing() {
        let mut recovery = busy();
        assert!(!recovery.heard(ack(50_000), at(30)) && !recovery.heard(ack(u32::MAX), at(30)));
        assert_eq!(recovery.due(), Some(at(60)));
    }
}
