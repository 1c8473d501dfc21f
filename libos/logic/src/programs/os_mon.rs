//! The port programs of OTP's application os_mon, by their protocols (lib/os_mon/c_src).

use super::machine::cpus;
use super::process::{Process, Status};
use crate::platform::Platform;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use trapless_abi::SysResult;

/// Commands come in one at a time, in chunks as the pipe gives them.
struct Commands(VecDeque<u8>);

impl Commands {
    /// The next byte; none at the end.
    fn next<P: Platform>(&mut self, process: &Process<P>) -> SysResult<Option<u8>> {
        if self.0.is_empty() {
            self.0.extend(process.stdin.read()?);
        }
        Ok(self.0.pop_front())
    }
}

/// `cpu_sup`: one letter asks, numbers of 32 bits answer, high byte first (cpu_sup.c).
pub fn cpu_sup<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let mut commands = Commands(VecDeque::new());
    while let Some(command) = commands.next(process)? {
        let answer = match command {
            b'p' => [4711].to_vec(),
            b'n' => [threads(process)?].to_vec(),
            b'1' => [load(process, 0)?].to_vec(),
            b'5' => [load(process, 1)?].to_vec(),
            b'f' => [load(process, 2)?].to_vec(),
            b'u' => utilization(process)?,
            b'q' => return Ok(0),
            _ => return process.fail(format_args!("bad command")),
        };
        let bytes: Vec<u8> = answer.into_iter().flat_map(u32::to_be_bytes).collect();
        process.stdout.write(&bytes)?;
    }
    // Erlang has closed the port.
    Ok(0)
}

/// A load average, in 256ths.
fn load<P: Platform>(process: &Process<P>, which: usize) -> SysResult<u32> {
    let text = process.text("/proc/loadavg")?;
    let hundredths: String = text.split(' ').nth(which).unwrap_or_default().split('.').collect();
    Ok(hundredths.parse::<u32>().unwrap_or_default() * 256 / 100)
}

/// Threads there are: the Y of X/Y.
fn threads<P: Platform>(process: &Process<P>) -> SysResult<u32> {
    let text = process.text("/proc/loadavg")?;
    Ok(text.split(' ').nth(3).and_then(|pair| pair.split('/').nth(1)?.parse().ok()).unwrap_or_default())
}

/// Number of CPUs, numbers for each, and for each CPU pairs of what and how much: what are the fields of proc_stat(5) in the order of
/// cpu_sup.c, how much is in clock ticks.
fn utilization<P: Platform>(process: &Process<P>) -> SysResult<Vec<u32>> {
    // Its number, user, nice, system, iowait, idle, irq, softirq, steal; and where that stands in a line.
    const FIELDS: [(u32, usize); 8] = [(1, 1), (2, 2), (3, 3), (4, 5), (5, 4), (6, 6), (7, 7), (8, 8)];
    let text = process.text("/proc/stat")?;
    let mut numbers = [cpus(process)? as u32, 1 + FIELDS.len() as u32].to_vec();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(cpu) = words.first().and_then(|word| word.strip_prefix("cpu")?.parse::<u32>().ok()) else { continue };
        numbers.extend([0, cpu]);
        for (what, at) in FIELDS {
            // The counters go round as those of the original do.
            let ticks: u64 = words.get(at).and_then(|word| word.parse().ok()).unwrap_or_default();
            numbers.extend([what, ticks as u32]);
        }
    }
    Ok(numbers)
}

/// `memsup`: a packet of one byte asks, packets of hexadecimal digits answer (memsup.c, memsup.h).
pub fn memsup<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    const SHOW_MEM: u8 = 1;
    const SHOW_SYSTEM_MEM: u8 = 2;
    const EXIT: u8 = 3;
    /// Tags of what follows, and the line of /proc/meminfo that says it.
    const TAGS: [(u8, &str); 9] = [
        (2, "MemTotal"),
        (3, "MemFree"),
        (6, "Buffers"),
        (7, "Cached"),
        (8, "Shmem"),
        (12, "MemAvailable"),
        (9, "SwapTotal"),
        (10, "SwapFree"),
        (1, "MemTotal"),
    ];
    let mut commands = Commands(VecDeque::new());
    while let Some(1) = commands.next(process)? {
        match commands.next(process)? {
            Some(SHOW_MEM) => {
                let text = process.text("/proc/meminfo")?;
                let (total, free) = (bytes_of(&text, "MemTotal"), bytes_of(&text, "MemFree"));
                packet(process, alloc::format!("{:x}", total - free).as_bytes())?;
                packet(process, alloc::format!("{total:x}").as_bytes())?;
            }
            Some(SHOW_SYSTEM_MEM) => {
                let text = process.text("/proc/meminfo")?;
                for (tag, name) in TAGS {
                    packet(process, &[tag])?;
                    packet(process, alloc::format!("{:x}", bytes_of(&text, name)).as_bytes())?;
                }
                packet(process, &[0])?;
            }
            Some(EXIT) | None => return Ok(0),
            Some(_) => {}
        }
    }
    Ok(0)
}

/// A line of /proc/meminfo, in bytes.
pub fn bytes_of(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() * 1024
}

fn packet<P: Platform>(process: &Process<P>, bytes: &[u8]) -> SysResult<()> {
    process.stdout.write(&[&[bytes.len() as u8], bytes].concat())
}
