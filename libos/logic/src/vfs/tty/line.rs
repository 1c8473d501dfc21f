//! The input side of a terminal: from what is typed to what is read (termios(3)).

use super::modes::*;
use super::output::{Output, is_continuation, is_control, next_tab};
use crate::data::Sink;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use trapless_abi::flags::Signal;
use trapless_abi::structs::Termios;
use trapless_abi::{Errno, SysResult};

/// Longest line that can be typed, its end included (`MAX_CANON` of termios(3)), in bytes.
const MAX_LINE: usize = 4096;
/// Bytes that wait to be read; what comes after them is lost, as on any terminal nobody reads from.
const MAX_READY: usize = 16 * 1024;

/// Lines that wait to be read.
const MAX_LINES: usize = 1024;

/// Bytes typed and not read yet.
pub struct Line {
    termios: Termios,
    /// The line that is being typed (canonical mode).
    edit: Vec<u8>,
    /// Bytes that can be read.
    ready: VecDeque<u8>,
    /// Lengths of the lines in `ready` (canonical mode); 0 is an end of file.
    lines: VecDeque<usize>,
    /// The next character is taken as it is (^V).
    literal: bool,
    /// Where the cursor was when the line began.
    start: usize,
}

impl Line {
    /// Nothing typed yet.
    pub fn new() -> Self {
        Self {
            termios: initial(),
            edit: Vec::with_capacity(MAX_LINE),
            ready: VecDeque::with_capacity(MAX_READY),
            lines: VecDeque::with_capacity(MAX_LINES),
            literal: false,
            start: 0,
        }
    }

    /// The modes.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Sets the modes. What was typed stays: as one line if lines are wanted from now on, else as bytes.
    pub fn set_termios(&mut self, termios: Termios) {
        let was = self.local(ICANON);
        self.termios = termios;
        match (was, self.local(ICANON)) {
            (true, false) => {
                self.lines.clear();
                self.ready.extend(self.edit.drain(..));
            }
            (false, true) if !self.ready.is_empty() => self.lines.push_back(self.ready.len()),
            _ => {}
        }
    }

    /// Forgets what was typed.
    pub fn discard(&mut self) {
        self.edit.clear();
        self.ready.clear();
        self.lines.clear();
        self.literal = false;
    }

    /// Bytes that can be read now (FIONREAD).
    pub fn available(&self) -> usize {
        self.ready.len()
    }

    /// Whether a read would return at once.
    pub fn readable(&self) -> bool {
        if self.local(ICANON) { !self.lines.is_empty() } else { self.ready.len() >= self.least() }
    }

    /// How many bytes a read in raw mode waits for. With a time limit between bytes it waits for the first only.
    fn least(&self) -> usize {
        let cc = &self.termios.c_cc;
        if cc[VTIME] > 0 { 1 } else { usize::from(cc[VMIN]).max(1) }
    }

    /// In raw mode without a least number of bytes: tenths of a second a read waits for a byte; None in all other modes.
    pub fn time_limit(&self) -> Option<u8> {
        let cc = &self.termios.c_cc;
        if self.local(ICANON) || cc[VMIN] > 0 { None } else { Some(cc[VTIME]) }
    }

    /// Reads at most one line, or in raw mode what there is. EAGAIN if that is not enough.
    pub fn read(&mut self, to: &mut dyn Sink) -> SysResult<usize> {
        let room = to.remaining();
        let want = if self.local(ICANON) {
            *self.lines.front().ok_or(Errno::EAGAIN)?
        } else if self.ready.len() < self.least().min(room) || self.ready.is_empty() {
            return Err(Errno::EAGAIN);
        } else {
            self.ready.len()
        };
        let want = want.min(room);
        let mut done = 0;
        while done < want {
            let front = self.ready.as_slices().0;
            let piece = &front[..front.len().min(want - done)];
            match to.push(piece) {
                Ok(0) => break,
                Ok(n) => {
                    self.ready.drain(..n);
                    done += n;
                }
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            }
        }
        if let Some(line) = self.lines.front_mut() {
            *line -= done;
            if *line == 0 {
                self.lines.pop_front();
            }
        }
        Ok(done)
    }

    /// Takes one typed byte, echoes to `out`, and returns the signal it stands for, if any.
    pub fn receive(&mut self, byte: u8, out: &mut Output) -> Option<Signal> {
        let byte = if self.input(ISTRIP) { byte & 0x7f } else { byte };
        if core::mem::take(&mut self.literal) {
            self.take(byte, out);
            return None;
        }
        if self.input(IXON) && (self.is(byte, VSTART) || self.is(byte, VSTOP)) {
            out.stopped = self.is(byte, VSTOP);
            return None;
        }
        // Any key lets held output go on: nobody should have to know that ^S was typed, and by what to undo it.
        if self.input(IXON) && self.input(IXANY) {
            out.stopped = false;
        }
        if self.local(ISIG) {
            for (index, signal) in [(VINTR, Signal::SIGINT), (VQUIT, Signal::SIGQUIT), (VSUSP, Signal::SIGTSTP)] {
                if self.is(byte, index) {
                    // What the signal's handler says must be seen.
                    out.stopped &= !self.input(IXON);
                    if !self.local(NOFLSH) {
                        self.discard();
                        out.discard();
                    }
                    self.echo(byte, out);
                    return Some(signal);
                }
            }
        }
        let byte = match byte {
            b'\r' if self.input(IGNCR) => return None,
            b'\r' if self.input(ICRNL) => b'\n',
            b'\n' if self.input(INLCR) => b'\r',
            other => other,
        };
        if !self.local(ICANON) || !self.edited(byte, out) {
            self.take(byte, out);
        }
        None
    }

