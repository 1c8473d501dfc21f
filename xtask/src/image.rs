//! Makes an image of somebody's release.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rootfs_release::{Packed, Wish, applications::Otp, start::Additions};
use sources::host::Task;
use trapless_tests::repository;

use crate::{
    build,
    cli::{BuildOptions, ImageOptions, ReleaseOptions},
    nifs, setup,
};

/// Makes the image, says what is in it, and puts it where the user wants it.
///
/// # Errors
/// There is no release, or it cannot be used, or the image cannot be built.
pub fn image(options: &ImageOptions) -> Result<()> {
    let release = options.whose.release.as_ref();
    let release =
        release.context("which release? `cargo xtask image --release DIR` takes its folder, or a .tar.gz of it")?;
    let (image, packed) = of_release(release, &options.build, &options.whose)?;
    let output = options.output.clone().unwrap_or_else(|| format!("{}-{}.elf", packed.name, packed.version).into());
    // Where the user is: cargo leaves that to us.
    let output = env::current_dir().context("there is no current folder")?.join(output);
    fs::copy(&image, &output).with_context(|| format!("cannot write {}", output.display()))?;
    println!("{}", output.display());
    Ok(())
}

/// The image that the options describe: of a release, or as it is always built.
///
/// # Errors
/// As [`image`].
pub fn of(build: &BuildOptions, whose: &ReleaseOptions) -> Result<PathBuf> {
    match &whose.release {
        Some(release) => of_release(release, build, whose).map(|(image, _)| image),
        None => build::build(build),
    }
}

fn of_release(release: &Path, build: &BuildOptions, whose: &ReleaseOptions) -> Result<(PathBuf, Packed)> {
    setup::prepare(Task::Image)?;
    let erts = build::erts(build.flavor)?;
    let work = repository().join("target/release-image");
    let nifs = nifs::make(build)?;
    let wish = Wish {
        release,
        additions: Additions { env: whose.env.clone(), args: whose.args.clone(), shell: whose.shell },
        app: build.app.as_deref(),
        strip: !whose.no_strip,
        allow_native: whose.allow_native,
        nifs: nifs.as_deref(),
        no_syscalls: nifs::no_syscalls(build),
    };
    let (objects, libc) = ([&*erts.beam, &erts.crypto], erts.libc());
    let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &objects, libc: &libc };
    let packed = rootfs_release::pack(&wish, &otp, &repository().join("rootfs"), &work)?;
    eprintln!("{} {}:\n{}", packed.name, packed.version, packed.report);
    packed.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let archive = work.join("rootfs.cpio");
    if !fs::read(&archive).is_ok_and(|old| old == packed.bytes) {
        fs::write(&archive, &packed.bytes).with_context(|| format!("cannot write {}", archive.display()))?;
    }
    Ok((build::build_with(build, Some(&archive), nifs.as_deref())?, packed))
}
