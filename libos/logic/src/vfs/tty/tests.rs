//! Typing and reading.

use super::modes::*;
use super::*;
use crate::fake::Fake;
use crate::file::{O_RDWR, OpenFile};
use std::string::String;
use std::sync::Mutex;
use std::thread;
use std::vec::Vec;

/// A screen that can be full, and a program that gets signals.
#[derive(Default)]
struct Screen {
    shown: Mutex<Vec<u8>>,
    room: Mutex<Option<usize>>,
    signals: Mutex<Vec<Signal>>,
}

impl Console for Screen {
    fn write(&self, bytes: &[u8]) -> usize {
        let mut room = self.room.lock().unwrap();
        let n = bytes.len().min(room.unwrap_or(usize::MAX));
        *room = room.map(|r| r - n);
        self.shown.lock().unwrap().extend_from_slice(&bytes[..n]);
        n
    }

    fn signal(&self, signal: Signal) {
        self.signals.lock().unwrap().push(signal);
    }
}

impl Screen {
    fn shown(&self) -> String {
        String::from_utf8(core::mem::take(&mut *self.shown.lock().unwrap())).unwrap()
    }
}

fn terminal() -> (Arc<Screen>, Arc<Tty<Fake>>) {
    let screen = Arc::new(Screen::default());
    let tty = Tty::new(screen.clone(), 42, window::DEFAULT);
    (screen, tty)
}

fn read(tty: &Tty<Fake>, n: usize) -> SysResult<String> {
    let mut buf = Vec::with_capacity(n);
    tty.read(&mut buf)?;
    Ok(String::from_utf8(buf).unwrap())
}

/// The argument of an ioctl in memory.
struct Arg(Vec<u8>, usize);

impl IoctlArg for Arg {
    fn get(&mut self, to: &mut [u8]) -> SysResult<()> {
        to.copy_from_slice(&self.0[..to.len()]);
        Ok(())
    }

    fn put(&mut self, from: &[u8]) -> SysResult<()> {
        self.0 = from.to_vec();
        Ok(())
    }

    fn value(&self) -> usize {
        self.1
    }
}

fn get(tty: &Tty<Fake>, request: IoctlRequest) -> Vec<u8> {
    let mut arg = Arg(Vec::new(), 0);
    tty.ioctl(request.0, &mut arg).unwrap();
    arg.0
}

fn set(tty: &Tty<Fake>, request: IoctlRequest, bytes: &[u8]) {
    tty.ioctl(request.0, &mut Arg(bytes.to_vec(), 0)).unwrap();
}

fn change_modes(tty: &Tty<Fake>, change: impl Fn(&mut Termios)) {
    let mut termios = Termios::read_from_bytes(&get(tty, IoctlRequest::TCGETS)).unwrap();
    change(&mut termios);
    set(tty, IoctlRequest::TCSETS, termios.as_bytes());
}

fn raw(tty: &Tty<Fake>, least: u8, tenths: u8) {
    change_modes(tty, |t| {
        t.c_lflag &= !(ICANON | ECHO | ISIG);
        t.c_iflag &= !(ICRNL | IXON);
        (t.c_cc[VMIN], t.c_cc[VTIME]) = (least, tenths);
    });
}

#[test]
fn a_read_gives_one_line() {
    let (screen, tty) = terminal();
    tty.input(b"io:fo");
    assert_eq!((read(&tty, 100), tty.ready().contains(Ready::IN)), (Err(Errno::EAGAIN), false));
    tty.input(b"rmat.\rsecond\r");
    assert!(tty.ready().contains(Ready::IN));
    assert_eq!(i32::read_from_bytes(&get(&tty, IoctlRequest::FIONREAD)), Ok(18));
    assert_eq!(read(&tty, 100).unwrap(), "io:format.\n");
    assert_eq!(read(&tty, 3).unwrap(), "sec");
    assert_eq!(read(&tty, 100).unwrap(), "ond\n");
    assert_eq!(read(&tty, 100), Err(Errno::EAGAIN));
    assert_eq!(screen.shown(), "io:format.\r\nsecond\r\n");
}

