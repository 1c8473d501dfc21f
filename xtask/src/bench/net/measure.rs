//! Measures one boot.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, ensure};
use trapless_tests::{machine::ECHO_PORT, vm::Vm};

use super::{
    clients::{
        Latencies, bulk,
        echo::{self, Echo},
        idle::Idle,
        paced, udp,
    },
    data::{About, Found},
    loss::Loss,
    metrics::{self, FLOWS, HTTP, LEVELS, LOSSES, PACED, PACED_CONNECTIONS, What},
    network::address,
    systems::{Frame, System},
};
use crate::bench::{
    boot::cpu_time,
    counter::Counter,
    http::{self, Load},
};

/// Ports of the program (`bench/net/trapless_net/src/trapless_net.erl`).
const HTTP_PORT: u16 = 8080;
const SOURCE: u16 = 9001;
const SINK: u16 = 9002;
const WIDE_SINK: u16 = 9003;
/// Connections by which each request comes as a new one.
const CHURN: u32 = 32;
/// Until a machine has tidied up behind what was done last.
const SETTLE: Duration = Duration::from_secs(2);
/// Echoes whose instructions are counted together.
const ECHOES: usize = 200;
/// Several packets must not be handed over as one when they are to be lost one by one: QEMU then offers the machine no such way.
const ONE_BY_ONE: [&str; 4] =
    ["-global", "virtio-net-device.host_tso4=off", "-global", "virtio-net-device.guest_tso4=off"];

/// How much is measured.
pub struct Amount {
    /// Of each load.
    pub time: Duration,
    /// Of watching idle connections.
    pub watch: Duration,
    /// Idle connections.
    pub idle: usize,
    pub folder: PathBuf,
}

impl Amount {
    pub fn new(about: &About, folder: PathBuf) -> Self {
        let [time, watch] = if about.quick { [1, 3] } else { [3, 10] }.map(Duration::from_secs);
        Self { time, watch, idle: about.idle, folder }
    }

    /// Seconds of a load on so many connections: it begins with opening them.
    fn seconds(&self, connections: u32) -> u32 {
        u32::try_from(self.time.as_secs()).unwrap_or(u32::MAX) + connections.div_ceil(200)
    }
}

/// Boots a system and measures it. What a client cannot measure is absent from what is found, with the reason.
///
/// # Errors
/// The system does not come to serve.
pub fn measure(what: What, system: &System, frame: &Frame, cpus: u32, amount: &Amount) -> Result<Found> {
    let serve =
        |extra: &[&str]| Ok::<_, Error>(Boot { vm: system.serve(frame, cpus, extra)?, found: Found::default() });
    let mut boot;
    match what {
        What::Traffic => {
            boot = serve(&[])?;
            traffic(&mut boot, amount);
        }
        What::Idle => {
            boot = serve(&[])?;
            idle(&mut boot, amount);
        }
        What::Loss => {
            boot = serve(&ONE_BY_ONE)?;
            LOSSES.iter().for_each(|&percent| lossy(&mut boot, percent, amount));
        }
        What::Packets => {
            let counter = Counter::new(&amount.folder)?;
            boot = serve(&counter.extra.each_ref().map(String::as_str))?;
            packets(&mut boot, &counter, amount);
        }
    }
    Ok(boot.found)
}

/// A machine, and what was found out about it.
struct Boot {
    vm: Vm,
    found: Found,
}

impl Boot {
    /// Measures something, unless the machine is dead. If it dies of that, this is the reason why there is nothing.
    fn take<const N: usize>(&mut self, names: [&str; N], work: impl FnOnce() -> Result<[f64; N]>) {
        let result = self.alive().and_then(|()| work());
        let result = result.map_err(|error| self.alive().err().unwrap_or(error));
        self.found.take(names, result);
    }

    fn alive(&mut self) -> Result<()> {
        ensure!(self.vm.is_running()?, "the machine died: {}", last_words(&self.vm.console().text()));
        Ok(())
    }

