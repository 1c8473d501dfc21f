//! Points in time and distances between them, in nanoseconds.

use core::ops::{Add, Sub};
use core::time::Duration;
use trapless_abi::Errno;

/// Nanoseconds of CLOCK_MONOTONIC; zero is the start of the machine. Wraps after 584 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The start of the machine.
    pub const ZERO: Self = Self(0);
    /// Later than any event: as a deadline it means "never".
    pub const FAR: Self = Self(u64::MAX);

    /// The instant `ns` nanoseconds after the start of the machine.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the start of the machine.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::FAR`], so that an absurd timeout means "never" and not "at once".
    fn add(self, d: Duration) -> Self {
        let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ns))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

/// Checks and converts the two fields of a `struct timespec` (timespec(3type)); EINVAL for a negative or denormal one.
pub fn duration_from_timespec(sec: i64, nsec: i64) -> Result<Duration, Errno> {
    match (u64::try_from(sec), u32::try_from(nsec)) {
        (Ok(s), Ok(n)) if n < 1_000_000_000 => Ok(Duration::new(s, n)),
        _ => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_saturates_to_never() {
        assert_eq!(Instant::from_nanos(5) + Duration::MAX, Instant::FAR);
    }

    #[test]
    fn differences_do_not_wrap() {
        assert_eq!(Instant::ZERO - Instant::from_nanos(3), Duration::ZERO);
    }

    #[test]
    fn denormal_timespecs_are_refused() {
        for (s, n) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
            assert_eq!(duration_from_timespec(s, n), Err(Errno::EINVAL));
        }
        assert_eq!(duration_from_timespec(1, 5), Ok(Duration::new(1, 5)));
    }
}
