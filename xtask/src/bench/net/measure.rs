//! Measures one boot.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use trapless_tests::{machine::ECHO_PORT, vm::Vm};

use super::{
    clients::{
        bulk,
        echo::{self, Echo},
        idle::Idle,
        udp,
    },
    data::{About, Found},
    loss::Loss,
    metrics::{self, FLOWS, HTTP, LEVELS, LOSSES, What},
    network::address,
    systems::{Frame, System},
};
use crate::bench::{boot::cpu_time, counter::Counter, http};

/// Ports of the program (`bench/net/trapless_net/src/trapless_net.erl`).
const HTTP_PORT: u16 = 8080;
const SOURCE: u16 = 9001;
const SINK: u16 = 9002;
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
    let mut found = Found::default();
    match what {
        What::Traffic => traffic(&mut found, &system.serve(frame, cpus, &[])?, amount)?,
        What::Idle => idle(&mut found, &system.serve(frame, cpus, &[])?, amount),
        What::Loss => {
            let _vm = system.serve(frame, cpus, &ONE_BY_ONE)?;
            LOSSES.iter().for_each(|&percent| lossy(&mut found, percent, amount));
        }
        What::Packets => {
            let counter = Counter::new(&amount.folder)?;
            let _vm = system.serve(frame, cpus, &counter.extra.each_ref().map(String::as_str))?;
            packets(&mut found, &counter, amount);
        }
    }
    Ok(found)
}

fn traffic(found: &mut Found, vm: &Vm, amount: &Amount) -> Result<()> {
    let (time, port) = (amount.time, address);
    let latencies = echo::round_trips(port(ECHO_PORT), time);
    found.take(["echo_half", "echo_most"], latencies.map(|all| [all.within(0.5), all.within(0.99)]));
    for connections in HTTP {
        let [rate, half, most] = metrics::http(connections);
        calm();
        let load = http::load(port(HTTP_PORT), "/", connections, amount.seconds(connections));
        doubt(found, &rate, &load);
        let values = |load: http::Load| [per_second(&load), nanoseconds(load.half), nanoseconds(load.most)];
        found.take([&rate, &half, &most], load.map(values));
    }
    calm();
    let load = http::load(port(HTTP_PORT), "/close", CHURN, amount.seconds(CHURN));
    doubt(found, "churn", &load);
    found.take(["churn"], load.map(|load| [per_second(&load)]));
    for flows in FLOWS {
        calm();
        let [to, from] = metrics::bulk(flows);
        found.take([&to], bulk::to_machine(port(SINK), flows, time).map(|speed| [speed]));
        found.take([&from], bulk::from_machine(port(SOURCE), flows, time).map(|speed| [speed]));
    }
    calm();
    let latencies = udp::round_trips(port(ECHO_PORT), time);
    found.take(["udp_half", "udp_most"], latencies.map(|all| [all.within(0.5), all.within(0.99)]));
    let rate = udp::rate(port(ECHO_PORT), time);
    found.take(["udp_rate", "udp_lost"], rate.map(|rate| [rate.per_second, rate.lost]));
    // A machine that has died meanwhile would be seen as one that answers nothing.
    cpu_time(vm.id()).map(drop).map_err(|error| vm.fail(&format!("{error:#}")))
}

/// Waits until a machine has tidied up behind the last load: what it has not, it does before it answers once more.
fn calm() {
    thread::sleep(SETTLE / 4);
    // When there is no answer, the next measurement tells so.
    let _ = http::get(address(HTTP_PORT), "");
}

/// Errors of a load that yields a number all the same.
fn doubt(found: &mut Found, name: &str, load: &Result<http::Load>) {
    if let Some(load) = load.as_ref().ok().filter(|load| load.errors > 0) {
        found.doubt(name, format!("wrk met {} errors", load.errors));
    }
}

