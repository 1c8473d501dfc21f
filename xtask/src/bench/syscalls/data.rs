//! Everything that was measured, as it stands in `overhead.json`: enough to do all statistics again.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::agreement::Agreement;

/// All results of one run of the benchmark.
#[derive(Default, Serialize, Deserialize)]
pub struct Data {
    pub about: About,
    /// Times of the C program, one entry for each boot.
    pub micro: Vec<Run>,
    /// Instruction counts of the C program, of several boots.
    pub counts: Vec<CountRun>,
    /// Where the instructions of single calls go.
    pub paths: Vec<Trace>,
    /// Times of the Erlang program and of clients on the host, one entry for each boot.
    pub erlang: Vec<Run>,
    /// System calls that Erlang's operations make, by entry variant.
    pub calls: Vec<CallRun>,
    /// Where the instructions of HTTP requests go.
    #[serde(default)]
    pub requests: Vec<RequestRun>,
    /// What is executed until Erlang's first line.
    #[serde(default)]
    pub boots: Vec<BootRun>,
    /// How this agrees with an earlier run, if it was held against one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Agreement>,
}

/// What the results hang on.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct About {
    /// Names of the systems in the order in which they are shown; the first is what the others are compared with.
    pub systems: Vec<String>,
    #[serde(default)]
    pub host: String,
    pub linux_guest: String,
    pub machine: String,
    pub memory_mib: u32,
    /// How many were wanted.
    pub rounds: u32,
    pub quick: bool,
    pub seed: u64,
    pub commit: String,
    /// Spent on measuring, without building.
    pub seconds: u64,
    /// Hashes of what was run, by system.
    #[serde(default)]
    pub contents: BTreeMap<String, String>,
}

/// One boot (or, on the host's Linux, one process) that was timed.
#[derive(Serialize, Deserialize)]
pub struct Run {
    pub system: String,
    pub cpus: u32,
    pub round: u32,
    /// The place of this boot in the order of all.
    pub place: usize,
    pub samples: Vec<Samples>,
    pub absent: Vec<Absent>,
}

/// Samples of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub name: String,
    /// Operations in each sample.
    pub operations: u64,
    /// Nanoseconds of each sample.
    pub ns: Vec<u64>,
    /// Nanoseconds that code which enters no system took right before and after each sample; none where clients on the host measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub yardstick: Vec<u64>,
    /// Ticks of the processor's time stamp counter for each sample; none where they were not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticks: Vec<u64>,
}

/// Instruction counts of one boot.
#[derive(Serialize, Deserialize)]
pub struct CountRun {
    pub system: String,
    pub proofs: Vec<Proof>,
    pub counts: Vec<Count>,
    pub absent: Vec<Absent>,
}

/// Instructions of a few and of more operations; their difference holds no frame around them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    pub name: String,
    pub operations: [u64; 2],
    /// The most frequent counts.
    pub instructions: [u64; 2],
    /// How many repetitions had exactly that count, ...
    pub agreed: [u64; 2],
    /// ... of how many.
    pub of: u64,
}

/// A loop of two instructions, counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    pub iterations: u64,
    pub instructions: u64,
}

/// System calls that some operations made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    pub name: String,
    pub operations: u64,
    pub calls: BTreeMap<String, u64>,
}

/// The system calls of one boot.
#[derive(Serialize, Deserialize)]
pub struct CallRun {
    pub system: String,
    pub operations: Vec<Calls>,
}

/// What was executed until Erlang's first line, on one CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BootRun {
    pub system: String,
    pub instructions: u64,
    /// Pieces of code that the emulation translated, ...
    pub translations: u64,
    /// ... and how many of them differ.
    pub pieces: u64,
}

/// Where the instructions of HTTP requests went, with this many connections.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRun {
    pub system: String,
    pub connections: u32,
    pub requests: u64,
    /// Of all requests together.
    pub parts: BTreeMap<Share, u64>,
    /// The functions of the system that had most, costliest first.
    pub functions: Vec<(String, u64)>,
}

/// A part of everything that is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// ERTS, its C library and code made by the JIT.
    Erlang,
    /// The library OS's TCP/IP.
    Tcp,
    /// The rest of the library OS; all of Linux's kernel.
    System,
}

/// Something that cannot be measured on a system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absent {
    pub name: String,
    pub reason: String,
}

/// The instructions of one operation on one system, by part of the way, in the order of the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    pub system: String,
    pub name: String,
    pub parts: Vec<Part>,
    /// How many recordings went exactly this way, of how many.
    pub agreed: [usize; 2],
}

/// A part of the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// `wrapper`, `entry`, `handler`, `exit` or `return`.
    pub part: String,
    pub instructions: u64,
    /// Functions with their instructions, in order of first execution.
    pub functions: Vec<(String, u64)>,
}

impl Data {
    /// The system that the others are compared with.
    pub fn base(&self) -> &str {
        self.about.systems.first().map_or("", String::as_str)
    }

    /// Reads what [`Data::write`] wrote.
    ///
    /// # Errors
    /// The file is not there, or of another version of this program.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read {} (it is written by a run of the benchmark)", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} does not read as results", path.display()))
    }

    /// Writes everything, one result a line, so that it can be compared by lines.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string(self)?.replace("},{\"", "},\n{\"") + "\n";
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}
