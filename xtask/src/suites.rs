//! Runs suites of OTP's own tests, and of Elixir's, in the image and on Linux, with the same BEAM and the same files, and compares.

mod elixir;
mod outcome;
mod reasons;
mod report;
mod results;
mod sides;
mod stage;
mod transcript;
mod wanted;
mod watch;

pub use stage::unpack;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use erts_recipe::Erts;
use sources::{Console, host::Task};
use trapless_tests::repository;

use self::{
    outcome::{Comparison, Outcomes, Verdict},
    results::{Results, Suites},
    sides::{InImage, OnLinux, Side},
    wanted::Wanted,
    watch::Patience,
};
use crate::{
    cli::{OneSide, SuitesOptions},
    run, setup,
};

const SIDES: [OneSide; 2] = [OneSide::Linux, OneSide::Image];
/// How often a running suite says how far it is.
const PROGRESS: Duration = Duration::from_secs(30);

/// Stages, builds, runs, and writes the pages of differences. What cannot be built is told, and the others are run.
///
/// # Errors
/// OTP cannot be built, a name is wrong, or a page cannot be written. A suite that fails is no error but a line of the page, unless
/// differences are to be checked.
pub fn suites(options: &SuitesOptions) -> Result<u8> {
    setup::prepare(Task::Run)?;
    let erts = erts_recipe::build(erts_recipe::Flavor::Jit, &Console).context("OTP could not be built")?;
    let folder = repository().join(if options.check { "target/suites/check" } else { "docs/generated" });
    if options.check && !options.resume && folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let is_elixirs = |wanted: &Wanted| elixir::APPLICATIONS.contains(&&*wanted.application);
    let (of_elixir, of_otp): (Vec<_>, Vec<_>) = wanted::wanted(&options.suites)?.into_iter().partition(is_elixirs);
    let mut good = true;
    for (about, wanted) in [(&report::OTP, of_otp), (&report::ELIXIR, of_elixir)] {
        if !wanted.is_empty() {
            let results = Results::open(about, &folder)?;
            good &= Session { erts: &erts, options, results }.run(&wanted)?;
        }
    }
    Ok(u8::from(!good))
}

/// One run of suites that have a page in common.
struct Session<'a> {
    erts: &'a Erts,
    options: &'a SuitesOptions,
    results: Results,
}

