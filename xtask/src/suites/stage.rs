//! Puts together what the suites need as a folder of applications for `--app`, and unpacks the archive for Linux.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use erts_recipe::Erts;
use rootfs_recipe::tree::{list, name_of};
use trapless_tests::repository;

use super::fresh;
use crate::build;

/// Applications of OTP that suites and Common Test itself call.
const APPLICATIONS: [&str; 8] =
    ["common_test", "compiler", "parsetools", "runtime_tools", "sasl", "syntax_tools", "tools", "xmerl"];

/// Those that are in every image.
const ALWAYS: [&str; 2] = ["kernel", "stdlib"];

/// Makes the folder of applications: those of OTP, with the tested ones, OTP's helpers for its suites, and the runner, whose `priv` holds
/// the wanted suites with their data.
pub fn applications(folder: &Path, erts: &Erts, tests: &Path, wanted: &[(String, Vec<String>)]) -> Result<PathBuf> {
    let applications = folder.join("applications");
    fresh(&applications)?;
    for entry in list(&erts.otp.join("lib"))? {
        let name = name_of(&entry)?;
        let plain = name.split('-').next().unwrap_or(name);
        let tested = wanted.iter().any(|(application, _)| application == plain) && !ALWAYS.contains(&plain);
        if tested || APPLICATIONS.contains(&plain) {
            link(&entry, &applications.join(name))?;
        }
    }
    fs::create_dir_all(applications.join("test_server"))?;
    link(&tests.join("test_server"), &applications.join("test_server/ebin"))?;

    let runner = applications.join("trapless_suites");
    fs::create_dir_all(&runner)?;
    link(&repository().join("tests/erts/trapless_suites/src"), &runner.join("src"))?;
    // Common Test's headers, which the runner includes, are found through the code path of the OTP that compiles it.
    for (application, suites) in wanted {
        let from = tests.join(format!("{application}_test"));
        let to = runner.join("priv").join(format!("{application}_test"));
        fs::create_dir_all(&to)?;
        for entry in list(&from)? {
            let name = name_of(&entry)?;
            if belongs(name, suites) {
                link(&entry, &to.join(name))?;
            }
        }
        for suite in suites {
            ensure!(to.join(format!("{suite}.beam")).exists(), "{application} has no suite {suite}");
        }
    }
    Ok(applications)
}

/// Helper modules belong to every suite; of the suites only the wanted ones, with their data. Source stays outside.
fn belongs(name: &str, suites: &[String]) -> bool {
    let Some(at) = name.find("_SUITE") else { return name.ends_with(".beam") };
    let suite = &name[..at + "_SUITE".len()];
    let rest = &name[suite.len()..];
    suites.iter().any(|wanted| wanted == suite) && (rest == ".beam" || rest == "_data")
}

fn link(from: &Path, to: &Path) -> Result<()> {
    symlink(from, to).with_context(|| format!("cannot link {} to {}", to.display(), from.display()))
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?.path();
        let to = to.join(name_of(&entry)?);
        if entry.is_dir() {
            copy(&entry, &to)?;
        } else {
            fs::copy(&entry, &to).with_context(|| format!("cannot copy {}", entry.display()))?;
        }
    }
    Ok(())
}

/// Unpacks the archive that is inside the image, so that Linux sees the same files.
pub fn unpack(folder: &Path, image: &Path) -> Result<PathBuf> {
    let disk = folder.join("disk");
    fresh(&disk)?;
    let bytes = build::archive_of(image)?;
    for entry in cpio_reader::iter_files(&bytes) {
        let path = disk.join(entry.name());
        if entry.mode().contains(cpio_reader::Mode::DIRECTORY) {
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        } else {
            fs::write(&path, entry.file()).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(disk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_and_wanted_suites_belong() {
        let wanted = ["ets_SUITE".to_owned()];
        for (name, expected) in [
            ("ets_SUITE.beam", true),
            ("ets_SUITE_data", true),
            ("ets_SUITE.erl", false),
            ("lists_SUITE.beam", false),
            ("lists_SUITE_data", false),
            ("ets_tough_SUITE.beam", false),
            ("kernel_test_lib.beam", true),
            ("Emakefile", false),
        ] {
            assert_eq!(belongs(name, &wanted), expected, "{name}");
        }
    }
}
