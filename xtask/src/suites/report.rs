//! The page of differences between Linux and the image.

use std::{collections::BTreeMap, fmt::Write, ops::AddAssign};

use anyhow::Result;

use super::{
    outcome::{Comparison, Difference, Outcome, Verdict},
    reasons::{Reason, Reasons},
    results::Suites,
};

/// What a page is about.
pub struct About {
    /// The name of its files.
    pub name: &'static str,
    /// Its heading.
    heading: &'static str,
    /// Where reasons are kept, below the repository's folder.
    pub reasons: &'static str,
    /// How many per cent of what passes on Linux has to pass here.
    yardstick: usize,
}

/// OTP's suites.
pub const OTP: About = About {
    name: "otp-suites",
    heading: "OTP's own suites, here and on Linux",
    reasons: "tests/erts/reasons.toml",
    yardstick: 98,
};
/// Elixir's.
pub const ELIXIR: About = About {
    name: "elixir-suites",
    heading: "Elixir's own tests, here and on Linux",
    reasons: "tests/elixir/reasons.toml",
    yardstick: 98,
};

/// What the cases of some suites add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    suites: usize,
    /// Suites that have come to their end here.
    complete: usize,
    /// Cases that pass on Linux and have had their turn here.
    linux: usize,
    /// Those of them that pass here.
    here: usize,
    /// Those of the others that need another process.
    another_process: usize,
    /// Cases that pass on Linux and have had no turn here yet.
    waiting: usize,
}

impl Sum {
    fn of(suite: &str, comparison: &Comparison, reasons: &Reasons) -> Self {
        let losses: Vec<_> = comparison.differences().into_iter().filter(Difference::is_loss).collect();
        let another_process = losses.iter().filter(|loss| needs_another(reasons.find(suite, loss))).count();
        let waiting = comparison.waiting();
        let linux = comparison.linux.count(Verdict::Ok) - waiting;
        let complete = usize::from(comparison.image.complete);
        Self { suites: 1, complete, linux, here: linux - losses.len(), another_process, waiting }
    }

    fn row(&self, name: &str) -> String {
        let Self { suites, complete, linux, here, another_process, waiting } = *self;
        let others = linux - another_process;
        let (all, without) = (per_cent(here, linux), per_cent(here, others));
        format!(
            "| {name} | {complete} of {suites} | {linux} | {here} | {all} | {another_process} | {without} | {waiting} |\n"
        )
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.suites += other.suites;
        self.complete += other.complete;
        self.linux += other.linux;
        self.here += other.here;
        self.another_process += other.another_process;
        self.waiting += other.waiting;
    }
}

fn needs_another(reason: Option<Reason<'_>>) -> bool {
    reason.is_some_and(|reason| reason.another_process)
}

/// With one digit behind the point, never rounded up: a yardstick is reached or not.
fn per_cent(part: usize, whole: usize) -> String {
    match (1000 * part).checked_div(whole) {
        Some(thousandths) => format!("{}.{}", thousandths / 10, thousandths % 10),
        None => "-".to_owned(),
    }
}

/// The page.
pub fn text(about: &About, suites: &Suites, reasons: &Reasons) -> Result<String> {
    let About { heading, reasons: kept, yardstick, .. } = about;
    let mut text = format!(
        "# {heading}\n\n\
         Written by `cargo xtask suites`, which runs the same BEAM with the same files on both. Reasons are kept in\n\
         `{kept}`.\n\n\
         The yardstick: of the cases that pass on Linux at least {yardstick} % pass here. A machine is one process and starts no other:\n\
         cases that want a second node beside theirs, or a program of the host, are counted apart. What wants a C compiler is compiled\n\
         for neither side.\n\n\
         | | suites at their end | pass on Linux | of them here | % | need another process | % of the others | not run here yet |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let (mut all, mut sums) = (Sum::default(), BTreeMap::new());
    for (application, suites) in suites {
        let sum: &mut Sum = sums.entry(application).or_default();
        suites.iter().for_each(|(suite, comparison)| *sum += Sum::of(suite, comparison, reasons));
        all += *sum;
    }
    sums.iter().for_each(|(application, sum)| text += &sum.row(application));
    text += &all.row("**all**");
    for (application, suites) in suites {
        write!(text, "\n## {application}\n\n| Suite | Linux | here | differences |\n|---|---|---|---|\n")?;
        for (suite, comparison) in suites {
            let (linux, image) = (comparison.linux.summary(), comparison.image.summary());
            let (linux, image) = (linux.replace('|', "/"), image.replace('|', "/"));
            writeln!(text, "| {suite} | {linux} | {image} | {} |", comparison.differences().len())?;
        }
        for (suite, comparison) in suites {
            differences(&mut text, suite, comparison, reasons)?;
        }
    }
    Ok(text)
}

/// The table of one suite's differences, if there are any; those with the same reason are one row.
fn differences(text: &mut String, suite: &str, comparison: &Comparison, reasons: &Reasons) -> Result<()> {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for difference in comparison.differences() {
        let reason = match reasons.find(suite, &difference) {
            Some(reason) => reason.text.to_owned(),
            None => format!("not explained yet: `{}`", said(&difference).replace(['|', '`'], "/")),
        };
        let row = format!("{} | {} | {reason}", word(difference.linux), word(difference.image));
        match rows.iter_mut().find(|(other, _)| *other == row) {
            Some((_, cases)) => cases.push(difference.case),
            None => rows.push((row, vec![difference.case])),
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    write!(text, "\n### {suite}\n\n| Cases | Linux | here | reason |\n|---|---|---|---|\n")?;
    for (row, cases) in rows {
        writeln!(text, "| {} | {row} |", cases.join(", "))?;
    }
    Ok(())
}

/// What the suite said of a case where it did not pass, here first.
fn said<'a>(difference: &Difference<'a>) -> &'a str {
    let reasons = [difference.image, difference.linux].into_iter().flatten().map(|outcome| outcome.reason.as_str());
    reasons.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default()
}

fn word(outcome: Option<&Outcome>) -> &'static str {
    outcome.map_or("did not run", |outcome| outcome.verdict.name())
}

