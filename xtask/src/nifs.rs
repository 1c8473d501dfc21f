//! Compiles what `--nif` names.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use rootfs_native::{Names, Project, Toolchain, compile};
use sources::host::Task;
use trapless_tests::repository;

use crate::{
    build,
    cli::{BuildOptions, Entry},
    setup,
};

/// The folder with the libraries, one folder an application; None if none are asked for.
///
/// # Errors
/// There are no sources, or they do not compile, or the image would not load what they make.
pub fn make(options: &BuildOptions) -> Result<Option<PathBuf>> {
    if options.nif.is_empty() {
        return Ok(None);
    }
    setup::prepare(Task::Image)?;
    let erts = build::erts(options.flavor)?;
    let names = Names::of(&[&erts.beam], &erts.libc())?;
    let cxx = repository().join("rootfs/native/cxx");
    let toolchain = Toolchain { erts: &erts, cxx: &cxx, no_syscalls: no_syscalls(options) };
    let all = repository().join("target/nifs");
    let (out, work) = (all.join("image"), all.join("work"));
    // Nothing of another call stays.
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
    }
    for given in &options.nif {
        let project = Project::read(given)?;
        for library in &project.libraries {
            eprintln!("compiling {} of {} for the image", library.file, project.application);
        }
        compile(&project, &toolchain, &names, &out, &work)?;
    }
    Ok(Some(out))
}

/// Whether an image built so has no way to take a system call instruction.
pub fn no_syscalls(options: &BuildOptions) -> bool {
    options.entry == Entry::Direct
}
