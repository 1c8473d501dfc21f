//! Runs the long steps of the build: output to a log, progress to the user, the log's tail on failure.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sources::Progress;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why OTP or musl could not be built.
#[derive(Debug)]
pub enum Error {
    /// Sources, cache, disk or host tools.
    Sources(sources::Error),
    /// A step of the build failed.
    Step {
        /// What was being done.
        what: String,
        /// The log with all its output.
        log: PathBuf,
        /// The last lines of that log.
        tail: String,
    },
    /// `TRAPLESS_FLAVOR` is neither `jit` nor `emu`.
    BadFlavor(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sources(error) => error.fmt(f),
            Self::Step { what, log, tail } => write!(f, "{what} failed. The end of {}:\n{tail}", log.display()),
            Self::BadFlavor(flavor) => {
                write!(f, "TRAPLESS_FLAVOR is {flavor:?}; it can be `jit` (the default) or `emu`")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<sources::Error> for Error {
    fn from(error: sources::Error) -> Self {
        Self::Sources(error)
    }
}

/// Wraps an I/O error with its path.
pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    move |error| sources::Error::io(path, error).into()
}

/// Lines of a log shown on failure.
const TAIL_LINES: usize = 40;

/// One step of the build.
pub(crate) struct Step<'a> {
    /// What it does, for people.
    pub what: &'a str,
    /// Where its output goes.
    pub log: &'a Path,
    /// About how many bytes that output has, for the progress display.
    pub log_size: u64,
}

impl Step<'_> {
    /// Runs `command` to its end.
    pub fn run(&self, command: &mut Command, progress: &dyn Progress) -> Result<()> {
        progress.step(self.what);
        let log = fs::File::create(self.log).map_err(io(self.log))?;
        let second = log.try_clone().map_err(io(self.log))?;
        let mut child = command.stdin(Stdio::null()).stdout(log).stderr(second).spawn().map_err(|error| {
            sources::Error::Command {
                command: command.get_program().to_string_lossy().into_owned(),
                output: error.to_string(),
            }
        })?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(io(self.log))? {
                break status;
            }
            let written = fs::metadata(self.log).map_or(0, |metadata| metadata.len());
            progress.amount((written * 100 / self.log_size.max(1)).min(99), 100, "%");
            std::thread::sleep(Duration::from_millis(250));
        };
        if status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&fs::read(self.log).map_err(io(self.log))?).into_owned();
        let tail = tail(&text);
        if tail.contains("No space left on device") {
            return Err(sources::Error::DiskFull { path: self.log.to_owned() }.into());
        }
        Err(Error::Step { what: self.what.to_owned(), log: self.log.to_owned(), tail })
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// A command in an environment that is the same on every machine: of the caller's variables (cargo alone sets `TARGET`,
/// `HOST`, `DEBUG` and `PROFILE`, all of which mean something to OTP's makefiles) only PATH is kept.
pub(crate) fn hermetic(program: impl AsRef<OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C.UTF-8")
        .env("HOME", home);
    command
}

/// `-jN` for this machine.
pub(crate) fn jobs() -> String {
    format!("-j{}", std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
}

/// What a small helper program printed on its standard output.
pub(crate) fn output_of(program: &str, arguments: &[&str]) -> Result<String> {
    let failed =
        |output: String| sources::Error::Command { command: format!("{program} {}", arguments.join(" ")), output };
    let output = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("trapless-recipe-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_failing_step_shows_the_end_of_its_log() {
        let folder = scratch("tail");
        let log = folder.join("log");
        let step = Step { what: "counting", log: &log, log_size: 100 };
        let mut command = hermetic("sh", &folder);
        command.args(["-c", "i=0; while [ $i -lt 99 ]; do i=$((i+1)); echo line $i; done; exit 3"]);
        match step.run(&mut command, &sources::Quiet) {
            Err(error @ Error::Step { .. }) => {
                let text = error.to_string();
                assert!(text.contains("line 99") && text.contains("line 60") && !text.contains("line 59\n"), "{text}");
                assert!(text.contains(log.to_str().unwrap()));
            }
            other => panic!("{other:?}"),
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let folder = scratch("full");
        let log = folder.join("log");
        let step = Step { what: "filling", log: &log, log_size: 100 };
        let mut command = hermetic("sh", &folder);
        command.args(["-c", "echo 'cc: error writing x.o: No space left on device'; exit 1"]);
        let result = step.run(&mut command, &sources::Quiet);
        assert!(matches!(result, Err(Error::Sources(sources::Error::DiskFull { .. }))), "{result:?}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_environment_is_not_inherited() {
        // Cargo sets this for every test it runs.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let output = hermetic("env", Path::new("/nowhere")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut names: Vec<&str> = text.lines().filter_map(|line| line.split('=').next()).collect();
        names.sort_unstable();
        assert_eq!(names, ["HOME", "LC_ALL", "PATH"]);
    }
}
