//! What goes to the screen: output modes, the column of the cursor, and the bytes the console has not taken yet.

use super::modes::{OCRNL, ONLCR, OPOST};
use alloc::collections::VecDeque;
use trapless_abi::structs::Termios;

/// From this many waiting bytes on a writer has to wait.
const FULL: usize = 8 * 1024;
/// Bytes that fit in. The rest above [`FULL`] is for writers that had been let in, and for echo.
const CAPACITY: usize = 64 * 1024;

/// Bytes on their way to the console.
pub struct Output {
    pending: VecDeque<u8>,
    /// Where the cursor is, as far as that can be told.
    column: usize,
    /// ^S was typed.
    pub stopped: bool,
}

impl Output {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self { pending: VecDeque::with_capacity(CAPACITY), column: 0, stopped: false }
    }

    /// Whether a writer may come.
    pub fn has_room(&self) -> bool {
        !self.stopped && self.pending.len() < FULL
    }

    /// The cursor's column.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Writes one byte through the output modes. What does not fit is lost: only echo comes without asking for room.
    pub fn put(&mut self, byte: u8, termios: &Termios) {
        let processed = termios.c_oflag & OPOST != 0;
        match byte {
            b'\n' => {
                if processed && termios.c_oflag & ONLCR != 0 {
                    self.push(b'\r');
                    self.column = 0;
                }
                self.push(b'\n');
            }
            b'\r' if processed && termios.c_oflag & OCRNL != 0 => self.push(b'\n'),
            _ => {
                self.push(byte);
                self.column = match byte {
                    b'\r' => 0,
                    b'\t' => next_tab(self.column),
                    8 => self.column.saturating_sub(1),
                    _ if is_control(byte) || is_continuation(byte) => self.column,
                    _ => self.column + 1,
                };
            }
        }
    }

    fn push(&mut self, byte: u8) {
        if self.pending.len() < CAPACITY {
            self.pending.push_back(byte);
        }
    }

    /// Forgets what waits.
    pub fn discard(&mut self) {
        self.pending.clear();
    }

    /// Hands waiting bytes to `write`, which returns how many it took.
    pub fn flush(&mut self, write: impl Fn(&[u8]) -> usize) {
        while !self.stopped && !self.pending.is_empty() {
            let bytes = self.pending.as_slices().0;
            let (size, taken) = (bytes.len(), write(bytes));
            self.pending.drain(..taken.min(size));
            if taken < size {
                break;
            }
        }
    }
}

/// The next column that is a multiple of 8.
pub fn next_tab(column: usize) -> usize {
    (column / 8 + 1) * 8
}

/// Whether this byte is a control character of ASCII.
pub fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f
}

/// Whether this byte goes on a character of UTF-8.
pub fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}
