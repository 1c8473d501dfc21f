//! `manifest.toml`: what goes into the archive.

use std::path::Path;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

/// The manifest, checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Directories that exist although nothing is put into them.
    pub directories: Vec<String>,
    /// Applications of OTP, by name without version.
    pub otp_applications: Vec<String>,
    /// Applications of ours, by the name of their folder below `apps/`.
    pub own_applications: Vec<String>,
    /// Boot scripts.
    pub boots: Vec<Boot>,
}

/// What one boot script does differently from OTP's `start_clean`.
#[derive(Debug, PartialEq, Eq)]
pub struct Boot {
    /// Its file is `/otp/bin/NAME.boot`.
    pub name: String,
    /// Applications that it starts behind kernel and stdlib.
    pub start: Vec<String>,
    /// Whether the kernel starts the processes that serve distribution.
    pub distribution: bool,
    /// Modules that are loaded before the kernel starts, beyond OTP's own.
    pub early: Vec<String>,
    /// Modules of OTP's own that are not.
    pub later: Vec<String>,
}

impl Manifest {
    /// Reads the manifest from a file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, lacks a key or has one that means nothing.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut table: Table = text.parse()?;
        let directories = strings(&mut table, "directories")?;
        let Value::Table(mut applications) = take(&mut table, "applications")? else {
            bail!("\"applications\" is not a table")
        };
        let Value::Array(boots) = take(&mut table, "boot")? else { bail!("\"boot\" is not a list of tables") };
        let manifest = Self {
            directories,
            otp_applications: strings(&mut applications, "otp")?,
            own_applications: strings(&mut applications, "own")?,
            boots: boots.into_iter().map(Boot::take).collect::<Result<_>>()?,
        };
        nothing_left(&table)?;
        nothing_left(&applications)?;
        Ok(manifest)
    }
}

impl Boot {
    fn take(value: Value) -> Result<Self> {
        let Value::Table(mut table) = value else { bail!("\"boot\" is not a list of tables") };
        let Value::String(name) = take(&mut table, "name")? else { bail!("a boot script's name is not text") };
        let Value::Boolean(distribution) = take(&mut table, "distribution")? else {
            bail!("\"distribution\" of the boot script {name:?} is neither true nor false")
        };
        let boot = Self {
            start: strings(&mut table, "start")?,
            distribution,
            early: strings(&mut table, "early")?,
            later: strings(&mut table, "later")?,
            name,
        };
        nothing_left(&table)?;
        Ok(boot)
    }
}

fn take(table: &mut Table, key: &str) -> Result<Value> {
    table.remove(key).with_context(|| format!("the key {key:?} is missing"))
}

fn strings(table: &mut Table, key: &str) -> Result<Vec<String>> {
    let Value::Array(items) = take(table, key)? else { bail!("{key:?} is not a list") };
    let text = |item: &Value| item.as_str().map(str::to_owned);
    items.iter().map(|item| text(item).with_context(|| format!("{key:?} holds something other than text"))).collect()
}

fn nothing_left(table: &Table) -> Result<()> {
    match table.keys().next() {
        None => Ok(()),
        Some(key) => bail!("the key {key:?} means nothing here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_manifest_is_right() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifest.toml");
        let manifest = Manifest::read(&path).unwrap();
        assert!(manifest.otp_applications.contains(&"kernel".to_owned()));
        assert!(manifest.boots.iter().any(|boot| boot.name == "start"));
    }

    #[test]
    fn mistakes_are_named() {
        let whole = "directories = []\nboot = []\n[applications]\notp = []\nown = []\n";
        let boot = "directories = []\n[applications]\notp = []\nown = []\n[[boot]]\nname = \"x\"\n";
        assert!(Manifest::parse(whole).is_ok());
        for (text, message) in [
            ("directories = []", "\"applications\" is missing"),
            ("directories = 3", "not a list"),
            ("directories = [3]", "other than text"),
            ("directories = []\nboot = []\n[applications]\notp = []\n", "\"own\" is missing"),
            (&format!("{whole}extra = 1\n"), "\"extra\" means nothing"),
            (boot, "\"distribution\" is missing"),
            (&format!("{boot}distribution = 1\n"), "neither true nor false"),
        ] {
            let error = format!("{:#}", Manifest::parse(text).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