    /// A load of HTTP; errors are told also where it yields a number.
    fn load<const N: usize>(
        &mut self,
        names: [&str; N],
        work: impl FnOnce() -> Result<Load>,
        values: fn(&Load) -> [f64; N],
    ) {
        let mut errors = 0;
        self.take(names, || {
            calm();
            let load = work()?;
            errors = load.errors;
            Ok(values(&load))
        });
        if errors > 0 {
            self.found.doubt(names[0], format!("wrk met {errors} errors"));
        }
    }
}

/// What a machine said about its own end: the line that begins with stars, and what is wrong; else its last line.
fn last_words(console: &str) -> String {
    let mut lines = console.lines().map(str::trim).skip_while(|line| !line.starts_with("*** "));
    let words: Vec<_> = lines.by_ref().take(2).collect();
    if words.is_empty() { console.lines().last().unwrap_or_default().to_owned() } else { words.join(" ") }
}

fn traffic(boot: &mut Boot, amount: &Amount) {
    let (time, port) = (amount.time, address);
    let both = |all: Latencies| [all.within(0.5), all.within(0.99)];
    boot.take(["echo_half", "echo_most"], || echo::round_trips(port(ECHO_PORT), time).map(both));
    for connections in HTTP {
        let [rate, half, most] = metrics::http(connections);
        let load = || http::load(port(HTTP_PORT), "/", connections, amount.seconds(connections));
        let values = |load: &Load| [per_second(load), nanoseconds(load.half), nanoseconds(load.most)];
        boot.load([&rate, &half, &most], load, values);
    }
    paced_at_half(boot, time);
    let load = || http::load(port(HTTP_PORT), "/close", CHURN, amount.seconds(CHURN));
    boot.load(["churn"], load, |load| [per_second(load)]);
    for flows in FLOWS {
        calm();
        let [to, wide, from] = metrics::bulk(flows);
        for (name, sink) in [(to, SINK), (wide, WIDE_SINK)] {
            boot.take([&name], || bulk::to_machine(port(sink), flows, time).map(|speed| [speed]));
        }
        boot.take([&from], || bulk::from_machine(port(SOURCE), flows, time).map(|speed| [speed]));
    }
    calm();
    boot.take(["udp_half", "udp_most"], || udp::round_trips(port(ECHO_PORT), time).map(both));
    boot.take(["udp_rate", "udp_lost"], || udp::rate(port(ECHO_PORT), time).map(|rate| [rate.per_second, rate.lost]));
}

/// Asks half as often as the machine was seen to answer when it was asked as often as it could.
fn paced_at_half(boot: &mut Boot, time: Duration) {
    calm();
    let [rate, ..] = metrics::http(PACED_CONNECTIONS);
    let most = boot.found.values.get(&rate).copied();
    boot.take(PACED, || {
        let most = most.context("nobody knows what half of the load is")?;
        let all = paced::requests(address(HTTP_PORT), PACED_CONNECTIONS, most / 2.0, time)?;
        Ok([0.5, 0.99, 0.999].map(|share| all.within(share)))
    });
}

/// Waits until a machine has tidied up behind the last load: what it has not, it does before it answers once more.
fn calm() {
    thread::sleep(SETTLE / 4);
    // When there is no answer, the next measurement tells so.
    let _ = http::get(address(HTTP_PORT), "");
}