#[test]
fn editing_a_line() {
    let (screen, tty) = terminal();
    tty.input("aé\x7f\x7fx\r".as_bytes());
    assert_eq!((read(&tty, 9).unwrap().as_str(), screen.shown().as_str()), ("x\n", "aé\x08 \x08\x08 \x08x\r\n"));
    tty.input(b"two words\x17\x17\x7f\r");
    assert_eq!(read(&tty, 9).unwrap(), "\n");
    screen.shown();
    tty.input(b"gone\x15kept\r");
    assert_eq!(read(&tty, 9).unwrap(), "kept\n");
    assert_eq!(screen.shown(), std::format!("gone{}kept\r\n", "\x08 \x08".repeat(4)));
    // ^V takes the next character as it is; it shows as two and is erased as two.
    tty.input(b"\x16\x03\x7f\x16\x04\r");
    assert_eq!(read(&tty, 9).unwrap(), "\x04\n");
    assert_eq!(screen.shown(), "^C\x08 \x08\x08 \x08^D\r\n");
    // A tab is as wide as its column makes it.
    tty.input(b"abc\t\x7f\r");
    assert_eq!(screen.shown(), "abc\t\x08\x08\x08\x08\x08\r\n");
    tty.input(b"\x7f\x7f\r");
    assert_eq!(screen.shown(), "\r\n");
}

#[test]
fn end_of_file() {
    let (_, tty) = terminal();
    tty.input(b"abc\x04\x04x\r");
    assert_eq!(read(&tty, 9).unwrap(), "abc");
    assert_eq!(read(&tty, 9).unwrap(), "");
    assert_eq!(read(&tty, 9).unwrap(), "x\n");
    assert_eq!(read(&tty, 9), Err(Errno::EAGAIN));
}

#[test]
fn signals_drop_what_was_typed() {
    let (screen, tty) = terminal();
    tty.input(b"half\x03");
    tty.input(b"x\x1c\x1a\r");
    assert_eq!(*screen.signals.lock().unwrap(), [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP]);
    assert_eq!(read(&tty, 9).unwrap(), "\n");
    assert_eq!(screen.shown(), "half^Cx^\\^Z\r\n");
    raw(&tty, 1, 0);
    tty.input(b"\x03");
    assert_eq!(read(&tty, 9).unwrap(), "\x03");
    assert_eq!(screen.signals.lock().unwrap().len(), 3);
}

#[test]
fn raw_mode() {
    let (screen, tty) = terminal();
    tty.input(b"typed");
    raw(&tty, 1, 0);
    assert_eq!(read(&tty, 3).unwrap(), "typ");
    tty.input(b"\r\x04\x7f");
    assert_eq!(read(&tty, 9).unwrap(), "ed\r\x04\x7f");
    assert_eq!(read(&tty, 9), Err(Errno::EAGAIN));
    screen.shown();
    tty.input(b"quiet");
    assert_eq!(screen.shown(), "");
    // Back to lines: what is there is one.
    change_modes(&tty, |t| t.c_lflag |= ICANON);
    assert_eq!(read(&tty, 9).unwrap(), "quiet");
    assert_eq!(read(&tty, 9), Err(Errno::EAGAIN));
}

#[test]
fn lines_that_wait_become_bytes_and_then_one_line() {
    let (_, tty) = terminal();
    tty.input(b"abc\rdef\rg");
    raw(&tty, 1, 0);
    assert_eq!(read(&tty, 2).unwrap(), "ab");
    tty.input(b"h");
    change_modes(&tty, |t| t.c_lflag |= ICANON);
    assert_eq!(read(&tty, 99).unwrap(), "c\ndef\ngh");
    tty.input(b"i\n");
    assert_eq!(read(&tty, 99).unwrap(), "i\n");
}

#[test]
fn least_number_of_bytes() {
    let (_, tty) = terminal();
    raw(&tty, 3, 0);
    tty.input(b"ab");
    assert_eq!((read(&tty, 9), tty.ready().contains(Ready::IN)), (Err(Errno::EAGAIN), false));
    assert_eq!(read(&tty, 2).unwrap(), "ab");
    tty.input(b"abc");
    assert_eq!(read(&tty, 9).unwrap(), "abc");
    raw(&tty, 0, 0);
    assert_eq!(read(&tty, 9).unwrap(), "");
}

/// With a time limit and no least number a read of nothing ends by the timer, whenever that is.
#[test]
fn a_time_limit_ends_a_read() {
    let (_, tty) = terminal();
    raw(&tty, 0, 1);
    let file = OpenFile::<Fake>::new(tty.clone(), O_RDWR);
    assert_eq!(file.read_blocking(&mut Vec::with_capacity(9), None), Ok(0));
    tty.input(b"x");
    assert_eq!(file.read_blocking(&mut Vec::with_capacity(9), None), Ok(1));
}

