//! Everything that was measured, as it stands in `net.json`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{metrics::What, plan::Step};
use crate::bench::journal;

/// The journal of a run.
pub type Journal = journal::Journal<About, Step, Found>;

/// All results of one run.
#[derive(Default, Serialize, Deserialize)]
pub struct Data {
    pub about: About,
    /// One entry for each boot.
    pub runs: Vec<Run>,
}

/// What the results hang on.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct About {
    /// The image, and what it is compared with.
    pub systems: Vec<String>,
    #[serde(default)]
    pub host: String,
    pub linux_guest: String,
    pub machine: String,
    pub memory_mib: u32,
    pub cpus: Vec<u32>,
    /// Kinds of measurements.
    pub what: Vec<What>,
    /// How many were wanted.
    pub rounds: u32,
    pub quick: bool,
    /// How many idle connections were wanted.
    pub idle: usize,
    pub seed: u64,
    pub commit: String,
    /// Spent on measuring, without building.
    #[serde(default)]
    pub seconds: u64,
    /// Hashes of what was run, by system.
    #[serde(default)]
    pub contents: BTreeMap<String, String>,
}

/// One boot.
#[derive(Serialize, Deserialize)]
pub struct Run {
    #[serde(flatten)]
    pub step: Step,
    #[serde(flatten)]
    pub found: Found,
}

/// What one boot found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// By the name of the metric.
    pub values: BTreeMap<String, f64>,
    /// What could not be measured, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
    /// What was measured all the same, but not as it was meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<String, String>,
}

impl Found {
    /// Takes over what a measurement yields for these metrics, or why it yields nothing.
    pub fn take<const N: usize>(&mut self, names: [&str; N], result: Result<[f64; N]>) {
        match result {
            Ok(values) => self.values.extend(names.map(str::to_owned).into_iter().zip(values)),
            Err(error) => {
                let why = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
                eprintln!("{}: {why}", names.join(", "));
                self.absent.extend(names.map(|name| (name.to_owned(), why.clone())));
            }
        }
    }

    /// Says that a value is not what it was meant to be.
    pub fn doubt(&mut self, name: &str, why: impl Into<String>) {
        self.doubts.insert(name.to_owned(), why.into());
    }
}

impl Data {
    /// All results of a journal.
    pub fn of(journal: Journal) -> Self {
        let contents = journal.contents();
        let (mut about, records) = journal.into_parts();
        about.seconds = records.iter().map(|record| record.seconds).sum::<f64>() as u64;
        about.contents = contents;
        Self { about, runs: records.into_iter().map(|record| Run { step: record.step, found: record.found }).collect() }
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

    /// Writes everything, one boot a line, so that it can be compared by lines.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string(self)?.replace("},{\"", "},\n{\"") + "\n";
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn what_fails_is_absent_with_its_reason() {
        let mut found = Found::default();
        found.take(["a", "b"], Ok([1.0, 2.0]));
        found.take(["c"], Err(anyhow!("reset\nand more").context("no echo came")));
        assert_eq!(found.values, [("a".to_owned(), 1.0), ("b".to_owned(), 2.0)].into());
        assert_eq!(found.absent, [("c".to_owned(), "no echo came: reset".to_owned())].into());
    }

    #[test]
    fn results_are_read_as_they_were_written() {
        let step = Step { system: "image".into(), cpus: 2, what: What::Idle, round: 1 };
        let mut found = Found::default();
        found.take(["a"], Ok([1.5]));
        found.doubt("a", "few");
        let data = Data { runs: vec![Run { step: step.clone(), found }], ..Data::default() };
        let path = std::env::temp_dir().join(format!("trapless-net-{}.json", std::process::id()));
        data.write(&path).unwrap();
        let read = Data::read(&path).unwrap();
        assert_eq!(read.runs[0].step, step);
        assert_eq!((read.runs[0].found.values["a"], read.runs[0].found.doubts["a"].as_str()), (1.5, "few"));
        fs::remove_file(path).unwrap();
    }
}
