//! Programs that tell about the machine: from the files of proc(5), and from the clock.

use super::args::Options;
use super::process::{Process, Status, show};
use crate::platform::Platform;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use trapless_abi::SysResult;

const SECOND: u64 = 1_000_000_000;

/// uname(1).
pub fn uname<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let options = match Options::new(&args, b"asnrvmpio", b"") {
        Ok(options) => options,
        Err(problem) => return process.fail(format_args!("{problem}")),
    };
    let kernel = |name: &str| -> SysResult<String> {
        Ok(process.text(&alloc::format!("/proc/sys/kernel/{name}"))?.trim().to_string())
    };
    let parts = [
        (b's', kernel("ostype")?),
        (b'n', kernel("hostname")?),
        (b'r', kernel("osrelease")?),
        (b'v', kernel("version")?),
        (b'm', "x86_64".to_string()),
        (b'p', "x86_64".to_string()),
        (b'i', "x86_64".to_string()),
        (b'o', "GNU/Linux".to_string()),
    ];
    let flags: &[u8] = if options.flags.is_empty() { b"s" } else { &options.flags };
    // Processor and platform say nothing new, and are left out of -a as elsewhere.
    let is_wanted = |flag: u8| flags.contains(&flag) || (flags.contains(&b'a') && !b"pi".contains(&flag));
    let words: Vec<String> = parts.into_iter().filter(|(flag, _)| is_wanted(*flag)).map(|(_, word)| word).collect();
    process.print(format_args!("{}\n", words.join(" ")))?;
    Ok(0)
}

/// hostname(1), also `-s` and `-f`.
pub fn hostname<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let name = process.text("/proc/sys/kernel/hostname")?;
    let name = name.trim();
    let (short, domain) = name.split_once('.').unwrap_or((name, ""));
    let text = match process.operands() {
        [] => name,
        [flag] => match &flag[..] {
            b"-f" | b"--fqdn" | b"--long" => name,
            b"-s" | b"--short" => short,
            b"-d" | b"--domain" => domain,
            _ => return process.fail(format_args!("{}: only -f, -s and -d are known", show(flag))),
        },
        _ => {
            return process.fail(format_args!("the host name is set at start (hostname=)"));
        }
    };
    process.print(format_args!("{text}\n"))?;
    Ok(0)
}

/// nproc(1).
pub fn nproc<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    process.print(format_args!("{}\n", cpus(process)?))?;
    Ok(0)
}

/// CPUs that run.
pub fn cpus<P: Platform>(process: &Process<P>) -> SysResult<usize> {
    let is_cpu = |line: &&str| line.strip_prefix("cpu").is_some_and(|rest| !rest.starts_with(' '));
    Ok(process.text("/proc/stat")?.lines().filter(is_cpu).count())
}

/// getconf(1), for the numbers that programs ask for.
pub fn getconf<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let [name] = process.operands() else { return process.fail(format_args!("usage: getconf NAME")) };
    let value = match &name[..] {
        b"PAGESIZE" | b"PAGE_SIZE" | b"_SC_PAGESIZE" => 4096,
        b"LONG_BIT" | b"WORD_BIT" => 64,
        b"CLK_TCK" => 100,
        b"_NPROCESSORS_ONLN" | b"_NPROCESSORS_CONF" => cpus(process)?,
        _ => return process.fail(format_args!("Unrecognized variable '{}'", show(name))),
    };
    process.print(format_args!("{value}\n"))?;
    Ok(0)
}

/// uptime(1).
pub fn uptime<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let up = process.text("/proc/uptime")?;
    let seconds: u64 = up.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or_default();
    let load = process.text("/proc/loadavg")?;
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let date = Date::now::<P>();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let days = if days > 0 { alloc::format!("{days} days, ") } else { String::new() };
    process.print(format_args!(
        " {:02}:{:02}:{:02} up {days}{hours:>2}:{minutes:02},  0 users,  load average: {}\n",
        date.hour,
        date.minute,
        date.second,
        load.join(", ")
    ))?;
    Ok(0)
}

