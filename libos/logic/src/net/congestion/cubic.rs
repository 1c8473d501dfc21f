//! CUBIC (RFC 9438): after a loss the window grows along a cubic curve, fast at first, hardly where the loss was, and then faster and
//! faster. How fast does not depend on the round trip, except that it is never slower than Reno would be.
//!
//! All in integers, in bytes and milliseconds.

use super::additive;
use crate::time::Instant;
use core::time::Duration;

/// The curve in segments is C t^3, with C = 0.4 and t in seconds (RFC 9438, 5): in thousandths of seconds, C is this fraction.
const C: (i64, i64) = (2, 5_000_000_000);
/// Milliseconds from the plateau beyond which the curve is as at this distance: windows no buffer holds.
const FAR: i64 = 40_000;
/// Bits of the time from a loss to the plateau.
const TIME_BITS: u32 = 21;

/// What CUBIC knows of a connection.
#[derive(Default)]
pub(super) struct Cubic {
    /// The window at which the curve is flat (W_max). Zero: that where the curve begins.
    plateau: u32,
    /// The window before it was last reduced (cwnd_prior).
    prior: u32,
    epoch: Option<Epoch>,
    /// When the last acknowledgement came.
    heard: Instant,
}

/// The time since the window began to grow along a curve.
struct Epoch {
    start: Instant,
    /// Milliseconds from there to the plateau (K).
    rise: i64,
    /// What the window would be with Reno (W_est), and bytes acknowledged since it grew.
    estimate: u32,
    counted: u32,
}

/// An acknowledgement of new data, and what is known when it comes.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) window: u32,
    pub(super) acked: u32,
    pub(super) segment: u32,
    pub(super) now: Instant,
    pub(super) round_trip: Duration,
}

impl Cubic {
    /// Something was lost: what the window is to be (4.6).
    pub(super) fn reduce(&mut self, window: u32) -> u32 {
        // A window that has not come to where it was leaves room for others (fast convergence, 4.7).
        self.plateau = if window < self.plateau { share(window, 17, 20) } else { window };
        self.prior = window;
        self.epoch = None;
        share(window, 7, 10)
    }

    /// The window does not grow from where it was: the next curve begins where it begins to grow.
    pub(super) fn interrupt(&mut self) {
        self.epoch = None;
    }

    /// Nothing of what is known of the path is true any more (4.8).
    pub(super) fn forget(&mut self) {
        (self.plateau, self.epoch) = (0, None);
    }

    /// An acknowledgement came, but the window has not been used: the time since the one before does not count (4.2).
    pub(super) fn pause(&mut self, now: Instant) {
        if let Some(epoch) = &mut self.epoch {
            epoch.start = epoch.start + (now - self.heard);
        }
        self.heard = now;
    }

    /// What the window grows to (4.2 to 4.5).
    pub(super) fn grow(&mut self, step: Step) -> u32 {
        let Step { window, acked, segment, now, round_trip } = step;
        self.heard = now;
        let epoch = self.epoch.get_or_insert_with(|| {
            self.plateau = self.plateau.max(window);
            Epoch { start: now, rise: rise(self.plateau - window, segment), estimate: window, counted: 0 }
        });
        // Alpha is 9/17, and 1 from where Reno would have been before the loss (4.3).
        let per = if epoch.estimate < self.prior { share(window, 17, 9) } else { window };
        epoch.estimate += additive(&mut epoch.counted, acked, per, segment);
        let passed = now - epoch.start;
        if curve(self.plateau, milliseconds(passed) - epoch.rise, segment) < epoch.estimate {
            return window.max(epoch.estimate);
        }
        let target = curve(self.plateau, milliseconds(passed + round_trip) - epoch.rise, segment);
        let target = target.clamp(window, share(window, 3, 2));
        window + (u64::from(target - window) * u64::from(acked.min(window)) / u64::from(window)) as u32
    }
}

