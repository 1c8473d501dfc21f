//! The program of `tests/boundary`, in an image in the place of Erlang.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use sources::Console;
use trapless_tests::{repository, run_quietly, variant};

const SOURCES: [&str; 2] = ["program", "spinners"];

/// Builds the image called `name`, with these features of the libos.
pub fn image(name: &str, features: &[&str]) -> Result<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let compiler = erts_recipe::musl_sysroot(&Console).context("there is no C library to compile with")?.musl_gcc;
    let defined: &[&str] = match variant::entry().as_str() {
        "direct" => &[],
        "trap0" => &["-DTRAPS"],
        _ => &["-DTRAPS", "-DRING_3"],
    };
    let mut join = Command::new("ld");
    let program = folder.join("boundary.o");
    join.args(["-r", "-o"]).arg(&program);
    for source in SOURCES {
        let object = folder.join(source).with_extension("o");
        let mut compile = Command::new(&compiler);
        compile.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-fno-pie", "-mno-red-zone"]);
        compile.args(["-fno-stack-protector", "-c", "-o"]).arg(&object).args(defined);
        run_quietly(compile.arg(repository().join("tests/boundary").join(source).with_extension("c")))?;
        join.arg(&object);
    }
    run_quietly(&mut join)?;
    variant::build(name, |cargo| {
        cargo.env("TRAPLESS_PROGRAM", &program);
        if !features.is_empty() {
            cargo.args(["--features", &features.join(",")]);
        }
    })
}
