//! The boot chart: when each phase was reached, and what the program opened on the way.

use crate::console::say;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use trapless_logic::sync::Lock;
use trapless_platform::clock;
use trapless_platform::x86::X86;

/// Lines that are kept.
const MOST: usize = 1024;

/// Nanoseconds since the clock was started, and what was reached then.
static LINES: Lock<X86, Vec<(u64, String)>> = Lock::new(Vec::new());
/// Lines go to the console, files are noted.
static SHOWN: AtomicBool = AtomicBool::new(false);
/// The program has begun to serve: the boot is over.
static SERVING: AtomicBool = AtomicBool::new(false);

/// Shows the chart on the console (`bootchart=on`), with the files that the program opens until it listens for connections.
pub fn show() {
    SHOWN.store(true, Ordering::Relaxed);
}

/// Notes that something is reached now.
pub fn mark(what: &str) {
    let now = clock::now_ns();
    let mut lines = LINES.lock();
    if lines.len() < MOST {
        lines.push((now, what.into()));
    }
    drop(lines);
    if SHOWN.load(Ordering::Relaxed) {
        say!("trapless: {:>9} us {what}", now / 1000);
    }
}

/// Notes a file that the program opens.
pub fn opened(path: &[u8]) {
    if SHOWN.load(Ordering::Relaxed) && !SERVING.load(Ordering::Relaxed) {
        mark(&format!("open {}", path.escape_ascii()));
    }
}

/// Notes that the program listens for connections, the first time.
pub fn listening() {
    if !SERVING.swap(true, Ordering::Relaxed) {
        mark("listening");
    }
}

/// Writes the chart (/proc/trapless/bootchart): microseconds, and what was reached.
pub fn write(w: &mut dyn fmt::Write) -> fmt::Result {
    LINES.lock().iter().try_for_each(|(time, what)| writeln!(w, "{:>10} {what}", time / 1000))
}
