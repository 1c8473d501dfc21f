//! Images that differ from the product in one point, built beside it.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::PathBuf,
    process::Command,
    sync::{Mutex, OnceLock, PoisonError},
};

use anyhow::{Context, Result, anyhow};

use crate::{repository, run_quietly};

/// One build at a time: all leave their image in the same place first.
static BUILDING: Mutex<()> = Mutex::new(());

/// The entry variant of the images under test, which those built here share.
pub fn entry() -> String {
    env::var("TRAPLESS_ENTRY").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "direct".to_owned())
}

/// Builds the image as `adjust` changes the command of `cargo build`, and keeps it as `target/variants/NAME.elf`. The product and its
/// target folder are not touched; what variants have in common is built once.
///
/// # Errors
/// What cargo says, if the build fails.
pub fn build(name: &str, adjust: impl FnOnce(&mut Command)) -> Result<PathBuf> {
    let target = repository().join("target/variants");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--package", "trapless", "--target-dir"]).arg(&target).current_dir(repository());
    adjust(&mut cargo);
    let image = target.join(name).with_extension("elf");
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    run_quietly(&mut cargo)?;
    fs::copy(target.join("release/image"), &image).with_context(|| format!("cannot write {}", image.display()))?;
    Ok(image)
}

/// The image with the examples, with the machine's side of tests, and with what all of them need of OTP.
///
/// # Errors
/// What cargo says, if the build fails.
pub fn with_applications() -> Result<PathBuf> {
    static IMAGE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || -> Result<PathBuf> {
        let folder = repository().join("target/variants/applications");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for application in [
            "examples/trapless_cluster",
            "examples/trapless_metrics",
            "examples/trapless_secure",
            "examples/trapless_syslog",
            "tests/cluster/trapless_cluster_test",
            "tests/secure/trapless_secure_test",
        ] {
            let from = repository().join(application);
            let link = folder.join(from.file_name().context("a path of ours has a name")?);
            if !link.exists() {
                symlink(&from, &link).with_context(|| format!("cannot make {}", link.display()))?;
            }
        }
        build("applications", |cargo| {
            cargo.env("TRAPLESS_APP", &folder);
        })
    };
    IMAGE.get_or_init(|| make().map_err(|error| format!("{error:#}"))).clone().map_err(|error| anyhow!(error))
}
