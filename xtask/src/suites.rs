//! Runs suites of OTP's own tests in the image and on Linux, with the same BEAM and the same files, and compares.

mod report;
mod stage;

pub use stage::unpack;

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use erts_recipe::Erts;
use serde::{Deserialize, Serialize};
use sources::{Console, host::Task};
use trapless_tests::{machine::Machine, repository, vm::Vm};

use crate::{build, cli::SuitesOptions, run, setup};

/// What is run when nothing is named: each application of OTP with its suites.
const DEFAULT: [(&str, &[&str]); 3] = [
    ("kernel", &["gen_tcp_api_SUITE", "gen_udp_SUITE", "prim_file_SUITE"]),
    ("stdlib", &["timer_SUITE", "ets_SUITE", "lists_SUITE"]),
    ("emulator", &["process_SUITE", "time_SUITE"]),
];
/// Where the image has the suites, see [`stage`].
const IN_IMAGE: &str = "lib/trapless_suites-0.1.0/priv";
/// The line that ends a run begins with this.
const END: &str = "@@ end ";

/// What became of one test case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Outcome {
    /// `ok`, `skipped` or `failed`, in this order of badness.
    verdict: Verdict,
    reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Skipped,
    Failed,
}

/// The outcomes of one suite, by group and case.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Outcomes {
    cases: BTreeMap<String, Outcome>,
    /// Whether the run came to its end by itself.
    complete: bool,
}

/// Both sides of one suite.
#[derive(Serialize, Deserialize)]
struct Comparison {
    linux: Outcomes,
    image: Outcomes,
}

/// Stages, builds, runs, and writes the page of differences.
///
/// # Errors
/// Something cannot be built or started. A suite that fails is no error but a line of the page.
pub fn suites(options: &SuitesOptions) -> Result<u8> {
    setup::prepare(Task::Run)?;
    let erts = erts_recipe::build(erts_recipe::Flavor::Jit, &Console).context("OTP could not be built")?;
    let wanted = wanted(&options.suites)?;
    let applications: Vec<_> = wanted.iter().map(|(application, _)| application.as_str()).collect();
    let tests = erts_recipe::release_tests(&erts, &applications, &Console).context("the suites could not be built")?;
    let folder = repository().join("target/suites");
    let mut build = options.build.clone();
    build.app = Some(stage::applications(&folder, &erts, &tests, &wanted)?);
    let image = build::build(&build)?;
    let disk = stage::unpack(&folder, &image)?;
    let patience = Duration::from_secs(60 * u64::from(options.minutes));

    let mut page = report::Page::open(&repository().join("docs/generated/otp-suites"))?;
    for (application, suite) in
        wanted.iter().flat_map(|(application, suites)| suites.iter().map(move |suite| (application, suite)))
    {
        eprintln!("{suite}: on Linux");
        let linux = on_linux(&erts, &disk, application, suite, patience)?;
        eprintln!("{suite}: {}; in the image", report::counts(&linux));
        let machine = run::machine(&options.machine, &image);
        let image = in_image(&machine, application, suite, patience)?;
        eprintln!("{suite}: {}", report::counts(&image));
        page.add(suite, Comparison { linux, image })?;
    }
    println!("{}", page.write(&repository().join("tests/erts/reasons.toml"))?.display());
    Ok(0)
}