/// What a check does not let pass: cases that pass on Linux only for no known reason, and suites that did not come to their end.
pub fn unexplained(suites: &Suites, reasons: &Reasons) -> Vec<String> {
    let mut lines = Vec::new();
    for (application, suites) in suites {
        for (suite, comparison) in suites {
            let losses = comparison.differences().into_iter().filter(Difference::is_loss);
            for loss in losses.filter(|loss| reasons.find(suite, loss).is_none()) {
                lines.push(format!("{application}:{suite} {}: {} here: {}", loss.case, word(loss.image), said(&loss)));
            }
            for (side, outcomes) in [("on Linux", &comparison.linux), ("here", &comparison.image)] {
                if !outcomes.complete {
                    lines.push(format!("{application}:{suite} {side}: {}", outcomes.summary()));
                }
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::outcome::tests::outcomes;

    fn suites() -> Suites {
        let comparison = Comparison {
            linux: outcomes("@@ ok x_SUITE a \n@@ ok x_SUITE b \n@@ ok x_SUITE g/c \n@@ ok x_SUITE g/d \n", true),
            image: outcomes("@@ ok x_SUITE a \n@@ failed x_SUITE b oh|dear\n@@ failed x_SUITE g/c enoent\n", true),
        };
        let unfinished = Comparison { linux: outcomes("@@ ok y_SUITE a \n", true), ..Comparison::default() };
        let of = |suite: &str, comparison| BTreeMap::from([(suite.to_owned(), comparison)]);
        Suites::from([
            ("kernel".to_owned(), of("x_SUITE", comparison)),
            ("stdlib".to_owned(), of("y_SUITE", unfinished)),
        ])
    }

    fn reasons() -> Reasons {
        let text = "[[shared]]\nreason = \"a node\"\nanother_process = true\nsaid = [\"enoent\"]\n[x_SUITE]\n\"g/d\" = \"because\"\n";
        toml::from_str(text).unwrap()
    }

    #[test]
    fn applications_are_added_up_with_what_needs_another_process_apart() {
        let text = text(&OTP, &suites(), &reasons()).unwrap();
        assert!(text.contains("| kernel | 1 of 1 | 4 | 1 | 25.0 | 1 | 33.3 | 0 |"), "{text}");
        assert!(text.contains("| stdlib | 0 of 1 | 0 | 0 | - | 0 | - | 1 |"), "{text}");
        assert!(text.contains("| **all** | 1 of 2 | 4 | 1 | 25.0 | 1 | 33.3 | 1 |"), "{text}");
    }

    #[test]
    fn differences_are_listed_with_their_reasons() {
        let text = text(&OTP, &suites(), &reasons()).unwrap();
        assert!(text.contains("| x_SUITE | 4 ok, 0 failed, 0 skipped | 1 ok, 2 failed, 0 skipped | 3 |"), "{text}");
        assert!(text.contains("| b | ok | failed | not explained yet: `oh/dear` |"), "{text}");
        assert!(text.contains("| g/c | ok | failed | a node |\n| g/d | ok | did not run | because |"), "{text}");
        assert!(!text.contains("### y_SUITE"), "{text}");
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(per_cent(9799, 10_000), "97.9");
        assert_eq!((per_cent(98, 100), per_cent(0, 0)), ("98.0".to_owned(), "-".to_owned()));
    }

    #[test]
    fn a_check_names_what_has_no_reason_and_what_did_not_end() {
        let lines = unexplained(&suites(), &reasons());
        assert_eq!(lines[0], "kernel:x_SUITE b: failed here: oh|dear");
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("stdlib:y_SUITE here: 0 ok"), "{lines:?}");
    }
}
