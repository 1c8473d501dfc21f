//! The page of differences between Linux and the image.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use toml::{Table, Value};
use trapless_tests::repository;

use super::{Comparison, Outcome, Outcomes, Verdict};

/// How many cases ended how, in words.
pub fn counts(outcomes: &Outcomes) -> String {
    let count = |verdict| outcomes.cases.values().filter(|outcome| outcome.verdict == verdict).count();
    let mut text =
        format!("{} ok, {} failed, {} skipped", count(Verdict::Ok), count(Verdict::Failed), count(Verdict::Skipped));
    match count(Verdict::Unfinished) {
        0 => {}
        unfinished => text += &format!(", {unfinished} took too long"),
    }
    if !outcomes.complete {
        text += ", did not end";
    }
    text
}

/// What a page is about.
pub struct About {
    /// Its name in `docs/generated`.
    name: &'static str,
    /// Its heading.
    heading: &'static str,
    /// Where reasons are kept, below the repository's folder.
    reasons: &'static str,
}

/// OTP's suites.
pub const OTP: About =
    About { name: "otp-suites", heading: "OTP's own suites, here and on Linux", reasons: "tests/erts/reasons.toml" };
/// Elixir's.
pub const ELIXIR: About = About {
    name: "elixir-suites",
    heading: "Elixir's own tests, here and on Linux",
    reasons: "tests/elixir/reasons.toml",
};

/// The page, and beside it the latest results of each suite as JSON, so that suites can be run one by one.
pub struct Page {
    about: &'static About,
    page: PathBuf,
    data: PathBuf,
    suites: Suites,
}

type Suites = BTreeMap<String, Comparison>;

impl Page {
    /// The page with the results it has so far.
    pub fn open(about: &'static About) -> Result<Self> {
        let path = repository().join("docs/generated").join(about.name);
        let (page, data) = (path.with_extension("md"), path.with_extension("json"));
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let suites = match fs::read(&data) {
            Ok(json) => serde_json::from_slice(&json).with_context(|| format!("{} is wrong", data.display()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Suites::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", data.display())),
        };
        Ok(Self { about, page, data, suites })
    }

    /// The results that a suite has so far.
    pub fn take(&mut self, suite: &str) -> Comparison {
        self.suites.remove(suite).unwrap_or_default()
    }

    /// Puts the results of a suite in the place of earlier ones, and keeps them.
    pub fn add(&mut self, suite: &str, comparison: Comparison) -> Result<()> {
        self.suites.insert(suite.to_owned(), comparison);
        let json = serde_json::to_string_pretty(&self.suites)? + "\n";
        fs::write(&self.data, json).with_context(|| format!("cannot write {}", self.data.display()))
    }

    /// Writes the page and says where it is. Reasons come from a file kept by hand; a difference without one says so.
    pub fn write(&self) -> Result<&Path> {
        let text = text(self.about, &self.suites, &Reasons::read(&repository().join(self.about.reasons))?)?;
        fs::write(&self.page, text).with_context(|| format!("cannot write {}", self.page.display()))?;
        Ok(&self.page)
    }
}

fn text(about: &About, suites: &Suites, reasons: &Reasons) -> Result<String> {
    let About { heading, reasons: kept, .. } = about;
    let mut text = format!(
        "# {heading}\n\n\
         Written by `cargo xtask suites`, which runs the same BEAM with the same files on both. Reasons are kept in\n\
         `{kept}`.\n\n| Suite | Linux | here | differences |\n|---|---|---|---|\n",
    );
    for (suite, comparison) in suites {
        let (linux, image) = (counts(&comparison.linux), counts(&comparison.image));
        writeln!(text, "| {} | {linux} | {image} | {} |", suite, differences(comparison).len())?;
    }
    for (suite, comparison) in suites {
        let differences = differences(comparison);
        if differences.is_empty() {
            continue;
        }
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for (case, linux, image) in differences {
            let said = image.map(|outcome| outcome.reason.as_str()).unwrap_or_default();
            let reason = match reasons.find(suite, case) {
                Some(reason) => reason.to_owned(),
                None => format!("not explained yet: `{}`", said.replace(['|', '`'], "/")),
            };
            let row = format!("{} | {} | {reason}", word(linux), word(image));
            match rows.iter_mut().find(|(other, _)| *other == row) {
                Some((_, cases)) => cases.push(case),
                None => rows.push((row, vec![case])),
            }
        }
        write!(text, "\n## {suite}\n\n| Cases | Linux | here | reason |\n|---|---|---|---|\n")?;
        for (row, cases) in rows {
            writeln!(text, "| {} | {row} |", cases.join(", "))?;
        }
    }
    Ok(text)
}

type Difference<'a> = (&'a str, Option<&'a Outcome>, Option<&'a Outcome>);

fn differences(comparison: &Comparison) -> Vec<Difference<'_>> {
    let (linux, image) = (&comparison.linux.cases, &comparison.image.cases);
    let cases: BTreeSet<_> = linux.keys().chain(image.keys()).collect();
    let both = cases.into_iter().map(|case| (case.as_str(), linux.get(case), image.get(case)));
    both.filter(|(_, linux, image)| linux.map(|outcome| outcome.verdict) != image.map(|outcome| outcome.verdict))
        .collect()
}

