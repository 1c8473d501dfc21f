//! Builds the image with cargo, and finds it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};
use serde_json::Value;
use sources::{Console, host::Task};

use crate::{
    cli::{BuildOptions, Entry, Flavor, name},
    nifs, setup,
};

/// Names the entry variant, to the build scripts on both sides of it.
pub const ENTRY_VARIABLE: &str = "TRAPLESS_ENTRY";

/// Builds the image, and returns where it is.
///
/// # Errors
/// A tool is missing, or something does not compile; cargo's messages are on the terminal.
pub fn build(options: &BuildOptions) -> Result<PathBuf> {
    let nifs = nifs::make(options)?;
    build_with(options, None, nifs.as_deref())
}

/// The same with an archive that was made already, or with libraries for the one that will be.
///
/// # Errors
/// As [`build`].
pub fn build_with(options: &BuildOptions, archive: Option<&Path>, nifs: Option<&Path>) -> Result<PathBuf> {
    setup::prepare(Task::Image)?;
    erts(options.flavor)?;
    let mut command = cargo();
    command.args(["build", "--package", "trapless", "--message-format=json-render-diagnostics"]);
    if !options.debug {
        command.arg("--release");
    }
    command.env(erts_recipe::Flavor::VARIABLE, name(options.flavor)).env(ENTRY_VARIABLE, name(options.entry));
    if let Some(folder) = target(options.entry, options.app.is_some() || archive.is_some() || nifs.is_some()) {
        command.args(["--target-dir", &folder]);
    }
    if let Some(archive) = archive {
        command.env(rootfs_recipe::ARCHIVE_VARIABLE, archive);
    } else if let Some(app) = &options.app {
        let app =
            app.canonicalize().with_context(|| format!("there is no folder {} (given with --app)", app.display()))?;
        command.env("TRAPLESS_APP", app);
    }
    if let Some(nifs) = nifs.filter(|_| archive.is_none()) {
        command.env(rootfs_recipe::shared::NIFS_VARIABLE, nifs);
    }
    let output = command.stderr(Stdio::inherit()).output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the image was not built; the reason is above");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().rev().find_map(executable).context("cargo built no image")
}

/// OTP with an emulator of this flavour, built if need be. The build script would do this too, but cargo keeps to itself what a build script
/// says while it works.
///
/// # Errors
/// It cannot be built.
pub fn erts(flavor: Flavor) -> Result<erts_recipe::Erts> {
    erts_recipe::build(recipe_flavor(flavor), &Console).context("OTP could not be built")
}

/// The target folder of a variant, with somebody's code in it or without, where it is not cargo's own: building one image leaves the
/// others where they were.
fn target(entry: Entry, app: bool) -> Option<String> {
    match (entry, app) {
        (Entry::Direct, false) => None,
        (Entry::Direct, true) => Some("target/app".to_owned()),
        (entry, false) => Some(format!("target/{}", name(entry))),
        (entry, true) => Some(format!("target/app-{}", name(entry))),
    }
}

/// The root file system inside an image.
///
/// # Errors
/// The image cannot be read, or holds none.
pub fn archive_of(image: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("cannot read {}", image.display()))?;
    let archive = file.section_by_name(".rootfs");
    Ok(archive.with_context(|| format!("{} has no section .rootfs", image.display()))?.data()?.to_vec())
}

/// The flavour as the recipe of OTP knows it.
pub fn recipe_flavor(flavor: Flavor) -> erts_recipe::Flavor {
    match flavor {
        Flavor::Jit => erts_recipe::Flavor::Jit,
        Flavor::Emu => erts_recipe::Flavor::Emu,
    }
}

/// The path of the image, when this line of cargo's report names it.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let is_image = message.pointer("/target/name")? == "image" && message.pointer("/target/kind/0")? == "bin";
    is_image.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
}

/// The cargo that started us, in the root folder of the repository.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(trapless_tests::repository());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn no_image_is_built_where_another_lies() {
        let all = Entry::value_variants().iter().flat_map(|&entry| [false, true].map(|app| target(entry, app)));
        let folders: std::collections::BTreeSet<_> = all.clone().collect();
        assert_eq!(folders.len(), all.count());
        assert_eq!(target(Entry::Direct, false), None);
    }

    #[test]
    fn the_image_is_found_in_cargos_report() {
        let line = |kind: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"image","kind":["{kind}"]}},"executable":"/x/image"}}"#
            )
        };
        assert_eq!(executable(&line("bin")), Some("/x/image".into()));
        assert_eq!(executable(&line("custom-build")), None);
        assert_eq!(executable(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(executable("not JSON"), None);
    }
}
