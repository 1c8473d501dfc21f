//! How fast a counter ticks, by comparison with channel 0 of the 8254 interval timer (Intel 8254 data sheet).

/// Input clock of the 8254, Hz.
const PIT_HZ: u64 = 1_193_182;
/// How long the two are compared: 10 ms.
const TICKS: u16 = 11_932;
/// Far more readings than fit into that time: a timer that has not moved by then is not there.
const READINGS: u32 = 1_000_000;
/// Comparisons, until one is beyond doubt.
const TRIES: u32 = 8;

/// One reading of the timer, between two of the counter.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// The counter before.
    pub before: u64,
    /// The timer: counts down, from 65536 again and again.
    pub timer: u16,
    /// The counter after.
    pub after: u64,
}

impl Reading {
    fn width(&self) -> u64 {
        self.after.wrapping_sub(self.before)
    }

    fn middle(&self) -> u64 {
        self.before.wrapping_add(self.width() / 2)
    }
}

/// Ticks of the counter per second. None without a timer that counts.
///
/// A host that has other things to do takes the CPU away for as long as it likes. When that is more than the 55 ms in which the timer
/// comes round, a round is missed, and the counter seems to be faster than it is. The last reading before the end is then far from the
/// end. So a comparison with such a gap is doubted and made again; of several the slowest is right.
pub fn counter_hz(mut read: impl FnMut() -> Reading) -> Option<u64> {
    let mut slowest: Option<u64> = None;
    for _ in 0..TRIES {
        let (hz, is_sure) = compare(&mut read)?;
        if is_sure {
            return Some(hz);
        }
        slowest = Some(slowest.map_or(hz, |other| other.min(hz)));
    }
    slowest
}

/// The counter's rate, and whether no gap between readings was long enough to hide a round of the timer.
fn compare(read: &mut impl FnMut() -> Reading) -> Option<(u64, bool)> {
    let start = closest(read);
    let (mut last, mut widest) = (start.before, 0);
    for _ in 0..READINGS {
        let reading = read();
        widest = widest.max(reading.after.wrapping_sub(last));
        last = reading.before;
        if start.timer.wrapping_sub(reading.timer) >= TICKS {
            let end = closest(read);
            widest = widest.max(end.after.wrapping_sub(last));
            let (ticks, counted) = (start.timer.wrapping_sub(end.timer), end.middle().wrapping_sub(start.middle()));
            let hz = u128::from(counted) * u128::from(PIT_HZ) / u128::from(ticks.max(1));
            return Some((u64::try_from(hz).ok()?, widest < counted / 4));
        }
    }
    None
}

/// The closest of a few readings: the CPU may be taken away in between.
fn closest(read: &mut impl FnMut() -> Reading) -> Reading {
    let mut best = read();
    for _ in 0..4 {
        let next = read();
        if next.width() < best.width() {
            best = next;
        }
    }
    best
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const HZ: u64 = 1_000_000_000;

    /// A counter of 1 GHz that starts at some value, and a host that takes the CPU away for so many ns before the reading of that number.
    fn machine(stalls: &[(usize, u64)]) -> impl FnMut() -> Reading {
        let mut stalls: Vec<_> = stalls.to_vec();
        let (mut now, mut reading) = (u64::MAX - 5_000_000, 0);
        let begin = now;
        move || {
            if let Some(at) = stalls.iter().position(|(number, _)| *number == reading) {
                now = now.wrapping_add(stalls.remove(at).1);
            }
            reading += 1;
            let before = now;
            now = now.wrapping_add(2000);
            let timer = (now.wrapping_sub(begin) - 1000) * PIT_HZ / HZ;
            Reading { before, timer: 0u16.wrapping_sub(timer as u16), after: now }
        }
    }

    fn off_by(hz: u64) -> u64 {
        hz.abs_diff(HZ) * 1_000_000 / HZ
    }

    #[test]
    fn a_quiet_host_is_measured_well() {
        assert!(off_by(counter_hz(machine(&[])).unwrap()) < 200);
    }

    #[test]
    fn a_stall_that_hides_a_round_of_the_timer_is_noticed() {
        for ms in [3, 30, 54, 58, 60, 100, 170, 1000] {
            let hz = counter_hz(machine(&[(100, ms * 1_000_000)])).unwrap();
            assert!(off_by(hz) < 200, "{ms} ms: {hz} Hz");
        }
    }

    /// Such a stall makes the timer seem to stand still, and the counter thousands of times too fast: time would nearly stop.
    #[test]
    fn a_stall_right_before_the_end_is_noticed() {
        let mut readings = 0;
        let mut quiet = machine(&[]);
        counter_hz(|| {
            readings += 1;
            quiet()
        });
        for number in readings - 10..readings {
            for ms in [40, 44, 45, 46, 50, 100] {
                let hz = counter_hz(machine(&[(number, ms * 1_000_000)])).unwrap();
                assert!(off_by(hz) < 200, "{ms} ms before reading {number} of {readings}: {hz} Hz");
            }
        }
    }

    #[test]
    fn of_doubtful_comparisons_the_slowest_is_right() {
        // The third falls short of a round, the others hide one.
        let ms = |number| if number == 6 { 40 } else { 57 };
        let stalls: Vec<_> = (1..100).map(|number| (number * 1000, ms(number) * 1_000_000)).collect();
        let (first, is_sure) = compare(&mut machine(&stalls)).unwrap();
        assert!(first > 3 * HZ && !is_sure, "{first} {is_sure}");
        assert!(off_by(counter_hz(machine(&stalls)).unwrap()) < 200);
    }

    #[test]
    fn a_timer_that_stands_still_is_none() {
        assert_eq!(counter_hz(|| Reading { before: 0, timer: 7, after: 1 }), None);
    }
}
