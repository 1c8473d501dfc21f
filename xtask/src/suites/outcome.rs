//! What becomes of the cases of a suite, on each side.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};

use super::transcript::Transcript;
use crate::cli::OneSide;

/// What became of one test case. It is kept as `VERDICT` or `VERDICT: REASON`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Outcome {
    pub verdict: Verdict,
    pub reason: String,
}

/// In order of badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Ok,
    Skipped,
    Failed,
    /// It was ended when it had run for long.
    Unfinished,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Ok, Self::Skipped, Self::Failed, Self::Unfinished];

    /// As pages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Unfinished => "took too long",
        }
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == text).ok_or_else(|| format!("{text:?} is no verdict"))
    }
}

impl From<Outcome> for String {
    fn from(Outcome { verdict, reason }: Outcome) -> Self {
        if reason.is_empty() { verdict.name().to_owned() } else { format!("{}: {reason}", verdict.name()) }
    }
}

impl TryFrom<String> for Outcome {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (verdict, reason) = text.split_once(": ").unwrap_or((&text, ""));
        Ok(Self { verdict: verdict.parse()?, reason: reason.to_owned() })
    }
}

/// The outcomes of one suite, by group and case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Whether every case has had its turn.
    pub complete: bool,
    /// Why not, when nothing was running that could be told to be the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    pub cases: BTreeMap<String, Outcome>,
}

impl Outcomes {
    /// Of a case that ran several times the worst outcome counts.
    pub fn insert(&mut self, case: String, outcome: Outcome) {
        let known = self.cases.entry(case).or_insert_with(|| outcome.clone());
        *known = outcome.max(known.clone());
    }

    pub fn add(&mut self, transcript: Transcript) {
        transcript.results.into_iter().for_each(|(case, outcome)| self.insert(case, outcome));
    }

    /// How many cases ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cases.values().filter(|outcome| outcome.verdict == verdict).count()
    }

    /// How many cases ended how, in words.
    pub fn summary(&self) -> String {
        let count = |verdict| self.count(verdict);
        let mut text = format!(
            "{} ok, {} failed, {} skipped",
            count(Verdict::Ok),
            count(Verdict::Failed),
            count(Verdict::Skipped)
        );
        match count(Verdict::Unfinished) {
            0 => {}
            unfinished => text += &format!(", {unfinished} took too long"),
        }
        match &self.stopped {
            Some(why) => text += &format!("; stopped: {why}"),
            None if !self.complete => text += "; not at its end yet",
            None => {}
        }
        text
    }

    fn verdict(&self, case: &str) -> Option<Verdict> {
        self.cases.get(case).map(|outcome| outcome.verdict)
    }
}

/// Both sides of one suite.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    #[serde(default)]
    pub linux: Outcomes,
    #[serde(default)]
    pub image: Outcomes,
}

/// A case that ends differently on the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference<'a> {
    pub case: &'a str,
    pub linux: Option<&'a Outcome>,
    pub image: Option<&'a Outcome>,
}

impl Difference<'_> {
    /// Whether it is one that the yardstick counts.
    pub fn is_loss(&self) -> bool {
        self.linux.is_some_and(|outcome| outcome.verdict == Verdict::Ok)
    }
}

impl Comparison {
    pub const fn side_mut(&mut self, side: OneSide) -> &mut Outcomes {
        match side {
            OneSide::Linux => &mut self.linux,
            OneSide::Image => &mut self.image,
        }
    }

