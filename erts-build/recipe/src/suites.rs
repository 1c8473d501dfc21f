//! OTP's own test suites.

use std::path::{Path, PathBuf};

use sources::{Progress, cache};

use crate::erts::{Erts, folder_name};
use crate::otp::{Otp, TRIPLET};
use crate::run::Result;

/// OTP's own helpers: the suites of its base applications hook `ts_install_cth` from here into common_test.
const TEST_SERVER: &str = "test_server";

/// Compiles the test suites of `applications` (`emulator`, `kernel`, `stdlib`, ...) and returns the folder that holds them:
/// `<folder>/<application>_test` has each one's suites with their data, and `<folder>/test_server` belongs on the code path of
/// whoever runs them. What suites want compiled by a C compiler (NIFs, port programs) is not: the image could not load it.
///
/// # Errors
/// [`crate::Error`]: above all, a suite that does not compile.
pub fn release_tests(erts: &Erts, applications: &[&str], progress: &dyn Progress) -> Result<PathBuf> {
    let home = erts.tree.parent().unwrap_or(Path::new("/"));
    let otp = Otp { tree: erts.tree.clone(), root: erts.otp.clone(), logs: home.join("logs"), progress };
    let folder = home.join("tests");
    let _guard = cache::guard(&folder_name(&erts.hash), progress)?;
    for application in std::iter::once(&TEST_SERVER).chain(applications) {
        let marker = folder.join(format!("{application}.complete"));
        if !marker.is_file() {
            compile(&otp, application, &folder)?;
            cache::write_atomically(&marker, b"")?;
        }
    }
    Ok(folder)
}

/// Installs one application's suites below `folder` and compiles them there.
fn compile(otp: &Otp<'_>, application: &str, folder: &Path) -> Result<()> {
    let source = match application {
        TEST_SERVER => "lib/common_test/test_server".to_owned(),
        "emulator" | "epmd" => format!("erts/{application}/test"),
        other => format!("lib/{other}/test"),
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [otp.root.join("bin")].into_iter().chain(std::env::split_paths(&path));
    // Only a colon in a folder's name fails to join, and what was just split has none.
    let path = std::env::join_paths(folders).unwrap_or(path);

    let mut install = otp.command("make");
    install.current_dir(otp.tree.join(source)).env("PATH", &path).args([
        "release_tests",
        &format!("TARGET={TRIPLET}"),
        &format!("TESTROOT={}", folder.display()),
    ]);
    let what = format!("installing the test suites of {application}");
    otp.step(&what, &format!("tests-{application}"), 6_000, &mut install)?;
    if application == TEST_SERVER {
        return Ok(()); // compiled where it comes from
    }

    let mut compile = otp.command("erl");
    compile.current_dir(folder.join(format!("{application}_test"))).env("PATH", &path).args(["-noinput", "-make"]);
    let what = format!("compiling the test suites of {application} (about a minute)");
    otp.step(&what, &format!("tests-{application}-compile"), 80_000, &mut compile)
}
