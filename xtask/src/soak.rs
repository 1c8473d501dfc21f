//! Boots the image again and again, each time from nothing, until it fails or has been booted often enough.

use std::{process, time::Instant};

use anyhow::{Context, Result};
use sources::host::Task;
use trapless_tests::{load, machine::ECHO_PORT, vm::Vm};

use crate::{build, cli::SoakOptions, run, setup};

/// Every boot must come to serve, and echo. The first that does not ends the run; its console is kept.
///
/// # Errors
/// A boot failed.
pub fn soak(options: &SoakOptions) -> Result<u8> {
    setup::prepare(Task::Run)?;
    let image = build::build(&options.build)?;
    let machine = run::machine(&options.machine, &image);
    // A name of its own: the console of a boot that failed is not lost to the next run.
    let name = format!("soak-{}", process::id());
    let begun = Instant::now();
    for number in 1..=options.boots {
        let started = Instant::now();
        let vm = Vm::serve(&name, &machine).with_context(|| format!("boot {number} of {} failed", options.boots))?;
        let stream = vm.connect(ECHO_PORT)?;
        load::echo(&stream, &load::bytes(4096, number.into()))
            .map_err(|error| vm.fail(&format!("boot {number} of {}: {error:#}", options.boots)))?;
        println!("boot {number} of {}: ok ({:.2} s)", options.boots, started.elapsed().as_secs_f64());
    }
    println!("{} boots, 0 failures, {:.0} s", options.boots, begun.elapsed().as_secs_f64());
    Ok(0)
}