    /// The cases that end differently, those that have had their turn on both sides.
    pub fn differences(&self) -> Vec<Difference<'_>> {
        let (linux, image) = (&self.linux.cases, &self.image.cases);
        let mut cases: Vec<_> = linux.keys().chain(image.keys()).map(String::as_str).collect();
        cases.sort_unstable();
        cases.dedup();
        let both = cases.into_iter().map(|case| Difference { case, linux: linux.get(case), image: image.get(case) });
        both.filter(|Difference { case, .. }| self.linux.verdict(case) != self.image.verdict(case))
            .filter(|difference| difference.linux.is_some() || self.linux.complete)
            .filter(|difference| difference.image.is_some() || self.image.complete)
            .collect()
    }

    /// How many of the cases that pass on Linux have had no turn in the image yet.
    pub fn waiting(&self) -> usize {
        let passed = self.linux.cases.iter().filter(|(_, outcome)| outcome.verdict == Verdict::Ok);
        passed.filter(|(case, _)| !self.image.complete && !self.image.cases.contains_key(*case)).count()
    }

    /// Forgets what the image made of cases that pass on Linux only, so that they are run again.
    pub fn forget_losses(&mut self) {
        let losses: Vec<_> = self
            .differences()
            .iter()
            .filter(|difference| difference.is_loss())
            .map(|loss| loss.case.to_owned())
            .collect();
        if !losses.is_empty() {
            self.image.complete = false;
        }
        self.image.cases.retain(|case, _| !losses.contains(case));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a run that said this came to.
    pub(in super::super) fn outcomes(text: &str, complete: bool) -> Outcomes {
        let mut outcomes = Outcomes { complete, ..Outcomes::default() };
        outcomes.add(Transcript::read(text));
        outcomes
    }

    #[test]
    fn the_worst_outcome_of_a_case_counts() {
        let text = "@@ ok x_SUITE g/a \n@@ failed x_SUITE g/a {badmatch, 1}\n@@ ok x_SUITE g/a \n@@ skipped x_SUITE b why not\n";
        let outcomes = outcomes(text, true);
        assert_eq!(outcomes.cases["g/a"], Outcome { verdict: Verdict::Failed, reason: "{badmatch, 1}".into() });
        assert_eq!(outcomes.cases["b"], Outcome { verdict: Verdict::Skipped, reason: "why not".into() });
        assert_eq!(outcomes.cases.len(), 2);
    }

    #[test]
    fn what_is_kept_reads_back() {
        let mut image = outcomes("@@ ok x a \n@@ failed x b {error, 1}: oh: dear\n", false);
        image.insert("c".into(), Outcome { verdict: Verdict::Unfinished, reason: String::new() });
        image.stopped = Some("why".into());
        let comparison = Comparison { linux: outcomes("@@ ok x a \n", true), image };
        let text = serde_json::to_string(&comparison).unwrap();
        assert!(text.contains(r#""a":"ok","b":"failed: {error, 1}: oh: dear","c":"took too long""#), "{text}");
        assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
        assert!(serde_json::from_str::<Outcome>("\"fine\"").is_err());
    }

    #[test]
    fn a_suite_is_summed_up_with_what_it_lacks() {
        let mut outcomes = outcomes("@@ ok x_SUITE a \n", true);
        assert_eq!(outcomes.summary(), "1 ok, 0 failed, 0 skipped");
        outcomes.insert("b".into(), Outcome { verdict: Verdict::Unfinished, reason: String::new() });
        outcomes.complete = false;
        assert_eq!(outcomes.summary(), "1 ok, 0 failed, 0 skipped, 1 took too long; not at its end yet");
        outcomes.stopped = Some("the machine ended".into());
        assert!(outcomes.summary().ends_with("1 took too long; stopped: the machine ended"));
    }

    #[test]
    fn what_has_had_no_turn_yet_waits_and_does_not_differ() {
        let linux = outcomes("@@ ok x a \n@@ ok x b \n@@ failed x c no\n@@ failed x d no\n", true);
        let image = outcomes("@@ ok x c \n@@ ok x e \n", false);
        let mut comparison = Comparison { linux, image };
        let cases = |comparison: &Comparison| -> Vec<String> {
            comparison.differences().iter().map(|difference| difference.case.to_owned()).collect()
        };
        assert_eq!((cases(&comparison), comparison.waiting()), (vec!["c".into(), "e".into()], 2));
        comparison.image.complete = true;
        assert_eq!(comparison.waiting(), 0);
        assert_eq!(cases(&comparison), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn losses_are_forgotten_and_nothing_else() {
        let linux = outcomes("@@ ok x a \n@@ ok x b \n@@ failed x c no\n", true);
        let image = outcomes("@@ ok x a \n@@ failed x b oh\n@@ ok x c \n", true);
        let mut comparison = Comparison { linux, image };
        comparison.forget_losses();
        assert_eq!(comparison.image, outcomes("@@ ok x a \n@@ ok x c \n", false));
        let before = comparison.clone();
        comparison.image.complete = true;
        comparison.image.insert("b".into(), Outcome { verdict: Verdict::Ok, reason: String::new() });
        let whole = comparison.clone();
        comparison.forget_losses();
        assert_eq!(comparison, whole);
        assert_ne!(comparison, before);
    }
}
