//! Runs suites of OTP's own tests, and of Elixir's, in the image and on Linux, with the same BEAM and the same files, and compares.

mod elixir;
mod report;
mod stage;
mod transcript;
mod watch;

pub use stage::unpack;

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use erts_recipe::Erts;
use serde::{Deserialize, Serialize};
use sources::{Console, host::Task};
use trapless_tests::{machine::Machine, repository, vm::Vm};

use self::{
    transcript::Transcript,
    watch::{Patience, Run},
};
use crate::{
    build,
    cli::{BuildOptions, SuitesOptions},
    run, setup,
};

/// What is run when nothing is named: each application of OTP with its suites.
const DEFAULT: [(&str, &[&str]); 3] = [
    ("kernel", &["gen_tcp_api_SUITE", "gen_udp_SUITE", "prim_file_SUITE"]),
    ("stdlib", &["timer_SUITE", "ets_SUITE", "lists_SUITE"]),
    ("emulator", &["process_SUITE", "time_SUITE"]),
];
/// Where the image has the suites, see [`stage`].
const IN_IMAGE: &str = "lib/trapless_suites-0.1.0/priv";

/// What became of one test case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Outcome {
    verdict: Verdict,
    reason: String,
}

/// In order of badness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Skipped,
    Failed,
    /// It was ended when it had run for long.
    Unfinished,
}

/// The outcomes of one suite, by group and case.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Outcomes {
    cases: BTreeMap<String, Outcome>,
    /// Whether every case has had its turn.
    complete: bool,
    /// The last case that has its outcome, in the suite's own order, which is where a later run goes on.
    #[serde(default)]
    reached: Option<String>,
}

impl Outcomes {
    /// Of a case that ran several times the worst outcome counts.
    fn insert(&mut self, case: String, outcome: Outcome) {
        self.reached = Some(case.clone());
        let known = self.cases.entry(case).or_insert_with(|| outcome.clone());
        *known = outcome.max(known.clone());
    }

    fn add(&mut self, transcript: Transcript) {
        transcript.results.into_iter().for_each(|(case, outcome)| self.insert(case, outcome));
    }
}

/// Both sides of one suite.
#[derive(Default, Serialize, Deserialize)]
struct Comparison {
    linux: Outcomes,
    image: Outcomes,
}

/// Where suites are, and how one is started.
struct Side {
    image: PathBuf,
    /// The image's files on this host.
    disk: PathBuf,
    /// A folder below the root with applications that are not OTP's.
    libs: Option<&'static str>,
    /// Arguments of Erlang for the suite of an application, behind the case that is named; the first is where the image's root is.
    arguments: fn(root: &str, application: &str, suite: &str, last: Option<&str>) -> Vec<String>,
}

type Wanted = Vec<(String, Vec<String>)>;

/// Stages, builds, runs, and writes the pages of differences.
///
/// # Errors
/// Something cannot be built or started. A suite that fails is no error but a line of the page.
pub fn suites(options: &SuitesOptions) -> Result<u8> {
    setup::prepare(Task::Run)?;
    let erts = erts_recipe::build(erts_recipe::Flavor::Jit, &Console).context("OTP could not be built")?;
    let (of_elixir, of_otp): (Wanted, Wanted) = wanted(&options.suites)?
        .into_iter()
        .partition(|(application, _)| elixir::APPLICATIONS.contains(&&**application));
    if !of_otp.is_empty() {
        let side = otp(&erts, &options.build, &of_otp)?;
        compare(&erts, &side, &of_otp, options, &report::OTP)?;
    }
    if !of_elixir.is_empty() {
        let side = elixir::stage(&erts, &options.build)?;
        compare(&erts, &side, &of_elixir, options, &report::ELIXIR)?;
    }
    Ok(0)
}

