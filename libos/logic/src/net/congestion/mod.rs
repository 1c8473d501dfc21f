//! How much a connection may have under way, so that the path is used and not congested (RFC 5681): slow start, and then Reno or CUBIC.
//!
//! smoltcp controls nothing itself: it is shown windows of the peer's that are no longer than this one ([`super::offer`]).

mod cubic;

use crate::time::Instant;
use core::time::Duration;
use cubic::{Cubic, Step};

/// Segments and bytes of the first window (RFC 6928, 2).
const INITIAL: (u32, u32) = (10, 14_600);
/// Segments by which an acknowledgement lets the window grow in slow start, at most, of one who does not pace what he sends (RFC 9406, 4.3).
const STRIDE: u32 = 8;

/// How the window grows and shrinks when it is as long as the path has once borne.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// As Linux begins.
    #[default]
    Cubic,
    Reno,
}

impl Algorithm {
    /// Those there are.
    const ALL: [Self; 2] = [Self::Cubic, Self::Reno];

    /// Linux's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cubic => "cubic",
            Self::Reno => "reno",
        }
    }

    /// The one of that name.
    pub(super) fn of_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().as_bytes() == name)
    }
}

/// An acknowledgement of new data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acked {
    pub(super) bytes: u32,
    /// It was sent when the window was filled.
    pub(super) used: bool,
    /// What was lost before is still being sent again.
    pub(super) repairing: bool,
    pub(super) now: Instant,
    pub(super) round_trip: Duration,
}

/// The congestion window of a connection, in bytes.
pub(super) struct Congestion {
    /// None where nothing can be congested.
    algorithm: Option<Algorithm>,
    /// Bytes of a full segment.
    pub(super) segment: u32,
    window: u32,
    /// Up to here the window grows fast (ssthresh).
    threshold: u32,
    /// Bytes acknowledged since Reno's window grew.
    counted: u32,
    cubic: Cubic,
}

impl Default for Congestion {
    fn default() -> Self {
        Self {
            algorithm: Some(Algorithm::default()),
            segment: super::recovery::SEGMENT,
            window: INITIAL.1,
            threshold: u32::MAX,
            counted: 0,
            cubic: Cubic::default(),
        }
    }
}

impl Congestion {
    /// Begins with segments of so many bytes.
    pub(super) fn begin(&mut self, segment: u32) {
        *self = Self { algorithm: self.algorithm, segment, ..Self::default() };
        self.window = self.initial();
    }

    fn initial(&self) -> u32 {
        let (segments, bytes) = INITIAL;
        (segments * self.segment).min(bytes.max(2 * self.segment))
    }

    /// Goes on in another way (TCP_CONGESTION).
    pub(super) fn choose(&mut self, algorithm: Algorithm) {
        if self.algorithm != Some(algorithm) {
            (self.algorithm, self.counted, self.cubic) = (Some(algorithm), 0, Cubic::default());
        }
    }

    /// Lets everything go: there is no path.
    pub(super) fn lift(&mut self) {
        self.algorithm = None;
    }

    /// Bytes that may be under way. Segments may have become longer since it was one.
    pub(super) fn window(&self) -> u32 {
        if self.algorithm.is_none() { u32::MAX } else { self.window.max(self.segment) }
    }

    /// New data was acknowledged.
    pub(super) fn acked(&mut self, Acked { bytes, used, repairing, now, round_trip }: Acked) {
        if !used {
            self.cubic.pause(now);
        } else if self.window < self.threshold {
            // While something is missing, much of what is acknowledged has come long ago (RFC 3465, 2.3).
            let most = if repairing { 1 } else { STRIDE } * self.segment;
            self.window = (self.window + bytes.min(most)).min(self.threshold);
        } else if !repairing {
            self.window = match self.algorithm {
                Some(Algorithm::Cubic) => {
                    let (window, segment) = (self.window, self.segment);
                    self.cubic.grow(Step { window, acked: bytes, segment, now, round_trip })
                }
                // RFC 5681, 3.1.
                _ => self.window + additive(&mut self.counted, bytes, self.window, self.segment),
            };
        }
    }