impl Session<'_> {
    /// Runs all that is wanted, and writes the page. Whether nothing went wrong that the caller should hear of.
    fn run(&self, wanted: &[Wanted]) -> Result<bool> {
        let (mut good, mut counted) = (true, 0);
        for wanted in wanted {
            if let Err(error) = self.application(wanted, &mut counted) {
                eprintln!("{}: {error:#}", wanted.application);
                good = false;
            }
            self.results.write_page()?;
        }
        println!("{}", self.results.write_page()?.display());
        if self.options.check {
            let unexplained = self.results.unexplained()?;
            unexplained.iter().for_each(|line| println!("{line}"));
            good &= unexplained.is_empty();
        }
        Ok(good)
    }

    /// Runs the suites of one application, those of this shard. `counted` is how many suites there were before them.
    fn application(&self, wanted: &Wanted, counted: &mut usize) -> Result<()> {
        let application = &*wanted.application;
        let (tests, suites) = if elixir::APPLICATIONS.contains(&application) {
            (None, elixir::suites(wanted))
        } else {
            let tests = erts_recipe::release_tests(self.erts, &[application], &Console);
            let tests = tests.context("its suites could not be built")?;
            let suites = wanted.among(&stage::suites(&tests, application)?)?;
            (Some(tests), suites)
        };
        let from = *counted;
        *counted += suites.len();
        let known = self.results.read()?;
        let mut suites = wanted::shard(suites, self.options.shard, from);
        suites.retain(|suite| self.is_to_be_run(&known, application, suite));
        if suites.is_empty() {
            return Ok(());
        }
        let side = match &tests {
            Some(tests) => {
                let image = stage::otp(self.erts, &self.options.build, tests)?;
                stage::suites_of(&image, tests, application, &suites)?
            }
            None => elixir::stage(self.erts, &self.options.build)?,
        };
        if self.runs(OneSide::Linux) {
            stage::for_linux(&side)?;
        } else {
            side.disk.parent().map_or(Ok(()), fs::create_dir_all)?;
        }
        for (number, suite) in suites.iter().enumerate() {
            eprintln!("{application}:{suite}, {} of {} in {application}", number + 1, suites.len());
            self.suite(&side, application, suite)?;
        }
        Ok(())
    }

    /// Whether something of a suite has no result yet that is asked for.
    fn is_to_be_run(&self, known: &Suites, application: &str, suite: &str) -> bool {
        let known = known.get(application).and_then(|suites| suites.get(suite)).cloned().unwrap_or_default();
        let mut known = self.to_go_on_with(known);
        SIDES.into_iter().any(|side| self.runs(side) && !known.side_mut(side).complete)
    }

    fn runs(&self, side: OneSide) -> bool {
        self.options.on.is_none_or(|only| only == side)
    }

    /// Of what is known of a suite, what is not run anew.
    fn to_go_on_with(&self, mut known: Comparison) -> Comparison {
        if self.options.again {
            known.forget_losses();
        } else if !self.options.resume {
            for side in SIDES.into_iter().filter(|side| self.runs(*side)) {
                *known.side_mut(side) = Outcomes::default();
            }
        }
        known
    }

    /// Runs one suite. What there is so far is kept with each case: a run may be ended at any time.
    fn suite(&self, side: &Side, application: &str, suite: &str) -> Result<()> {
        let minutes = |minutes: u32| Duration::from_secs(60 * u64::from(minutes));
        let patience = Patience { suite: minutes(self.options.minutes), case: minutes(self.options.case_minutes) };
        let known = self.to_go_on_with(self.results.of(application, suite)?);
        let keep = |side, outcomes: &Outcomes| self.results.keep(application, suite, side, outcomes);
        let mut linux = known.linux;
        if self.runs(OneSide::Linux) {
            let start = |outcomes: &Outcomes| OnLinux::start(self.erts, side, application, suite, outcomes);
            let mut progress = Progress::new(suite, "on Linux", None);
            linux = watch::watch(linux, patience, start, |outcomes, running| {
                progress.is(outcomes, running);
                keep(OneSide::Linux, outcomes)
            })?;
            progress.ends(&linux);
        }
        if self.runs(OneSide::Image) {
            let machine = run::machine(&self.options.machine, &side.image);
            let start = |outcomes: &Outcomes| InImage::start(&machine, side, application, suite, outcomes);
            let mut progress = Progress::new(suite, "in the image", linux.complete.then_some(&linux));
            let image = watch::watch(known.image, patience, start, |outcomes, running| {
                progress.is(outcomes, running);
                keep(OneSide::Image, outcomes)
            })?;
            progress.ends(&image);
        }
        Ok(())
    }
}

/// Says now and then how far a suite is.
struct Progress<'a> {
    suite: &'a str,
    side: &'static str,
    /// What the other side made of it, if that is known.
    other: Option<&'a Outcomes>,
    said: Instant,
}

impl<'a> Progress<'a> {
    fn new(suite: &'a str, side: &'static str, other: Option<&'a Outcomes>) -> Self {
        Self { suite, side, other, said: Instant::now() }
    }

    fn is(&mut self, outcomes: &Outcomes, running: &[String]) {
        if self.said.elapsed() < PROGRESS {
            return;
        }
        self.said = Instant::now();
        let all = self.other.map(|other| format!(" of {}", other.cases.len())).unwrap_or_default();
        let Self { suite, side, .. } = self;
        eprintln!("    {suite} {side}: {}{all} cases; {}", outcomes.cases.len(), running.join(", "));
    }

    /// Says what came out, and what is different from the other side.
    fn ends(&self, outcomes: &Outcomes) {
        let Self { suite, side, .. } = self;
        eprintln!("    {suite} {side}: {}", outcomes.summary());
        let passed = self.other.into_iter().flat_map(|other| &other.cases);
        for (case, _) in passed.filter(|(_, outcome)| outcome.verdict == Verdict::Ok) {
            match outcomes.cases.get(case) {
                Some(outcome) if outcome.verdict == Verdict::Ok => {}
                Some(outcome) => eprintln!("        {case}: {}", String::from(outcome.clone())),
                None => eprintln!("        {case}: no result"),
            }
        }
    }
}

/// An empty folder.
fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}