/// The image with OTP's suites, and its files for Linux.
fn otp(erts: &Erts, options: &BuildOptions, wanted: &Wanted) -> Result<Side> {
    let applications: Vec<_> = wanted.iter().map(|(application, _)| application.as_str()).collect();
    let tests = erts_recipe::release_tests(erts, &applications, &Console).context("the suites could not be built")?;
    let folder = repository().join("target/suites");
    let mut build = options.clone();
    build.app = Some(stage::applications(&folder, erts, &tests, wanted)?);
    let image = build::build(&build)?;
    let disk = stage::unpack(&folder, &image)?;
    Ok(Side { image, disk, libs: None, arguments })
}

/// Runs suites on both sides and writes the page.
fn compare(
    erts: &Erts,
    side: &Side,
    wanted: &Wanted,
    options: &SuitesOptions,
    about: &'static report::About,
) -> Result<()> {
    let minutes = |minutes: u32| Duration::from_secs(60 * u64::from(minutes));
    let patience = Patience { suite: minutes(options.minutes), case: minutes(options.case_minutes) };
    let machine = run::machine(&options.machine, &side.image);
    let mut page = report::Page::open(about)?;
    for (application, suite) in
        wanted.iter().flat_map(|(application, suites)| suites.iter().map(move |suite| (application, suite)))
    {
        let Comparison { linux, image } = if options.resume { page.take(suite) } else { Comparison::default() };
        // What there is so far is kept with each case: a run may be ended at any time.
        let mut keep = |linux: &Outcomes, image: &Outcomes| {
            page.add(suite, Comparison { linux: linux.clone(), image: image.clone() })
        };
        eprintln!("{suite}: on Linux");
        let start = |last: Option<&str>| OnLinux::start(erts, side, application, suite, last);
        let linux = watch::watch(linux, patience, start, |linux| keep(linux, &image))?;
        eprintln!("{suite}: {}; in the image", report::counts(&linux));
        let start = |last: Option<&str>| in_image(&machine, side, application, suite, last);
        let image = watch::watch(image, patience, start, |image| keep(&linux, image))?;
        eprintln!("{suite}: {}", report::counts(&image));
        keep(&linux, &image)?;
    }
    println!("{}", page.write()?.display());
    Ok(())
}

/// `application:suite` as asked for, or the default.
fn wanted(names: &[String]) -> Result<Wanted> {
    if let [name] = names
        && name == "elixir"
    {
        return Ok(owned(&elixir::DEFAULT));
    }
    if names.is_empty() {
        return Ok(owned(&DEFAULT));
    }
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in names {
        let Some((application, suite)) = name.split_once(':') else {
            bail!("{name:?} is not APPLICATION:SUITE, such as stdlib:lists_SUITE");
        };
        wanted.entry(application.to_owned()).or_default().push(suite.to_owned());
    }
    Ok(wanted.into_iter().collect())
}

fn owned(suites: &[(&str, &[&str])]) -> Wanted {
    let owned = |(application, suites): &(&str, &[&str])| {
        ((*application).to_owned(), suites.iter().map(|suite| (*suite).to_owned()).collect())
    };
    suites.iter().map(owned).collect()
}

/// The arguments of Erlang that run one suite of OTP behind the case `last`.
fn arguments(root: &str, application: &str, suite: &str, last: Option<&str>) -> Vec<String> {
    let (folder, logs) = (format!("{root}/otp/{IN_IMAGE}/{application}_test"), format!("{root}/tmp/{suite}"));
    let arguments = ["-noshell", "-run", "trapless_suites", "run", &folder, &logs, suite];
    arguments.into_iter().chain(last).map(str::to_owned).collect()
}

/// A suite's name as that of a file.
fn file_name(suite: &str) -> String {
    suite.replace('/', "-")
}

fn in_image(machine: &Machine, side: &Side, application: &str, suite: &str, last: Option<&str>) -> Result<Vm> {
    let arguments: Vec<_> =
        (side.arguments)("", application, suite, last).iter().map(|word| run::quoted(word)).collect();
    let machine = Machine { append: format!("{} -- {}", machine.append, arguments.join(" ")), ..machine.clone() };
    Vm::boot(&format!("suite-{}", file_name(suite)), &machine)
}

