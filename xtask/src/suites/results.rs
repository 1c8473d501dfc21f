//! The latest results of all suites, kept as JSON beside the page that is made from them, so that suites can be run one by one.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sources::cache::write_atomically;

use super::{
    outcome::{Comparison, Outcomes},
    reasons::Reasons,
    report,
    report::About,
};
use crate::cli::OneSide;
use trapless_tests::repository;

/// By application, then by suite.
pub type Suites = BTreeMap<String, BTreeMap<String, Comparison>>;

/// Where results are kept, and what their page is about.
pub struct Results {
    about: &'static About,
    page: PathBuf,
    data: PathBuf,
}

impl Results {
    /// Results that are kept in this folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(about: &'static About, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(about.name);
        Ok(Self { about, page: path.with_extension("md"), data: path.with_extension("json") })
    }

    /// What is kept now.
    ///
    /// # Errors
    /// The file cannot be read, or is wrong.
    pub fn read(&self) -> Result<Suites> {
        match fs::read(&self.data) {
            Ok(json) => serde_json::from_slice(&json).with_context(|| format!("{} is wrong", self.data.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Suites::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.data.display())),
        }
    }

    /// What is kept of one suite.
    ///
    /// # Errors
    /// As [`Results::read`].
    pub fn of(&self, application: &str, suite: &str) -> Result<Comparison> {
        Ok(self.read()?.get(application).and_then(|suites| suites.get(suite)).cloned().unwrap_or_default())
    }

    /// Puts the results of one side of a suite in the place of earlier ones. Other runs may do so with other suites, or the other side, at
    /// the same time.
    ///
    /// # Errors
    /// As [`Results::read`], or the file cannot be written.
    pub fn keep(&self, application: &str, suite: &str, side: OneSide, outcomes: &Outcomes) -> Result<()> {
        let _turn = turn("results")?;
        let mut suites = self.read()?;
        let comparison = suites.entry(application.to_owned()).or_default().entry(suite.to_owned()).or_default();
        outcomes.clone_into(comparison.side_mut(side));
        let json = serde_json::to_string_pretty(&suites)? + "\n";
        Ok(write_atomically(&self.data, json.as_bytes())?)
    }

    /// What a check does not let pass, see [`report::unexplained`].
    ///
    /// # Errors
    /// The results or the reasons cannot be read.
    pub fn unexplained(&self) -> Result<Vec<String>> {
        Ok(report::unexplained(&self.read()?, &self.reasons()?))
    }

    fn reasons(&self) -> Result<Reasons> {
        Reasons::read(&repository().join(self.about.reasons))
    }

    /// Writes the page and says where it is. Reasons come from a file kept by hand; a difference without one says so.
    ///
    /// # Errors
    /// The results or the reasons cannot be read, or the page cannot be written.
    pub fn write_page(&self) -> Result<&Path> {
        let text = report::text(self.about, &self.read()?, &self.reasons()?)?;
        write_atomically(&self.page, text.as_bytes())?;
        Ok(&self.page)
    }
}

/// What runs of suites at the same time take turns at, until the file is dropped.
///
/// # Errors
/// The file cannot be made or locked.
pub fn turn(name: &str) -> Result<File> {
    let folder = repository().join("target/suites");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{name}.lock"));
    let failed = || format!("cannot lock {}", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(failed)?;
    file.lock().with_context(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_of_suites_are_kept_one_by_one() {
        let folder = trapless_scratch::Folder::new();
        let results = Results::open(&report::OTP, folder.path()).unwrap();
        let complete = Outcomes { complete: true, ..Outcomes::default() };
        results.keep("a", "x_SUITE", OneSide::Linux, &complete).unwrap();
        results.keep("b", "x_SUITE", OneSide::Image, &Outcomes::default()).unwrap();
        let linux = Comparison { linux: complete.clone(), ..Comparison::default() };
        assert_eq!(results.of("a", "x_SUITE").unwrap(), linux);
        assert_eq!(results.of("b", "x_SUITE").unwrap(), Comparison::default());
        results.keep("a", "x_SUITE", OneSide::Image, &complete).unwrap();
        assert_eq!(results.of("a", "x_SUITE").unwrap(), Comparison { image: complete, ..linux });
        assert_eq!(results.read().unwrap().len(), 2);
        fs::write(folder.path().join("otp-suites.json"), "{}}").unwrap();
        assert!(results.read().unwrap_err().to_string().contains("otp-suites.json is wrong"));
    }
}
