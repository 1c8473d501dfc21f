//! The time of the day from a server: the client's side of SNTP (RFC 5905, section 14; RFC 4330), and what to do with the answer.

use core::time::Duration;

/// Where servers are asked.
pub const PORT: u16 = 123;

/// Bytes of a datagram, without extensions.
pub const SIZE: usize = 48;

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// Version 4, from a client.
const REQUEST: u8 = 4 << 3 | 3;
/// What a server says it is.
const MODE_SERVER: u8 = 4;
/// A server that does not know the time itself says so in the first two bits.
const UNSYNCHRONISED: u8 = 3;
/// Servers are so many steps from a clock; zero stands for a message in place of the time.
const STRATA: core::ops::RangeInclusive<u8> = 1..=15;

/// Seconds from 1900, where NTP begins to count, to 1970.
const EPOCH: u64 = 2_208_988_800;
const SECOND: u64 = 1_000_000_000;

/// Times that are off by more are set at once; less is corrected slowly, which takes minutes (ntpd's step threshold).
const STEP: u64 = 128_000_000;

/// Between two questions: while nobody answers, from the first to the last; and as long as all is well.
const RETRY: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(64)];
const INTERVAL: Duration = Duration::from_secs(64);

/// A question. What it was is recognised by `nonce`, which the server sends back; nothing else is told.
pub fn question(nonce: [u8; 8]) -> [u8; SIZE] {
    let mut datagram = [0; SIZE];
    datagram[0] = REQUEST;
    datagram[SIZE - 8..].copy_from_slice(&nonce);
    datagram
}

/// By how many nanoseconds the clock is behind the server's, negative if it is ahead: from the answer to the question with `nonce`, and
/// the times of the clock, ns since 1970, when the question went out and the answer came. None for anything but a server's answer to
/// this question that tells the time.
pub fn offset(answer: &[u8], nonce: [u8; 8], asked: u64, answered: u64) -> Option<i64> {
    let answer: &[u8; SIZE] = answer.first_chunk()?;
    let time = |at: usize| answer[at..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let (originate, received, transmitted) = (answer[24..].first_chunk::<8>()?, time(32)?, time(40)?);
    let is_right = answer[0] & 7 == MODE_SERVER
        && answer[0] >> 6 != UNSYNCHRONISED
        && STRATA.contains(&answer[1])
        && *originate == nonce
        && transmitted != 0;
    if !is_right {
        return None;
    }
    // Differences are right over the turn of the counter in 2036, as long as the clocks are within 68 years.
    let there = i128::from(received.wrapping_sub(to_ntp(asked)).cast_signed());
    let back = i128::from(transmitted.wrapping_sub(to_ntp(answered)).cast_signed());
    i64::try_from(((there + back) * i128::from(SECOND)) >> 33).ok()
}

/// A time as NTP tells it: seconds since 1900 modulo 2^32, and 32 binary places.
const fn to_ntp(ns: u64) -> u64 {
    let seconds = ns / SECOND + EPOCH;
    let fraction = ((ns % SECOND) << 32) / SECOND;
    (seconds << 32) | fraction
}

/// What is to be done to the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// Set it: it is off by this many nanoseconds.
    Step(i64),
    /// Move it slowly by this many nanoseconds.
    Slew(i64),
}

/// How a clock is corrected that is off by `offset` nanoseconds.
pub const fn correction(offset: i64) -> Correction {
    if offset.unsigned_abs() > STEP { Correction::Step(offset) } else { Correction::Slew(offset) }
}

/// When to ask next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    failures: u32,
}

impl Schedule {
    /// How long to wait after a question that was answered, or was not.
    pub fn after(&mut self, answered: bool) -> Duration {
        if answered {
            self.failures = 0;
            return INTERVAL;
        }
        let wait = RETRY[0].saturating_mul(1 << self.failures.min(16)).min(RETRY[1]);
        self.failures += 1;
        wait
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const NONCE: [u8; 8] = *b"question";
    /// 2026-11-29 11:20:49.5 UTC.
    const NOW: u64 = 1_795_951_249 * SECOND + SECOND / 2;

    fn answer(received: u64, transmitted: u64) -> [u8; SIZE] {
        let mut answer = [0; SIZE];
        answer[..2].copy_from_slice(&[4 << 3 | 4, 2]);
        answer[24..32].copy_from_slice(&NONCE);
        answer[32..40].copy_from_slice(&to_ntp(received).to_be_bytes());
        answer[40..48].copy_from_slice(&to_ntp(transmitted).to_be_bytes());
        answer
    }

    fn near(found: Option<i64>, expected: i64) {
        assert!(found.is_some_and(|found| found.abs_diff(expected) < 10), "{found:?} is not {expected}");
    }

    #[test]
    fn a_question_says_no_more_than_it_must() {
        let question = question(NONCE);
        assert_eq!((question[0], &question[40..]), (0x23, &NONCE[..]));
        assert!(question[1..40].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn the_way_there_and_back_is_taken_out() {
        // 30 ms there, 10 ms at the server, 30 ms back, and the clock is 5 s behind.
        let ms = SECOND / 1000;
        let there = NOW + 5 * SECOND + 30 * ms;
        near(offset(&answer(there, there + 10 * ms), NONCE, NOW, NOW + 70 * ms), 5_000_000_000);
        // Ahead, and by many years, as a machine is that has no clock with a battery.
        near(offset(&answer(NOW, NOW), NONCE, NOW + SECOND, NOW + SECOND), -1_000_000_000);
        near(offset(&answer(NOW, NOW), NONCE, 0, 0), NOW.cast_signed());
        // NTP's seconds begin anew in February 2036.
        let turn = (u64::from(u32::MAX) + 1 - EPOCH) * SECOND;
        near(offset(&answer(turn + SECOND, turn + SECOND), NONCE, turn - SECOND, turn - SECOND), 2_000_000_000);
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        let good = answer(NOW, NOW);
        let spoilt = |at: usize, value: u8| {
            let mut answer = good;
            answer[at] = value;
            offset(&answer, NONCE, NOW, NOW)
        };
        assert!(offset(&good, NONCE, NOW, NOW).is_some());
        assert_eq!(offset(&good[..47], NONCE, NOW, NOW), None);
        assert_eq!(offset(&good, *b"another!", NOW, NOW), None);
        // A client's question, a server without the time, one that wants no questions, one that is nobody.
        for (at, value) in [(0, 4 << 3 | 3), (0, 0xc0 | 4 << 3 | 4), (1, 0), (1, 16)] {
            assert_eq!(spoilt(at, value), None, "{at} {value}");
        }
        let mut empty = good;
        empty[40..].fill(0);
        assert_eq!(offset(&empty, NONCE, NOW, NOW), None);
    }

    #[test]
    fn what_is_far_off_is_set_and_the_rest_moved() {
        assert_eq!(correction(127_000_000), Correction::Slew(127_000_000));
        assert_eq!(correction(-129_000_000), Correction::Step(-129_000_000));
    }

    #[test]
    fn nobody_is_asked_too_often() {
        let mut schedule = Schedule::default();
        let waits: std::vec::Vec<u64> = (0..9).map(|_| schedule.after(false).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 64, 64]);
        assert_eq!((schedule.after(true).as_secs(), schedule.after(false).as_secs()), (64, 1));
    }
}
