//! Watching system calls: counters per call, and strace-like lines (`trace=` on the command line).

use crate::config::Config;
use crate::console::say;
use crate::dispatch;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use trapless_abi::table::{NR_MAX, ROWS, name};
use trapless_abi::trace::{Call, Returned};
use trapless_logic::platform::Platform;
use trapless_platform::clock;
use trapless_platform::x86::X86;

/// Buckets of a latency histogram: powers of two of nanoseconds.
const BUCKETS: usize = 32;

/// Counters of one call.
struct Counter {
    calls: AtomicU64,
    errors: AtomicU64,
    ns: AtomicU64,
    histogram: [AtomicU64; BUCKETS],
    /// Printed as it happens.
    traced: AtomicBool,
}

static COUNTERS: [Counter; NR_MAX] = [const {
    Counter {
        calls: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        ns: AtomicU64::new(0),
        histogram: [const { AtomicU64::new(0) }; BUCKETS],
        traced: AtomicBool::new(false),
    }
}; NR_MAX];

/// Calls of numbers that have no handler.
static ABSENT: AtomicU64 = AtomicU64::new(0);

/// Why a `trace=` setting is refused.
#[derive(Debug)]
pub struct UnknownCall<'a>(pub &'a str);

impl fmt::Display for UnknownCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trace={}: neither a system call nor an area (all, ", self.0)?;
        let mut last = "";
        for row in ROWS {
            if row.area != last {
                last = row.area;
                write!(f, "{last} ")?;
            }
        }
        f.write_str("none)")
    }
}

/// Marks the calls that `list` names: calls, areas, `all`, comma separated.
fn select(list: &str) -> Result<(), UnknownCall<'_>> {
    for word in list.split(',').filter(|w| !w.is_empty() && *w != "none") {
        let mut any = false;
        for row in ROWS.iter().filter(|r| word == "all" || r.name == word || r.area == word) {
            COUNTERS[usize::from(row.number)].traced.store(true, Ordering::Relaxed);
            any = true;
        }
        if !any {
            return Err(UnknownCall(word));
        }
    }
    Ok(())
}

/// Puts counters and tracing around every call if the settings ask for either.
///
/// # Errors
/// A call or area in `trace=` that does not exist.
pub fn start(config: &Config) -> Result<(), UnknownCall<'_>> {
    select(&config.trace)?;
    if config.counters || !config.trace.is_empty() {
        dispatch::observe();
    }
    Ok(())
}

/// Runs one call, counting it, and prints it if it was selected.
pub fn around(nr: usize, registers: [usize; 6], call: impl FnOnce([usize; 6]) -> isize) -> isize {
    let counter = &COUNTERS[nr];
    let start = clock::now_ns();
    let result = call(registers);
    let ns = clock::now_ns().saturating_sub(start);
    counter.calls.fetch_add(1, Ordering::Relaxed);
    counter.ns.fetch_add(ns, Ordering::Relaxed);
    counter.histogram[(63 - (ns | 1).leading_zeros()) as usize % BUCKETS].fetch_add(1, Ordering::Relaxed);
    if (-4095..0).contains(&result) {
        counter.errors.fetch_add(1, Ordering::Relaxed);
    }
    if counter.traced.load(Ordering::Relaxed) {
        let thread = X86::current();
        let call = Call { number: nr, registers };
        say!("[{:>4} {:.6}] {call} = {}", thread.id(), start as f64 / 1e9, Returned(result));
    }
    result
}

/// Notes a call that has no handler; the first of each kind is announced.
#[cold]
pub fn absent(nr: usize) {
    ABSENT.fetch_add(1, Ordering::Relaxed);
    if COUNTERS[nr].errors.fetch_add(1, Ordering::Relaxed) == 0 {
        log::warn!("system call {} ({nr}) is not there: ENOSYS", name(nr));
    }
}

/// Writes the table of counters (/proc/trapless/syscalls): calls, errors, total and mean time, most time first in the caller's hands.
pub fn write_counters(w: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(w, "{:<20} {:>10} {:>8} {:>14} {:>10}", "call", "calls", "errors", "total_ns", "mean_ns")?;
    for row in ROWS {
        let c = &COUNTERS[usize::from(row.number)];
        let calls = c.calls.load(Ordering::Relaxed);
        let errors = c.errors.load(Ordering::Relaxed);
        if calls + errors == 0 {
            continue;
        }
        let ns = c.ns.load(Ordering::Relaxed);
        writeln!(w, "{:<20} {calls:>10} {errors:>8} {ns:>14} {:>10}", row.name, ns / calls.max(1))?;
    }
    writeln!(w, "without a handler: {}", ABSENT.load(Ordering::Relaxed))
}
