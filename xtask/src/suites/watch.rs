//! Runs one suite on one side to its end, also when a case never ends or ends the machine.
//!
//! Such a case gets its outcome here, and the suite is started again without what has an outcome.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    outcome::{Outcome, Outcomes, Verdict},
    transcript::Transcript,
};

/// How often a running suite is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// What prepares a suite and cleans up behind it: without the first nothing runs, and behind the second nothing is left.
const AROUND: [&str; 2] = ["init_per_suite", "end_per_suite"];

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
    /// Has it tell its log what it is doing, because it is about to be ended for having run for too long.
    fn explain(&mut self) {}
}

/// How one start of the suite ended.
enum End {
    /// By itself.
    Complete,
    /// While these ran.
    In(Vec<String>, Outcome),
    /// While nothing ran that could be left out next time.
    Nowhere(String),
    /// When the time for the suite was over.
    TimeIsUp,
}

/// Goes on with what has no outcome yet; `start` starts the suite without what has one, and `keep` is given what is known, and what is
/// running, whenever one of them changes.
///
/// # Errors
/// The suite cannot be started or watched, and what `keep` says.
pub fn watch<R: Run>(
    mut outcomes: Outcomes,
    patience: Patience,
    mut start: impl FnMut(&Outcomes) -> Result<R>,
    mut keep: impl FnMut(&Outcomes, &[String]) -> Result<()>,
) -> Result<Outcomes> {
    let give_up = Instant::now() + patience.suite;
    outcomes.stopped = None;
    while !outcomes.complete {
        let mut run = start(&outcomes)?;
        let news = |transcript: &Transcript| {
            let mut so_far = outcomes.clone();
            so_far.add(transcript.clone());
            keep(&so_far, &transcript.running)
        };
        let (transcript, end) = until_end(&mut run, patience.case, give_up, news)?;
        outcomes.add(transcript);
        match end {
            End::Complete => outcomes.complete = true,
            // Started again, it would end there again.
            End::In(cases, outcome) if cases.iter().all(|case| outcomes.cases.contains_key(case)) => {
                outcomes.stopped = Some(format!("{}, in what was left out: {}", outcome.reason, cases.join(", ")));
            }
            End::In(cases, outcome) => {
                outcomes.complete = cases.iter().any(|case| AROUND.contains(&&**case));
                cases.into_iter().for_each(|case| outcomes.insert(case, outcome.clone()));
            }
            End::Nowhere(why) => outcomes.stopped = Some(why),
            End::TimeIsUp => outcomes.stopped = Some("its time was up".into()),
        }
        keep(&outcomes, &[])?;
        if outcomes.stopped.is_some() {
            break;
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
    let (mut known, mut since) = ((0, Vec::new()), Instant::now());
    loop {
        // In this order, so that nothing is missed of what it printed before it ended.
        let running = run.is_running()?;
        let transcript = Transcript::read(&run.text()?);
        let (results, cases) = (transcript.results.len(), &transcript.running);
        if known.0 != results || known.1 != *cases {
            (known, since) = ((results, cases.clone()), Instant::now());
            news(&transcript)?;
        }
        let in_case = |verdict, reason: String| {
            if cases.is_empty() { End::Nowhere(reason) } else { End::In(cases.clone(), Outcome { verdict, reason }) }
        };
        let end = if transcript.ended {
            End::Complete
        } else if !running {
            in_case(Verdict::Failed, format!("the machine ended: {}", transcript.last_line))
        } else if Instant::now() > give_up {
            End::TimeIsUp
        } else if since.elapsed() > patience {
            run.explain();
            in_case(Verdict::Unfinished, format!("no result after {} minutes", patience.as_secs() / 60))
        } else {
            thread::sleep(LOOK);
            continue;
        };
        return Ok((transcript, end));
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

    fn nothing(_: &Outcomes, _: &[String]) -> Result<()> {
        Ok(())
    }

    fn names(outcomes: &Outcomes) -> Vec<String> {
        outcomes.cases.keys().cloned().collect()
    }

    const PATIENCE: Patience = Patience { suite: Duration::from_secs(60), case: Duration::ZERO };

    #[test]
    fn a_suite_goes_on_without_cases_that_hang_or_end_the_machine() {
        let (mut starts, mut kept) = (Vec::new(), Vec::new());
        let start = |outcomes: &Outcomes| {
            starts.push(names(outcomes));
            Ok(match starts.len() {
                1 => Fake("@@ start x a\n@@ ok x a \n@@ start x g/b\n", true),
                2 => Fake("@@ start x c\nKERNEL PANIC\n", false),
                _ => Fake("@@ start x d\n@@ skipped x d why\n@@ end {0,0,{0,0}}\n", false),
            })
        };
        let outcomes = watch(Outcomes::default(), PATIENCE, start, |outcomes, running| {
            kept.push((outcomes.cases.len(), running.to_vec()));
            Ok(())
        });
        let outcomes = outcomes.unwrap();
        let running = |case: &str| vec![case.to_owned()];
        let none = Vec::new;
        assert_eq!(kept, [(1, running("g/b")), (2, none()), (2, running("c")), (3, none()), (4, none()), (4, none())]);
        assert_eq!(starts, [vec![], vec!["a", "g/b"], vec!["a", "c", "g/b"]]);
        let verdicts: Vec<_> = outcomes.cases.iter().map(|(case, outcome)| (case.as_str(), outcome.verdict)).collect();
        let expected =
            [("a", Verdict::Ok), ("c", Verdict::Failed), ("d", Verdict::Skipped), ("g/b", Verdict::Unfinished)];
        assert_eq!(verdicts, expected);
        assert_eq!(outcomes.cases["c"].reason, "the machine ended: KERNEL PANIC");
        assert!(outcomes.complete && outcomes.stopped.is_none());
    }

    #[test]
    fn cases_that_run_side_by_side_when_it_hangs_have_all_had_their_turn() {
        let mut first = true;
        let start = |_: &Outcomes| {
            let text = if std::mem::take(&mut first) {
                "@@ start x p/a\n@@ start x p/b\n@@ start x p/c\n@@ ok x p/b \n"
            } else {
                "@@ end ok\n"
            };
            Ok(Fake(text, true))
        };
        let outcomes = watch(Outcomes::default(), PATIENCE, start, nothing).unwrap();
        assert_eq!((outcomes.count(Verdict::Ok), outcomes.count(Verdict::Unfinished)), (1, 2));
    }

    #[test]
    fn a_suite_that_stops_outside_of_its_cases_is_not_started_for_ever() {
        let start = |_: &Outcomes| Ok(Fake("@@ ok x a \n", false));
        let outcomes = watch(Outcomes::default(), PATIENCE, start, nothing).unwrap();
        assert!(!outcomes.complete);
        assert_eq!(outcomes.stopped.as_deref(), Some("the machine ended: @@ ok x a"));
    }

    #[test]
    fn a_case_that_is_not_left_out_ends_its_suite() {
        let start = |_: &Outcomes| Ok(Fake("@@ start x a\n", false));
        let outcomes = watch(Outcomes::default(), PATIENCE, start, nothing).unwrap();
        assert_eq!((outcomes.cases.len(), outcomes.complete), (1, false));
        assert!(outcomes.stopped.unwrap().ends_with("in what was left out: a"));
    }

    #[test]
    fn a_suite_whose_preparation_hangs_has_had_its_turn() {
        let start = |_: &Outcomes| Ok(Fake("@@ start x init_per_suite\n", true));
        let outcomes = watch(Outcomes::default(), PATIENCE, start, nothing).unwrap();
        assert!(outcomes.complete);
        assert_eq!(outcomes.cases["init_per_suite"].verdict, Verdict::Unfinished);
    }

    #[test]
    fn what_has_no_result_when_the_time_is_up_is_left_for_later() {
        let patience = Patience { suite: Duration::ZERO, case: Duration::from_secs(60) };
        let text = "@@ start x a\n@@ ok x a \n@@ start x b\n";
        let outcomes = watch(Outcomes::default(), patience, |_| Ok(Fake(text, true)), nothing).unwrap();
        assert_eq!(names(&outcomes), ["a"]);
        assert_eq!(outcomes.stopped.as_deref(), Some("its time was up"));
        let start = |outcomes: &Outcomes| {
            assert_eq!(names(outcomes), ["a"]);
            Ok(Fake("@@ start x b\n@@ ok x b \n@@ end ok\n", false))
        };
        let more = watch(outcomes, PATIENCE, start, nothing).unwrap();
        assert_eq!((more.cases.len(), more.complete, more.stopped), (2, true, None));
    }
}
