//! Runs all tests, and sums up.

use std::{
    io::{self, BufRead, BufReader, IsTerminal, Write},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result};
use sources::host::Task;

use crate::{
    build::{self, ENTRY_VARIABLE, cargo},
    cli::{BuildOptions, Entry, Flavor, Part, TestOptions, name},
    setup,
};

/// What the results of libtest add up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Sum {
    /// Adds a line `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; other lines add nothing.
    fn add_line(&mut self, line: &str) {
        if !line.starts_with("test result: ") {
            return;
        }
        for part in line.split(['.', ';']) {
            match part.trim().split_once(' ') {
                Some((count, "passed")) => self.passed += count.parse().unwrap_or(0),
                Some((count, "failed")) => self.failed += count.parse().unwrap_or(0),
                Some((count, "ignored")) => self.ignored += count.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// Runs what the options ask for; all of it goes on after a failure. Returns 0 when everything passed.
///
/// # Errors
/// The image cannot be built, or cargo cannot be run.
pub fn test(options: &TestOptions) -> Result<u8> {
    setup::prepare(Task::Test)?;
    let begun = Instant::now();
    let (mut sum, mut broken) = (Sum::default(), Vec::new());
    let wanted = |part| options.only.is_none_or(|only| only == part);
    let mut jobs =
        vec![(Part::Host, "host".to_owned(), Entry::Direct), (Part::Models, "models".to_owned(), Entry::Direct)];
    jobs.extend(options.entry.0.iter().map(|&entry| (Part::Image, format!("image in QEMU, {}", name(entry)), entry)));
    for (part, title, entry) in jobs.into_iter().filter(|(part, ..)| wanted(*part)) {
        heading(&title);
        if !run(&mut command(part, entry)?, &options.filter, &mut sum)? {
            broken.push(title);
        }
    }
    heading("summary");
    let verdict = if broken.is_empty() { "ok".to_owned() } else { format!("FAILED ({})", broken.join(", ")) };
    println!(
        "test result: {verdict}. {} passed; {} failed; {} ignored; finished in {:.0} s",
        sum.passed,
        sum.failed,
        sum.ignored,
        begun.elapsed().as_secs_f64()
    );
    Ok(u8::from(!broken.is_empty()))
}

/// Runs `.ci/run`, which is what is checked before a change is taken.
///
/// # Errors
/// It cannot be run.
pub fn ci() -> Result<u8> {
    let status = Command::new(trapless_tests::repository().join(".ci/run")).status().context("cannot run .ci/run")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn command(part: Part, entry: Entry) -> Result<Command> {
    let mut command = cargo();
    // A failing test says what is wrong; where in the harness that was noticed only hides it.
    command.args(["test", "--no-fail-fast"]).env("RUST_LIB_BACKTRACE", "0");
    match part {
        // The packages without host tests say so in their manifests.
        Part::Host => {
            command.args(["--workspace", "--exclude", "trapless", "--exclude", "trapless-tests"]);
        }
        // A target folder of its own, since the flag recompiles everything below it.
        Part::Models => {
            command.args(["--package", "trapless-logic", "--test", "loom*", "--target-dir", "target/loom"]);
            command.env("RUSTFLAGS", "--cfg loom");
        }
        Part::Image => {
            let image =
                build::build(&BuildOptions { flavor: Flavor::Jit, entry, app: None, nif: Vec::new(), debug: false })?;
            command.args(["--package", "trapless-tests"]).env("TRAPLESS_IMAGE", image);
            // Tests that build an image of their own build the same variant.
            command.env(ENTRY_VARIABLE, name(entry));
        }
    }
    Ok(command)
}

/// Runs one command of tests with its output on the terminal, and adds its results up. False when it failed.
fn run(command: &mut Command, filter: &[String], sum: &mut Sum) -> Result<bool> {
    // For the tests themselves: cargo, if it knew it, would build even what has no tests.
    command.arg("--").args(filter);
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
        let line = line.context("cannot read what cargo test says")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(io::stdout(), "{line}").context("cannot write to the terminal")?;
        sum.add_line(&line);
    }
    Ok(child.wait().context("cannot wait for cargo test")?.success())
}

fn heading(title: &str) {
    println!("\n=== {title} ===");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up() {
        let mut sum = Sum::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            sum.add_line(line);
        }
        assert_eq!(sum, Sum { passed: 5, failed: 4, ignored: 1 });
    }
}
