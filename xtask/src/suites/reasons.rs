//! Why cases end differently here than on Linux: kept by hand, in a file.
//!
//! ```toml
//! [[shared]]
//! reason = "it starts a second node"     # reasons of many cases
//! another_process = true                 # counted apart: one machine is one process
//! said = ["{error,enoent}"]              # where a result says one of these, and there is no own reason, it is this one
//!
//! [x_SUITE]
//! "group/case" = "why"                   # a case may end in `*`, and the longest that fits counts
//! "group/other*" = { reason = "why", another_process = true }
//! ```

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::outcome::Difference;

/// All reasons that are known.
#[derive(Default, Deserialize)]
pub struct Reasons {
    #[serde(default)]
    shared: Vec<Shared>,
    #[serde(flatten)]
    suites: BTreeMap<String, BTreeMap<String, Own>>,
}

/// A reason of many cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    reason: String,
    #[serde(default)]
    another_process: bool,
    said: Vec<String>,
}

/// A reason of cases of one suite.
#[derive(Deserialize)]
#[serde(untagged)]
enum Own {
    Plain(String),
    Marked { reason: String, another_process: bool },
}

/// Why a case ends differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    pub text: &'a str,
    /// Whether the case needs a second process of an operating system.
    pub another_process: bool,
}

impl Reasons {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is wrong", path.display()))
    }

    /// The reason of one difference of a suite, if there is one.
    pub fn find(&self, suite: &str, difference: &Difference<'_>) -> Option<Reason<'_>> {
        self.own(suite, difference.case).or_else(|| self.shared(&difference.image?.reason))
    }

    fn own(&self, suite: &str, case: &str) -> Option<Reason<'_>> {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => case.starts_with(beginning),
            None => case == pattern,
        };
        let fitting = self.suites.get(suite)?.iter().filter(|(pattern, _)| matches(pattern));
        let (_, own) = fitting.max_by_key(|(pattern, _)| pattern.len())?;
        Some(match own {
            Own::Plain(text) => Reason { text, another_process: false },
            Own::Marked { reason, another_process } => Reason { text: reason, another_process: *another_process },
        })
    }

    fn shared(&self, said: &str) -> Option<Reason<'_>> {
        let fits = |shared: &&Shared| shared.said.iter().any(|part| said.contains(part.as_str()));
        let Shared { reason, another_process, .. } = self.shared.iter().find(fits)?;
        Some(Reason { text: reason, another_process: *another_process })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::outcome::{Outcome, Verdict};

    const TEXT: &str = "[[shared]]\nreason = \"no second node\"\nanother_process = true\nsaid = [\"enoent\", \"peer\"]\n\
                        [x_SUITE]\n\"g*\" = \"who knows\"\n\"g/*\" = \"because\"\n\
                        \"p*\" = { reason = \"marked\", another_process = true }\n";

    fn found(reasons: &Reasons, suite: &str, case: &str, said: &str) -> Option<(String, bool)> {
        let image = Outcome { verdict: Verdict::Failed, reason: said.into() };
        let difference = Difference { case, linux: None, image: Some(&image) };
        reasons.find(suite, &difference).map(|reason| (reason.text.to_owned(), reason.another_process))
    }

    #[test]
    fn the_longest_pattern_of_the_suite_counts_and_then_what_was_said() {
        let reasons: Reasons = toml::from_str(TEXT).unwrap();
        let some = |text: &str, another| Some((text.to_owned(), another));
        assert_eq!(found(&reasons, "x_SUITE", "g/c", "enoent"), some("because", false));
        assert_eq!(found(&reasons, "x_SUITE", "gg", ""), some("who knows", false));
        assert_eq!(found(&reasons, "x_SUITE", "p1", ""), some("marked", true));
        assert_eq!(found(&reasons, "x_SUITE", "a", "{error,enoent}"), some("no second node", true));
        assert_eq!(found(&reasons, "y_SUITE", "g/c", "oh dear"), None);
    }

    #[test]
    fn mistakes_are_refused() {
        for wrong in
            ["[[shared]]\nreason = \"x\"\n", "[x]\na = 1\n", "[[shared]]\nreason = \"x\"\nsaid = []\nsaids = []\n"]
        {
            assert!(toml::from_str::<Reasons>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_checked_in_files_are_right() {
        for about in [&crate::suites::report::OTP, &crate::suites::report::ELIXIR] {
            Reasons::read(&trapless_tests::repository().join(about.reasons)).unwrap();
        }
    }
}