    /// A segment was lost, the first of those that were under way: so many bytes.
    pub(super) fn lost(&mut self, flight: u32) {
        // What was not sent says nothing of the path, nor what was sent because others had arrived.
        let borne = flight.min(self.window);
        let reduced = match self.algorithm {
            Some(Algorithm::Cubic) => self.cubic.reduce(borne),
            _ => borne / 2,
        };
        self.threshold = reduced.max(2 * self.segment);
        (self.window, self.counted) = (self.threshold, 0);
    }

    /// Nothing has come back for long, of so many bytes, if no loss of them was known before.
    pub(super) fn timed_out(&mut self, news: Option<u32>) {
        if let Some(flight) = news {
            self.lost(flight);
        }
        self.cubic.forget();
        self.cramp();
    }

    /// Goes on with one segment.
    pub(super) fn cramp(&mut self) {
        self.window = self.window.min(self.segment);
    }

    /// Nothing has been under way for longer than a timeout, so nobody knows any more what the path bears (RFC 5681, 4.1): true if the
    /// window is shorter now. It may grow fast to near where it was, as in Linux.
    pub(super) fn rested(&mut self) -> bool {
        let shorter = self.algorithm.is_some() && self.window > self.initial();
        if shorter {
            self.threshold = self.threshold.max(self.window / 4 * 3);
            (self.window, self.counted) = (self.initial(), 0);
            self.cubic.interrupt();
        }
        shorter
    }
}

