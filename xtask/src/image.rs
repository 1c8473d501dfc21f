//! Makes an image of somebody's release, or of somebody's files.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rootfs_release::{Packed, Wish, applications::Otp, files, start::Additions};
use sources::host::Task;
use trapless_tests::repository;

use crate::{
    build,
    cli::{BuildOptions, ImageOptions, ReleaseOptions},
    nifs, setup,
};

/// Where the archive is made, below the repository's folder.
const WORK: &str = "target/release-image";

/// Makes the image, says what is in it, and puts it where the user wants it.
///
/// # Errors
/// There is no release, or it cannot be used, or the image cannot be built.
pub fn image(options: &ImageOptions) -> Result<()> {
    let (packed, nifs) = pack(&options.build, &options.whose)?.context(
        "which release? `cargo xtask image --release DIR` takes its folder, or a .tar.gz of it (--files takes what is no release)",
    )?;
    let image = build_packed(&options.build, &packed, nifs.as_deref())?;
    let default = [Some(&packed.name), packed.version.as_ref()].into_iter().flatten().cloned().collect::<Vec<_>>();
    let output = options.output.clone().unwrap_or_else(|| format!("{}.elf", default.join("-")).into());
    // Where the user is: cargo leaves that to us.
    let output = env::current_dir().context("there is no current folder")?.join(output);
    fs::copy(&image, &output).with_context(|| format!("cannot write {}", output.display()))?;
    println!("{}", output.display());
    Ok(())
}

/// The image that the options describe: of a release, of files, or as it is always built.
///
/// # Errors
/// As [`image`].
pub fn of(build: &BuildOptions, whose: &ReleaseOptions) -> Result<PathBuf> {
    match pack(build, whose)? {
        Some((packed, nifs)) => build_packed(build, &packed, nifs.as_deref()),
        None => build::build(build),
    }
}

/// The archive of a release or of files, if there are any, and the libraries that were made for it.
fn pack(build: &BuildOptions, whose: &ReleaseOptions) -> Result<Option<(Packed, Option<PathBuf>)>> {
    if whose.release.is_none() && whose.files.is_empty() {
        return Ok(None);
    }
    setup::prepare(Task::Image)?;
    let erts = build::erts(build.flavor)?;
    let (work, rootfs) = (repository().join(WORK), repository().join("rootfs"));
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let additions = Additions { env: whose.env.clone(), args: whose.args.clone(), shell: whose.shell };
    let (app, strip) = (build.app.as_deref(), !whose.no_strip);
    let (nifs, no_syscalls) = (nifs::make(build)?, nifs::no_syscalls(build));
    let (objects, libc) = ([&*erts.beam, &erts.crypto], erts.libc());
    let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &objects, libc: &libc };
    let packed = match &whose.release {
        Some(release) => {
            let (allow_native, nifs) = (whose.allow_native, nifs.as_deref());
            let wish = Wish { release, additions, app, strip, allow_native, nifs, no_syscalls };
            rootfs_release::pack(&wish, &otp, &rootfs, &work)?
        }
        None => {
            let (files, otp_names, nifs) = (&whose.files, &whose.otp, nifs.as_deref());
            let wish = files::Wish { files, otp: otp_names, additions, app, strip, nifs, no_syscalls };
            files::pack(&wish, &otp, &rootfs, &work)?
        }
    };
    let version = packed.version.as_deref().unwrap_or_default();
    eprintln!("{}:\n{}", format!("{} {version}", packed.name).trim_end(), packed.report);
    packed.notes.iter().for_each(|note| eprintln!("note: {note}"));
    Ok(Some((packed, nifs)))
}

fn build_packed(build: &BuildOptions, packed: &Packed, nifs: Option<&Path>) -> Result<PathBuf> {
    let archive = repository().join(WORK).join("rootfs.cpio");
    if !fs::read(&archive).is_ok_and(|old| old == packed.bytes) {
        fs::write(&archive, &packed.bytes).with_context(|| format!("cannot write {}", archive.display()))?;
    }
    build::build_with(build, Some(&archive), nifs)
}
