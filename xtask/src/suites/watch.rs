//! Runs one suite on one side to its end, also when a case never ends or ends the machine.
//!
//! Such a case gets its outcome here, and the suite is started again behind it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{Outcome, Outcomes, Verdict, transcript::Transcript};

/// How often a running suite is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How long is waited.
#[derive(Clone, Copy)]
pub struct Patience {
    /// For the whole suite; what has no result then can be run later.
    pub suite: Duration,
    /// For one case, and for what comes before the first.
    pub case: Duration,
}

/// A started suite. Dropping it ends it.
pub trait Run {
    /// What it printed so far.
    fn text(&mut self) -> Result<String>;
    /// Whether it can print more.
    fn is_running(&mut self) -> Result<bool>;
}

/// How one start of the suite ended.
enum End {
    /// By itself.
    Complete,
    /// While this case ran, for this reason.
    In(String, Outcome),
    /// While no case ran that could be left out next time.
    Nowhere,
    /// When the time for the suite was over.
    TimeIsUp,
}

/// Goes on behind what is known already; `start` starts the suite behind a case, and `keep` is given what is known whenever that is more.
///
/// # Errors
/// The suite cannot be started or watched, and what `keep` says.
pub fn watch<R: Run>(
    mut outcomes: Outcomes,
    patience: Patience,
    mut start: impl FnMut(Option<&str>) -> Result<R>,
    mut keep: impl FnMut(&Outcomes) -> Result<()>,
) -> Result<Outcomes> {
    let give_up = Instant::now() + patience.suite;
    while !outcomes.complete {
        let mut run = start(outcomes.reached.as_deref())?;
        let news = |transcript: &Transcript| {
            let mut so_far = outcomes.clone();
            so_far.add(transcript.clone());
            keep(&so_far)
        };
        let (transcript, end) = until_end(&mut run, patience.case, give_up, news)?;
        outcomes.add(transcript);
        match end {
            End::Complete => outcomes.complete = true,
            End::In(case, outcome) => outcomes.insert(case, outcome),
            End::Nowhere | End::TimeIsUp => break,
        }
    }
    Ok(outcomes)
}

fn until_end(
    run: &mut impl Run,
    patience: Duration,
    give_up: Instant,
    mut news: impl FnMut(&Transcript) -> Result<()>,
) -> Result<(Transcript, End)> {
    let (mut last, mut since) = (Transcript::default(), Instant::now());
    loop {
        // In this order, so that nothing is missed of what it printed before it ended.
        let running = run.is_running()?;
        let transcript = Transcript::read(&run.text()?);
        if transcript != last {
            (last, since) = (transcript, Instant::now());
            news(&last)?;
        }
        let in_case = |verdict, reason: String| match &last.running {
            Some(case) => End::In(case.clone(), Outcome { verdict, reason }),
            None => End::Nowhere,
        };
        let end = if last.ended {
            End::Complete
        } else if !running {
            in_case(Verdict::Failed, "the machine ended".into())
        } else if Instant::now() > give_up {
            End::TimeIsUp
        } else if since.elapsed() > patience {
            in_case(Verdict::Unfinished, format!("no result after {} minutes", patience.as_secs() / 60))
        } else {
            thread::sleep(LOOK);
            continue;
        };
        return Ok((last, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has printed a text, and runs on or not.
    struct Fake(&'static str, bool);

    impl Run for Fake {
        fn text(&mut self) -> Result<String> {
            Ok(self.0.into())
        }

        fn is_running(&mut self) -> Result<bool> {
            Ok(self.1)
        }
    }

    fn nothing(_: &Outcomes) -> Result<()> {
        Ok(())
    }

    const PATIENCE: Patience = Patience { suite: Duration::from_secs(60), case: Duration::ZERO };

    #[test]
    fn a_suite_goes_on_behind_cases_that_hang_or_end_the_machine() {
        let (mut starts, mut kept) = (Vec::new(), Vec::new());
        let start = |last: Option<&str>| {
            starts.push(last.map(str::to_owned));
            Ok(match starts.len() {
                1 => Fake("@@ start x a\n@@ ok x a \n@@ start x g/b\n", true),
                2 => Fake("@@ start x c\n", false),
                _ => Fake("@@ start x d\n@@ skipped x d why\n@@ end {0,0,{0,0}}\n", false),
            })
        };
        let outcomes = watch(Outcomes::default(), PATIENCE, start, |outcomes| {
            kept.push((outcomes.cases.len(), outcomes.reached.clone()));
            Ok(())
        });
        let outcomes = outcomes.unwrap();
        let reached = |case: &str| Some(case.to_owned());
        assert_eq!(kept, [(1, reached("a")), (2, reached("g/b")), (4, reached("d"))]);
        assert_eq!(starts, [None, Some("g/b".to_owned()), Some("c".to_owned())]);
        let verdicts: Vec<_> = outcomes.cases.iter().map(|(case, outcome)| (case.as_str(), outcome.verdict)).collect();
        let expected =
            [("a", Verdict::Ok), ("c", Verdict::Failed), ("d", Verdict::Skipped), ("g/b", Verdict::Unfinished)];
        assert_eq!(verdicts, expected);
        assert!(outcomes.complete);
    }

    #[test]
    fn a_suite_that_stops_outside_of_its_cases_is_not_started_for_ever() {
        let outcomes = watch(Outcomes::default(), PATIENCE, |_| Ok(Fake("@@ ok x a \n", false)), nothing).unwrap();
        assert!(!outcomes.complete);
        assert_eq!(outcomes.reached.as_deref(), Some("a"));
    }

    #[test]
    fn what_has_no_result_when_the_time_is_up_is_left_for_later() {
        let patience = Patience { suite: Duration::ZERO, case: Duration::from_secs(60) };
        let text = "@@ start x a\n@@ ok x a \n@@ start x b\n";
        let outcomes = watch(Outcomes::default(), patience, |_| Ok(Fake(text, true)), nothing).unwrap();
        assert_eq!((outcomes.cases.len(), outcomes.reached.as_deref()), (1, Some("a")));
        let start = |last: Option<&str>| {
            assert_eq!(last, Some("a"));
            Ok(Fake("@@ start x b\n@@ ok x b \n@@ end ok\n", false))
        };
        let more = watch(outcomes, PATIENCE, start, nothing);
        assert_eq!(more.unwrap().cases.len(), 2);
    }
}
