//! `ps`: what /proc says about the program that the image is for, which is the only process.

use super::args::Options;
use super::date::Date;
use super::os_mon::bytes_of;
use super::process::{Process, Status, show};
use crate::platform::Platform;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Clock ticks of a second in the files of proc(5).
const TICKS: u64 = 100;
const PAGE: u64 = 4096;
const KIB: u64 = 1024;
const SECOND_NS: u64 = 1_000_000_000;
const DAY: u64 = 86400;

/// ps(1): `ps [-Aadefwx] [-p PIDS] [-o COLUMNS]`, and in BSD's way `ps [aeuwx] [PID...]`, where a dash in front does no harm.
pub fn ps<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let asked = match Options::new(&args, b"Aadefuwx", b"po").and_then(|options| Asked::new(&options)) {
        Ok(asked) => asked,
        Err(problem) => return process.fail(format_args!("{problem}")),
    };
    let facts = Facts::of(process)?;
    if asked.columns.iter().any(|shown| !shown.header.is_empty()) {
        process.print(format_args!("{}\n", line(&asked.columns, |shown| shown.header.clone())))?;
    }
    let is_wanted = asked.pids.is_empty() || asked.pids.contains(&facts.pid);
    if is_wanted {
        process.print(format_args!("{}\n", line(&asked.columns, |shown| (shown.column.value)(&facts))))?;
    }
    Ok(u8::from(!is_wanted))
}

/// One line: each value in its column, without blanks behind the last.
fn line(columns: &[Shown], value: impl Fn(&Shown) -> String) -> String {
    let word = |shown: &Shown| {
        let (value, width) = (value(shown), shown.column.width.max(shown.header.len()));
        match shown.column.side {
            Side::Left => alloc::format!("{value:<width$}"),
            Side::Right => alloc::format!("{value:>width$}"),
        }
    };
    let words: Vec<String> = columns.iter().map(word).collect();
    words.join(" ").trim_end().to_string()
}

/// What is to be shown.
struct Asked {
    columns: Vec<Shown>,
    /// Of these processes, of all if it is empty.
    pids: Vec<i32>,
}

/// A column with the header that was asked for.
struct Shown {
    column: &'static Column,
    header: String,
}

impl Asked {
    fn new(options: &Options<'_>) -> Result<Self, String> {
        let (numbers, letters): (Vec<_>, Vec<_>) =
            options.operands.iter().copied().partition(|operand| operand.first().is_some_and(u8::is_ascii_digit));
        let letters = letters.concat();
        if letters.iter().any(|letter| !b"aeuwx".contains(letter)) {
            return Err("unsupported option (BSD syntax)".into());
        }
        let mut pids = Vec::new();
        for list in options.of(b'p').chain(numbers) {
            for pid in show(list).split([',', ' ']) {
                pids.push(pid.parse::<i32>().map_err(|_| "process ID list syntax error")?);
            }
        }
        let mut columns = Vec::new();
        for list in options.of(b'o') {
            add_columns(&show(list), &mut columns)?;
        }
        if columns.is_empty() {
            let usual = match options.operands[..] {
                _ if letters.contains(&b'u') || options.has(b'u') => {
                    "user,pid,pcpu,pmem,vsz,rss,tty=TTY,stat,stime=START,bsdtime,args"
                }
                _ if options.has(b'f') => "user=UID,pid,ppid,c,stime,tty=TTY,time,args=CMD",
                [] => "pid,tty=TTY,time,comm=CMD",
                _ => "pid,tty=TTY,stat,bsdtime,args",
            };
            add_columns(usual, &mut columns)?;
        }
        Ok(Self { columns, pids })
    }
}

/// Adds the columns of a list such as `pid,rss=,args=CMD`: what stands behind `=` takes the place of the header.
fn add_columns(list: &str, columns: &mut Vec<Shown>) -> Result<(), String> {
    for word in list.split([',', ' ']).filter(|word| !word.is_empty()) {
        let (name, header) = word.split_once('=').map_or((word, None), |(name, header)| (name, Some(header)));
        let column = COLUMNS.iter().find(|column| column.names.contains(&name));
        let column = column.ok_or_else(|| alloc::format!("unknown user-defined format specifier \"{name}\""))?;
        columns.push(Shown { column, header: header.unwrap_or(column.header).into() });
    }
    Ok(())
}

/// What is known of the process.
struct Facts {
    pid: i32,
    ppid: u64,
    state: String,
    command: String,
    arguments: String,
    minor_faults: u64,
    major_faults: u64,
    /// Seconds of CPUs.
    busy: u64,
    threads: u64,
    virtual_size: u64,
    resident: u64,
    /// Bytes of the machine.
    memory: u64,
    /// Seconds since its start.
    age: u64,
    start: Date,
    now: Date,
}

