//! Makes a fresh machine ready: programs of the host first, then the long build of OTP.

use std::{io, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};
use sources::host::{self, Task};

/// Sees to it that everything `task` needs is installed.
///
/// On Debian as root this runs apt-get; elsewhere it says what to type.
///
/// # Errors
/// Something is missing and cannot be installed from here.
pub fn prepare(task: Task) -> Result<()> {
    let missing = host::missing_for(task);
    if missing.is_empty() {
        return Ok(());
    }
    if !can_install() {
        bail!("{}", host::advice(&missing));
    }
    let packages = host::packages(&missing);
    eprintln!("Installing {} (apt-get)", packages.join(" "));
    apt_get(&["update"])?;
    apt_get(&[&["install", "--yes", "--no-install-recommends"], &packages[..]].concat())?;
    let missing = host::missing_for(task);
    ensure!(missing.is_empty(), "still missing although apt-get was content: {}", host::advice(&missing));
    Ok(())
}

/// Whether this is root on a machine with apt-get.
fn can_install() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    root && Path::new("/usr/bin/apt-get").exists()
}

/// Brings apt's idea of the archive up to date.
///
/// # Errors
/// This is not root on Debian, or the archive cannot be reached.
pub fn update_index() -> Result<()> {
    ensure!(can_install(), "apt's index is out of date: run `apt-get update` as root");
    apt_get(&["update"])
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    // What apt-get says is progress, not the result: it belongs on standard error.
    command.arg("--quiet=1").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(io::stderr());
    let status = command.status().context("cannot run apt-get")?;
    ensure!(status.success(), "`apt-get {}` failed; its message is above", arguments.join(" "));
    Ok(())
}
