//! `date`, and the dates that other programs show.

use super::args::Options;
use super::process::{Process, Status, show};
use crate::platform::Platform;
use alloc::string::{String, ToString};
use trapless_abi::SysResult;

const SECOND: u64 = 1_000_000_000;

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Of the names of days and months in their short form.
const SHORT: usize = 3;

/// date(1), in UTC, which is the zone of the machine: `date [-u] [+FORMAT]`.
pub fn date<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let operands = match Options::new(&args, b"u", b"") {
        Ok(options) => options.operands,
        Err(problem) => return process.fail(format_args!("{problem}")),
    };
    let format = match operands[..] {
        [] => &b"%a %b %e %H:%M:%S %Z %Y"[..],
        [[b'+', format @ ..]] => format,
        [word] => return process.fail(format_args!("invalid date '{}' (ntp= sets the clock)", show(word))),
        [_, extra, ..] => return process.fail(format_args!("extra operand '{}'", show(extra))),
    };
    match Date::at(P::realtime_ns()).format(&show(format)) {
        Ok(text) => process.print(format_args!("{text}\n")).map(|()| 0),
        Err(Unknown(conversion)) => process.fail(format_args!("unknown conversion: %{conversion}")),
    }
}

/// A conversion that strftime(3) does not have.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown(String);

