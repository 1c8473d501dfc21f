//! How long the acknowledgement of a segment takes, and how long to wait for one (RFC 6298).

use super::buffers::is_behind;
use crate::time::Instant;
use core::time::Duration;

/// The shortest timeout, as in Linux: a peer may wait with its acknowledgement.
const MIN_TIMEOUT: Duration = Duration::from_millis(200);
/// The shortest time before the first timeout when there are two full segments under way, the second of which a peer acknowledges at once.
const MIN_PROBE: Duration = Duration::from_millis(25);

/// What a connection knows of its round trip.
#[derive(Default)]
pub(super) struct RoundTrip {
    /// A segment for which it is measured: its end, and when it was sent.
    timing: Option<(u32, Instant)>,
    /// Its mean and its variation, once measured.
    measured: Option<(Duration, Duration)>,
}

impl RoundTrip {
    /// A segment with this end was sent for the first time.
    pub(super) fn begin(&mut self, end: u32, now: Instant) {
        self.timing.get_or_insert((end, now));
    }

    /// Something was sent again, so nobody knows which of the two is acknowledged (Karn's algorithm).
    pub(super) fn give_up(&mut self) {
        self.timing = None;
    }

    /// Whether a segment's is being measured.
    pub(super) const fn is_measuring(&self) -> bool {
        self.timing.is_some()
    }

    /// Everything before this number is acknowledged.
    pub(super) fn acknowledged(&mut self, number: u32, now: Instant) {
        let Some((_, sent)) = self.timing.take_if(|(end, _)| !is_behind(*end, number)) else { return };
        let sample = now.saturating_since(sent);
        self.measured = Some(match self.measured {
            None => (sample, sample / 2),
            Some((mean, variation)) => ((mean * 7 + sample) / 8, (variation * 3 + mean.abs_diff(sample)) / 4),
        });
    }

    /// The mean.
    pub(super) fn mean(&self) -> Option<Duration> {
        self.measured.map(|(mean, _)| mean)
    }

    /// How long to wait for an acknowledgement.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.measured.map(|(mean, variation)| (mean + variation * 4).max(MIN_TIMEOUT))
    }

    /// How long to wait before asking whether anything of several segments arrives (RFC 8985, 7.2).
    pub(super) fn probe(&self) -> Option<Duration> {
        self.measured.map(|(mean, variation)| (mean * 2 + variation * 4).max(MIN_PROBE))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn timeouts_follow_the_round_trip() {
        let mut trip = RoundTrip::default();
        assert_eq!((trip.mean(), trip.timeout(), trip.probe()), (None, None, None));
        trip.begin(100, at(0));
        trip.begin(200, at(5));
        trip.acknowledged(99, at(10));
        assert!(trip.is_measuring());
        trip.acknowledged(100, at(800));
        assert_eq!((trip.mean(), trip.timeout(), trip.probe()), (ms(800), ms(2400), ms(3200)));
        trip.begin(300, at(1000));
        trip.acknowledged(400, at(2600));
        assert_eq!((trip.mean(), trip.timeout()), (ms(900), ms(900 + 4 * 500)));
    }

    #[test]
    fn a_short_way_has_no_shorter_timeout_than_a_peer_that_waits() {
        let mut trip = RoundTrip::default();
        trip.begin(u32::MAX, at(0));
        trip.acknowledged(5, at(1));
        assert_eq!((trip.timeout(), trip.probe()), (ms(200), ms(25)));
    }

    #[test]
    fn what_was_sent_twice_is_not_measured() {
        let mut trip = RoundTrip::default();
        trip.begin(100, at(0));
        trip.give_up();
        trip.acknowledged(100, at(10));
        assert_eq!(trip.mean(), None);
    }
}
