//! What is measured, in the order and the words of the report.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::bench::page::words;

/// A kind of measurement, which has a boot of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Instructions of an echoed packet
    Packets,
    /// Echo, HTTP, bulk transfer and datagrams
    Traffic,
    /// Many connections that do nothing
    Idle,
    /// Some of the traffic, while packets get lost
    Loss,
}

impl What {
    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Packets => "Instructions of an echoed packet",
            Self::Traffic => "Traffic",
            Self::Idle => "Idle connections",
            Self::Loss => "Traffic with lost packets",
        }
    }
}

/// Connections of each load of HTTP.
pub const HTTP: [u32; 4] = [1, 32, 128, 1000];
/// Connections of the load at a pace; one of [`HTTP`].
pub const PACED_CONNECTIONS: u32 = 32;
/// Names of what it yields.
pub const PACED: [&str; 3] = ["paced_half", "paced_most", "paced_all"];
/// Connections that bulk transfers go by.
pub const FLOWS: [u32; 2] = [1, 8];
/// Packets that get lost, in percent.
pub const LOSSES: [u32; 2] = [1, 5];
/// Connections that are open beside the one whose packets are counted.
pub const LEVELS: [usize; 3] = [10, 1000, 10_000];

/// What a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// So many in a second.
    Rate,
    /// Megabytes in a second.
    Speed,
    Bytes,
    Percent,
    /// Of what one wants.
    Count,
    Instructions,
}

impl Unit {
    /// A value with its unit.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Time => words::time(value),
            Self::Rate => format!("{}/s", words::thousands(value)),
            Self::Speed => format!("{} MB/s", words::number(value)),
            Self::Bytes => format!("{} B", words::thousands(value)),
            Self::Percent => format!("{} %", words::number(value)),
            Self::Count | Self::Instructions => words::thousands(value),
        }
    }

    /// Whether more of it is what one wants.
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::Rate | Self::Speed | Self::Count)
    }
}

/// One number that is measured.
pub struct Metric {
    pub name: String,
    pub title: String,
    pub unit: Unit,
    pub what: What,
}

/// All of them.
pub fn metrics() -> Vec<Metric> {
    let mut all = Vec::new();
    let mut add = |what, unit, name: String, title: String| all.push(Metric { name, title, unit, what });
    traffic(&mut |unit, name, title| add(What::Traffic, unit, name, title));
    idle(&mut |unit, name, title| add(What::Idle, unit, name.to_owned(), title.to_owned()));
    for level in LEVELS {
        let title = format!("echo beside {} idle", words::thousands(level as f64));
        add(What::Packets, Unit::Instructions, packet(level), title);
    }
    for percent in LOSSES {
        let [echo, to, from] = lossy(percent);
        add(What::Loss, Unit::Time, echo, format!("TCP echo, mean, {percent} % lost"));
        add(What::Loss, Unit::Speed, to, format!("bulk to the machine, {percent} % lost"));
        add(What::Loss, Unit::Speed, from, format!("bulk from the machine, {percent} % lost"));
    }
    all
}

fn traffic(add: &mut dyn FnMut(Unit, String, String)) {
    let mut plain = |unit, name: &str, title: &str| add(unit, name.to_owned(), title.to_owned());
    plain(Unit::Time, "echo_half", "TCP echo, 1 client: median");
    plain(Unit::Time, "echo_most", "TCP echo, 1 client: 99 % within");
    for connections in HTTP {
        let [rate, half, most] = http(connections);
        let what = match connections {
            1 => "HTTP, 1 connection".to_owned(),
            many => format!("HTTP, {} connections", words::thousands(f64::from(many))),
        };
        add(Unit::Rate, rate, format!("{what}: requests"));
        add(Unit::Time, half, format!("{what}: median"));
        add(Unit::Time, most, format!("{what}: 99 % within"));
    }
    for (name, share) in PACED.into_iter().zip(["median", "99 % within", "99.9 % within"]) {
        add(Unit::Time, name.into(), format!("HTTP, {PACED_CONNECTIONS} connections, half of that load: {share}"));
    }
    add(Unit::Rate, "churn".into(), "HTTP, a new connection each".into());
    for flows in FLOWS {
        let [to, wide, from] = bulk(flows);
        let how = if flows == 1 { "1 flow".to_owned() } else { format!("{flows} flows") };
        add(Unit::Speed, to, format!("bulk to the machine, {how}"));
        add(Unit::Speed, wide, format!("bulk to the machine, {how}, read 64 KiB at a time"));
        add(Unit::Speed, from, format!("bulk from the machine, {how}"));
    }
    let mut plain = |unit, name: &str, title: &str| add(unit, name.to_owned(), title.to_owned());
    plain(Unit::Time, "udp_half", "UDP echo, 1 at a time: median");
    plain(Unit::Time, "udp_most", "UDP echo, 1 at a time: 99 % within");
    plain(Unit::Rate, "udp_rate", "UDP echo, 32 at a time");
    plain(Unit::Percent, "udp_lost", "UDP echo, 32 at a time: lost");
}

fn idle(add: &mut dyn FnMut(Unit, &str, &str)) {
    add(Unit::Count, "idle_opened", "idle: connections opened");
    add(Unit::Rate, "idle_rate", "idle: opened one by one");
    add(Unit::Bytes, "idle_bytes", "idle: memory of each");
    add(Unit::Percent, "idle_cpu", "idle: host CPU use of all");
    add(Unit::Percent, "idle_lost", "idle: lost at the end");
}

/// Names of what a load of HTTP yields.
pub fn http(connections: u32) -> [String; 3] {
    ["rate", "half", "most"].map(|part| format!("http_{connections}_{part}"))
}

/// Names of bulk transfers: to the machine, to it when it reads much at a time, and from it.
pub fn bulk(flows: u32) -> [String; 3] {
    ["to", "wide", "from"].map(|direction| format!("bulk_{direction}_{flows}"))
}

/// Names of what is measured with losses.
pub fn lossy(percent: u32) -> [String; 3] {
    ["echo", "to", "from"].map(|part| format!("loss_{percent}_{part}"))
}

/// The name of the instructions beside so many connections.
pub fn packet(level: usize) -> String {
    format!("packet_{level}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_titles_differ() {
        let all = metrics();
        for choose in [|one: &Metric| one.name.clone(), |one: &Metric| one.title.clone()] {
            assert_eq!(all.iter().map(choose).collect::<BTreeSet<_>>().len(), all.len());
        }
    }

    #[test]
    fn values_are_shown_with_their_unit() {
        let shown = [Unit::Time, Unit::Rate, Unit::Speed, Unit::Bytes, Unit::Percent, Unit::Count];
        let expected = ["1.23 µs", "1,234/s", "1234 MB/s", "1,234 B", "1234 %", "1,234"];
        assert_eq!(shown.map(|unit| unit.show(1234.0)), expected);
    }
}