impl Facts {
    fn of<P: Platform>(process: &Process<P>) -> SysResult<Self> {
        let stat = process.text("/proc/self/stat")?;
        // A command may have blanks and brackets itself.
        let (command, fields) = stat.rsplit_once(')').ok_or(Errno::ESRCH)?;
        let command = command.split_once('(').map_or("", |(_, command)| command);
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // Counted as in proc(5), where the state is the third.
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
        let number = |of: usize| field(of).parse::<u64>().unwrap_or_default();
        let arguments = process.text("/proc/self/cmdline")?;
        let up = process.text("/proc/uptime")?;
        let up: u64 = up.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        let age = up.saturating_sub(number(22) / TICKS);
        let now = P::realtime_ns();
        Ok(Self {
            pid: process.pid()?,
            ppid: number(4),
            state: field(3).into(),
            command: command.into(),
            arguments: arguments.trim_end_matches('\0').replace('\0', " "),
            minor_faults: number(10),
            major_faults: number(12),
            busy: (number(14) + number(15)) / TICKS,
            threads: number(20),
            virtual_size: number(23),
            resident: number(24) * PAGE,
            memory: bytes_of(&process.text("/proc/meminfo")?, "MemTotal"),
            age,
            start: Date::at(now.saturating_sub(age * SECOND_NS)),
            now: Date::at(now),
        })
    }

    /// CPU time for each second since the start, in thousandths.
    fn cpu_share(&self) -> u64 {
        self.busy * 1000 / self.age.max(1)
    }

    /// When it started: the time if that was today, else the day.
    fn started(&self) -> String {
        let day = |date: &Date| date.format("%F");
        let format = if day(&self.start) == day(&self.now) { "%H:%M" } else { "%b%d" };
        self.start.format(format).unwrap_or_default()
    }
}

/// Something that can be shown of a process.
struct Column {
    /// Names by which it is asked for; POSIX's come first.
    names: &'static [&'static str],
    header: &'static str,
    /// Fewest characters.
    width: usize,
    side: Side,
    value: fn(&Facts) -> String,
}

/// Where a value stands in its column.
enum Side {
    Left,
    Right,
}

const fn column(
    names: &'static [&'static str],
    header: &'static str,
    width: usize,
    side: Side,
    value: fn(&Facts) -> String,
) -> Column {
    Column { names, header, width, side, value }
}

