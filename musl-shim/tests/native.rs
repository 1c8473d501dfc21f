//! The C library on Linux: programs linked with it and with a stand-in library OS that passes every call on to the
//! host's kernel. What fails here is wrong in the entry files or in how musl was compiled, not in the library OS.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `tests/native/NAME.c` and runs it.
fn run(name: &str) {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/native");
    let program: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut compiler = Command::new("cc");
    // Without optimisation: the programs' busy waits and wild stores must stay what they are.
    compiler.args([
        "-std=gnu11",
        "-Wall",
        "-Werror",
        "-O0",
        "-nostdinc",
        "-nostdlib",
        "-static",
        "-no-pie",
        "-fno-pie",
    ]);
    compiler.args(["-fno-stack-protector", "-isystem", env!("TRAPLESS_MUSL_INCLUDE"), "-o"]).arg(&program);
    compiler.arg(sources.join(name).with_extension("c")).arg(sources.join("libos.s"));
    compiler.args(["-Wl,--whole-archive", env!("TRAPLESS_MUSL_CRT1"), "-Wl,--no-whole-archive"]);
    compiler.args(["-Wl,--start-group", env!("TRAPLESS_MUSL_LIBC"), "-lgcc", "-Wl,--end-group"]);
    let built = compiler.output().expect("the C compiler starts");
    assert!(built.status.success(), "{name} does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(&program).arg("argument").output().expect("the program starts");
    assert!(output.status.success(), "{name}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
}

#[test]
fn calls() {
    run("calls");
}

#[test]
fn threads() {
    run("threads");
}

#[test]
fn cancel() {
    run("cancel");
}

#[test]
fn signals() {
    run("signals");
}