#[test]
fn a_full_screen_makes_writers_wait() {
    let (screen, tty) = terminal();
    *screen.room.lock().unwrap() = Some(10);
    let text = std::vec![b'x'; 20_000];
    let written = tty.write(&mut &text[..]).unwrap();
    assert!((8000..20_000).contains(&written), "{written}");
    assert_eq!(tty.write(&mut &text[..]), Err(Errno::EAGAIN));
    assert!(!tty.ready().contains(Ready::OUT));
    let file = OpenFile::<Fake>::new(tty.clone(), O_RDWR);
    let writer = thread::spawn(move || file.write_blocking(&mut &text[written..], None));
    *screen.room.lock().unwrap() = None;
    tty.output_ready();
    assert_eq!(writer.join().unwrap(), Ok(20_000 - written));
    assert_eq!(screen.shown().len(), 20_000);
}

#[test]
fn flow_control() {
    let (screen, tty) = terminal();
    tty.input(b"\x13");
    assert_eq!(tty.write(&mut &b"held"[..]), Err(Errno::EAGAIN));
    let file = OpenFile::<Fake>::new(tty.clone(), O_RDWR);
    let writer = thread::spawn(move || file.write_blocking(&mut &b"held"[..], None));
    tty.input(b"\x11");
    assert_eq!(writer.join().unwrap(), Ok(4));
    assert_eq!(screen.shown(), "held");
}

/// Output held by ^S goes on when a signal is typed, and with IXANY at every key.
#[test]
fn held_output_goes_on() {
    let (screen, tty) = terminal();
    tty.input(b"\x13x\x03");
    assert_eq!((screen.shown().as_str(), tty.ready().contains(Ready::OUT)), ("^C", true));
    tty.input(b"\x13y");
    assert_eq!((screen.shown().as_str(), tty.ready().contains(Ready::OUT)), ("", false));
    change_modes(&tty, |t| t.c_iflag |= IXANY);
    tty.input(b"z");
    assert_eq!((screen.shown().as_str(), tty.ready().contains(Ready::OUT)), ("yz", true));
    // ^S itself is no such key; without flow control nothing is held.
    tty.input(b"\x13\x13");
    assert!(!tty.ready().contains(Ready::OUT));
    change_modes(&tty, |t| t.c_iflag &= !IXON);
    assert!(tty.ready().contains(Ready::OUT));
}

#[test]
fn output_modes() {
    let (screen, tty) = terminal();
    tty.write(&mut &b"a\nb\r\n"[..]).unwrap();
    assert_eq!(screen.shown(), "a\r\nb\r\r\n");
    change_modes(&tty, |t| t.c_oflag &= !OPOST);
    tty.write(&mut &b"a\nb"[..]).unwrap();
    assert_eq!(screen.shown(), "a\nb");
}

#[test]
fn requests() {
    let (screen, tty) = terminal();
    assert_eq!(get(&tty, IoctlRequest::TIOCGPGRP), 42i32.to_ne_bytes());
    set(&tty, IoctlRequest::TIOCSPGRP, &7i32.to_ne_bytes());
    assert_eq!(get(&tty, IoctlRequest::TIOCGPGRP), 7i32.to_ne_bytes());
    let window = Winsize { ws_row: 50, ws_col: 132, ..Winsize::default() };
    set(&tty, IoctlRequest::TIOCSWINSZ, window.as_bytes());
    set(&tty, IoctlRequest::TIOCSWINSZ, window.as_bytes());
    assert_eq!(get(&tty, IoctlRequest::TIOCGWINSZ), window.as_bytes());
    assert_eq!(*screen.signals.lock().unwrap(), [Signal::SIGWINCH]);
    tty.input(b"line\r");
    let termios = get(&tty, IoctlRequest::TCGETS);
    set(&tty, IoctlRequest::TCSETSF, &termios);
    assert_eq!(read(&tty, 9), Err(Errno::EAGAIN));
    assert_eq!(tty.ioctl(0x1234, &mut Arg(Vec::new(), 0)), Err(Errno::ENOTTY));
    assert_eq!(tty.ioctl(TCFLSH, &mut Arg(Vec::new(), 9)), Err(Errno::EINVAL));
    assert_eq!(tty.stat().unwrap().st_mode, 0o020_620);
}

/// Nobody reads: what is typed beyond the limits is lost, and nothing grows.
#[test]
fn endless_typing() {
    let (_, tty) = terminal();
    tty.input(&std::vec![b'x'; 10_000]);
    tty.input(b"\r");
    let line = read(&tty, 100_000).unwrap();
    assert_eq!((line.len(), line.ends_with("x\n")), (4096, true));
    for _ in 0..5000 {
        tty.input(b"\x04line\r");
    }
    let mut lines = 0;
    while read(&tty, 100).is_ok() {
        lines += 1;
    }
    assert_eq!(lines, 1024);
}
