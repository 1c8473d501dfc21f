//! Programs of this host, which tests run beside a machine.

use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use nix::sys::{prctl::set_pdeathsig, signal::Signal};

use crate::{deadline, repository};

/// Has a program get SIGTERM when the thread that starts it is gone, even if that is killed (PR_SET_PDEATHSIG(2const)): nobody would end
/// the program any more.
pub fn not_alone(command: &mut Command) -> &mut Command {
    // SAFETY: prctl(2) is all that is called between fork and exec, and takes no memory.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGTERM)?)) }
}

/// An empty folder below `target/` for what a test hands to the host's programs.
///
/// # Errors
/// It cannot be made.
pub fn fresh(name: &str) -> Result<PathBuf> {
    let folder = repository().join("target").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Runs a program with this input to its end, however that is; it is given up behind the deadline.
///
/// # Errors
/// It is not there.
pub fn run(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], input: &str) -> Result<Output> {
    run_in(&mut Command::new("timeout"), program, arguments, input)
}

/// The same with an environment of its own: `timeout` is the command that runs the program.
///
/// # Errors
/// As [`run`].
pub fn run_in(
    timeout: &mut Command,
    program: impl AsRef<std::ffi::OsStr>,
    arguments: &[&str],
    input: &str,
) -> Result<Output> {
    let program = program.as_ref();
    timeout.arg(deadline().as_secs().to_string()).arg(program).args(arguments);
    timeout.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let name = program.to_string_lossy();
    let mut child = timeout.spawn().with_context(|| format!("cannot run {name}: `cargo xtask setup` installs it"))?;
    // Who has ended already reads nothing; what it said tells why.
    let _ = child.stdin.take().context("it has no input")?.write_all(input.as_bytes());
    child.wait_with_output().with_context(|| format!("cannot wait for {name}"))
}

/// Runs a program that has to succeed, and returns what it wrote.
///
/// # Errors
/// It is not there, or what it said when it failed.
pub fn succeed(program: &str, arguments: &[&str]) -> Result<String> {
    let output = run(program, arguments, "")?;
    ensure!(
        output.status.success(),
        "{program} {} ended with {}:\n{}",
        arguments.join(" "),
        output.status,
        said(&output)
    );
    Ok(said(&output))
}

/// What a program wrote, to both outputs.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::ExitStatusExt, thread};

    #[test]
    fn a_program_ends_with_who_started_it() {
        let start = || not_alone(Command::new("sleep").arg("600")).spawn().unwrap();
        let mut program = thread::spawn(start).join().unwrap();
        assert_eq!(program.wait().unwrap().signal(), Some(Signal::SIGTERM as i32));
    }
}