/// A fraction of a number.
fn share(number: u32, of: u64, parts: u64) -> u32 {
    u32::try_from(u64::from(number) * of / parts).unwrap_or(u32::MAX)
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// The curve at a time from its plateau (figure 1).
fn curve(plateau: u32, distance: i64, segment: u32) -> u32 {
    let distance = distance.clamp(-FAR, FAR);
    let height = distance.pow(3) * C.0 * i64::from(segment) / C.1;
    (i64::from(plateau) + height).clamp(0, u32::MAX.into()) as u32
}

/// The time in which the curve rises by so much to its plateau (figure 2).
fn rise(height: u32, segment: u32) -> i64 {
    let cube = u64::from(height) * (C.1 / C.0) as u64 / u64::from(segment.max(1));
    cube_root(cube) as i64
}

/// The cube root, rounded down, of numbers below 2^63.
fn cube_root(number: u64) -> u64 {
    (0..TIME_BITS).rev().fold(0, |root: u64, bit| {
        let next = root | 1 << bit;
        if next.pow(3) <= number { next } else { root }
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEGMENT: u32 = 1000;

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// A round trip of 100 ms in which the whole window is acknowledged.
    fn step(window: u32, ms: u64) -> Step {
        Step { window, acked: window, segment: SEGMENT, now: at(ms), round_trip: Duration::from_millis(100) }
    }

    #[test]
    fn the_curve_is_that_of_the_rfc() {
        // W_max = 1000 segments: K = cubicroot(300 / 0.4) = 9.0856 s, W(t) = 0.4 (t - K)^3 + 1000.
        let (plateau, height) = (1000 * SEGMENT, 300 * SEGMENT);
        assert_eq!(rise(height, SEGMENT), 9085);
        let at = |ms: i64| curve(plateau, ms - rise(height, SEGMENT), SEGMENT);
        let expected = [(0, 700.0), (1000, 788.6), (5000, 972.7), (9085, 1000.0), (10_000, 1000.3), (20_000, 1520.1)];
        for (ms, segments) in expected {
            let difference = i64::from(at(ms)) - (segments * f64::from(SEGMENT)) as i64;
            assert!(difference.abs() < 200, "{ms} ms: {} in place of {segments} segments", at(ms));
        }
        assert_eq!([curve(1000, -40_000, 1460), curve(1000, i64::MIN, 1460)], [0, 0]);
        assert_eq!(curve(1000, i64::MAX, 1460), curve(1000, FAR, 1460));
    }

    #[test]
    fn the_window_follows_the_curve_where_reno_would_be_slower() {
        let mut cubic = Cubic::default();
        let mut window = cubic.reduce(1000 * SEGMENT);
        assert_eq!((window, cubic.plateau), (700 * SEGMENT, 1000 * SEGMENT));
        for trip in 0..=100 {
            window = cubic.grow(step(window, 10_000 + trip * 100));
        }
        // 10.1 s after its beginning: the next acknowledgement comes in a round trip.
        assert!(window.abs_diff(curve(1000 * SEGMENT, 10_100 - 9085, SEGMENT)) < SEGMENT, "{window}");
        // After the plateau it is sought where the capacity has come to be.
        for trip in 101..=200 {
            window = cubic.grow(step(window, 10_000 + trip * 100));
        }
        assert!(window.abs_diff(curve(1000 * SEGMENT, 20_100 - 9085, SEGMENT)) < 20 * SEGMENT, "{window}");
    }

    #[test]
    fn the_window_is_never_below_that_of_reno() {
        let mut cubic = Cubic::default();
        let mut window = cubic.reduce(20 * SEGMENT);
        let mut trip = |window, nth: u64, segments: u32| {
            let acked = window / segments;
            (0..segments).fold(window, |window, _| cubic.grow(Step { acked, ..step(window, 10 * nth) }))
        };
        // The curve rises by little in ten round trips of 10 ms: 9/17 of a segment in each up to where the loss was, then one.
        for nth in 0..10 {
            window = trip(window, nth, 14);
        }
        assert!((18 * SEGMENT..20 * SEGMENT).contains(&window), "{window}");
        for nth in 10..14 {
            window = trip(window, nth, 20);
        }
        let before = window;
        for nth in 14..24 {
            window = trip(window, nth, 20);
        }
        assert!(window.abs_diff(before + 10 * SEGMENT) <= 2 * SEGMENT, "{before} {window}");
    }

    #[test]
    fn who_loses_again_before_the_plateau_leaves_room() {
        let mut cubic = Cubic::default();
        assert_eq!(cubic.reduce(100 * SEGMENT), 70 * SEGMENT);
        assert_eq!(cubic.reduce(80 * SEGMENT), 56 * SEGMENT);
        assert_eq!((cubic.plateau, cubic.prior), (68 * SEGMENT, 80 * SEGMENT));
        cubic.reduce(68 * SEGMENT);
        assert_eq!(cubic.plateau, 68 * SEGMENT, "it was there");
    }

    #[test]
    fn after_a_timeout_the_curve_begins_with_its_plateau() {
        let mut cubic = Cubic::default();
        cubic.reduce(100 * SEGMENT);
        cubic.forget();
        assert_eq!(cubic.grow(step(50 * SEGMENT, 1000)), 50 * SEGMENT);
        assert_eq!((cubic.plateau, cubic.epoch.as_ref().map(|epoch| epoch.rise)), (50 * SEGMENT, Some(0)));
    }

    #[test]
    fn time_in_which_little_was_sent_does_not_count() {
        let grown = |idle: u64| {
            let mut cubic = Cubic::default();
            let window = cubic.reduce(1000 * SEGMENT);
            let window = (0..10).fold(window, |window, trip| cubic.grow(step(window, trip * 100)));
            (1..=idle).for_each(|nth| cubic.pause(at(900 + nth * 1000)));
            (10..20).fold(window, |window, trip| cubic.grow(step(window, idle * 1000 + trip * 100)))
        };
        assert_eq!(grown(0), grown(60));
    }

    proptest! {
        #[test]
        fn cube_roots_are_rounded_down(number in 0..1u64 << 62) {
            let root = cube_root(number);
            prop_assert!(root.pow(3) <= number && (root + 1).pow(3) > number);
        }

        #[test]
        fn no_acknowledgement_makes_the_window_smaller_or_much_larger(
            before in 2920..u32::MAX / 2,
            steps in proptest::collection::vec((0..3000u64, 1..3_000_000u32, 0..400u64), 1..50),
        ) {
            let mut cubic = Cubic::default();
            let mut window = cubic.reduce(before);
            let mut ms = 0;
            for (later, acked, round_trip) in steps {
                ms += later;
                let round_trip = Duration::from_millis(round_trip);
                let next = cubic.grow(Step { window, acked, segment: 1460, now: at(ms), round_trip });
                prop_assert!(next >= window && next <= window.saturating_add(acked.max(window / 2)).saturating_add(1460));
                window = next;
            }
        }
    }
}