/// `application:suite` as asked for, or the default.
fn wanted(names: &[String]) -> Result<Vec<(String, Vec<String>)>> {
    if names.is_empty() {
        let owned = |(application, suites): &(&str, &[&str])| {
            ((*application).to_owned(), suites.iter().map(|suite| (*suite).to_owned()).collect())
        };
        return Ok(DEFAULT.iter().map(owned).collect());
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

/// The arguments of Erlang that run one suite; `root` is where Erlang's installation is.
fn arguments(root: &str, application: &str, suite: &str, logs: &str) -> Vec<String> {
    let folder = format!("{root}/{IN_IMAGE}/{application}_test");
    ["-noshell", "-run", "trapless_suites", "run", &folder, logs, suite].map(str::to_owned).to_vec()
}

fn in_image(machine: &Machine, application: &str, suite: &str, patience: Duration) -> Result<Outcomes> {
    let arguments = arguments("/otp", application, suite, "/tmp/logs").join(" ");
    let machine = Machine { append: format!("{} -- {arguments}", machine.append), ..machine.clone() };
    let vm = Vm::boot(&format!("suite-{suite}"), &machine)?;
    let ended = vm.console().wait_for(END, 0, patience).is_some();
    Ok(outcomes(&vm.console().text(), ended))
}

fn on_linux(erts: &Erts, disk: &Path, application: &str, suite: &str, patience: Duration) -> Result<Outcomes> {
    let root = disk.join("otp");
    let logs = disk.join("tmp").join(suite);
    // Linux can run the programs that Erlang starts there, `erl` among them.
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([erts.otp.join("bin")].into_iter().chain(env::split_paths(&path)))?;
    let bin = erts.otp.join(format!("erts-{}/bin", erts.erts_version));
    let output: PathBuf = repository().join(format!("target/trapless-logs/linux-{suite}.log"));
    output.parent().map_or(Ok(()), fs::create_dir_all)?;
    let file = File::create(&output).with_context(|| format!("cannot make {}", output.display()))?;
    let mut command = Command::new(&erts.beam_linux);
    command
        .args(["--", "-root"])
        .arg(&root)
        .arg("-bindir")
        .arg(&bin)
        .args(["-progname", "erl", "--", "-home"])
        .arg(disk);
    command.args(["--", "-boot"]).arg(root.join("bin/start"));
    command.args(arguments(&root.to_string_lossy(), application, suite, &logs.to_string_lossy()));
    command.env("PATH", path).env("BINDIR", &bin).env("ERL_CRASH_DUMP_BYTES", "0").current_dir(disk);
    command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file);
    let mut child = command.spawn().context("cannot start Erlang on Linux")?;
    let give_up = Instant::now() + patience;
    while child.try_wait()?.is_none() {
        if Instant::now() > give_up {
            child.kill()?;
            child.wait()?;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let mut bytes = Vec::new();
    File::open(&output)?.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(outcomes(&text, text.contains(END)))
}

/// Reads the lines `@@ VERDICT SUITE CASE REASON`. Of a case that ran several times the worst counts.
fn outcomes(text: &str, complete: bool) -> Outcomes {
    let mut cases: BTreeMap<String, Outcome> = BTreeMap::new();
    for line in text.lines() {
        let Some((_, line)) = line.split_once("@@ ") else { continue };
        let mut words = line.splitn(4, ' ');
        let verdict = match words.next() {
            Some("ok") => Verdict::Ok,
            Some("skipped") => Verdict::Skipped,
            Some("failed") => Verdict::Failed,
            _ => continue,
        };
        let (Some(_suite), Some(case)) = (words.next(), words.next()) else { continue };
        let outcome = Outcome { verdict, reason: words.next().unwrap_or_default().trim().to_owned() };
        let known = cases.entry(case.to_owned()).or_insert_with(|| outcome.clone());
        *known = outcome.max(known.clone());
    }
    Outcomes { cases, complete }
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
        let text = "noise\n@@ ok x_SUITE g/a \r\n@@ failed x_SUITE g/a {badmatch, 1}\n@@ ok x_SUITE g/a \n@@ skipped x_SUITE b why not\n";
        let outcomes = outcomes(text, true);
        assert_eq!(outcomes.cases["g/a"], Outcome { verdict: Verdict::Failed, reason: "{badmatch, 1}".into() });
        assert_eq!(outcomes.cases["b"], Outcome { verdict: Verdict::Skipped, reason: "why not".into() });
        assert_eq!(outcomes.cases.len(), 2);
    }

    #[test]
    fn suites_are_asked_for_by_application() {
        assert_eq!(wanted(&[]).unwrap().len(), DEFAULT.len());
        let asked = wanted(&["stdlib:a_SUITE".into(), "stdlib:b_SUITE".into()]).unwrap();
        assert_eq!(asked, [("stdlib".to_owned(), vec!["a_SUITE".to_owned(), "b_SUITE".to_owned()])]);
        assert!(wanted(&["a_SUITE".into()]).is_err());
    }
}
