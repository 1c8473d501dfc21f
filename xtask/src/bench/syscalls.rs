//! What a system call costs: by each way into the library OS, on a Linux guest, and on the host's Linux.
//!
//! `bench/README.md` says what is compared and how. One run measures everything in rounds, each round in an order made by chance, so
//! that whatever else the host does falls on all systems alike.

mod agreement;
mod analysis;
mod clients;
mod data;
mod executed;
mod found;
mod lines;
mod operations;
mod path;
mod plan;
mod programs;
mod progress;
mod report;
mod speed;
mod systems;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use sources::host::Task;
use trapless_tests::{machine::Kind, repository};

use crate::{
    bench::{commit, linux, now},
    cli::{Entry, SyscallsOptions, name},
    setup,
};
use data::{About, CallRun, Calls, CountRun, Data, Run};
use found::{Found, Journal};
use lines::Line;
use plan::{Plan, Step, What};
use progress::Progress;
use systems::{Frame, LINUX, NATIVE, Parts, Session, System, Work};

/// CPUs of the machines that run Erlang, and of those on which two threads may run at once.
const CPUS: u32 = 2;
/// Operations that depend on how many CPUs there are.
const PAIR: &str = "futex_ping_pong";

/// How much is measured.
struct Amount {
    /// Of the C program: samples, and nanoseconds of each.
    micro: (u32, u64),
    /// Of the Erlang program: samples, and milliseconds of each.
    erlang: (u32, u32),
    /// Samples of the echo from the host.
    echoes: u32,
    /// Each load by wrk: the number of its connections.
    connections: &'static [u32],
    /// Seconds of each load.
    load: u32,
}

impl Amount {
    fn new(quick: bool) -> Self {
        if quick {
            Self { micro: (7, 3_000_000), erlang: (5, 30), echoes: 4, connections: &[1, 32], load: 1 }
        } else {
            Self { micro: (15, 8_000_000), erlang: (9, 50), echoes: 9, connections: &[1, 32, 128], load: 2 }
        }
    }
}

/// What the C program is asked for.
struct Works {
    all: Work,
    pair: Work,
    count: Work,
    path: Work,
}

impl Works {
    fn new(amount: &Amount) -> Self {
        let words = |text: String| text.split(' ').map(str::to_owned).collect();
        let (samples, ns) = amount.micro;
        Self {
            all: Work { start: "micro", arguments: words(format!("time {samples} {ns}")) },
            pair: Work { start: "micro-pair", arguments: words(format!("time {samples} {ns} {PAIR}")) },
            count: Work { start: "micro-count", arguments: words("count".into()) },
            path: Work { start: "micro-path", arguments: words(format!("path {}", path::OPERATIONS.join(" "))) },
        }
    }
}

/// Measures, and writes the results and the pages that show them.
///
/// # Errors
/// Something cannot be built, or a system does not come to its end. What was measured until then is kept.
pub fn measure(options: &SyscallsOptions) -> Result<()> {
    let pages = repository().join("docs/generated");
    let path = pages.join("overhead.json");
    let folder = repository().join("target/bench/syscalls");
    // Read first: it may be what is about to be written.
    let earlier = options.against.as_deref().map(Data::read).transpose()?;
    let data = if options.report_only {
        kept(&folder)?
    } else {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Some(run(options, folder)?)
    };
    if let Some(mut data) = data {
        data.about.host = super::report::host();
        data.write(&path)?;
    }
    if let Some(earlier) = earlier {
        let mut data = Data::read(&path)?;
        data.again = Some(agreement::agreement(&data, &earlier));
        data.write(&path)?;
    }
    println!("{}", report::write(&pages, &Data::read(&path)?)?.display());
    Ok(())
}

/// The results of an interrupted run.
fn kept(folder: &Path) -> Result<Option<Data>> {
    let Some(journal) = Journal::open(folder)? else { return Ok(None) };
    eprintln!(
        "this is the report of an interrupted run; without {} it would be that of the last whole one",
        journal.path().display()
    );
    Ok(Some(found::data(journal)))
}

