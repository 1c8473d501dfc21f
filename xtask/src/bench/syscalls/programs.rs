//! Builds what is measured: the C program, and the image of each entry variant with it and with Erlang.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use erts_recipe::{Erts, Flavor};
use trapless_tests::{repository, run_quietly};

use crate::{
    build::{self, ENTRY_VARIABLE},
    cli::{Entry, name},
};

/// What the images with Erlang are called.
const ERLANG: &str = "erlang";

/// The C program.
pub struct Micro {
    /// One relocatable object, linked in place of ERTS.
    pub object: PathBuf,
    /// The same object as a static program of Linux.
    pub linux: PathBuf,
}

/// The two images of an entry variant.
pub struct Images {
    pub micro: PathBuf,
    pub erlang: PathBuf,
}

/// The application with the Erlang program.
pub fn application() -> PathBuf {
    repository().join("bench/syscalls/trapless_bench")
}

/// Compiles the C program, once for all systems.
pub fn micro(erts: &Erts, folder: &Path) -> Result<Micro> {
    let objects = folder.join("micro");
    fs::create_dir_all(&objects).with_context(|| format!("cannot make {}", objects.display()))?;
    let compiler = || Command::new(&erts.sysroot.musl_gcc);
    let mut made = Vec::new();
    for source in rootfs_recipe::tree::list(&repository().join("bench/syscalls/micro"))? {
        if source.extension().is_some_and(|ending| ending == "c") {
            let object = objects.join(source.file_name().unwrap_or_default()).with_extension("o");
            let flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fno-pie", "-fno-stack-protector", "-c"];
            run_quietly(compiler().args(flags).arg(&source).arg("-o").arg(&object))?;
            made.push(object);
        }
    }
    made.sort();
    let micro = Micro { object: objects.join("micro.o"), linux: objects.join("micro") };
    run_quietly(Command::new("ld").args(["-r", "-o"]).arg(&micro.object).args(&made))?;
    run_quietly(compiler().args(["-static", "-no-pie"]).arg(&micro.object).arg("-o").arg(&micro.linux))?;
    Ok(micro)
}

/// Compiles the library that lets QEMU take a burst of connections.
pub fn backlog(folder: &Path) -> Result<PathBuf> {
    let library = folder.join("backlog.so");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library);
    run_quietly(gcc.arg(repository().join("bench/syscalls/backlog.c")).arg("-ldl"))?;
    Ok(library)
}

/// The target folder of an image. Each has one of its own, so that what has been built once need not be linked again.
fn target(kind: &str, entry: Entry, folder: &Path) -> PathBuf {
    folder.join(format!("{kind}-{}", name(entry)))
}

/// The image with Erlang as cargo left it, beside which it keeps the archive.
pub fn erlang_output(entry: Entry, folder: &Path) -> PathBuf {
    target(ERLANG, entry, folder).join("release/image")
}

/// Builds both images of a variant.
pub fn images(entry: Entry, micro: &Micro, folder: &Path) -> Result<Images> {
    let built = |kind: &str, variable: &str, path: &Path| {
        eprintln!("building the image: {kind}, {}", name(entry));
        let target = target(kind, entry, folder);
        let mut cargo = build::cargo();
        cargo.args(["build", "--release", "--quiet", "--package", "trapless", "--target-dir"]).arg(&target);
        cargo.env(ENTRY_VARIABLE, name(entry)).env(Flavor::VARIABLE, Flavor::Jit.name()).env(variable, path);
        let status = cargo.stdout(Stdio::null()).status().context("cannot run cargo")?;
        ensure!(status.success(), "the image was not built; the reason is above");
        let image = folder.join(format!("{kind}-{}.elf", name(entry)));
        // Without line tables, as it is given away; symbols stay.
        let mut strip = Command::new("objcopy");
        run_quietly(strip.arg("--strip-debug").arg(target.join("release/image")).arg(&image))?;
        Ok(image)
    };
    Ok(Images {
        micro: built("micro", "TRAPLESS_PROGRAM", &micro.object)?,
        erlang: built(ERLANG, "TRAPLESS_APP", &application())?,
    })
}
