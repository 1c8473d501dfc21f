//! Builds the archive, and tells the image's build script where it is.
//!
//! A package that depends on this one sees in its build script `DEP_TRAPLESS_ROOTFS_CPIO` (the archive),
//! `DEP_TRAPLESS_ROOTFS_HASH` (its SHA-256), `DEP_TRAPLESS_ROOTFS_APPLICATIONS` (their names, with versions, between blanks) and
//! `DEP_TRAPLESS_ROOTFS_IMPORTS` (what its shared libraries ask for, between blanks).

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result};
use rootfs_recipe::{ARCHIVE_VARIABLE, Archive, Inputs, app::APP_VARIABLE, erlang::Erlang, shared::NIFS_VARIABLE};

fn main() -> ExitCode {
    match archive() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe root file system could not be built: {error:#}\n");
            ExitCode::FAILURE
        }
    }
}

fn archive() -> Result<()> {
    let out = path("OUT_DIR")?;
    println!("cargo::rerun-if-env-changed={APP_VARIABLE}");
    println!("cargo::rerun-if-env-changed={ARCHIVE_VARIABLE}");
    println!("cargo::rerun-if-env-changed={NIFS_VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let archive = match given(ARCHIVE_VARIABLE) {
        Some(file) => rootfs_recipe::made(&file)?,
        None => build(&out)?,
    };
    for input in &archive.inputs {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let file = out.join("rootfs.cpio");
    write_if_changed(&file, &archive.bytes)?;
    println!("cargo::metadata=cpio={}", file.display());
    println!("cargo::metadata=hash={}", archive.hash);
    println!("cargo::metadata=applications={}", archive.applications.join(" "));
    println!("cargo::metadata=imports={}", archive.imports.into_iter().collect::<Vec<_>>().join(" "));
    println!("cargo::rustc-env=TRAPLESS_ROOTFS_HASH={}", archive.hash);
    Ok(())
}

/// Builds the archive of the manifest, with the user's code.
fn build(out: &Path) -> Result<Archive> {
    let rootfs = path("CARGO_MANIFEST_DIR")?;
    let otp_root = path("DEP_TRAPLESS_ERTS_OTP")?;
    let erlang = Erlang::new(otp_root.join("bin/erl"));
    let (app, nifs) = (given(APP_VARIABLE), given(NIFS_VARIABLE));
    rootfs_recipe::build(&Inputs {
        rootfs: &rootfs,
        otp_root: &otp_root,
        erlang: &erlang,
        app: app.as_deref(),
        nifs: nifs.as_deref(),
        work: out,
    })
}

fn given(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn path(variable: &str) -> Result<PathBuf> {
    Ok(env::var_os(variable).with_context(|| format!("{variable} is not set; cargo sets it"))?.into())
}

/// An unchanged file keeps its time, so that nothing is linked again for it.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