fn run(options: &SyscallsOptions, folder: PathBuf) -> Result<Data> {
    setup::prepare(Task::Measure)?;
    let kernel = linux::kernel()?;
    let journal = if options.resume {
        Journal::resume(&folder)?
    } else {
        Journal::begin(&folder, about(options, kernel.version.clone()))?
    };
    let about = journal.about().clone();
    eprintln!("seed {0}: `--seed {0}` measures in the same order again", about.seed);
    let amount = Amount::new(about.quick);
    let works = Works::new(&amount);
    let backlog = programs::backlog(&folder)?;
    let kind: Kind = about.machine.parse().map_err(|error| anyhow!("{error}"))?;
    let frame = Frame { kind, memory: about.memory_mib, erlang: amount.erlang, folder, backlog };
    let entries = about.systems.iter().filter_map(|name| Entry::from_str(name, false).ok()).collect::<Vec<_>>();
    let erts = systems::erts()?;
    let all = [&works.all, &works.pair, &works.count, &works.path];
    let parts = Parts { erts: &erts, kernel: &kernel, entries: &entries, works: &all, frame: &frame };

    let plan = Plan::new(&about);
    let mut progress = Progress::new(plan.steps());
    journal.done().for_each(|(step, seconds)| progress.done(step, seconds));
    let mut bench = Bench {
        amount: &amount,
        works: &works,
        frame: &frame,
        journal,
        progress,
        places: places(&plan),
        systems: BTreeMap::new(),
    };
    // What is exact does not mind that the next image is built meanwhile.
    thread::scope(|scope| {
        let (sender, built) = mpsc::channel();
        // When a measurement has failed nobody listens; what is being built is then for the next run.
        let builder = scope.spawn(move || systems::build(&parts, |system| drop(sender.send(system))));
        for system in built {
            bench.journal.check(&system.name, &system.contents)?;
            let name = system.name.clone();
            bench.systems.insert(name.clone(), system);
            bench.perform(plan.exact.iter().filter(|step| step.system == name))?;
        }
        builder.join().map_err(|_| anyhow!("the builder has panicked"))?
    })?;
    bench.perform(plan.timed.iter())?;
    bench.journal.finish()?;
    Ok(found::data(bench.journal))
}

/// What a new run is about.
fn about(options: &SyscallsOptions, linux_guest: String) -> About {
    let entries = if options.entry.is_empty() { Entry::value_variants() } else { &options.entry };
    let systems = entries.iter().map(|&entry| name(entry)).chain([LINUX, NATIVE].map(str::to_owned)).collect();
    About {
        systems,
        linux_guest,
        machine: options.machine.name().to_owned(),
        memory_mib: options.memory,
        rounds: options.rounds.unwrap_or(if options.quick { 1 } else { 10 }),
        quick: options.quick,
        seed: options.seed.unwrap_or_else(now),
        commit: commit(),
        ..About::default()
    }
}

/// The place of each step in the order of all.
fn places(plan: &Plan) -> BTreeMap<Step, usize> {
    plan.steps().cloned().enumerate().map(|(place, step)| (step, place + 1)).collect()
}

/// A run of the benchmark.
struct Bench<'a> {
    amount: &'a Amount,
    works: &'a Works,
    frame: &'a Frame,
    journal: Journal,
    progress: Progress,
    places: BTreeMap<Step, usize>,
    systems: BTreeMap<String, System>,
}

impl Bench<'_> {
    /// Performs those steps that have no result yet, and writes each result down.
    fn perform<'a>(&mut self, steps: impl Iterator<Item = &'a Step>) -> Result<()> {
        for step in steps {
            if self.journal.has(step) {
                continue;
            }
            let Some(system) = self.systems.get(&step.system) else { bail!("{} was not built", step.system) };
            let started = Instant::now();
            let found = self
                .find(step, system)
                .with_context(|| format!("{}: {}; `--resume` goes on here", step.system, step.what.title()))?;
            let seconds = started.elapsed().as_secs_f64();
            self.journal.add(step.clone(), &system.contents, seconds, found)?;
            self.progress.done(step, seconds);
            eprintln!("{} {}: {} ({})", self.progress.words(), step.system, step.what.title(), step.round);
        }
        Ok(())
    }

    fn find(&self, step: &Step, system: &System) -> Result<Found> {
        let (amount, works, frame) = (self.amount, self.works, self.frame);
        let run = |cpus, lines| run_of(system, cpus, step.round, self.places.get(step).copied().unwrap_or(0), lines);
        Ok(match step.what {
            What::Count => Found::Count(count(system, frame, works)?),
            What::Path => Found::Path(path::record(system, frame, &works.path)?),
            What::Boot => Found::Boot(executed::boot(system, frame)?),
            What::Calls => Found::Calls(calls(system, frame, amount)?),
            What::Requests => Found::Requests(executed::requests(system, frame, amount)?),
            What::Micro => Found::Micro(run(1, system.micro(frame, 1, &works.all)?)),
            What::Pair => Found::Micro(run(CPUS, system.micro(frame, CPUS, &works.pair)?)),
            What::Erlang => Found::Erlang(run(CPUS, erlang(system, frame, amount)?)),
        })
    }
}

