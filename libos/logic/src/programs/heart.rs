//! `heart`: watches over Erlang, and has the machine start over when Erlang no longer beats, or ends without having said so
//! (`erl -heart`; kernel's heart(3), erts/etc/common/heart.c).
//!
//! There is no command to run, so HEART_COMMAND is told to who asks for it, and the machine starts over whatever it says.

use super::packets::Packets;
use super::process::{Process, Status, show};
use crate::platform::Platform;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};

/// Where the library OS is told what is to become of the machine.
const POWER: &[u8] = b"/proc/trapless/power";

/// Seconds without a beat after which Erlang is given up, and what `-ht` may set it to.
const BEAT_TIMEOUT: u64 = 60;
const BEAT_TIMEOUTS: core::ops::RangeInclusive<u64> = 11..=65535;
/// Seconds that Erlang has to end by itself once it has closed the port.
const FAREWELL: u64 = 5;

/// Operations, the first byte of a message.
const ACK: u8 = 1;
const BEAT: u8 = 2;
const SHUT_DOWN: u8 = 3;
const SET_COMMAND: u8 = 4;
const CLEAR_COMMAND: u8 = 5;
const GET_COMMAND: u8 = 6;
const COMMAND: u8 = 7;
const PREPARING_CRASH: u8 = 8;

type Messages = Packets<2>;

/// Why the watch is over.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// Erlang ends because somebody wants it to.
    ShutDown,
    /// It has not been heard of for that long.
    Silent(Duration),
    /// It has closed the port, or says what makes no sense.
    Closed,
    /// It is about to write a crash dump, and to end.
    Crashing,
}

/// The program.
pub fn heart<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let timeout = Duration::from_secs(beat_timeout(process.operands()));
    // Before Erlang goes on: from now on an end that was not announced is a start.
    if let Err(errno) = order(process, b"watch") {
        return process.fail(format_args!("{}: {errno}", show(POWER)));
    }
    let mut messages = Messages::new();
    match watch(process, &mut messages, timeout)? {
        End::ShutDown => {
            order(process, b"unwatch")?;
            return Ok(0);
        }
        End::Silent(time) => {
            tell(process, format_args!("heart-beat time-out, no activity for {} seconds", time.as_secs()))?;
        }
        End::Closed => {
            tell(process, format_args!("Erlang has closed."))?;
            pause::<P>(P::now() + Duration::from_secs(FAREWELL));
        }
        End::Crashing => {
            tell(process, format_args!("Erlang is crashing .. (waiting for crash dump file)"))?;
            wait_for_dump(process, &mut messages);
        }
    }
    tell(process, format_args!("the machine starts over"))?;
    order(process, b"restart")?;
    Ok(0)
}

/// Seconds that `-ht` sets.
fn beat_timeout(operands: &[Vec<u8>]) -> u64 {
    let number = |text: &Vec<u8>| core::str::from_utf8(text).ok()?.parse().ok().filter(|n| BEAT_TIMEOUTS.contains(n));
    let set = operands.windows(2).find(|words| words[0] == b"-ht");
    set.and_then(|words| number(&words[1])).unwrap_or(BEAT_TIMEOUT)
}

/// Answers Erlang's messages for as long as they come in time.
fn watch<P: Platform>(process: &Process<P>, messages: &mut Messages, timeout: Duration) -> SysResult<End> {
    let mut command: Option<Vec<u8>> = None;
    let mut last = P::now();
    Messages::send(process, &[&[ACK]])?;
    loop {
        let message = match messages.next(process, Some(last + timeout)) {
            Ok(Some(message)) => message,
            Err(Errno::EAGAIN) => return Ok(End::Silent(P::now() - last)),
            Ok(None) | Err(_) => return Ok(End::Closed),
        };
        match message.split_first() {
            Some((&BEAT, _)) => last = P::now(),
            Some((&SHUT_DOWN, _)) => return Ok(End::ShutDown),
            Some((&SET_COMMAND, text)) => {
                command = Some(text.to_vec());
                Messages::send(process, &[&[ACK]])?;
            }
            Some((&CLEAR_COMMAND, _)) => {
                command = None;
                Messages::send(process, &[&[ACK]])?;
            }
            Some((&GET_COMMAND, _)) => {
                let text = command.as_deref().or_else(|| process.variable(b"HEART_COMMAND"));
                Messages::send(process, &[&[COMMAND], text.unwrap_or_default()])?;
            }
            Some((&PREPARING_CRASH, _)) => return Ok(End::Crashing),
            // As the original does.
            _ => {}
        }
    }
}

