//! Runs bindgen on the headers and writes down, as Rust, what the test compares: every structure and constant that
//! trapless-abi declares, beside what the headers say of it.

#[path = "build/bound.rs"]
mod bound;
#[path = "build/declared.rs"]
mod declared;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/value.rs"]
mod value;

use std::path::{Path, PathBuf};

use bound::Bound;
use declared::Declared;

fn main() {
    if let Err(message) = run() {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set"));
    let package = variable("CARGO_MANIFEST_DIR")?;
    let out = variable("OUT_DIR")?;
    let abi = package.join("../src");
    for path in [&package.join("build.rs"), &package.join("build"), &abi] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    require_libclang()?;

    let musl = variable("DEP_TRAPLESS_MUSL_INCLUDE")?;
    let kernel = variable("DEP_TRAPLESS_MUSL_UAPI")?;
    let musl = headers(&package.join("musl.h"), &[musl], &out)?;
    let kernel = headers(&package.join("kernel.h"), &[kernel], &out)?;
    let declared = Declared::read(&abi)?;
    let checks = emit::checks(&declared, &musl, &kernel);
    let path = out.join("checks.rs");
    std::fs::write(&path, checks).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The bindings of one wrapper header, which also go to a file named after it.
fn headers(wrapper: &Path, include: &[PathBuf], out: &Path) -> Result<Bound, String> {
    println!("cargo::rerun-if-changed={}", wrapper.display());
    let name = wrapper.file_stem().unwrap_or_default();
    Bound::generate(wrapper, include, out, &out.join(name).with_extension("rs"))
}

/// bindgen panics without libclang: say what to install instead.
fn require_libclang() -> Result<(), String> {
    let missing: Vec<_> = sources::host::missing_for(sources::host::Task::Image)
        .into_iter()
        .filter(|missing| missing.tool == "libclang")
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(sources::host::advice(&missing)) }
}
