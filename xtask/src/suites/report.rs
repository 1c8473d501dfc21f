//! The page of differences between Linux and the image.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{Comparison, Outcome, Outcomes, Verdict};

/// How many cases ended how, in words.
pub fn counts(outcomes: &Outcomes) -> String {
    let count = |verdict| outcomes.cases.values().filter(|outcome| outcome.verdict == verdict).count();
    let end = if outcomes.complete { "" } else { ", did not end" };
    format!("{} ok, {} failed, {} skipped{end}", count(Verdict::Ok), count(Verdict::Failed), count(Verdict::Skipped))
}

/// Writes the page. Reasons come from a file kept by hand; a difference without one says so.
pub fn write(page: &Path, comparisons: &[Comparison], reasons: &Path) -> Result<()> {
    let reasons = Reasons::read(reasons)?;
    let folder = page.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(page, text(comparisons, &reasons)?).with_context(|| format!("cannot write {}", page.display()))
}

fn text(comparisons: &[Comparison], reasons: &Reasons) -> Result<String> {
    let mut text = String::from(
        "# OTP's own suites, here and on Linux\n\n\
         Written by `cargo xtask suites`, which runs the same BEAM with the same files on both. Reasons are kept in\n\
         `tests/erts/reasons.toml`.\n\n| Suite | Linux | here | differences |\n|---|---|---|---|\n",
    );
    for comparison in comparisons {
        let (linux, image) = (counts(&comparison.linux), counts(&comparison.image));
        writeln!(text, "| {} | {linux} | {image} | {} |", comparison.suite, differences(comparison).len())?;
    }
    for comparison in comparisons {
        let differences = differences(comparison);
        if differences.is_empty() {
            continue;
        }
        write!(text, "\n## {}\n\n| Case | Linux | here | reason |\n|---|---|---|---|\n", comparison.suite)?;
        for (case, linux, image) in differences {
            let said = image.map(|outcome| outcome.reason.as_str()).unwrap_or_default();
            let reason = match reasons.find(&comparison.suite, case) {
                Some(reason) => reason.to_owned(),
                None => format!("not explained yet: `{}`", said.replace(['|', '`'], "/")),
            };
            writeln!(text, "| {case} | {} | {} | {reason} |", word(linux), word(image))?;
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
        Some(Verdict::Skipped) => "skipped",
        None => "did not run",
    }
}

/// `[SUITE]` tables of `"case" = "reason"`; a case may end in `*`.
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
        cases.iter().find(|(pattern, _)| matches(pattern)).and_then(|(_, reason)| reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::outcomes;

    #[test]
    fn differences_are_listed_with_their_reasons() {
        let comparison = Comparison {
            suite: "x_SUITE".into(),
            linux: outcomes("@@ ok x_SUITE a \n@@ ok x_SUITE b \n@@ ok x_SUITE g/c \n", true),
            image: outcomes("@@ ok x_SUITE a \n@@ failed x_SUITE b oh|dear\n", false),
        };
        let reasons = Reasons("[x_SUITE]\n\"g/*\" = \"because\"\n".parse().unwrap());
        let text = text(&[comparison], &reasons).unwrap();
        assert!(
            text.contains("| x_SUITE | 3 ok, 0 failed, 0 skipped | 1 ok, 1 failed, 0 skipped, did not end | 2 |"),
            "{text}"
        );
        assert!(text.contains("| b | ok | failed | not explained yet: `oh/dear` |"), "{text}");
        assert!(text.contains("| g/c | ok | did not run | because |"), "{text}");
    }
}
