//! Medians with confidence intervals, by order statistics: they assume nothing about how a measurement is distributed
//! (Hahn and Meeker, "Statistical Intervals", section 5.2).

use crate::bench::stats::Spread;

/// The confidence that is asked for.
pub const WANTED: f64 = 0.95;
/// An interval that is wider than this part of its median, to either side, makes an answer meaningless.
pub const NOISE: f64 = 0.25;

/// A median, and the interval that holds the true median with a known probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    /// The probability: at least [`WANTED`], or less when there are too few values.
    pub coverage: f64,
}

impl Estimate {
    /// Estimates the median of what `values` are a sample of. None for no values.
    pub fn new(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        // The innermost pair of values, counted from both ends, that is wide enough.
        let rank = (1..=count / 2).rev().find(|&rank| coverage(count, rank) >= WANTED).unwrap_or(1);
        let (low, high) = (*sorted.get(rank - 1)?, *sorted.get(count - rank)?);
        Some(Self { median: Spread::new(values.iter().copied()).median(), low, high, coverage: coverage(count, rank) })
    }

    /// How far the ends are from the middle at most, as a part of the middle.
    pub fn relative_width(&self) -> f64 {
        f64::max(self.high - self.median, self.median - self.low) / self.median.abs()
    }

    /// Whether chance had too much part in it to say anything.
    pub fn is_noise(&self) -> bool {
        self.relative_width() > NOISE
    }

    /// Whether there were enough values for [`WANTED`].
    pub fn is_confident(&self) -> bool {
        self.coverage >= WANTED
    }
}

/// The probability that the median lies between the values of rank `rank` from both ends, of `count` values: each value is below the
/// median or not as a coin falls.
fn coverage(count: usize, rank: usize) -> f64 {
    let (mut term, mut below) = (0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX)), 0.0);
    for heads in 0..rank.min(count) {
        below += term;
        term *= (count - heads) as f64 / (heads + 1) as f64;
    }
    (1.0 - 2.0 * below).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_values_leave_out_one_at_each_end() {
        let values: Vec<f64> = (1..=10).map(f64::from).collect();
        let estimate = Estimate::new(&values).unwrap();
        assert_eq!((estimate.median, estimate.low, estimate.high), (5.5, 2.0, 9.0));
        // 1 - 2 * (1 + 10) / 2^10
        assert!((estimate.coverage - 0.978_515_625).abs() < 1e-12);
        assert!(estimate.is_confident());
    }

    #[test]
    fn few_values_give_less_than_was_wanted_and_say_so() {
        let estimate = Estimate::new(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((estimate.low, estimate.high), (1.0, 3.0));
        assert!((estimate.coverage - 0.75).abs() < 1e-12 && !estimate.is_confident());
        assert_eq!(Estimate::new(&[2.0]).unwrap().coverage, 0.0);
        assert_eq!(Estimate::new(&[]), None);
    }

    #[test]
    fn the_width_is_that_of_the_longer_side() {
        let estimate = Estimate::new(&[8.0, 9.0, 10.0, 11.0, 14.0]).unwrap();
        assert!((estimate.relative_width() - 0.4).abs() < 1e-12);
    }
}
