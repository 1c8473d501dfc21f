//! Times and interval timers.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct timespec`, timespec(3type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timespec {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Nanoseconds, `0..1_000_000_000`, or `UTIME_NOW`/`UTIME_OMIT` in utimensat(2).
    pub tv_nsec: i64,
}

/// `struct timeval`, timeval(3type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timeval {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Microseconds, `0..1_000_000`.
    pub tv_usec: i64,
}

/// `struct timezone`, gettimeofday(2); obsolete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Timezone {
    /// Minutes west of Greenwich.
    pub tz_minuteswest: i32,
    /// Kind of daylight saving.
    pub tz_dsttime: i32,
}

/// `struct itimerspec`, timerfd_settime(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Itimerspec {
    /// Period; zero means one shot.
    pub it_interval: Timespec,
    /// First expiry; zero disarms.
    pub it_value: Timespec,
}

/// `struct itimerval`, setitimer(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Itimerval {
    /// Period; zero means one shot.
    pub it_interval: Timeval,
    /// First expiry; zero disarms.
    pub it_value: Timeval,
}

/// `struct tms`, times(2), in clock ticks (100 a second).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tms {
    /// User time.
    pub tms_utime: i64,
    /// System time.
    pub tms_stime: i64,
    /// User time of waited-for children.
    pub tms_cutime: i64,
    /// System time of waited-for children.
    pub tms_cstime: i64,
}

/// Nanoseconds in a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;
/// `tv_nsec` of utimensat(2): set to the current time.
pub const UTIME_NOW: i64 = 0x3fff_ffff;
/// `tv_nsec` of utimensat(2): leave as it is.
pub const UTIME_OMIT: i64 = 0x3fff_fffe;

impl Timespec {
    /// The time as nanoseconds, or `None` if it is negative, not normal, or later than 2^64 ns (the year 2554).
    pub const fn to_nanos(self) -> Option<u64> {
        if self.tv_sec < 0 || self.tv_nsec < 0 || self.tv_nsec as u64 >= NSEC_PER_SEC {
            return None;
        }
        match (self.tv_sec as u64).checked_mul(NSEC_PER_SEC) {
            Some(nanos) => nanos.checked_add(self.tv_nsec as u64),
            None => None,
        }
    }

    /// The time `nanos` nanoseconds after zero.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self { tv_sec: (nanos / NSEC_PER_SEC) as i64, tv_nsec: (nanos % NSEC_PER_SEC) as i64 }
    }
}

impl Timeval {
    /// The time as nanoseconds, or `None` if it is negative, not normal, or later than 2^64 ns.
    pub const fn to_nanos(self) -> Option<u64> {
        if self.tv_usec < 0 || self.tv_usec >= 1_000_000 {
            return None;
        }
        Timespec { tv_sec: self.tv_sec, tv_nsec: self.tv_usec * 1000 }.to_nanos()
    }

    /// The time `nanos` nanoseconds after zero, rounded down to microseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self { tv_sec: (nanos / NSEC_PER_SEC) as i64, tv_usec: (nanos % NSEC_PER_SEC / 1000) as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanos_convert_or_refuse() {
        assert_eq!(Timespec::from_nanos(1_500_000_000), Timespec { tv_sec: 1, tv_nsec: 500_000_000 });
        assert_eq!(Timespec { tv_sec: 1, tv_nsec: 5 }.to_nanos(), Some(1_000_000_005));
        assert_eq!(Timespec { tv_sec: 0, tv_nsec: 1_000_000_000 }.to_nanos(), None);
        assert_eq!(Timespec { tv_sec: -1, tv_nsec: 0 }.to_nanos(), None);
        assert_eq!(Timespec { tv_sec: i64::MAX, tv_nsec: 0 }.to_nanos(), None);
        assert_eq!(Timeval { tv_sec: 2, tv_usec: 3 }.to_nanos(), Some(2_000_003_000));
        assert_eq!(Timeval { tv_sec: 0, tv_usec: 1_000_000 }.to_nanos(), None);
    }
}
