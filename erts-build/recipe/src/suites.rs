//! OTP's own test suites.

use std::path::{Path, PathBuf};

use sources::{Progress, cache};

use crate::erts::Erts;
use crate::otp::Otp;
use crate::run::Result;

/// Compiles the test suites of `applications` (`emulator`, `kernel`, `stdlib`, ...) into one folder in the cache and returns
/// it: `<folder>/<application>_test` holds each one's suites, compiled, with their data.
///
/// # Errors
/// [`crate::Error`].
pub fn release_tests(erts: &Erts, applications: &[&str], progress: &dyn Progress) -> Result<PathBuf> {
    let home = erts.tree.parent().unwrap_or(Path::new("/"));
    let otp = Otp { tree: erts.tree.clone(), root: erts.otp.clone(), logs: home.join("logs"), progress };
    let folder = home.join("tests");
    let _guard = cache::guard("otp", progress)?;
    for application in applications {
        let marker = folder.join(format!("{application}.complete"));
        if marker.is_file() {
            continue;
        }
        let below = match *application {
            "emulator" | "epmd" => format!("erts/{application}/test"),
            other => format!("lib/{other}/test"),
        };
        let mut command = otp.command("make");
        command.current_dir(otp.tree.join(below)).args(["release_tests", &format!("TESTROOT={}", folder.display())]);
        otp.step(
            &format!("compiling the test suites of {application}"),
            &format!("tests-{application}"),
            20_000,
            &mut command,
        )?;
        cache::write_atomically(&marker, b"")?;
    }
    Ok(folder)
}
