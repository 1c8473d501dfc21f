//! Tests of the libos that run in place of the program (`selftest=` on the command line).

use crate::power;
use core::time::Duration;
use trapless_platform::{sentinel, thread};

/// Bytes of the test thread's stack.
const STACK: usize = 64 * 1024;
/// How long the sentinel runs if nothing is said, seconds.
const DEFAULT_SECONDS: u64 = 10;

/// Starts the test that `setting` names: `sentinel[,SECONDS]`.
pub fn start(setting: &str) {
    let (name, argument) = setting.split_once(',').unwrap_or((setting, ""));
    let seconds = if argument.is_empty() { Some(DEFAULT_SECONDS) } else { argument.parse().ok() };
    match (name, seconds) {
        ("sentinel", Some(seconds)) => {
            if let Err(e) = thread::spawn_kernel("sentinel", run_sentinel, seconds as usize, STACK) {
                power::refuse_boot(format_args!("selftest: {e}"));
            }
        }
        _ => power::refuse_boot(format_args!("selftest={setting}: it takes sentinel[,SECONDS]")),
    }
}

/// Status 0 if every register and red zone survived, 1 if not.
fn run_sentinel(seconds: usize) {
    let report = sentinel::run(Duration::from_secs(seconds as u64));
    crate::console::say!("sentinel: {report}");
    power::exit_process(i32::from(!report.passed()))
}
