//! The compiler, its flags, and the two archives.

use std::path::{Path, PathBuf};

use crate::entry::Entry;
use crate::plan::{ARCH, libc_sources};

/// What musl's configure would choose, for a freestanding static image.
const FLAGS: &[&str] = &[
    // The language musl is written in: its own headers only, C99, exact floating point.
    "-std=c99",
    "-nostdinc",
    "-ffreestanding",
    "-fexcess-precision=standard",
    "-frounding-math",
    "-fno-strict-aliasing",
    "-D_XOPEN_SOURCE=700",
    // One image at a fixed low address; the linker drops what nobody calls.
    "-O2",
    "-fno-pie",
    "-fno-pic",
    "-ffunction-sections",
    "-fdata-sections",
    "-fomit-frame-pointer",
    "-g0",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-Wa,--noexecstack",
    // No red zone: musl's frames then survive a debugger or a handler that knows nothing of it.
    "-mno-red-zone",
    // The stack protector's canary and control-flow enforcement need set-up that the image does not have,
    // and memcpy must not be turned into a call of memcpy.
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-tree-loop-distribute-patterns",
];

/// The C compiler with the flags that do not depend on where things are.
fn base() -> cc::Build {
    let mut build = cc::Build::new();
    build.no_default_flags(true).warnings(false).cargo_metadata(false);
    build.flags(FLAGS);
    build
}

/// Everything about the compiler that shapes its output: which one, its version, all flags.
pub fn fingerprint() -> Result<String, String> {
    let tool = base().try_get_compiler().map_err(|error| format!("no C compiler: {error}"))?;
    let version = tool
        .to_command()
        .arg("--version")
        .output()
        .map_err(|error| format!("cannot run {}: {error}", tool.path().display()))?;
    Ok(format!("{:?} {:?} {}", tool.path(), tool.args(), String::from_utf8_lossy(&version.stdout)))
}

/// The folders of one build.
pub struct Places<'a> {
    /// musl's patched source tree.
    pub musl: &'a Path,
    /// Installed headers.
    pub include: &'a Path,
    /// Generated headers that only musl's sources use.
    pub internal: &'a Path,
    /// Where the archives and, while it runs, the objects go.
    pub out: &'a Path,
}

/// What [`archives`] makes: the C library, and the code that starts a program (`_start`, `_start_c`).
pub const ARCHIVES: [&str; 2] = ["libmuslc.a", "libcrt1.a"];

/// Compiles the [`ARCHIVES`] into `places.out`.
pub fn archives(places: &Places, entry: &Entry) -> Result<(), String> {
    one(places, entry, "muslc", &libc_sources(places.musl, entry)?, &[])?;
    one(places, entry, "crt1", &[places.musl.join("crt/crt1.c")], &["-DCRT"])
}

fn one(places: &Places, entry: &Entry, name: &str, sources: &[PathBuf], flags: &[&str]) -> Result<(), String> {
    let musl = places.musl;
    let mut build = base();
    build
        .flags(flags)
        .include(&entry.folder)
        .include(musl.join("arch").join(ARCH))
        .include(musl.join("arch/generic"))
        .include(places.internal)
        .include(musl.join("src/include"))
        .include(musl.join("src/internal"))
        .include(places.include)
        // So that a file of the entry variant can include the one it replaces, by its path in the tree.
        .include(musl)
        .files(sources)
        .out_dir(places.out);
    build.try_compile(name).map_err(|error| format!("musl does not compile ({name}): {error}"))
}
