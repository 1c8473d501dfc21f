//! Watching system calls: strace-like lines (`trace=` on the command line), and what counts them.

use crate::console::say;
use crate::counters;
use crate::dispatch::{self, Registers};
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use trapless_abi::table::{NR_MAX, ROWS, SYS_exit, SYS_exit_group, name};
use trapless_abi::trace::{Call, Returned};
use trapless_logic::platform::Platform;
use trapless_logic::sync::Lock;
use trapless_platform::clock;
use trapless_platform::x86::X86;

/// The calls that are printed.
static TRACED: [AtomicBool; NR_MAX] = [const { AtomicBool::new(false) }; NR_MAX];
/// Whether there are any.
static TRACING: AtomicBool = AtomicBool::new(false);
/// Calls without a handler that were announced.
static ANNOUNCED: [AtomicBool; NR_MAX] = [const { AtomicBool::new(false) }; NR_MAX];

/// Held while a line is printed.
static LINE: Lock<X86, ()> = Lock::new(());

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
            TRACED[usize::from(row.number)].store(true, Ordering::Relaxed);
            any = true;
        }
        if !any {
            return Err(UnknownCall(word));
        }
    }
    Ok(())
}

/// Begins to print the calls that `trace=` names.
///
/// # Errors
/// A call or area that does not exist.
pub fn start(list: &str) -> Result<(), UnknownCall<'_>> {
    select(list)?;
    TRACING.store(TRACED.iter().any(|traced| traced.load(Ordering::Relaxed)), Ordering::Relaxed);
    dispatch::observe();
    Ok(())
}

/// Whether any calls are printed.
pub fn on() -> bool {
    TRACING.load(Ordering::Relaxed)
}

/// Runs one call, counting it and printing it as far as that is wanted.
pub fn around(nr: usize, registers: Registers, call: impl FnOnce() -> isize) -> isize {
    let traced = TRACED[nr].load(Ordering::Relaxed);
    // What never returns has to be printed before.
    if traced && [SYS_exit, SYS_exit_group].contains(&nr) {
        print(nr, registers, clock::now_ns(), format_args!("?"));
    }
    if counters::on() {
        counters::begin(nr);
    }
    let start = clock::now_ns();
    let result = call();
    let ns = clock::now_ns().saturating_sub(start);
    if counters::on() {
        counters::end(nr, ns, result);
    }
    if traced {
        print(nr, registers, start, format_args!("{}", Returned(result)));
    }
    result
}

fn print(nr: usize, registers: Registers, at_ns: u64, result: fmt::Arguments<'_>) {
    let (call, thread) = (Call { number: nr, registers }, X86::current());
    // Lines of several threads do not mix, at the price of no preemption while one goes out.
    let _whole = LINE.lock();
    say!("[{:>4} {:.6}] {call} = {result}", thread.id(), at_ns as f64 / 1e9);
}

/// Announces a call that has no handler, the first time it is made.
#[cold]
pub fn absent(nr: usize) {
    if !ANNOUNCED[nr].swap(true, Ordering::Relaxed) {
        log::warn!("system call {} ({nr}) is not there: ENOSYS", name(nr));
    }
}
