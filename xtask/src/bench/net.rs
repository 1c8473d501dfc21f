//! What a network costs Erlang in the image, beside a Linux guest with the same Erlang.
//!
//! `bench/README.md` says what is compared and how. Both run on the same QEMU behind a tap, in a network namespace that this makes and
//! that nothing is left of. One run measures everything in rounds, each in an order made by chance.

mod analysis;
mod clients;
mod data;
mod loss;
mod measure;
mod metrics;
mod network;
mod plan;
mod report;
mod systems;

use std::{fs, path::Path, time::Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use sources::host::Task;
use trapless_tests::{machine::Kind, repository};

use super::{commit, linux, now};
use crate::{cli::NetOptions, setup};
use data::{About, Data, Journal};
use measure::Amount;
pub use metrics::What;
use plan::Step;
use systems::{Frame, IMAGE, LINUX, System};

/// Descriptors beside those of the idle connections.
const DESCRIPTORS: u64 = 1024;

/// Measures, and writes the results and the pages that show them.
///
/// # Errors
/// The host does not allow it, something cannot be built, or a system does not come to serve. What was measured until then is kept.
pub fn measure(options: &NetOptions) -> Result<()> {
    let pages = repository().join("docs/generated");
    let path = pages.join("net.json");
    let folder = repository().join("target/bench/net");
    let journal = if options.report_only { Journal::open(&folder)? } else { Some(run(options, &folder)?) };
    if let Some(journal) = journal {
        let mut data = Data::of(journal);
        data.about.host = super::report::host();
        data.write(&path)?;
    }
    println!("{}", report::write(&pages, &Data::read(&path)?)?.display());
    Ok(())
}

fn run(options: &NetOptions, folder: &Path) -> Result<Journal> {
    // What is not allowed here is said before anything is built.
    setup::prepare(Task::MeasureNetwork)?;
    network::within(|| Ok(()))?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let kernel = linux::kernel()?;
    let mut journal = if options.resume {
        Journal::resume(folder)?
    } else {
        Journal::begin(folder, about(options, kernel.version.clone()))?
    };
    let about = journal.about().clone();
    network::allow_descriptors(about.idle as u64 + DESCRIPTORS)?;
    let kind: Kind = about.machine.parse().map_err(|error| anyhow!("{error}"))?;
    let frame = Frame { kind, memory: about.memory_mib };
    let systems = systems::build(&kernel, &frame, folder)?;
    systems.iter().try_for_each(|system| journal.check(system.name, &system.contents))?;
    eprintln!("seed {0}: `--seed {0}` measures in the same order again", about.seed);
    let amount = Amount::new(&about, folder.to_owned());
    network::within(|| perform(&mut journal, &systems, &frame, &amount))?;
    journal.finish()?;
    Ok(journal)
}

/// Performs those steps that have no result yet, and writes each result down.
fn perform(journal: &mut Journal, systems: &[System], frame: &Frame, amount: &Amount) -> Result<()> {
    let steps = plan::plan(journal.about());
    for (at, step) in steps.iter().enumerate() {
        if journal.has(step) {
            continue;
        }
        let Step { system, cpus, what, round } = step;
        let Some(system) = systems.iter().find(|one| one.name == system) else { bail!("{system} was not built") };
        let started = Instant::now();
        let found = measure::measure(*what, system, frame, *cpus, amount)
            .with_context(|| format!("{}: {}; `--resume` goes on here", system.name, what.title()))?;
        let seconds = started.elapsed().as_secs_f64();
        journal.add(step.clone(), &system.contents, seconds, found)?;
        let (at, all, name, title) = (at + 1, steps.len(), system.name, what.title());
        eprintln!("[{at:>3} of {all}] {name}, smp {cpus}: {title} (round {round}, {seconds:.0} s)");
    }
    Ok(())
}

/// What a new run is about.
fn about(options: &NetOptions, linux_guest: String) -> About {
    About {
        systems: [IMAGE, LINUX].map(str::to_owned).to_vec(),
        linux_guest,
        machine: options.machine.name().to_owned(),
        memory_mib: options.memory,
        cpus: options.cpus.clone(),
        what: if options.only.is_empty() { What::value_variants().to_vec() } else { options.only.clone() },
        rounds: options.rounds.unwrap_or(if options.quick { 2 } else { 6 }),
        quick: options.quick,
        idle: options.idle.unwrap_or(if options.quick { 1000 } else { 10_000 }) as usize,
        seed: options.seed.unwrap_or_else(now),
        commit: commit(),
        ..About::default()
    }
}