impl Run for Vm {
    fn text(&mut self) -> Result<String> {
        Ok(self.console().text())
    }

    fn is_running(&mut self) -> Result<bool> {
        Ok(!self.console().is_closed())
    }
}

/// A suite on Linux.
struct OnLinux {
    child: Child,
    output: PathBuf,
    disk: PathBuf,
}

impl OnLinux {
    fn start(erts: &Erts, side: &Side, application: &str, suite: &str, last: Option<&str>) -> Result<Self> {
        let disk = &side.disk;
        let root = disk.join("otp");
        // Linux can run the programs that Erlang starts there, `erl` among them.
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([erts.otp.join("bin")].into_iter().chain(env::split_paths(&path)))?;
        let bin = erts.otp.join(format!("erts-{}/bin", erts.erts_version));
        let output = repository().join(format!("target/trapless-logs/linux-{}.log", file_name(suite)));
        output.parent().map_or(Ok(()), fs::create_dir_all)?;
        let file = File::create(&output).with_context(|| format!("cannot make {}", output.display()))?;
        let mut command = Command::new(&erts.beam_host);
        command
            .args(["--", "-root"])
            .arg(&root)
            .arg("-bindir")
            .arg(&bin)
            .args(["-progname", "erl", "--", "-home"])
            .arg(disk);
        command.args(["--", "-boot"]).arg(root.join("bin/start"));
        command.args((side.arguments)(&disk.to_string_lossy(), application, suite, last));
        command.envs(side.libs.map(|libs| ("ERL_LIBS", disk.join(libs)))).env("LANG", "C.UTF-8");
        command.env("PATH", path).env("BINDIR", &bin).env("ERL_CRASH_DUMP_BYTES", "0").current_dir(disk);
        command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
        let child = command.spawn().context("cannot start Erlang on Linux")?;
        Ok(Self { child, output, disk: disk.clone() })
    }
}

impl Run for OnLinux {
    fn text(&mut self) -> Result<String> {
        let bytes = fs::read(&self.output).with_context(|| format!("cannot read {}", self.output.display()))?;
        // Paths as in the image, whose disk this is.
        Ok(String::from_utf8_lossy(&bytes).replace(&*self.disk.to_string_lossy(), ""))
    }

    fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("cannot wait for Erlang on Linux")?.is_none())
    }
}

impl Drop for OnLinux {
    fn drop(&mut self) {
        // Both fail only when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An empty folder.
fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_outcome_of_a_case_counts() {
        let text = "@@ ok x_SUITE g/a \n@@ failed x_SUITE g/a {badmatch, 1}\n@@ ok x_SUITE g/a \n@@ skipped x_SUITE b why not\n";
        let mut outcomes = Outcomes::default();
        outcomes.add(Transcript::read(text));
        assert_eq!(outcomes.cases["g/a"], Outcome { verdict: Verdict::Failed, reason: "{badmatch, 1}".into() });
        assert_eq!(outcomes.cases["b"], Outcome { verdict: Verdict::Skipped, reason: "why not".into() });
        assert_eq!((outcomes.cases.len(), outcomes.reached.as_deref()), (2, Some("b")));
    }

    #[test]
    fn suites_are_asked_for_by_application() {
        assert_eq!(wanted(&[]).unwrap().len(), DEFAULT.len());
        let asked = wanted(&["stdlib:a_SUITE".into(), "stdlib:b_SUITE".into()]).unwrap();
        assert_eq!(asked, [("stdlib".to_owned(), vec!["a_SUITE".to_owned(), "b_SUITE".to_owned()])]);
        assert!(wanted(&["a_SUITE".into()]).is_err());
        assert!(wanted(&["elixir".into()]).unwrap().iter().any(|(application, _)| application == "logger"));
    }
}
