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
    /// Modules loaded before the kernel application starts.
    pub preload: Vec<String>,
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
        let Some(Value::Table(mut applications)) = table.remove("applications") else {
            bail!("[applications] is missing")
        };
        let Some(Value::Table(mut boot)) = table.remove("boot") else { bail!("[boot] is missing") };
        let manifest = Self {
            directories,
            otp_applications: strings(&mut applications, "otp")?,
            own_applications: strings(&mut applications, "own")?,
            preload: strings(&mut boot, "preload")?,
        };
        match table.keys().chain(applications.keys()).chain(boot.keys()).next() {
            None => Ok(manifest),
            Some(key) => bail!("the key {key:?} means nothing here"),
        }
    }
}

fn strings(table: &mut Table, key: &str) -> Result<Vec<String>> {
    let value = table.remove(key).with_context(|| format!("the key {key:?} is missing"))?;
    let Value::Array(items) = value else { bail!("{key:?} is not a list") };
    items
        .iter()
        .map(|item| Ok(item.as_str().with_context(|| format!("{key:?} holds something other than text"))?.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_manifest_is_right() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifest.toml");
        let manifest = Manifest::read(&path).unwrap();
        assert!(manifest.otp_applications.contains(&"kernel".to_owned()));
    }

    #[test]
    fn mistakes_are_named() {
        let whole = "directories = []\n[applications]\notp = []\nown = []\n[boot]\npreload = []\n";
        assert!(Manifest::parse(whole).is_ok());
        for (text, message) in [
            ("directories = []", "[applications] is missing"),
            ("directories = 3\n[applications]\n[boot]\n", "not a list"),
            ("directories = [3]\n[applications]\n[boot]\n", "other than text"),
            ("directories = []\n[applications]\notp = []\n[boot]\n", "\"own\" is missing"),
            (&format!("{whole}extra = 1\n"), "\"extra\" means nothing"),
        ] {
            let error = format!("{:#}", Manifest::parse(text).unwrap_err());
            assert!(error.contains(message), "{error}");
        }
    }
}