fn run_of(system: &System, cpus: u32, round: u32, place: usize, lines: Vec<Line>) -> Run {
    let (mut samples, mut absent) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Line::Time(one) => samples.push(one),
            Line::Absent(one) => absent.push(one),
            Line::Count(_) | Line::Proof(_) | Line::Calls(_) => {}
        }
    }
    Run { system: system.name.clone(), cpus, round, place, samples, absent }
}

fn count(system: &System, frame: &Frame, works: &Works) -> Result<CountRun> {
    let mut run = CountRun { system: system.name.clone(), proofs: Vec::new(), counts: Vec::new(), absent: Vec::new() };
    for line in system.count(frame, &works.count)? {
        match line {
            Line::Proof(one) => run.proofs.push(one),
            Line::Count(one) => run.counts.push(one),
            Line::Absent(one) => run.absent.push(one),
            Line::Time(_) | Line::Calls(_) => {}
        }
    }
    Ok(run)
}

/// Boots Erlang, lets it measure itself, and measures it from outside.
fn erlang(system: &System, frame: &Frame, amount: &Amount) -> Result<Vec<Line>> {
    let session = system.erlang(frame, CPUS, false, &[])?;
    let mut lines = lines::read(&session.console.text())?;
    let boot = u64::try_from(session.hello.as_nanos())?;
    lines.push(Line::Time(data::Samples {
        name: "boot".into(),
        operations: 1,
        ns: vec![boot],
        yardstick: Vec::new(),
        ticks: Vec::new(),
    }));
    lines.push(Line::Time(clients::echo(session.echo, amount.echoes)?));
    for &connections in amount.connections {
        let before = clients::accepted(session.http)?;
        let load = clients::http(session.http, connections, amount.load)?;
        // The question itself comes by a connection of its own, and wrk tries the address by one first.
        let served = clients::accepted(session.http)?.saturating_sub(before + 2);
        let name = http_name(connections);
        if load.errors > 0 || served < u64::from(connections) {
            let reason = format!("{served} of {connections} connections were served, wrk met {} errors", load.errors);
            lines.push(Line::Absent(data::Absent { name: name.clone(), reason }));
        }
        lines.push(Line::Time(clients::samples(&load, &name)?));
    }
    Ok(lines)
}

fn http_name(connections: u32) -> String {
    format!("http_{connections}")
}

/// Boots Erlang with its system calls counted. Counting costs time, so nothing is timed in this boot.
fn calls(system: &System, frame: &Frame, amount: &Amount) -> Result<CallRun> {
    let session = system.erlang(frame, CPUS, true, &[])?;
    let mut operations: Vec<_> = lines::read(&session.console.text())?
        .into_iter()
        .filter_map(|line| if let Line::Calls(calls) = line { Some(calls) } else { None })
        .collect();
    let echo = |session: &Session| {
        let samples = clients::echo(session.echo, amount.echoes)?;
        Ok((samples.operations * (samples.ns.len() as u64 + 1), samples.name))
    };
    operations.push(counted(&session, echo)?);
    for &connections in amount.connections {
        operations.push(counted(&session, |session| {
            Ok((clients::http(session.http, connections, amount.load)?.requests, http_name(connections)))
        })?);
    }
    Ok(CallRun { system: system.name.clone(), operations })
}

/// System calls while `work` performs some operations, which it tells with their name.
fn counted(session: &Session, work: impl Fn(&Session) -> Result<(u64, String)>) -> Result<Calls> {
    let before = clients::calls(session.http)?;
    let (operations, name) = work(session)?;
    let mut calls = clients::calls(session.http)?;
    for (name, count) in &mut calls {
        *count -= before.get(name).copied().unwrap_or(0).min(*count);
    }
    calls.retain(|_, count| *count > 0);
    Ok(Calls { name, operations, calls })
}