    /// Handles a character that edits the line; false for any other.
    fn edited(&mut self, byte: u8, out: &mut Output) -> bool {
        let extended = self.local(IEXTEN);
        if self.is(byte, VERASE) {
            self.erase(byte, out);
        } else if self.is(byte, VKILL) {
            if self.local(ECHOKE) {
                while self.erase(byte, out) {}
            } else {
                self.edit.clear();
                self.echo(byte, out);
                if self.local(ECHOK) {
                    out.put(b'\n', &self.termios);
                }
            }
        } else if extended && self.is(byte, VWERASE) {
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
            while self.edit.last().is_some_and(|&b| !word(b)) {
                self.erase(byte, out);
            }
            while self.edit.last().is_some_and(|&b| word(b)) {
                self.erase(byte, out);
            }
        } else if extended && self.is(byte, VLNEXT) {
            self.literal = true;
        } else if extended && self.is(byte, VREPRINT) && self.local(ECHO) {
            self.echo(byte, out);
            out.put(b'\n', &self.termios);
            self.start = out.column();
            for at in 0..self.edit.len() {
                self.echo(self.edit[at], out);
            }
        } else if self.is(byte, VEOF) {
            self.finish(None);
        } else if byte == b'\n' {
            if self.local(ECHO) || self.local(ECHONL) {
                out.put(b'\n', &self.termios);
            }
            self.finish(Some(byte));
        } else if self.is(byte, VEOL) || (extended && self.is(byte, VEOL2)) {
            self.echo(byte, out);
            self.finish(Some(byte));
        } else {
            return false;
        }
        true
    }

    /// Takes a byte that means itself.
    fn take(&mut self, byte: u8, out: &mut Output) {
        if self.local(ICANON) {
            // The last place is for the end of the line.
            if self.edit.len() + 1 >= MAX_LINE {
                return;
            }
            if self.edit.is_empty() {
                self.start = out.column();
            }
            self.edit.push(byte);
        } else if self.ready.len() < MAX_READY {
            self.ready.push_back(byte);
        }
        if byte == b'\n' && (self.local(ECHO) || self.local(ECHONL)) {
            out.put(b'\n', &self.termios);
        } else {
            self.echo(byte, out);
        }
    }

    /// Ends the line and lets it be read.
    fn finish(&mut self, end: Option<u8>) {
        if self.ready.len() + self.edit.len() + 1 > MAX_READY || self.lines.len() == MAX_LINES {
            self.edit.clear();
            return;
        }
        self.edit.extend(end);
        self.lines.push_back(self.edit.len());
        self.ready.extend(self.edit.drain(..));
    }

    /// Takes the last character of the line back, `key` being what was typed for that; false if there is none.
    fn erase(&mut self, key: u8, out: &mut Output) -> bool {
        let Some(mut last) = self.edit.pop() else { return false };
        while self.input(IUTF8) && is_continuation(last) {
            let Some(before) = self.edit.pop() else { break };
            last = before;
        }
        if self.local(ECHO) && !self.local(ECHOE) {
            self.echo(key, out);
        } else if self.local(ECHO) {
            let before = self.edit.iter().fold(self.start, |column, &b| self.after(column, b));
            let width = self.after(before, last) - before;
            let erase: &[u8] = if last == b'\t' { b"\x08" } else { b"\x08 \x08" };
            for _ in 0..width {
                erase.iter().for_each(|&b| out.put(b, &self.termios));
            }
        }
        true
    }

    /// The column after an echoed byte.
    fn after(&self, column: usize, byte: u8) -> usize {
        match byte {
            b'\t' => next_tab(column),
            _ if is_control(byte) => column + if self.local(ECHOCTL) { 2 } else { 0 },
            _ if self.input(IUTF8) && is_continuation(byte) => column,
            _ => column + 1,
        }
    }

    fn echo(&self, byte: u8, out: &mut Output) {
        if !self.local(ECHO) {
            return;
        }
        if is_control(byte) && byte != b'\t' && self.local(ECHOCTL) {
            out.put(b'^', &self.termios);
            out.put(byte ^ 0x40, &self.termios);
        } else {
            out.put(byte, &self.termios);
        }
    }

    fn local(&self, flag: u32) -> bool {
        self.termios.c_lflag & flag != 0
    }

    fn input(&self, flag: u32) -> bool {
        self.termios.c_iflag & flag != 0
    }

    /// Whether the byte is this control character; NUL disables one.
    fn is(&self, byte: u8, index: usize) -> bool {
        byte != 0 && self.termios.c_cc[index] == byte
    }
}
