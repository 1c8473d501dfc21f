//! Builds OTP (or finds it in the cache) and tells the image's build script where everything is.
//!
//! A package that depends on this one sees in its build script `DEP_TRAPLESS_ERTS_BEAM` (the emulator as one relocatable
//! object), `..._BEAM_DEBUG` (the same with debug information), `..._CRYPTO` (the object that an image with OTP's `crypto` links
//! beside it), `..._OTP` (the library tree), `..._LINUX` (the emulator as a program for this host), `..._SYSROOT` (stock musl),
//! `..._HASH`, `..._FLAVOR`, `..._VERSION`, `..._ERTS_VERSION`.

use std::process::ExitCode;

use erts_recipe::{Erts, Flavor};

fn main() -> ExitCode {
    for variable in [Flavor::VARIABLE, sources::cache::CACHE_VARIABLE, sources::SOURCES_VARIABLE, "XDG_CACHE_HOME"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for lock in erts_recipe::lock_paths() {
        println!("cargo::rerun-if-changed={}", lock.display());
    }
    match Flavor::from_environment().and_then(|flavor| erts_recipe::build(flavor, &sources::Console)) {
        Ok(erts) => {
            announce(&erts);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nOTP could not be built: {error}\n");
            ExitCode::FAILURE
        }
    }
}

fn announce(erts: &Erts) {
    for (key, path) in [
        ("beam", &erts.beam),
        ("beam_debug", &erts.beam_debug),
        ("crypto", &erts.crypto),
        ("linux", &erts.beam_linux),
        ("otp", &erts.otp),
        ("sysroot", &erts.sysroot.root),
    ] {
        println!("cargo::metadata={key}={}", path.display());
    }
    // If somebody empties the cache, the next build notices.
    println!("cargo::rerun-if-changed={}", erts.beam.display());
    for (key, variable, value) in [
        ("hash", "TRAPLESS_ERTS_HASH", erts.hash.as_str()),
        ("flavor", "TRAPLESS_ERTS_FLAVOR", erts.flavor.name()),
        ("version", "TRAPLESS_OTP_VERSION", &erts.otp_version),
        ("erts_version", "TRAPLESS_ERTS_VERSION", &erts.erts_version),
    ] {
        println!("cargo::metadata={key}={value}");
        println!("cargo::rustc-env={variable}={value}");
    }
}