static COLUMNS: [Column; 28] = [
    column(&["pid"], "PID", 5, Side::Right, |facts| facts.pid.to_string()),
    column(&["ppid"], "PPID", 5, Side::Right, |facts| facts.ppid.to_string()),
    column(&["pgid", "pgrp"], "PGID", 5, Side::Right, |facts| facts.pid.to_string()),
    column(&["sid", "sess"], "SID", 5, Side::Right, |facts| facts.pid.to_string()),
    column(&["user", "ruser", "euser", "uname"], "USER", 8, Side::Left, |_| "root".into()),
    column(&["group", "rgroup", "egroup"], "GROUP", 8, Side::Left, |_| "root".into()),
    column(&["uid", "ruid", "euid"], "UID", 5, Side::Right, |_| "0".into()),
    column(&["gid", "rgid", "egid"], "GID", 5, Side::Right, |_| "0".into()),
    column(&["pcpu", "%cpu"], "%CPU", 4, Side::Right, |facts| tenths(facts.cpu_share())),
    column(&["c"], "C", 2, Side::Right, |facts| (facts.cpu_share() / 10).to_string()),
    column(&["pmem", "%mem"], "%MEM", 4, Side::Right, |facts| tenths(facts.resident * 1000 / facts.memory.max(1))),
    column(&["vsz", "vsize"], "VSZ", 6, Side::Right, |facts| (facts.virtual_size / KIB).to_string()),
    column(&["rss", "rssize", "rsz"], "RSS", 5, Side::Right, |facts| (facts.resident / KIB).to_string()),
    column(&["nice", "ni"], "NI", 3, Side::Right, |_| "0".into()),
    column(&["tty", "tt", "tname"], "TT", 8, Side::Left, |_| "console".into()),
    column(&["stat"], "STAT", 4, Side::Left, |facts| {
        let many = if facts.threads > 1 { "l" } else { "" };
        alloc::format!("{}{many}", facts.state)
    }),
    column(&["state", "s"], "S", 1, Side::Left, |facts| facts.state.clone()),
    column(&["time", "cputime"], "TIME", 8, Side::Right, |facts| {
        let (days, rest) = with_days(facts.busy);
        alloc::format!("{days}{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
    }),
    column(&["bsdtime"], "TIME", 6, Side::Right, |facts| alloc::format!("{}:{:02}", facts.busy / 60, facts.busy % 60)),
    column(&["etime"], "ELAPSED", 11, Side::Right, |facts| {
        let (days, rest) = with_days(facts.age);
        let hours = if facts.age < 3600 { String::new() } else { alloc::format!("{:02}:", rest / 3600) };
        alloc::format!("{days}{hours}{:02}:{:02}", rest / 60 % 60, rest % 60)
    }),
    column(&["etimes"], "ELAPSED", 7, Side::Right, |facts| facts.age.to_string()),
    column(&["stime"], "STIME", 5, Side::Left, Facts::started),
    column(&["nlwp", "thcount"], "NLWP", 4, Side::Right, |facts| facts.threads.to_string()),
    column(&["minflt", "min_flt"], "MINFLT", 6, Side::Right, |facts| facts.minor_faults.to_string()),
    column(&["majflt", "maj_flt"], "MAJFLT", 6, Side::Right, |facts| facts.major_faults.to_string()),
    // Not told apart from the system's.
    column(&["utime"], "UTIME", 6, Side::Right, |_| "-".into()),
    column(&["comm", "ucmd", "ucomm"], "COMMAND", 15, Side::Left, |facts| facts.command.clone()),
    column(&["args", "cmd", "command"], "COMMAND", 27, Side::Left, |facts| facts.arguments.clone()),
];

fn tenths(thousandths: u64) -> String {
    alloc::format!("{}.{}", thousandths / 10, thousandths % 10)
}

/// Whole days with a dash behind them, if there are any, and the seconds that are left.
fn with_days(seconds: u64) -> (String, u64) {
    let (days, rest) = (seconds / DAY, seconds % DAY);
    (if days > 0 { alloc::format!("{days}-") } else { String::new() }, rest)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use super::*;

    /// What `ps` says, and its status, where a program has run for a day, an hour and 15 seconds.
    fn ps(words: &[&str]) -> (String, u8) {
        let stat = "1 (beam (x).smp) R 0 1 1 1025 1 0 7 0 8 0 120000 6450 0 0 20 0 26 0 0 1073741824 10240 0 0\n";
        let vfs = system(&[
            ("/proc/self/stat", stat),
            ("/proc/self/cmdline", "beam.smp\0--\0-home\0/\0"),
            ("/proc/uptime", "90015.20 5.00\n"),
            ("/proc/meminfo", "MemTotal:         524288 kB\nMemFree:         1024 kB\n"),
        ]);
        let (output, errors, status) = run(&vfs, &[&["ps"], words].concat(), b"");
        (String::from_utf8(output).unwrap() + &errors, status.unwrap())
    }

    #[test]
    fn what_is_asked_for_is_told() {
        for (words, said) in [
            // As RabbitMQ, redbug, observer_cli and OTP's yecc ask.
            (&["-p", "1", "-o", "rss="][..], "40960\n"),
            (
                &["-o", "pid,utime,time,vsz,rss,majflt,minflt", "-p", "1"],
                "  PID  UTIME     TIME    VSZ   RSS MAJFLT MINFLT\n    1      - 00:21:04 1048576 40960      8      7\n",
            ),
            (&["-o", "pcpu,pmem", "1"], "%CPU %MEM\n 1.4  7.8\n"),
            (&["-o", "vsz", "-p1"], "   VSZ\n1048576\n"),
            (&["-o", "ppid=", "-o", "comm=", "-p", "1,7"], "    0 beam (x).smp\n"),
            (&["-eo", "pid=Number,args=,etime"], "Number                                 ELAPSED\n"),
            (&["-o", "etimes=,stat=,nlwp=,user=,c="], "  90015 Rl     26 root      1\n"),
        ] {
            let (output, status) = ps(words);
            assert!(status == 0 && output.starts_with(said), "{words:?}: {output:?}");
        }
    }

    #[test]
    fn there_are_usual_columns() {
        for (words, header, row) in [
            (&[][..], "  PID TTY          TIME CMD", "    1 console  00:21:04 beam (x).smp"),
            (&["-p", "1"], "  PID TTY          TIME CMD", "    1 console  00:21:04 beam (x).smp"),
            (&["ax"], "  PID TTY      STAT   TIME COMMAND", "    1 console  Rl    21:04 beam.smp -- -home /"),
            (&["1"], "  PID TTY      STAT   TIME COMMAND", "    1 console  Rl    21:04 beam.smp -- -home /"),
        ] {
            assert_eq!(ps(words), (std::format!("{header}\n{row}\n"), 0), "{words:?}");
        }
        for words in [&["aux"][..], &["-aux"]] {
            let (text, _) = ps(words);
            assert!(
                text.starts_with("USER       PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\nroot "),
                "{text}"
            );
        }
        let (text, _) = ps(&["-ef"]);
        assert!(
            text.starts_with("UID        PID  PPID  C STIME TTY          TIME CMD\nroot         1     0  1 "),
            "{text}"
        );
    }

    #[test]
    fn there_is_one_process() {
        assert_eq!(ps(&["-p", "2"]), ("  PID TTY          TIME CMD\n".into(), 1));
        assert_eq!(ps(&["-p", "2", "-o", "rss="]), (String::new(), 1));
        for (words, problem) in [
            (&["-p", "me"][..], "process ID list syntax error"),
            (&["-o", "none"], "unknown user-defined format specifier \"none\""),
            (&["axz"], "unsupported option (BSD syntax)"),
            (&["-Z"], "invalid option -- 'Z'"),
        ] {
            assert_eq!(ps(words), (std::format!("ps: {problem}\n"), 1), "{words:?}");
        }
    }
}
