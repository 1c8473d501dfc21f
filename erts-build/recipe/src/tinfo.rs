//! The terminal library: ncurses' lower half, which OTP's shell asks how to move the cursor.
//!
//! It knows a few terminals by heart and looks for no database, so that it reads no files: there are none in the image.

use std::fs;
use std::path::{Path, PathBuf};

use sources::host::{self, Task};
use sources::{Lock, Patches, Progress, cache};

use crate::inputs::{Inputs, Locks, short};
use crate::otp::TRIPLET;
use crate::run::{Result, Step, hermetic, io, jobs, output_of};
use crate::sysroot::Sysroot;
use crate::toolchain::CFLAGS;

/// The terminals it knows: consoles, what a terminal window calls itself, multiplexers, and the one that can do nothing.
const TERMINALS: &[&str] = &[
    "linux",
    "vt100",
    "vt220",
    "xterm",
    "xterm-256color",
    "screen",
    "screen-256color",
    "tmux",
    "tmux-256color",
    "dumb",
];

/// Options of configure: one static library, nothing that needs a file at run time, none of what stands on it.
const OPTIONS: &[&str] = &[
    "--with-termlib",
    "--disable-database",
    "--disable-db-install",
    "--disable-home-terminfo",
    "--disable-ext-funcs",
    "--disable-widec",
    "--without-ada",
    "--without-cxx",
    "--without-cxx-binding",
    "--without-debug",
    "--without-dlsym",
    "--without-manpages",
    "--without-progs",
    "--without-shared",
    "--without-tests",
];

/// The headers a user of its termcap interface includes.
const HEADERS: [&str; 2] = ["termcap.h", "ncurses_dll.h"];

/// Programs of the host that turn the sources' list of terminals into C.
const GENERATORS: [&str; 2] = ["tic", "infocmp"];

/// The installed library.
pub(crate) struct Tinfo {
    /// Its root, with `include` and `lib/libtinfo.a`.
    pub root: PathBuf,
    /// Hash of everything it was made from.
    pub hash: String,
}

/// Returns the library for programs of `sysroot`, building it unless the cache has it.
pub(crate) fn tinfo(sysroot: &Sysroot, progress: &dyn Progress) -> Result<Tinfo> {
    host::require(Task::Otp)?;
    let lock = Locks::read()?.ncurses;
    let mut inputs = Inputs::common()?;
    inputs.add("ncurses", &lock.to_text()).add("sysroot", &sysroot.hash).add("cflags", CFLAGS);
    inputs.add("options", &OPTIONS.join(" ")).add("terminals", &TERMINALS.join(" ")).add("headers", &HEADERS.join(" "));
    for program in GENERATORS {
        inputs.add(program, &output_of(program, &["-V"])?);
    }
    let hash = inputs.hash();
    let root = cache::root()?.join(format!("tinfo-{}", short(&hash)));
    let complete = root.join("complete");
    let _guard = cache::guard("tinfo", progress)?;
    if !complete.is_file() {
        install(&lock, sysroot, &root, progress)?;
        cache::write_atomically(&complete, format!("{hash}\n").as_bytes())?;
    }
    Ok(Tinfo { root, hash })
}

fn install(lock: &Lock, sysroot: &Sysroot, root: &Path, progress: &dyn Progress) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).map_err(io(root))?;
    }
    for folder in ["include", "lib"] {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).map_err(io(&folder))?;
    }
    let source = root.join("src");
    sources::unpack(&sources::fetch(lock, progress)?, &source, Patches::All, progress)?;

    let log = |name: &str| root.join(format!("{name}.log"));
    Step { what: "configuring the terminal library", log: &log("configure"), log_size: 16_600 }.run(
        hermetic("./configure", root)
            .current_dir(&source)
            .arg(format!("--build={TRIPLET}"))
            .arg(format!("CC={}", sysroot.musl_gcc.display()))
            .arg(format!("CFLAGS={CFLAGS}"))
            .arg("LDFLAGS=-static -no-pie")
            .arg(format!("--with-fallbacks={}", TERMINALS.join(",")))
            .args(OPTIONS),
        progress,
    )?;
    let make = |name: &str, log_size, arguments: &[&str]| {
        Step { what: "building the terminal library", log: &log(name), log_size }
            .run(hermetic("make", root).current_dir(&source).args(arguments), progress)
    };
    make("make-headers", 1_000, &["-C", "include"])?;
    make("make", 24_000, &["-C", "ncurses", &jobs(), "../lib/libtinfo.a"])?;

    let copy = |from: PathBuf, to: PathBuf| fs::copy(&from, to).map(drop).map_err(io(&from));
    for name in HEADERS {
        copy(source.join("include").join(name), root.join("include").join(name))?;
    }
    copy(source.join("lib/libtinfo.a"), root.join("lib/libtinfo.a"))?;
    fs::remove_dir_all(&source).map_err(io(&source))
}