fn word(outcome: Option<&Outcome>) -> &'static str {
    match outcome.map(|outcome| outcome.verdict) {
        Some(Verdict::Ok) => "ok",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::Unfinished) => "took too long",
        Some(Verdict::Skipped) => "skipped",
        None => "did not run",
    }
}

/// `[SUITE]` tables of `"case" = "reason"`; a case may end in `*`, and the longest that fits counts.
#[derive(Default)]
struct Reasons(Table);

impl Reasons {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self(text.parse().with_context(|| format!("{} is wrong", path.display()))?))
    }

    fn find(&self, suite: &str, case: &str) -> Option<&str> {
        let Value::Table(cases) = self.0.get(suite)? else { return None };
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => case.starts_with(beginning),
            None => case == pattern,
        };
        let fitting = cases.iter().filter(|(pattern, _)| matches(pattern));
        fitting.max_by_key(|(pattern, _)| pattern.len()).and_then(|(_, reason)| reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::transcript::Transcript;

    fn outcomes(text: &str, complete: bool) -> Outcomes {
        let mut outcomes = Outcomes { complete, ..Outcomes::default() };
        outcomes.add(Transcript::read(text));
        outcomes
    }

    #[test]
    fn differences_are_listed_with_their_reasons() {
        let comparison = Comparison {
            linux: outcomes("@@ ok x_SUITE a \n@@ ok x_SUITE b \n@@ ok x_SUITE g/c \n@@ ok x_SUITE g/d \n", true),
            image: outcomes("@@ ok x_SUITE a \n@@ failed x_SUITE b oh|dear\n", false),
        };
        let reasons = Reasons("[x_SUITE]\n\"g*\" = \"who knows\"\n\"g/*\" = \"because\"\n".parse().unwrap());
        let text = text(&OTP, &Suites::from([("x_SUITE".to_owned(), comparison)]), &reasons).unwrap();
        assert!(
            text.contains("| x_SUITE | 4 ok, 0 failed, 0 skipped | 1 ok, 1 failed, 0 skipped, did not end | 3 |"),
            "{text}"
        );
        assert!(text.contains("| b | ok | failed | not explained yet: `oh/dear` |"), "{text}");
        assert!(text.contains("| g/c, g/d | ok | did not run | because |"), "{text}");
    }

    #[test]
    fn a_case_that_took_too_long_is_counted_as_such() {
        let mut outcomes = outcomes("@@ ok x_SUITE a \n", true);
        outcomes.insert("b".into(), Outcome { verdict: Verdict::Unfinished, reason: String::new() });
        assert_eq!(counts(&outcomes), "1 ok, 0 failed, 0 skipped, 1 took too long");
    }
}
