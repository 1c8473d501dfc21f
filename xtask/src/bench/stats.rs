//! The middle and the ends of a few numbers.

/// A sorted sample.
pub struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    pub fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    pub fn least(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(f64::NAN)
    }

    pub fn most(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(f64::NAN)
    }

    /// The value in the middle, or half way between the two there.
    pub fn median(&self) -> f64 {
        let (count, half) = (self.sorted.len(), self.sorted.len() / 2);
        match count {
            0 => f64::NAN,
            _ if count % 2 == 1 => self.sorted[half],
            _ => f64::midpoint(self.sorted[half - 1], self.sorted[half]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(Spread::new([3.0, 1.0, 10.0]).median(), 3.0);
        assert_eq!(Spread::new([4.0, 1.0, 2.0, 10.0]).median(), 3.0);
        assert!(Spread::new([]).median().is_nan());
        let spread = Spread::new([2.0, 9.0, 1.0]);
        assert_eq!((spread.least(), spread.most()), (1.0, 9.0));
    }
}
