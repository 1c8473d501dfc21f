//! What a system call costs: by each way into the library OS, on a Linux guest, and on the host's Linux.
//!
//! `bench/README.md` says what is compared and how. One run measures everything in rounds, each round in an order made by chance, so
//! that whatever else the host does falls on all systems alike.

mod analysis;
mod clients;
mod data;
mod interval;
mod lines;
mod operations;
mod order;
mod path;
mod programs;
mod progress;
mod report;
mod systems;

use std::{
    fs,
    process::Command,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result};
use clap::ValueEnum;
use sources::host::Task;
use trapless_tests::repository;

use crate::{
    cli::{Entry, SyscallsOptions},
    setup,
};
use data::{About, CallRun, Calls, CountRun, Data, Run};
use lines::Line;
use order::Random;
use progress::Progress;
use systems::{Frame, Session, System, Work};

/// CPUs of the machines that run Erlang, and of those on which two threads may run at once.
const CPUS: u32 = 2;
/// Connections of wrk.
const CONNECTIONS: [u32; 3] = [1, 32, 128];
/// Operations that depend on how many CPUs there are.
const PAIR: &str = "futex_ping_pong";
/// How often instructions are counted; the counts must agree.
const COUNTING_BOOTS: u32 = 2;

/// How much is measured.
struct Amount {
    rounds: u32,
    /// Of the C program: samples, and nanoseconds of each.
    micro: (u32, u64),
    /// Of the Erlang program: samples, and milliseconds of each.
    erlang: (u32, u32),
    /// Samples of the echo from the host.
    echoes: u32,
    /// Seconds of each load by wrk.
    load: u32,
}

impl Amount {
    fn new(options: &SyscallsOptions) -> Self {
        let amount = if options.quick {
            Self { rounds: 2, micro: (7, 3_000_000), erlang: (5, 30), echoes: 4, load: 1 }
        } else {
            Self { rounds: 10, micro: (15, 8_000_000), erlang: (9, 50), echoes: 9, load: 2 }
        };
        Self { rounds: options.rounds.unwrap_or(amount.rounds), ..amount }
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

/// One thing to do in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Micro,
    Pair,
    Erlang,
}

/// Measures, and writes the results and the pages that show them.
///
/// # Errors
/// Something cannot be built, or a system does not come to its end.
pub fn measure(options: &SyscallsOptions) -> Result<()> {
    let pages = repository().join("docs/generated");
    let path = pages.join("overhead.json");
    if !options.report_only {
        run(options)?.write(&path)?;
    }
    println!("{}", report::write(&pages, &Data::read(&path)?)?.display());
    Ok(())
}

fn run(options: &SyscallsOptions) -> Result<Data> {
    let started = Instant::now();
    setup::prepare(Task::Measure)?;
    let amount = Amount::new(options);
    let works = Works::new(&amount);
    let folder = repository().join("target/bench/syscalls");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let backlog = programs::backlog(&folder)?;
    let frame = Frame { kind: options.machine, memory: options.memory, erlang: amount.erlang, folder, backlog };
    let entries = if options.entry.is_empty() { Entry::value_variants() } else { &options.entry };
    let erts = systems::erts()?;
    let all = [&works.all, &works.pair, &works.count, &works.path];
    let (systems, kernel) = systems::build(entries, &erts, &all, &frame)?;

    let seed = options.seed.unwrap_or_else(now);
    eprintln!("seed {seed}: `--seed {seed}` measures in the same order again");
    let about = About {
        systems: systems.iter().map(|system| system.name.clone()).collect(),
        linux_guest: kernel,
        machine: options.machine.name().to_owned(),
        memory_mib: options.memory,
        rounds: amount.rounds,
        quick: options.quick,
        seed,
        commit: commit(),
        ..About::default()
    };
    let mut data = Data { about, ..Data::default() };
    let machines: Vec<_> = systems.iter().filter(|system| system.is_machine()).collect();
    let images: Vec<_> = systems.iter().filter(|system| system.is_image()).collect();
    let steps = amount.rounds as usize * systems.len() * 3;
    let mut progress = Progress::new(steps + machines.len() * (COUNTING_BOOTS as usize + 1) + images.len());

    for _ in 0..COUNTING_BOOTS {
        for system in &machines {
            data.counts.push(count(system, &frame, &works)?);
            progress.done(&format!("{}: instructions", system.name));
        }
    }
    for system in machines {
        data.paths.extend(path::record(system, &frame, &works.path)?);
        progress.done(&format!("{}: the way of single calls", system.name));
    }
    for system in images {
        data.calls.push(calls(system, &frame, &amount)?);
        progress.done(&format!("{}: system calls of Erlang's operations", system.name));
    }
    let mut random = Random::new(seed);
    let mut place = 0;
    for round in 1..=amount.rounds {
        let mut steps: Vec<_> = systems
            .iter()
            .flat_map(|system| [Step::Micro, Step::Pair, Step::Erlang].map(|step| (system, step)))
            .collect();
        random.shuffle(&mut steps);
        for (system, step) in steps {
            place += 1;
            let run = |cpus, lines| run_of(system, cpus, round, place, lines);
            match step {
                Step::Micro => data.micro.push(run(1, system.micro(&frame, 1, &works.all)?)),
                Step::Pair => data.micro.push(run(CPUS, system.micro(&frame, CPUS, &works.pair)?)),
                Step::Erlang => data.erlang.push(run(CPUS, erlang(system, &frame, &amount)?)),
            }
            progress.done(&format!("round {round} of {}: {}, {step:?}", amount.rounds, system.name));
        }
    }
    data.about.host = super::report::host();
    data.about.seconds = started.elapsed().as_secs();
    Ok(data)
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
    let session = system.erlang(frame, CPUS, false)?;
    let mut lines = lines::read(&session.console.text())?;
    let boot = u64::try_from(session.hello.as_nanos())?;
    lines.push(Line::Time(data::Samples { name: "boot".into(), operations: 1, ns: vec![boot], ticks: Vec::new() }));
    lines.push(Line::Time(clients::echo(session.echo, amount.echoes)?));
    for connections in CONNECTIONS {
        let before = clients::accepted(session.http)?;
        let load = clients::http(session.http, connections, amount.load)?;
        // The question itself comes by a connection of its own, and wrk tries the address by one first.
        let served = clients::accepted(session.http)?.saturating_sub(before + 2);
        let name = http_name(connections);
        if load.errors > 0 || served < u64::from(connections) {
            let reason = format!("{served} of {connections} connections were served, wrk met {} errors", load.errors);
            lines.push(Line::Absent(data::Absent { name: name.clone(), reason }));
        }
        lines.push(Line::Time(load.samples(&name)?));
    }
    Ok(lines)
}

fn http_name(connections: u32) -> String {
    format!("http_{connections}")
}

/// Boots Erlang with its system calls counted. Counting costs time, so nothing is timed in this boot.
fn calls(system: &System, frame: &Frame, amount: &Amount) -> Result<CallRun> {
    let session = system.erlang(frame, CPUS, true)?;
    let mut operations: Vec<_> = lines::read(&session.console.text())?
        .into_iter()
        .filter_map(|line| if let Line::Calls(calls) = line { Some(calls) } else { None })
        .collect();
    let echo = |session: &Session| {
        let samples = clients::echo(session.echo, amount.echoes)?;
        Ok((samples.operations * (samples.ns.len() as u64 + 1), samples.name))
    };
    operations.push(counted(&session, echo)?);
    for connections in CONNECTIONS {
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

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The commit that is measured, marked when the tree differs from it; empty where there is no git.
fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(repository()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
