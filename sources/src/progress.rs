//! How a long step tells that it is alive.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};

/// Receives what a long step is doing.
pub trait Progress: Send + Sync {
    /// A step begins: one line, kept on the screen.
    fn step(&self, what: &str);

    /// The step has come this far: `done` of about `total` units (`unit` is "MB", "files", ...). May be dropped.
    fn amount(&self, done: u64, total: u64, unit: &str);
}

/// Prints to the terminal, also from a build script, whose standard error cargo swallows unless the build fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console;

impl Console {
    /// Writes to the controlling terminal if there is one, else to standard error. Nobody is hurt when it fails.
    fn print(text: &str) {
        if let Ok(mut terminal) = OpenOptions::new().write(true).open("/dev/tty") {
            let _ = terminal.write_all(text.as_bytes());
        } else {
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }

    /// A line that overwrites itself is for people only.
    fn interactive() -> bool {
        OpenOptions::new().write(true).open("/dev/tty").is_ok() || io::stderr().is_terminal()
    }
}

impl Progress for Console {
    fn step(&self, what: &str) {
        let erase = if Self::interactive() { "\r\x1b[K" } else { "" };
        Self::print(&format!("{erase}    {what}\n"));
    }

    fn amount(&self, done: u64, total: u64, unit: &str) {
        if Self::interactive() {
            let total = total.max(done);
            Self::print(&format!("\r\x1b[K      {done} of {total} {unit}\r"));
        }
    }
}

/// Says nothing: for tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn step(&self, _what: &str) {}
    fn amount(&self, _done: u64, _total: u64, _unit: &str) {}
}
