//! Programs that tell about the machine, from the files of proc(5).

use super::args::Options;
use super::date::Date;
use super::process::{Process, Status, show};
use crate::platform::Platform;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use trapless_abi::SysResult;

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
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    let days = if days > 0 { alloc::format!("{days} days, ") } else { String::new() };
    let now = Date::at(P::realtime_ns()).format("%T").unwrap_or_default();
    let load = load.join(", ");
    process.print(format_args!(" {now} up {days}{hours:>2}:{minutes:02},  0 users,  load average: {load}\n"))?;
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
