//! Asks a running QEMU how many instructions it has executed, by a plugin (`bench/profile/plugin.c`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{deadline, run_quietly};

use super::profile;

/// The plugin in a running QEMU, which tells its counts when it is asked.
pub struct Counter {
    ask: PathBuf,
    answer: PathBuf,
    /// What QEMU is started with.
    pub extra: [String; 2],
}

impl Counter {
    /// Compiles the plugin. One machine may have it at a time.
    ///
    /// # Errors
    /// It does not compile.
    pub fn new(folder: &Path) -> Result<Self> {
        let plugin = profile::plugin(&profile::counter(), folder)?;
        let [ask, answer, end] = ["counts.ask", "counts.txt", "counts-at-the-end.txt"].map(|name| folder.join(name));
        run_quietly(Command::new("rm").arg("-f").args([&ask, &answer]))?;
        run_quietly(Command::new("mkfifo").arg(&ask))?;
        let argument = format!("{},out={},ask={}", plugin.display(), end.display(), ask.display());
        Ok(Self { ask, answer, extra: ["-plugin".into(), argument] })
    }

    /// The counts so far, as the plugin writes them ([`profile::pieces`]).
    ///
    /// # Errors
    /// The plugin does not answer.
    pub fn text(&self) -> Result<String> {
        let Self { ask, answer, .. } = self;
        fs::write(ask, format!("{}\n", answer.display())).with_context(|| format!("cannot write {}", ask.display()))?;
        let asked = Instant::now();
        while !answer.exists() {
            ensure!(asked.elapsed() < deadline(), "the plugin left no {}", answer.display());
            thread::sleep(Duration::from_millis(20));
        }
        let text = fs::read_to_string(answer).with_context(|| format!("cannot read {}", answer.display()))?;
        fs::remove_file(answer).with_context(|| format!("cannot remove {}", answer.display()))?;
        Ok(text)
    }

    /// All instructions so far.
    ///
    /// # Errors
    /// As [`Counter::text`].
    pub fn instructions(&self) -> Result<u64> {
        Ok(profile::pieces(&self.text()?)?.iter().map(|piece| piece.instructions * piece.executions).sum())
    }
}
