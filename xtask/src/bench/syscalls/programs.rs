//! Builds what is measured: the C program, and for each entry variant one image that holds it and Erlang.

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

const C_FLAGS: [&str; 7] = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fno-pie", "-fno-stack-protector"];

/// The programs in C, compiled once for all systems.
pub struct Programs {
    /// The measuring program in C, as a static program of Linux.
    pub micro: PathBuf,
    /// One relocatable object with that program and ERTS (`bench/syscalls/choose.c`), for the images.
    both: PathBuf,
}

/// The application with the Erlang program.
fn application() -> PathBuf {
    repository().join("bench/syscalls/trapless_bench")
}

/// Compiles the C program, and joins it with ERTS.
pub fn programs(erts: &Erts, folder: &Path) -> Result<Programs> {
    let objects = folder.join("micro");
    fs::create_dir_all(&objects).with_context(|| format!("cannot make {}", objects.display()))?;
    let compiler = || Command::new(&erts.sysroot.musl_gcc);
    let compile = |source: &Path| -> Result<PathBuf> {
        let object = objects.join(source.file_name().unwrap_or_default()).with_extension("o");
        run_quietly(compiler().args(C_FLAGS).arg("-c").arg(source).arg("-o").arg(&object))?;
        Ok(object)
    };
    let mut made = Vec::new();
    for source in rootfs_recipe::tree::list(&repository().join("bench/syscalls/micro"))? {
        if source.extension().is_some_and(|ending| ending == "c") {
            made.push(compile(&source)?);
        }
    }
    made.sort();
    let joined = |name: &str, parts: &[PathBuf]| -> Result<PathBuf> {
        let object = objects.join(name);
        run_quietly(Command::new("ld").args(["-r", "-o"]).arg(&object).args(parts))?;
        Ok(object)
    };
    let renamed = |object: &Path, main: &str, more: &[&str]| -> Result<PathBuf> {
        let copy = objects.join(format!("{main}.o"));
        let mut objcopy = Command::new("objcopy");
        run_quietly(objcopy.arg(format!("--redefine-sym=main={main}")).args(more).arg(object).arg(&copy))?;
        Ok(copy)
    };
    let object = joined("micro.o", &made)?;
    let micro = objects.join("micro");
    run_quietly(compiler().args(["-static", "-no-pie"]).arg(&object).arg("-o").arg(&micro))?;
    let choose = compile(&repository().join("bench/syscalls/choose.c"))?;
    // No other name of the C program can be in the way of one of ERTS.
    let own = renamed(&object, "micro_main", &["--keep-global-symbol=micro_main"])?;
    let made = joined("both.new.o", &[renamed(&erts.beam, "erts_main", &[])?, own, choose])?;
    let both = objects.join("both.o");
    replace_if_changed(&made, &both)?;
    Ok(Programs { micro, both })
}

/// An unchanged file keeps its time, so that nothing is linked again for it.
fn replace_if_changed(made: &Path, kept: &Path) -> Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    if kept.exists() && read(made)? == read(kept)? {
        return fs::remove_file(made).with_context(|| format!("cannot remove {}", made.display()));
    }
    fs::rename(made, kept).with_context(|| format!("cannot write {}", kept.display()))
}

/// Compiles the library that lets QEMU take a burst of connections.
pub fn backlog(folder: &Path) -> Result<PathBuf> {
    let library = folder.join("backlog.so");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&library);
    run_quietly(gcc.arg(repository().join("bench/syscalls/backlog.c")).arg("-ldl"))?;
    Ok(library)
}

/// The target folder of a variant. Each has one of its own, so that what has been built once need not be linked again.
fn target(entry: Entry, folder: &Path) -> PathBuf {
    folder.join(format!("build-{}", name(entry)))
}

/// Builds the image of a variant. What does not depend on the variant is taken over from `first`, which was built before.
pub fn image(entry: Entry, first: Option<Entry>, programs: &Programs, folder: &Path) -> Result<PathBuf> {
    let target = target(entry, folder);
    if let Some(first) = first.filter(|_| !target.exists()) {
        // With the times of the files, by which cargo knows what is up to date; under another name until all of it is there.
        let half = target.with_extension("half");
        run_quietly(Command::new("rm").arg("-rf").arg(&half))?;
        run_quietly(Command::new("cp").arg("-a").arg(self::target(first, folder)).arg(&half))?;
        fs::rename(&half, &target).with_context(|| format!("cannot make {}", target.display()))?;
    }
    let mut cargo = build::cargo();
    cargo.args(["build", "--release", "--quiet", "--package", "trapless", "--target-dir"]).arg(&target);
    cargo.env(ENTRY_VARIABLE, name(entry)).env(Flavor::VARIABLE, Flavor::Jit.name());
    cargo.env("TRAPLESS_PROGRAM", &programs.both).env("TRAPLESS_APP", application());
    let status = cargo.stdout(Stdio::null()).status().context("cannot run cargo")?;
    ensure!(status.success(), "the image was not built; the reason is above");
    let image = folder.join(format!("{}.elf", name(entry)));
    // Without line tables, as it is given away; symbols stay.
    run_quietly(Command::new("objcopy").arg("--strip-debug").arg(target.join("release/image")).arg(&image))?;
    Ok(image)
}
