//! When each phase of the boot was reached.

use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use spin::Mutex;
use trapless_platform::clock;

/// Phases that are kept.
const LEN: usize = 16;

static NAMES: Mutex<[&str; LEN]> = Mutex::new([""; LEN]);
static TIMES: [AtomicU64; LEN] = [const { AtomicU64::new(0) }; LEN];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Notes that a phase has ended now.
pub fn mark(name: &'static str) {
    let at = NEXT.fetch_add(1, Ordering::Relaxed);
    if let Some(slot) = TIMES.get(at) {
        slot.store(clock::now_ns(), Ordering::Relaxed);
        NAMES.lock()[at] = name;
        log::debug!("{:>9} us {name}", clock::now_ns() / 1000);
    }
}

/// Writes the phases (/proc/trapless/bootchart): microseconds since the clock was started, and what was reached.
pub fn write(w: &mut dyn fmt::Write) -> fmt::Result {
    let names = *NAMES.lock();
    for (name, time) in names.iter().zip(&TIMES).take(NEXT.load(Ordering::Relaxed)) {
        writeln!(w, "{:>10} {name}", time.load(Ordering::Relaxed) / 1000)?;
    }
    Ok(())
}
