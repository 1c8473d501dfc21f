//! `kill`: signals to the program that the image is for, which is the only process.

use super::process::{Process, Status, show};
use crate::platform::Platform;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use trapless_abi::flags::{OpenFlags, Signal};
use trapless_abi::{Errno, SysResult};

/// Where the library OS takes the numbers of signals for it.
const SIGNAL: &[u8] = b"/proc/trapless/signal";

const USAGE: &str = "usage: kill [-s SIGNAL | -SIGNAL] PID..., or kill -l [NUMBER]";

/// kill(1): `kill [-s NAME | -NAME | -NUMBER] PID...` and `kill -l [NUMBER]`. Signal 0 only asks whether there is such a process.
///
/// A port's program is none that a signal could end: it ends when its port is closed.
pub fn kill<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let words: Vec<&[u8]> = process.operands().iter().map(Vec::as_slice).collect();
    let (signal, pids) = match &words[..] {
        [b"-l"] => return list(process),
        [b"-l", what] => return translate(process, what),
        [b"-s", name, pids @ ..] => (*name, pids),
        [b"--", pids @ ..] => (&b"TERM"[..], pids),
        [[b'-', name @ ..], pids @ ..] => (name, pids),
        pids => (&b"TERM"[..], pids),
    };
    let pids = pids.strip_prefix(&[&b"--"[..]]).unwrap_or(pids);
    let Some(signal) = number(signal) else {
        return process.fail(format_args!("unknown signal {}; kill -l lists them", show(signal)));
    };
    if pids.is_empty() {
        return process.fail(format_args!("{USAGE}"));
    }
    let own = process.pid()?;
    let mut status = 0;
    for pid in pids {
        let Some(pid) = core::str::from_utf8(pid).ok().and_then(|pid| pid.parse::<i32>().ok()) else {
            return process.fail(format_args!("failed to parse argument: '{}'", show(pid)));
        };
        let sent = match signal {
            _ if pid != own => Err(Errno::ESRCH),
            0 => Ok(()),
            signal => send(process, signal),
        };
        if let Err(errno) = sent {
            status = process.fail(format_args!("({pid}): {}", errno.description()))?;
        }
    }
    Ok(status)
}

fn send<P: Platform>(process: &Process<P>, signal: u8) -> SysResult<()> {
    let text = alloc::format!("{signal}");
    process.open(SIGNAL, OpenFlags::O_WRONLY)?.write(&mut text.as_bytes()).map(drop)
}

/// The signals that have names, without the `SIG` in front.
fn names() -> impl Iterator<Item = (u8, &'static str)> {
    let named = (1..Signal::SIGRTMIN).filter_map(Signal::new);
    named.map(|signal| (signal.number(), signal.name().trim_start_matches("SIG")))
}

/// The number of a signal by its number or its name, in any case and with `SIG` in front or not; 0 is none.
fn number(text: &[u8]) -> Option<u8> {
    let text = core::str::from_utf8(text).ok()?.to_uppercase();
    if let Ok(number) = text.parse::<u8>() {
        return (number <= Signal::MAX).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(&text);
    names().find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// `kill -l`.
fn list<P: Platform>(process: &Process<P>) -> SysResult<Status> {
    let names: Vec<&str> = names().map(|(_, name)| name).collect();
    process.print(format_args!("{}\n", names.join(" ")))?;
    Ok(0)
}

/// `kill -l NUMBER`, also for the status of a program that a signal has ended; `kill -l NAME`.
fn translate<P: Platform>(process: &Process<P>, what: &[u8]) -> SysResult<Status> {
    let by_number = core::str::from_utf8(what).ok().and_then(|text| text.parse::<u8>().ok());
    let found: Option<String> = match by_number {
        Some(number) => {
            let meant = [number, number.wrapping_sub(128)];
            names().find(|(known, _)| meant.contains(known)).map(|(_, name)| name.into())
        }
        None => number(what).map(|number| number.to_string()),
    };
    match found {
        Some(text) => process.print(format_args!("{text}\n")).map(|()| 0),
        None => process.fail(format_args!("unknown signal {}", show(what))),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use super::*;
    use crate::fake::Fake;
    use crate::vfs::{At, Vfs};
    use alloc::sync::Arc;

    fn machine() -> Arc<Vfs<Fake>> {
        system(&[("/proc/self/stat", "1 (beam.smp) R 0 1\n"), ("/proc/trapless/signal", "")])
    }

    /// What `kill` says, its status, and the signal that it has sent.
    fn kill(words: &[&str]) -> (std::string::String, u8, Vec<u8>) {
        let vfs = machine();
        let (output, errors, status) = run(&vfs, &[&["kill"], words].concat(), b"");
        let file = vfs.open(&At::Cwd, SIGNAL, OpenFlags::empty(), 0).unwrap();
        let mut sent = Vec::with_capacity(16);
        file.read(&mut sent).unwrap();
        (std::string::String::from_utf8(output).unwrap() + &errors, status.unwrap(), sent)
    }

    #[test]
    fn the_program_gets_signals() {
        for (words, signal) in [
            (&["1"][..], "15"),
            (&["-TERM", "1"], "15"),
            (&["-s", "usr1", "1"], "10"),
            (&["-SIGHUP", "--", "1"], "1"),
            (&["-9", "1"], "9"),
            (&["--", "1"], "15"),
            (&["-0", "1"], ""),
            (&["-64", "1"], "64"),
        ] {
            assert_eq!(kill(words), ("".into(), 0, signal.into()), "{words:?}");
        }
    }

    #[test]
    fn nobody_else_does() {
        for (words, said) in [
            (&["-0", "2"][..], "kill: (2): No such process\n"),
            (&["3", "4"], "kill: (3): No such process\nkill: (4): No such process\n"),
            (&["-9", "-1"], "kill: (-1): No such process\n"),
            (&["-9", "me"], "kill: failed to parse argument: 'me'\n"),
            (&["-NONE", "1"], "kill: unknown signal NONE; kill -l lists them\n"),
            (&["-65", "1"], "kill: unknown signal 65; kill -l lists them\n"),
            (&["-l", "200"], "kill: unknown signal 200\n"),
        ] {
            assert_eq!(kill(words), (said.into(), 1, Vec::new()), "{words:?}");
        }
        for words in [&[][..], &["-TERM"], &["-s", "TERM"]] {
            assert!(kill(words).0.contains("usage: kill"), "{words:?}");
        }
        let without = system(&[("/proc/self/stat", "1 (x)")]);
        let (_, errors, status) = run(&without, &["kill", "1"], b"");
        assert_eq!((errors.as_str(), status), ("kill: (1): No such file or directory\n", Ok(1)));
    }

    #[test]
    fn signals_have_names() {
        let (all, ..) = kill(&["-l"]);
        assert!(
            all.starts_with("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 ") && all.ends_with(" IO PWR SYS\n"),
            "{all}"
        );
        for (what, name) in [("9", "KILL"), ("143", "TERM"), ("term", "15"), ("SIGINT", "2")] {
            assert_eq!(kill(&["-l", what]).0, std::format!("{name}\n"));
        }
    }
}