/// Waits for as long as ERL_CRASH_DUMP_SECONDS says: not at all without it, for ever if it is negative. The end of Erlang comes first
/// when the dump is written, and with it that of the machine.
fn wait_for_dump<P: Platform>(process: &Process<P>, messages: &mut Messages) {
    let seconds = process.variable(b"ERL_CRASH_DUMP_SECONDS").map(show);
    let deadline = match seconds.and_then(|text| text.parse::<i64>().ok()) {
        Some(seconds @ 0..) => Some(P::now() + Duration::from_secs(seconds.unsigned_abs())),
        Some(_) => None,
        None => return,
    };
    while let Ok(Some(_)) = messages.next(process, deadline) {}
}

/// Has the library OS do something about the machine.
fn order<P: Platform>(process: &Process<P>, what: &[u8]) -> SysResult<()> {
    process.open(POWER, OpenFlags::O_WRONLY)?.write(&mut &*what).map(drop)
}

fn tell<P: Platform>(process: &Process<P>, text: core::fmt::Arguments<'_>) -> SysResult<()> {
    let line: String = alloc::format!("heart: {text}\r\n");
    process.stderr.write(line.as_bytes())
}

/// Sleeps until `deadline`.
fn pause<P: Platform>(deadline: Instant) {
    while P::now() < deadline {
        P::park(Some(deadline));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use super::*;
    use crate::fake::Fake;
    use crate::vfs::Vfs;

    /// What `heart` answers to these messages, and what it has ordered at last.
    fn heart(operands: &[&str], messages: &[&[u8]]) -> (Vec<u8>, std::string::String, Vec<u8>) {
        let vfs = system(&[("/proc/trapless/power", "")]);
        let input: Vec<u8> = messages.iter().flat_map(|m| [&[0, m.len() as u8], *m].concat()).collect();
        let (output, errors, status) = run(&vfs, &[&["heart"], operands].concat(), &input);
        assert_eq!(status, Ok(0));
        (output, errors, ordered(&vfs))
    }

    fn ordered(vfs: &Vfs<Fake>) -> Vec<u8> {
        let file = vfs.open(&crate::vfs::At::Cwd, POWER, OpenFlags::empty(), 0).unwrap();
        let mut text = Vec::with_capacity(64);
        file.read(&mut text).unwrap();
        text
    }

    #[test]
    fn an_end_that_is_announced_is_the_end() {
        let (answers, errors, order) = heart(&["-pid", "1"], &[&[BEAT], &[BEAT], &[SHUT_DOWN], &[GET_COMMAND]]);
        assert_eq!((&answers[..], errors.as_str()), (&[0, 1, ACK][..], ""));
        assert_eq!(order, b"unwatch");
    }

    #[test]
    fn a_crash_starts_the_machine_over() {
        let (_, errors, order) = heart(&[], &[&[BEAT], &[PREPARING_CRASH]]);
        assert!(errors.contains("Erlang is crashing") && errors.ends_with("heart: the machine starts over\r\n"));
        assert_eq!(order, b"restart");
    }

    #[test]
    fn the_command_is_kept_for_who_asks() {
        let set = [&[SET_COMMAND][..], b"reboot"].concat();
        let (answers, ..) =
            heart(&[], &[&[GET_COMMAND], &set, &[GET_COMMAND], &[CLEAR_COMMAND], &[99], &[], &[SHUT_DOWN]]);
        let told = [&[0, 7, COMMAND][..], b"reboot"].concat();
        assert_eq!(answers, [&[0, 1, ACK, 0, 1, COMMAND, 0, 1, ACK][..], &told, &[0, 1, ACK]].concat());
    }

    #[test]
    fn the_timeout_is_the_originals_unless_set() {
        let of = |words: &[&str]| beat_timeout(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!((of(&[]), of(&["-pid", "1", "-ht", "30"])), (60, 30));
        assert_eq!((of(&["-ht", "10"]), of(&["-ht", "x"]), of(&["-ht"])), (60, 60, 60));
    }
}