/// By how much a window grows of which one segment more is to be under way for `per` bytes that are acknowledged.
fn additive(counted: &mut u32, acked: u32, per: u32, segment: u32) -> u32 {
    *counted = counted.saturating_add(acked);
    if *counted < per {
        return 0;
    }
    *counted = (*counted - per).min(per);
    segment
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEGMENT: u32 = 1000;

    fn congestion(algorithm: Algorithm) -> Congestion {
        let mut congestion = Congestion::default();
        congestion.choose(algorithm);
        congestion.begin(SEGMENT);
        congestion
    }

    fn ack(bytes: u32) -> Acked {
        let (now, round_trip) = (Instant::from_nanos(1_000_000_000), Duration::from_millis(10));
        Acked { bytes, used: true, repairing: false, now, round_trip }
    }

    /// The whole window is acknowledged, two segments at a time, as a peer does it.
    fn round(congestion: &mut Congestion) {
        let window = congestion.window();
        (0..window / (2 * SEGMENT)).for_each(|_| congestion.acked(ack(2 * SEGMENT)));
        congestion.acked(ack(window % (2 * SEGMENT)));
    }

    #[test]
    fn the_first_window_is_ten_segments() {
        let first = |segment| {
            let mut congestion = Congestion::default();
            congestion.begin(segment);
            congestion.window()
        };
        assert_eq!(
            [first(536), first(1460), first(1220), first(4000), first(8960)],
            [5360, 14_600, 12_200, 14_600, 17_920]
        );
    }

    #[test]
    fn the_window_doubles_in_slow_start() {
        let mut reno = congestion(Algorithm::Reno);
        round(&mut reno);
        assert_eq!(reno.window(), 20 * SEGMENT);
        round(&mut reno);
        assert_eq!(reno.window(), 40 * SEGMENT);
        // One acknowledgement for much lets go no larger burst than this.
        reno.acked(ack(60 * SEGMENT));
        assert_eq!(reno.window(), (40 + STRIDE) * SEGMENT);
    }

    #[test]
    fn reno_halves_and_grows_by_a_segment_each_round_trip() {
        let mut reno = congestion(Algorithm::Reno);
        round(&mut reno);
        reno.lost(20 * SEGMENT);
        assert_eq!(reno.window(), 10 * SEGMENT);
        for more in 1..10 {
            round(&mut reno);
            assert_eq!(reno.window(), (10 + more) * SEGMENT);
        }
    }

    #[test]
    fn the_window_does_not_grow_while_something_is_missing() {
        for algorithm in Algorithm::ALL {
            let mut congestion = congestion(algorithm);
            congestion.lost(10 * SEGMENT);
            let window = congestion.window();
            congestion.acked(Acked { repairing: true, ..ack(50 * SEGMENT) });
            assert_eq!(congestion.window(), window);
        }
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        for algorithm in Algorithm::ALL {
            let mut congestion = congestion(algorithm);
            (0..100).for_each(|_| congestion.acked(Acked { used: false, ..ack(SEGMENT) }));
            assert_eq!(congestion.window(), 10 * SEGMENT);
            // What was not under way was not borne.
            congestion.lost(4 * SEGMENT);
            assert!(congestion.window() < 4 * SEGMENT);
        }
    }

    #[test]
    fn a_timeout_leaves_one_segment_and_halves_once() {
        let mut reno = congestion(Algorithm::Reno);
        (0..2).for_each(|_| round(&mut reno));
        reno.timed_out(Some(40 * SEGMENT));
        reno.timed_out(None);
        assert_eq!((reno.window(), reno.threshold), (SEGMENT, 20 * SEGMENT));
        // Most of this came before.
        reno.acked(Acked { repairing: true, ..ack(15 * SEGMENT) });
        assert_eq!(reno.window(), 2 * SEGMENT);
        (0..9).for_each(|_| reno.acked(ack(2 * SEGMENT)));
        assert_eq!(reno.window(), 20 * SEGMENT);
        round(&mut reno);
        assert_eq!(reno.window(), 21 * SEGMENT, "slow start has ended");
    }

    #[test]
    fn a_rest_makes_the_window_as_it_began() {
        let mut cubic = congestion(Algorithm::Cubic);
        assert!(!cubic.rested(), "it has not grown");
        (0..2).for_each(|_| round(&mut cubic));
        cubic.lost(40 * SEGMENT);
        assert!(cubic.rested() && !cubic.rested());
        assert_eq!((cubic.window(), cubic.threshold), (10 * SEGMENT, 28 * SEGMENT));
    }

    #[test]
    fn another_algorithm_goes_on_with_the_same_window() {
        let mut congestion = congestion(Algorithm::Cubic);
        round(&mut congestion);
        congestion.choose(Algorithm::Reno);
        assert_eq!(congestion.window(), 20 * SEGMENT);
        congestion.lost(20 * SEGMENT);
        assert_eq!(congestion.window(), 10 * SEGMENT);
        congestion.choose(Algorithm::Cubic);
        congestion.lost(10 * SEGMENT);
        assert_eq!(congestion.window(), 7 * SEGMENT);
    }

    #[test]
    fn where_there_is_no_path_everything_may_go() {
        let mut congestion = Congestion::default();
        congestion.lift();
        congestion.begin(SEGMENT);
        congestion.lost(SEGMENT);
        congestion.timed_out(None);
        assert_eq!((congestion.window(), congestion.rested()), (u32::MAX, false));
    }

    proptest! {
        /// Whatever happens, one segment may be under way, and no acknowledgement adds more than slow start would.
        #[test]
        fn the_window_stays_within_reason(
            reno in any::<bool>(),
            segment in 48..9000u32,
            events in proptest::collection::vec((0..6u8, 1..200_000u32, 0..10_000_000_000u64), 1..200),
        ) {
            let mut congestion = Congestion::default();
            congestion.choose(if reno { Algorithm::Reno } else { Algorithm::Cubic });
            congestion.begin(segment);
            let mut ns = 0;
            for (event, bytes, later) in events {
                ns += later;
                let before = congestion.window();
                let (now, round_trip) = (Instant::from_nanos(ns), Duration::from_nanos(later / 100));
                match event {
                    0 => congestion.lost(bytes),
                    1 => congestion.timed_out(Some(bytes)),
                    2 => _ = congestion.rested(),
                    _ => congestion.acked(Acked { bytes, used: event > 3, repairing: event == 4, now, round_trip }),
                }
                let after = congestion.window();
                prop_assert!(after >= segment, "{after} bytes for segments of {segment}");
                prop_assert!(event > 2 || after <= before.max(2 * segment));
                let most = before + (STRIDE * segment).max(before / 2);
                prop_assert!(event < 3 || (before..=most).contains(&after), "{before} {after}");
            }
        }
    }
}
