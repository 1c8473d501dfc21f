//! How often each system call was made, and how long it took: /proc/trapless/syscalls, and the table at the end of the machine.
//!
//! Nothing here is on the way of a call while it is switched off (see [`crate::dispatch::observe`]).

use crate::console::say;
use crate::dispatch;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use trapless_abi::table::{NR_MAX, ROWS};
use trapless_abi::{Errno, SysResult};

/// Buckets of a latency histogram: powers of two of nanoseconds.
const BUCKETS: usize = 32;

/// What is known about one call.
struct Counter {
    /// How often it has begun.
    calls: AtomicU64,
    /// How often it returned an error number.
    errors: AtomicU64,
    /// Time in it, blocked or not, of those that have returned.
    ns: AtomicU64,
    /// How many have taken at least 2^i ns and less than twice that, by i. The first and the last bucket are open to their sides.
    histogram: [AtomicU64; BUCKETS],
}

static COUNTERS: [Counter; NR_MAX] = [const {
    Counter {
        calls: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        ns: AtomicU64::new(0),
        histogram: [const { AtomicU64::new(0) }; BUCKETS],
    }
}; NR_MAX];

/// Whether calls are counted.
static COUNTING: AtomicBool = AtomicBool::new(false);
/// Whether the machine ends with a table on the console.
static SUMMARY: AtomicBool = AtomicBool::new(false);

/// `counters=`: what is done with the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// Calls are not counted until a program asks for it.
    Off,
    /// Calls are counted from the start.
    On,
    /// As `On`, and the machine ends with a table on the console.
    Summary,
}

/// Counts from now on, or no more.
pub fn set(on: bool) {
    COUNTING.store(on, Ordering::Relaxed);
    dispatch::observe();
}

/// Does what the command line asks for.
pub fn start(counting: Counting) {
    SUMMARY.store(counting == Counting::Summary, Ordering::Relaxed);
    if counting != Counting::Off {
        set(true);
    }
}

/// Whether calls are counted.
pub fn on() -> bool {
    COUNTING.load(Ordering::Relaxed)
}

/// A call begins.
pub fn begin(nr: usize) {
    COUNTERS[nr].calls.fetch_add(1, Ordering::Relaxed);
}

/// A call has returned after `ns` nanoseconds.
pub fn end(nr: usize, ns: u64, result: isize) {
    let counter = &COUNTERS[nr];
    counter.ns.fetch_add(ns, Ordering::Relaxed);
    let bucket = ns.checked_ilog2().unwrap_or(0) as usize;
    counter.histogram[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
    if (-4095..0).contains(&result) {
        counter.errors.fetch_add(1, Ordering::Relaxed);
    }
}

/// A command written to /proc/trapless/syscalls: `on`, `off`, `reset`.
///
/// # Errors
/// EINVAL for anything else.
pub fn obey(command: &[u8]) -> SysResult<()> {
    match command {
        b"on" => set(true),
        b"off" => set(false),
        b"reset" => COUNTERS.iter().for_each(reset),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

fn reset(counter: &Counter) {
    let numbers = [&counter.calls, &counter.errors, &counter.ns];
    numbers.into_iter().chain(&counter.histogram).for_each(|n| n.store(0, Ordering::Relaxed));
}

/// Writes /proc/trapless/syscalls: a line that starts with `#`, then a line for each call that was made, all numbers separated by one
/// blank. `docs/debugging.md` has the format.
pub fn write(w: &mut dyn fmt::Write) -> fmt::Result {
    let state = if on() { "on" } else { "off" };
    writeln!(w, "# counting is {state}; name calls errors total_ns, and returns by time: up to 2 ns, 4 ns, 8 ns, ...")?;
    for row in ROWS {
        let counter = &COUNTERS[usize::from(row.number)];
        let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let calls = read(&counter.calls);
        if calls == 0 {
            continue;
        }
        write!(w, "{} {calls} {} {}", row.name, read(&counter.errors), read(&counter.ns))?;
        counter.histogram.iter().try_for_each(|n| write!(w, " {}", read(n)))?;
        writeln!(w)?;
    }
    Ok(())
}

/// The table at the end of the machine, if it is wanted: what took the most time comes first.
pub fn summarize() {
    if !SUMMARY.load(Ordering::Relaxed) {
        return;
    }
    let read = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let called = |number: u16| Some(&COUNTERS[usize::from(number)]).filter(|counter| read(&counter.calls) != 0);
    let mut rows: Vec<_> = ROWS.iter().filter_map(|row| Some((row.name, called(row.number)?))).collect();
    rows.sort_by_key(|(_, counter)| core::cmp::Reverse(read(&counter.ns)));
    say!("{:>14} {:>12} {:>10} {:>8} system call", "total_us", "us/call", "calls", "errors");
    for (name, counter) in rows {
        let (calls, us) = (read(&counter.calls), read(&counter.ns) as f64 / 1e3);
        say!("{us:>14.0} {:>12.3} {calls:>10} {:>8} {name}", us / calls as f64, read(&counter.errors));
    }
}