fn per_second(load: &http::Load) -> f64 {
    load.requests as f64 / load.time.as_secs_f64()
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_nanos() as f64
}

fn idle(found: &mut Found, vm: &Vm, amount: &Amount) {
    let mut idle = Idle::none();
    // What the first connection makes once and for all belongs to none.
    let before = echo::round_trips(address(ECHO_PORT), Duration::ZERO).and_then(|_| settled());
    let started = Instant::now();
    idle.open_until(amount.idle, address(ECHO_PORT));
    let seconds = started.elapsed().as_secs_f64();
    found.take(["idle_opened", "idle_rate"], Ok([idle.count() as f64, idle.count() as f64 / seconds]));
    if let Err(why) = idle.ensure(amount.idle) {
        eprintln!("{why}");
        found.doubt("idle_opened", why.to_string());
    }
    let each = || Ok([before?.saturating_sub(settled()?) as f64 / idle.count().max(1) as f64]);
    found.take(["idle_bytes"], each());
    found.take(["idle_cpu"], idle_cpu(vm, amount.watch).map(|percent| [percent]));
    let (lost, why) = idle.lost();
    found.take(["idle_lost"], Ok([100.0 * lost as f64 / idle.count().max(1) as f64]));
    if let Some(why) = why {
        found.doubt("idle_lost", format!("{lost} of {}: {why:#}", idle.count()));
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
fn idle_cpu(vm: &Vm, watch: Duration) -> Result<f64> {
    let (before, started) = (cpu_time(vm.id())?, Instant::now());
    thread::sleep(watch);
    let used = cpu_time(vm.id())?.saturating_sub(before);
    Ok(100.0 * used.as_secs_f64() / started.elapsed().as_secs_f64())
}

fn lossy(found: &mut Found, percent: u32, amount: &Amount) {
    let [echo, to, from] = metrics::lossy(percent);
    let loss = match Loss::begin(percent) {
        Ok(loss) => loss,
        Err(error) => {
            let error = format!("{error:#}");
            return found.take([&echo, &to, &from], Err(anyhow::anyhow!(error)));
        }
    };
    // A lost packet takes long: few samples would hold none.
    let time = 2 * amount.time;
    found.take([&echo], echo::round_trips(address(ECHO_PORT), time).map(|all| [all.mean()]));
    found.take([&to], bulk::to_machine(address(SINK), 1, time).map(|speed| [speed]));
    found.take([&from], bulk::from_machine(address(SOURCE), 1, time).map(|speed| [speed]));
    if loss.packets().is_ok_and(|lost| lost == 0) {
        [echo, to, from].iter().for_each(|name| found.doubt(name, "no packet was lost"));
    }
}

fn packets(found: &mut Found, counter: &Counter, amount: &Amount) {
    let mut idle = Idle::none();
    let mut echo = Echo::connect(address(ECHO_PORT));
    for level in LEVELS.into_iter().filter(|level| *level <= amount.idle) {
        let counted = idle_and_count(&mut idle, level, echo.as_mut(), counter);
        found.take([&metrics::packet(level)], counted.map(|count| [count]));
    }
}

fn idle_and_count(
    idle: &mut Idle,
    level: usize,
    echo: Result<&mut Echo, &mut anyhow::Error>,
    counter: &Counter,
) -> Result<f64> {
    let echo = echo.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    idle.open_until(level, address(ECHO_PORT));
    idle.ensure(level)?;
    thread::sleep(SETTLE);
    // The first also bring in what is translated anew.
    echo.times(ECHOES)?;
    let before = counter.instructions()?;
    echo.times(ECHOES)?;
    Ok((counter.instructions()? - before) as f64 / ECHOES as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_memory_is_found() {
        assert_eq!(free("MemTotal: 1000 kB\nMemFree:     12 kB\nMemAvailable: 9 kB\n"), Some(12 << 10));
        assert_eq!(free("MemTotal: 1000 kB\n"), None);
    }
}
