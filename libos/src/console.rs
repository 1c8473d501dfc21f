//! The console: COM1 as a terminal for the program, and as the place for the libos's own words.

use crate::signals;
use crate::task::PID;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use spin::Once;
use trapless_abi::flags::Signal;
use trapless_abi::structs::Winsize;
use trapless_logic::vfs::tty::{Console, Tty};
use trapless_platform::irq::{self, Softirq};
use trapless_platform::serial;
use trapless_platform::x86::X86;

static TTY: Once<Arc<Tty<X86>>> = Once::new();

/// COM1 below the line discipline.
struct Serial;

impl Console for Serial {
    fn write(&self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match serial::try_write(&bytes[taken..]) {
                0 => {
                    serial::notify_when_writable();
                    break;
                }
                n => taken += n,
            }
        }
        taken
    }

    fn signal(&self, signal: Signal) {
        signals::send_process(signal.number().into());
    }
}

/// Console interrupts were raised: what was typed goes to the terminal, what waits to be shown goes out.
fn on_softirq() {
    let Some(tty) = TTY.get() else { return };
    let mut buffer = [0; 64];
    loop {
        match serial::read(&mut buffer) {
            0 => break,
            n => tty.input(&buffer[..n]),
        }
    }
    tty.output_ready();
}

/// The program's terminal, with a window of this size. Input works if the console can interrupt; the reason is logged if it cannot.
pub fn start(window: Winsize) -> Arc<Tty<X86>> {
    let tty = TTY.call_once(|| Tty::new(Arc::new(Serial), PID, window)).clone();
    irq::set_softirq(Softirq::CONSOLE, on_softirq);
    if let Err(e) = serial::enable_interrupts() {
        log::warn!("console input is off: {e:?}");
    }
    tty
}

/// Waits until everything written to the terminal is out: the machine is about to end.
pub fn drain() {
    if let Some(tty) = TTY.get() {
        tty.drain(serial::write);
    }
}

/// Writes a line of the libos's own.
pub fn print(arguments: fmt::Arguments<'_>) {
    let _ = Lines.write_fmt(arguments);
    serial::write(b"\r\n");
}

struct Lines;

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (i, line) in text.split('\n').enumerate() {
            if i > 0 {
                serial::write(b"\r\n");
            }
            serial::write(line.as_bytes());
        }
        Ok(())
    }
}

/// Prints a line on the console.
macro_rules! say {
    ($($argument:tt)*) => { $crate::console::print(format_args!($($argument)*)) };
}
pub(crate) use say;

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        say!("trapless: {}", record.args());
    }

    fn flush(&self) {}
}

/// Sends what is logged to the console from `level` on.
pub fn start_log(level: log::LevelFilter) {
    // The only logger there is: a second call would be refused, and there is none.
    let _ = log::set_logger(&Logger);
    log::set_max_level(level);
}
