//! Tests of the libos that run in place of the program (`selftest=` on the command line).

use crate::power;
use core::time::Duration;
use trapless_platform::sentinel::Mutant;
use trapless_platform::{mm, sentinel, thread};

/// Bytes of the test thread's stack.
const STACK: usize = 64 * 1024;
/// How long the sentinel runs if nothing is said, seconds.
const DEFAULT_SECONDS: u64 = 10;

/// Builds a fault in, for the test to find.
fn install(mutant: &str) {
    match Mutant::parse(mutant) {
        Some(known) if known.install() => {}
        Some(_) => power::refuse_boot(format_args!("mutant={mutant}: the image was built without --features mutants")),
        None => power::refuse_boot(format_args!("mutant={mutant}: it takes no-ist, drop-reg or touch")),
    }
}

/// Starts the test that `setting` names: `sentinel[,SECONDS]` or `memory`, with a fault built in if `mutant` names one. True if it takes
/// the place of the program; `storm` only disturbs it, by interrupts.
pub fn start(setting: &str, mutant: Option<&str>) -> bool {
    if let Some(mutant) = mutant {
        install(mutant);
    }
    if setting == "storm" {
        sentinel::storm().unwrap_or_else(|e| power::refuse_boot(format_args!("selftest: {e}")));
        return false;
    }
    let (name, argument) = setting.split_once(',').unwrap_or((setting, ""));
    let seconds = if argument.is_empty() { Some(DEFAULT_SECONDS) } else { argument.parse().ok() };
    let (run, argument): (fn(usize), _) = match (name, seconds) {
        ("sentinel", Some(seconds)) => (run_sentinel, seconds as usize),
        ("memory", _) if argument.is_empty() => (run_memory, 0),
        _ => power::refuse_boot(format_args!("selftest={setting}: it takes sentinel[,SECONDS], memory or storm")),
    };
    if let Err(e) = thread::spawn_kernel("selftest", run, argument, STACK) {
        power::refuse_boot(format_args!("selftest: {e}"));
    }
    true
}

/// Status 0 if all of the memory system's own tests passed, 1 if not.
fn run_memory(_: usize) {
    let failed = mm::selftest::run(&mut |name, result| match result {
        Ok(()) => crate::console::say!("memory: {name}: ok"),
        Err(why) => crate::console::say!("memory: {name}: FAILED: {why}"),
    });
    crate::console::say!("memory: {failed} failed");
    power::exit_process(i32::from(failed != 0))
}

/// Status 0 if every register and red zone survived, 1 if not.
fn run_sentinel(seconds: usize) {
    let report = sentinel::run(Duration::from_secs(seconds as u64));
    crate::console::say!("sentinel: {report}");
    power::exit_process(i32::from(!report.passed()))
}