/// A date and time in UTC.
pub struct Date {
    /// Since 1970.
    ns: u64,
    year: i64,
    /// From 1 on, as are days.
    month: usize,
    day: u64,
    /// Since 1 January.
    day_of_year: u64,
    /// Since Sunday.
    weekday: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Date {
    /// The date of a time since 1970, by years that begin with March: then a leap day is the last of its year, and 400 years are a cycle.
    pub fn at(ns: u64) -> Self {
        let seconds = ns / SECOND;
        // Days since 1 March of the year 0, which begins a cycle.
        let days = (seconds / 86400) as i64 + 719_468;
        let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
        let since_march = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        // Months from March on: 153 days in five.
        let month = (5 * since_march + 2) / 153;
        let day = since_march - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
        // January and February have 59 days, or 60; March begins 306 days before January.
        let day_of_year = if month > 2 { since_march + 59 + i64::from(is_leap(year)) } else { since_march - 306 };
        Self {
            ns,
            year,
            month: month as usize,
            day: day as u64,
            day_of_year: day_of_year as u64,
            // 1970 began on a Thursday.
            weekday: (seconds / 86400 + 4) % 7,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// A text with conversions of strftime(3), in the POSIX locale, and of date(1).
    ///
    /// # Errors
    /// A conversion that is not known.
    pub fn format(&self, format: &str) -> Result<String, Unknown> {
        let mut text = String::new();
        let mut rest = format;
        while let Some((before, after)) = rest.split_once('%') {
            text.push_str(before);
            // The POSIX locale has no other eras or digits.
            let plain = after.strip_prefix(['E', 'O']).unwrap_or(after);
            let mut letters = plain.chars();
            let field = letters.next().and_then(|letter| self.field(letter));
            text.push_str(&field.ok_or_else(|| Unknown(after.chars().take(2).collect()))?);
            rest = letters.as_str();
        }
        text.push_str(rest);
        Ok(text)
    }

    /// One conversion.
    fn field(&self, letter: char) -> Option<String> {
        let (weekday, month) = (DAYS[self.weekday as usize], MONTHS[self.month - 1]);
        let hour = (self.hour + 11) % 12 + 1;
        let (half, small_half) = if self.hour < 12 { ("AM", "am") } else { ("PM", "pm") };
        let (iso_year, iso_week) = self.iso_week();
        Some(match letter {
            '%' => "%".into(),
            'n' => "\n".into(),
            't' => "\t".into(),
            'a' => weekday[..SHORT].into(),
            'A' => weekday.into(),
            'b' | 'h' => month[..SHORT].into(),
            'B' => month.into(),
            'Y' => self.year.to_string(),
            'C' => alloc::format!("{:02}", self.year / 100),
            'y' => alloc::format!("{:02}", self.year % 100),
            'm' => alloc::format!("{:02}", self.month),
            'd' => alloc::format!("{:02}", self.day),
            'e' => alloc::format!("{:>2}", self.day),
            'j' => alloc::format!("{:03}", self.day_of_year + 1),
            'H' => alloc::format!("{:02}", self.hour),
            'k' => alloc::format!("{:>2}", self.hour),
            'I' => alloc::format!("{hour:02}"),
            'l' => alloc::format!("{hour:>2}"),
            'p' => half.into(),
            'P' => small_half.into(),
            'M' => alloc::format!("{:02}", self.minute),
            'S' => alloc::format!("{:02}", self.second),
            'N' => alloc::format!("{:09}", self.ns % SECOND),
            's' => (self.ns / SECOND).to_string(),
            'u' => ((self.weekday + 6) % 7 + 1).to_string(),
            'w' => self.weekday.to_string(),
            'U' => alloc::format!("{:02}", (self.day_of_year + 7 - self.weekday) / 7),
            'W' => alloc::format!("{:02}", (self.day_of_year + 7 - (self.weekday + 6) % 7) / 7),
            'G' => iso_year.to_string(),
            'g' => alloc::format!("{:02}", iso_year % 100),
            'V' => alloc::format!("{iso_week:02}"),
            'z' => "+0000".into(),
            'Z' => "UTC".into(),
            'c' => self.format("%a %b %e %H:%M:%S %Y").ok()?,
            'D' | 'x' => self.format("%m/%d/%y").ok()?,
            'F' => self.format("%Y-%m-%d").ok()?,
            'R' => self.format("%H:%M").ok()?,
            'r' => self.format("%I:%M:%S %p").ok()?,
            'T' | 'X' => self.format("%H:%M:%S").ok()?,
            _ => return None,
        })
    }

    /// Year and week by ISO 8601: weeks begin with Monday, and belong to the year that has their Thursday.
    fn iso_week(&self) -> (i64, u64) {
        // Of this week; days that are in the year before are below zero.
        let thursday = self.day_of_year as i64 + 3 - ((self.weekday + 6) % 7) as i64;
        let days_of = |year| 365 + i64::from(is_leap(year));
        let (year, day) = match thursday {
            ..0 => (self.year - 1, thursday + days_of(self.year - 1)),
            day if day >= days_of(self.year) => (self.year + 1, day - days_of(self.year)),
            day => (self.year, day),
        };
        (year, day as u64 / 7 + 1)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn at(seconds: u64, format: &str) -> String {
        Date::at(seconds * SECOND).format(format).unwrap()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "Thu 1970-01-01 00:00:00 001"),
            (951_782_400, "Tue 2000-02-29 00:00:00 060"),
            (951_868_799, "Tue 2000-02-29 23:59:59 060"),
            (951_868_800, "Wed 2000-03-01 00:00:00 061"),
            (1_795_951_249, "Sun 2026-11-29 11:20:49 333"),
            (4_107_542_399, "Sun 2100-02-28 23:59:59 059"),
            (4_107_542_400, "Mon 2100-03-01 00:00:00 060"),
        ] {
            assert_eq!(at(seconds, "%a %F %T %j"), expected);
        }
    }

    #[test]
    fn conversions_are_those_of_strftime() {
        let noon_past = 1_795_951_249 + 3600;
        for (format, expected) in [
            ("%A %a %B %b %h", "Sunday Sun November Nov Nov"),
            ("%C %y %Y %m %d %e", "20 26 2026 11 29 29"),
            ("%H %k %I %l %p %P %M %S", "12 12 12 12 PM pm 20 49"),
            ("%c|%x|%X|%D|%r|%R", "Sun Nov 29 12:20:49 2026|11/29/26|12:20:49|11/29/26|12:20:49 PM|12:20"),
            ("%u %w %U %W %V %G %g", "7 0 48 47 48 2026 26"),
            ("%Ec %Od %%%n%t%z %Z", "Sun Nov 29 12:20:49 2026 29 %\n\t+0000 UTC"),
            ("%s.%N", "1795954849.000000000"),
        ] {
            assert_eq!(at(noon_past, format), expected, "{format}");
        }
        assert_eq!(at(0, "%I %l %p %e"), "12 12 AM  1");
        for (format, unknown) in [("%Q", "Q"), ("a %:z", ":z"), ("%", ""), ("%E", "E")] {
            assert_eq!(Date::at(0).format(format), Err(Unknown(unknown.into())), "{format}");
        }
    }

    #[test]
    fn weeks_are_counted_in_three_ways() {
        for (days, expected) in [
            // Friday, 1 January 2021, and the Sunday and Monday after it.
            (18_628, "2020-W53-5 00 00"),
            (18_630, "2020-W53-7 01 00"),
            (18_631, "2021-W01-1 01 01"),
            // Monday, 30 December 2024: of the next year already.
            (20_087, "2025-W01-1 52 53"),
            // Monday, 31 December 2018, and Tuesday, 1 January 2019.
            (17_896, "2019-W01-1 52 53"),
            (17_897, "2019-W01-2 00 00"),
        ] {
            assert_eq!(at(days * 86400, "%G-W%V-%u %U %W"), expected, "{days}");
        }
    }
}
