//! Compiles musl with its system calls replaced, and tells dependants where the result is.

#[path = "build/compile.rs"]
mod compile;
#[path = "build/entry.rs"]
mod entry;
#[path = "build/headers.rs"]
mod headers;
#[path = "build/plan.rs"]
mod plan;
#[path = "build/store.rs"]
mod store;

use std::path::PathBuf;

fn main() {
    if let Err(message) = build() {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
        std::process::exit(1);
    }
}

fn build() -> Result<(), String> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").ok_or("not run by cargo")?);
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("not run by cargo")?);
    let lock_file = package.join("musl.lock");
    for path in ["build", "build.rs", "entry", "musl.lock"] {
        println!("cargo::rerun-if-changed={}", package.join(path).display());
    }
    for variable in [entry::VARIABLE, sources::SOURCES_VARIABLE, sources::cache::CACHE_VARIABLE] {
        println!("cargo::rerun-if-env-changed={variable}");
    }

    let lock = sources::Lock::read(&lock_file).map_err(|error| error.to_string())?;
    let entry = entry::selected(&package.join("entry"))?;
    let built = store::get(&package, &lock, &entry)?;
    let kernel_headers = out.join("uapi");
    headers::link_kernel_headers(&kernel_headers)?;

    // A cache that somebody clears must be filled again.
    println!("cargo::rerun-if-changed={}", built.folder.display());
    let [libc, crt1] = compile::ARCHIVES.map(|name| built.folder.join("lib").join(name));
    let include = built.folder.join("include");
    for (key, path) in [("include", &include), ("uapi", &kernel_headers), ("libc", &libc), ("crt1", &crt1)] {
        println!("cargo::metadata={key}={}", path.display());
        println!("cargo::rustc-env=TRAPLESS_MUSL_{}={}", key.to_uppercase(), path.display());
    }
    for (key, value) in [("version", &lock.version), ("entry", &entry.name), ("hash", &built.hash)] {
        println!("cargo::metadata={key}={value}");
        println!("cargo::rustc-env=TRAPLESS_MUSL_{}={value}", key.to_uppercase());
    }
    Ok(())
}
