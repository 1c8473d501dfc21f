//! Chooses the entry variant: the build script of musl's package reads the same variable, so both sides of the seam agree.

use std::env;

/// Names the variant; `musl-shim/entry` has a folder for each.
const VARIABLE: &str = "TRAPLESS_ENTRY";
const VARIANTS: [&str; 3] = ["direct", "trap0", "trap"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rustc-check-cfg=cfg(entry, values({}))", VARIANTS.map(|name| format!("{name:?}")).join(", "));
    let chosen = env::var(VARIABLE).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| VARIANTS[0].to_owned());
    if VARIANTS.contains(&chosen.as_str()) {
        println!("cargo::rustc-cfg=entry={chosen:?}");
    } else {
        println!("cargo::error={VARIABLE}={chosen} names no entry variant; valid: {}", VARIANTS.join(", "));
    }
}