/// sleep(1).
pub fn sleep<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let number =
        |text: &Vec<u8>| core::str::from_utf8(text).ok()?.parse::<f64>().ok().filter(|n| (0.0..1e9).contains(n));
    let Some(seconds) = process.operands().first().and_then(number) else {
        return process.fail(format_args!("a number of seconds is missing"));
    };
    let end = P::now() + Duration::from_secs_f64(seconds);
    while P::now() < end {
        P::park(Some(end));
    }
    Ok(0)
}

/// date(1), in UTC: by itself, or in a format of strftime(3).
pub fn date<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let words: Vec<&[u8]> = process.operands().iter().map(Vec::as_slice).filter(|word| *word != b"-u").collect();
    let format = match words[..] {
        [] => &b"%a %b %e %H:%M:%S UTC %Y"[..],
        [[b'+', format @ ..]] => format,
        _ => return process.fail(format_args!("only -u and +FORMAT are known here")),
    };
    let date = Date::now::<P>();
    let mut text = String::new();
    let mut rest = show(format);
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let mut letters = after.chars();
        let Some(field) = letters.next().and_then(|letter| date.field(letter)) else {
            return process.fail(format_args!("unknown format: %{after}"));
        };
        text.push_str(&field);
        rest = letters.as_str().to_string();
    }
    text.push_str(&rest);
    process.print(format_args!("{text}\n"))?;
    Ok(0)
}

/// A date and time in UTC.
struct Date {
    /// Since 1970.
    ns: u64,
    year: i64,
    month: usize,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Date {
    fn now<P: Platform>() -> Self {
        Self::at(P::realtime_ns())
    }

    /// The date of a time since 1970, by years that begin with March: then a leap day is the last of its year, and 400 years are a cycle.
    fn at(ns: u64) -> Self {
        let seconds = ns / SECOND;
        // Days since 1 March of the year 0, which begins a cycle.
        let days = (seconds / 86400) as i64 + 719_468;
        let (cycle, day_of_cycle) = (days / 146_097, days % 146_097);
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
        let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        // Months from March on: 153 days in five.
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = cycle * 400 + year_of_cycle + i64::from(month <= 2);
        Self {
            ns,
            year,
            month: month as usize,
            day: day as u64,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// One conversion of strftime(3).
    fn field(&self, letter: char) -> Option<String> {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        Some(match letter {
            '%' => "%".to_string(),
            'n' => "\n".to_string(),
            'a' => DAYS[(self.ns / SECOND / 86400 % 7) as usize].to_string(),
            'b' => MONTHS[self.month - 1].to_string(),
            'Y' => self.year.to_string(),
            'm' => alloc::format!("{:02}", self.month),
            'd' => alloc::format!("{:02}", self.day),
            'e' => alloc::format!("{:>2}", self.day),
            'H' => alloc::format!("{:02}", self.hour),
            'M' => alloc::format!("{:02}", self.minute),
            'S' => alloc::format!("{:02}", self.second),
            'N' => alloc::format!("{:09}", self.ns % SECOND),
            's' => alloc::format!("{}", self.ns / SECOND),
            'F' => alloc::format!("{}-{:02}-{:02}", self.year, self.month, self.day),
            'T' => alloc::format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second),
            'z' => "+0000".to_string(),
            'Z' => "UTC".to_string(),
            _ => return None,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds: u64| {
            let date = Date::at(seconds * SECOND);
            ["a", "F", "T"].map(|letter| date.field(letter.chars().next().unwrap()).unwrap()).join(" ")
        };
        assert_eq!(at(0), "Thu 1970-01-01 00:00:00");
        assert_eq!(at(951_782_400), "Tue 2000-02-29 00:00:00");
        assert_eq!(at(951_868_799), "Tue 2000-02-29 23:59:59");
        assert_eq!(at(951_868_800), "Wed 2000-03-01 00:00:00");
        assert_eq!(at(1_795_951_249), "Sun 2026-11-29 11:20:49");
        assert_eq!(at(4_107_542_399), "Sun 2100-02-28 23:59:59");
        assert_eq!(at(4_107_542_400), "Mon 2100-03-01 00:00:00");
    }
}
