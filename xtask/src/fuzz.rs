//! The test that changes frames on the simulated wire, for longer than the other tests take.

use anyhow::{Context, Result};
use sources::host::Task;

use crate::{bench::now, build::cargo, cli::FuzzOptions, setup};

/// The test's name, as in `libos/logic/src/net/tests/fuzz.rs`, like those of its variables.
const TEST: &str = "net::tests::fuzz::what_comes_by_the_wire_does_no_harm";

/// Runs rounds until the time is over or one fails, which tells its seed. Returns 0 when none did.
///
/// # Errors
/// Cargo cannot be run.
pub fn fuzz(options: &FuzzOptions) -> Result<u8> {
    setup::prepare(Task::Test)?;
    let seed = options.seed.unwrap_or_else(now);
    println!("seed {seed}: `--seed {seed}` begins with the same rounds");
    let mut command = cargo();
    command.args(["test", "--package", "trapless-logic", "--lib", "--", "--exact", TEST, "--nocapture"]);
    command.env("TRAPLESS_FUZZ_SECONDS", (options.minutes * 60).to_string());
    command.env("TRAPLESS_FUZZ_SEED", seed.to_string()).env("RUST_BACKTRACE", "1");
    let status = command.status().context("cannot run cargo test")?;
    Ok(u8::from(!status.success()))
}