fn per_second(load: &Load) -> f64 {
    load.requests as f64 / load.time.as_secs_f64()
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

fn idle(boot: &mut Boot, amount: &Amount) {
    let mut idle = Idle::none();
    // What the first connection makes once and for all belongs to none.
    let before = echo::round_trips(address(ECHO_PORT), Duration::ZERO).and_then(|_| settled());
    let started = Instant::now();
    idle.open_until(amount.idle, address(ECHO_PORT));
    let taken = idle.ensure_taken();
    let (count, seconds) = (idle.count() as f64, started.elapsed().as_secs_f64());
    boot.found.take(["idle_opened"], Ok([count]));
    // Time that was spent on waiting in vain says nothing about those that came.
    boot.take(["idle_rate"], || idle.ensure(amount.idle).map(|()| [count / seconds]));
    if let Err(why) = idle.ensure(amount.idle).and(taken) {
        let why = boot.alive().err().map_or_else(|| format!("{why:#}"), |death| format!("{why:#}; {death:#}"));
        eprintln!("{why}");
        boot.found.doubt("idle_opened", why);
    }
    boot.take(["idle_bytes"], || Ok([before?.saturating_sub(settled()?) as f64 / count.max(1.0)]));
    let id = boot.vm.id();
    boot.take(["idle_cpu"], || idle_cpu(id, amount.watch).map(|percent| [percent]));
    let mut failure = None;
    boot.take(["idle_lost"], || {
        let (lost, why) = idle.lost();
        failure = why.map(|why| format!("{lost} of {count}: {why:#}"));
        Ok([100.0 * lost as f64 / count.max(1.0)])
    });
    if let Some(why) = failure {
        boot.found.doubt("idle_lost", why);
    }
}

/// Free memory in bytes, as the system itself counts it.
fn settled() -> Result<u64> {
    thread::sleep(SETTLE);
    let text = http::get(address(HTTP_PORT), "memory")?;
    free(&text).with_context(|| format!("the machine's memory reads {text:?}"))
}

fn free(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemFree:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Host CPU time that QEMU uses, in percent of one CPU.
fn idle_cpu(id: u32, watch: Duration) -> Result<f64> {
    let (before, started) = (cpu_time(id)?, Instant::now());
    thread::sleep(watch);
    let used = cpu_time(id)?.saturating_sub(before);
    Ok(100.0 * used.as_secs_f64() / started.elapsed().as_secs_f64())
}

fn lossy(boot: &mut Boot, percent: u32, amount: &Amount) {
    let [echo, to, from] = metrics::lossy(percent);
    let loss = match Loss::begin(percent) {
        Ok(loss) => loss,
        Err(error) => return boot.found.take([&echo, &to, &from], Err(error)),
    };
    // A lost packet takes long: few samples would hold none.
    let time = 2 * amount.time;
    boot.take([&echo], || echo::round_trips(address(ECHO_PORT), time).map(|all| [all.mean()]));
    boot.take([&to], || bulk::to_machine(address(SINK), 1, time).map(|speed| [speed]));
    boot.take([&from], || bulk::from_machine(address(SOURCE), 1, time).map(|speed| [speed]));
    if loss.packets().is_ok_and(|lost| lost == 0) {
        [echo, to, from].iter().for_each(|name| boot.found.doubt(name, "no packet was lost"));
    }
}

fn packets(boot: &mut Boot, counter: &Counter, amount: &Amount) {
    let mut idle = Idle::none();
    for level in LEVELS.into_iter().filter(|level| *level <= amount.idle) {
        boot.take([&metrics::packet(level)], || {
            idle.open_until(level, address(ECHO_PORT));
            idle.ensure(level)?;
            idle.ensure_taken()?;
            instructions(counter).map(|count| [count])
        });
    }
}

/// Instructions of an echo.
fn instructions(counter: &Counter) -> Result<f64> {
    let mut echo = Echo::connect(address(ECHO_PORT))?;
    // Brings in what is translated anew.
    echo.times(ECHOES)?;
    thread::sleep(SETTLE);
    let before = counter.instructions()?;
    echo.times(ECHOES)?;
    Ok(counter.instructions()?.saturating_sub(before) as f64 / ECHOES as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_found() {
        assert_eq!(free("MemTotal: 1000 kB\nMemFree:     12 kB\nMemAvailable: 9 kB\n"), Some(12 << 10));
        assert_eq!(free("MemTotal: 1000 kB\n"), None);
    }

    #[test]
    fn a_machine_is_quoted() {
        let died = "=serving\n\n*** panicked at x.rs:1:2:\r\nout of memory\r\nstack\n";
        assert_eq!(last_words(died), "*** panicked at x.rs:1:2: out of memory");
        assert_eq!(last_words("=serving\nreboot: Power down\n"), "reboot: Power down");
        assert_eq!(last_words(""), "");
    }
}
