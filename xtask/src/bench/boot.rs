//! How long it takes from the start of QEMU to Erlang's first line, and to its first answer over TCP.

use std::{fmt, fs, time::Duration};

use anyhow::{Context, Result};
use trapless_tests::{
    deadline, load,
    machine::{ECHO_PORT, Forward, Kind, Machine},
    vm::{READY, Vm, free_port},
};

use super::linux;
use crate::cli::{Flavor, name};

/// What Erlang prints first, in one word that nothing else prints.
pub const FIRST_LINE: &str = "hello_from_erlang";
/// Linux and the image read a clock tick as this: `getconf CLK_TCK` is 100 on every x86-64 Linux.
const TICK: Duration = Duration::from_millis(10);

/// On a very busy host Linux sometimes stops early on microvm. It is started again, so many times in all, after so long; the report
/// says how often that was. The image is never started again: when it does not come up, the benchmark fails.
const LINUX_TRIES: u32 = 3;
const LINUX_PATIENCE: Duration = Duration::from_secs(60);

/// What is booted.
#[derive(Clone, Copy)]
pub struct Configuration {
    pub flavor: Flavor,
    pub kind: Kind,
    pub cpus: u32,
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} smp {}", name(self.flavor), self.kind, self.cpus)
    }
}

/// One boot, measured when it had come to what it was booted for.
#[derive(Clone, Copy)]
pub struct Sample {
    /// Since QEMU was started.
    pub wall: Duration,
    /// Used by QEMU on the host.
    pub cpu: Duration,
    /// Resident memory of QEMU in KiB.
    pub resident: u64,
}

/// All boots of one system.
#[derive(Default)]
pub struct Samples {
    pub first_line: Vec<Sample>,
    pub echo: Vec<Sample>,
}

/// One configuration with both systems.
pub struct Pair {
    pub configuration: Configuration,
    pub image: Samples,
    pub linux: Samples,
    /// The echo of a Linux guest that starts Erlang as OTP comes: its own boot script and emulator flags.
    pub stock: Vec<Sample>,
    /// The echo of the image when waiters spin while Erlang boots (`futex=seed`).
    pub seed: Vec<Sample>,
    /// How often Linux did not come up.
    pub stuck: u32,
    machines: (Machine, Machine),
}

impl Pair {
    pub fn new(configuration: Configuration, machines: (Machine, Machine)) -> Self {
        Self {
            configuration,
            image: Samples::default(),
            linux: Samples::default(),
            stock: Vec::new(),
            seed: Vec::new(),
            stuck: 0,
            machines,
        }
    }

    /// Boots six times: both systems to either end, Linux with OTP's own start, and the image with the other way to wait.
    pub fn measure(&mut self) -> Result<()> {
        let (image, _) = self.machines.clone();
        let hello = format!("-- -noshell -eval {}", linux::HELLO);
        self.image.first_line.push(first_line(&Machine { append: hello, ..image.clone() }, deadline())?);
        let sample = self.linux("hello", first_line);
        self.linux.first_line.extend(sample);
        self.image.echo.push(echo(&image, deadline())?);
        self.seed.push(echo(&Machine { append: "futex=seed".into(), ..image }, deadline())?);
        let sample = self.linux("echo", echo);
        self.linux.echo.extend(sample);
        let sample = self.linux("stock", echo);
        self.stock.extend(sample);
        Ok(())
    }

    fn linux(&mut self, start: &str, measure: fn(&Machine, Duration) -> Result<Sample>) -> Option<Sample> {
        let machine = Machine { append: linux::command_line(start), ..self.machines.1.clone() };
        for _ in 0..LINUX_TRIES {
            match measure(&machine, LINUX_PATIENCE) {
                Ok(sample) => return Some(sample),
                Err(error) => eprintln!("{}: Linux did not come up: {error:#}", self.configuration),
            }
            self.stuck += 1;
        }
        None
    }

    /// The latest round in a line, for whoever waits.
    pub fn latest(&self) -> String {
        let seconds = |samples: &[Sample]| samples.last().map_or(0.0, |sample| sample.wall.as_secs_f64());
        format!(
            "{}: first line {:.2} s (Linux {:.2}), echo {:.2} s (Linux {:.2}, with OTP's own start {:.2})",
            self.configuration,
            seconds(&self.image.first_line),
            seconds(&self.linux.first_line),
            seconds(&self.image.echo),
            seconds(&self.linux.echo),
            seconds(&self.stock)
        )
    }
}

fn first_line(machine: &Machine, patience: Duration) -> Result<Sample> {
    let vm = Vm::boot("bench-first-line", machine)?;
    match vm.console().wait_for(FIRST_LINE, 0, patience) {
        Some((line, _)) => sample(&vm, line.at),
        None => Err(vm.fail("it printed nothing")),
    }
}

fn echo(machine: &Machine, patience: Duration) -> Result<Sample> {
    let mut machine = machine.clone();
    machine.forwards.push(Forward { host: free_port()?, guest: ECHO_PORT, udp: false });
    let vm = Vm::boot("bench-echo", &machine)?;
    if vm.console().wait_for(READY, 0, patience).is_none() {
        return Err(vm.fail("it does not serve"));
    }
    load::echo(&vm.connect(ECHO_PORT)?, b"hello").map_err(|error| vm.fail(&format!("no echo: {error:#}")))?;
    sample(&vm, vm.started().elapsed())
}

fn sample(vm: &Vm, wall: Duration) -> Result<Sample> {
    Ok(Sample { wall, cpu: cpu_time(vm.id())?, resident: resident(vm.id())? })
}

/// CPU time of a process, user and system: fields 14 and 15 of proc(5)'s stat.
pub fn cpu_time(id: u32) -> Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).context("QEMU is gone")?;
    cpu_ticks(&text).map(|ticks| TICK * ticks).with_context(|| format!("/proc/{id}/stat reads {text:?}"))
}

fn cpu_ticks(stat: &str) -> Option<u32> {
    // The name, in parentheses, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

/// Resident memory of a process in KiB.
pub fn resident(id: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).context("QEMU is gone")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("QEMU's status has no VmRSS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_any_name() {
        assert_eq!(cpu_ticks("7 (a) b) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20"), Some(42));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_used_memory() {
        assert!(resident(std::process::id()).unwrap() > 100);
    }
}
