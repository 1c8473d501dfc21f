//! From the registers of a PC's battery clock (Motorola MC146818) to seconds since 1970.

/// The clock's registers as read, undecoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Seconds, register 0.
    pub second: u8,
    /// Minutes, register 2.
    pub minute: u8,
    /// Hours, register 4; bit 7 means p.m. in 12-hour mode.
    pub hour: u8,
    /// Day of the month, register 7.
    pub day: u8,
    /// Month, register 8.
    pub month: u8,
    /// Year within the century, register 9.
    pub year: u8,
    /// Century, from the register that the FADT names; `None` without one.
    pub century: Option<u8>,
    /// Register B: bit 1 24-hour mode, bit 2 binary instead of BCD.
    pub mode: u8,
}

const MODE_24_HOURS: u8 = 1 << 1;
const MODE_BINARY: u8 = 1 << 2;
const PM: u8 = 1 << 7;

/// Seconds since 1970-01-01 00:00:00 UTC, taking the clock as running in UTC. `None` when the registers hold no date, as when there is
/// no clock and every register reads 0xff.
pub fn unix_seconds(r: &Registers) -> Option<u64> {
    let number = |raw: u8| match r.mode & MODE_BINARY {
        0 => (raw >> 4 <= 9 && raw & 0xf <= 9).then(|| u64::from(raw >> 4) * 10 + u64::from(raw & 0xf)),
        _ => Some(u64::from(raw)),
    };
    let hour = match r.mode & MODE_24_HOURS {
        0 => {
            let on_the_dial = number(r.hour & !PM).filter(|h| (1..=12).contains(h))?;
            on_the_dial % 12 + if r.hour & PM != 0 { 12 } else { 0 }
        }
        _ => number(r.hour)?,
    };
    let (second, minute) = (number(r.second)?, number(r.minute)?);
    let (day, month) = (number(r.day)?, number(r.month)?);
    let year_in_century = number(r.year).filter(|&y| y <= 99)?;
    // A century register that is not kept up reads as nonsense: then two digits mean 1970 to 2069.
    let year = match r.century.and_then(number) {
        Some(century @ 19..=29) => century * 100 + year_in_century,
        _ if year_in_century < 70 => 2000 + year_in_century,
        _ => 1900 + year_in_century,
    };
    // A leap second is shown as 60.
    if second > 60 || minute > 59 || hour > 23 || !(1..=12).contains(&month) || year < 1970 {
        return None;
    }
    if day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some((days_since_1970(year, month, day) * 24 + hour) * 3600 + minute * 60 + second)
}

/// Gregorian calendar.
fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counts year by year and month by month: it runs once a boot, so plainness beats speed.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let years: u64 = (1970..year).map(|y| if is_leap(y) { 366 } else { 365 }).sum();
    let months: u64 = (1..month).map(|m| days_in_month(year, m)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29 23:59:58, BCD, 24 hours. `date -u -d '2024-02-29 23:59:58' +%s` says 1709251198.
    const LEAP_DAY: Registers = Registers {
        second: 0x58,
        minute: 0x59,
        hour: 0x23,
        day: 0x29,
        month: 2,
        year: 0x24,
        century: Some(0x20),
        mode: 0b010,
    };

    #[test]
    fn bcd_and_binary() {
        assert_eq!(unix_seconds(&LEAP_DAY), Some(1_709_251_198));
        let binary = Registers {
            second: 58,
            minute: 59,
            hour: 23,
            day: 29,
            year: 24,
            century: Some(20),
            mode: 0b110,
            ..LEAP_DAY
        };
        assert_eq!(unix_seconds(&binary), Some(1_709_251_198));
    }

    #[test]
    fn twelve_hour_clock() {
        let at = |hour| unix_seconds(&Registers { hour, mode: 0, ..LEAP_DAY }).map(|s| s / 3600 % 24);
        assert_eq!(at(0x12), Some(0), "12 a.m. is midnight");
        assert_eq!(at(0x12 | PM), Some(12), "12 p.m. is noon");
        assert_eq!(at(0x01), Some(1));
        assert_eq!(at(0x11 | PM), Some(23));
        assert_eq!(at(0x13), None);
        assert_eq!(at(0x00), None);
    }

    #[test]
    fn epoch_and_far_dates() {
        let day = |century, year, month, day| Registers {
            second: 0,
            minute: 0,
            hour: 0,
            day,
            month,
            year,
            century: Some(century),
            mode: 0b110,
        };
        assert_eq!(unix_seconds(&day(19, 70, 1, 1)), Some(0));
        assert_eq!(unix_seconds(&day(20, 0, 3, 1)), Some(951_868_800));
        assert_eq!(unix_seconds(&day(21, 0, 3, 1)), Some(4_107_542_400), "2100 is no leap year");
        assert_eq!(unix_seconds(&day(21, 0, 2, 29)), None);
    }

    #[test]
    fn century_is_guessed_when_absent_or_nonsense() {
        for century in [None, Some(0), Some(0xff)] {
            assert_eq!(unix_seconds(&Registers { century, ..LEAP_DAY }), Some(1_709_251_198));
        }
    }

    #[test]
    fn an_absent_clock_has_no_date() {
        let absent = Registers {
            second: 255,
            minute: 255,
            hour: 255,
            day: 255,
            month: 255,
            year: 255,
            century: Some(255),
            mode: 255,
        };
        assert_eq!(unix_seconds(&absent), None);
    }
}
