//! Load averages: how many threads run or could run, on average over 1, 5 and 15 minutes, with what was longer ago counting for less
//! (`/proc/loadavg` of proc(5), sysinfo(2)).

use core::time::Duration;

/// From one sample to the next.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// Binary places of an average, as sysinfo(2) has them.
const PLACES: u32 = 16;
const ONE: u64 = 1 << PLACES;

/// What an average keeps of itself at each sample: e^(-5/60), e^(-5/300) and e^(-5/900).
const KEPT: [u64; 3] = [60_296, 64_453, 65_173];

/// The averages of a machine.
#[derive(Clone, Copy, Debug)]
pub struct Averages([u64; 3]);

impl Averages {
    /// Of a machine that has just begun.
    pub const fn new() -> Self {
        Self([0; 3])
    }

    /// Adds a sample: the threads that run or could run. To be called once in each [`INTERVAL`].
    pub fn add(&mut self, active: usize) {
        for (average, kept) in self.0.iter_mut().zip(KEPT) {
            *average = (*average * kept + ((active as u64) << PLACES) * (ONE - kept)) >> PLACES;
        }
    }

    /// The averages, times 65536.
    pub const fn fixed_point(self) -> [u64; 3] {
        self.0
    }

    /// The averages in hundredths, rounded.
    pub fn hundredths(self) -> [u64; 3] {
        self.0.map(|average| (average * 100 + ONE / 2) >> PLACES)
    }
}

impl Default for Averages {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn after(samples: &[(usize, usize)]) -> [u64; 3] {
        let mut averages = Averages::new();
        samples.iter().for_each(|&(times, active)| (0..times).for_each(|_| averages.add(active)));
        averages.hundredths()
    }

    #[test]
    fn averages_follow_the_load_each_at_its_pace() {
        assert_eq!(after(&[]), [0, 0, 0]);
        // Seen from the first sample on.
        assert_eq!(after(&[(1, 1)]), [8, 2, 1]);
        // After a minute of four threads: 4 * (1 - 1/e), and so on.
        assert_eq!(after(&[(12, 4)]), [253, 72, 26]);
        // A day of them, and a minute of rest.
        assert_eq!(after(&[(17_280, 4)]), [400, 400, 400]);
        assert_eq!(after(&[(17_280, 4), (12, 0)]), [147, 327, 374]);
        assert_eq!(after(&[(100, 1), (17_280, 0)]), [0, 0, 0]);
        assert_eq!(after(&[(17_280, 100_000)])[0], 10_000_000);
    }
}
