//! OpenSSL, static and over the stock musl: its libcrypto, which OTP's `crypto` stands on, and another time all of it, for NIFs.
//!
//! OTP's is position dependent, because the image is: code compiled with -fPIC reads addresses from a table (`.got`) that the linker puts
//! among the library OS's pages, where a program in ring 3 (`--entry trap`) cannot read. What a NIF is linked with becomes a part of a shared
//! library, and has to be position independent. OTP needs no more than libcrypto: its TLS and SSH are Erlang code.

use std::fs;
use std::path::{Path, PathBuf};

use sources::host::{self, Task};
use sources::{Lock, Patches, Progress, cache};

use crate::inputs::{Inputs, Locks, short};
use crate::libraries;
use crate::run::{Result, Step, hermetic, io, jobs};
use crate::sysroot::Sysroot;

/// How OTP's is made: one archive without plug-ins, threads or files of its own, with the kernel's random numbers only.
const SHAPE: &[&str] = &[
    "linux-x86_64",
    "--prefix=/nowhere",
    "--openssldir=/etc/ssl",
    "--with-rand-seed=getrandom",
    // Curves P-224, P-384 and P-521 in constant time and several times as fast.
    "enable-ec_nistp_64_gcc_128",
    "no-shared",
    "no-pic",
    "no-module",
    "no-dso",
    "no-engine",
    "no-async",
    "no-afalgeng",
    "no-autoload-config",
    "no-secure-memory",
    "no-ui-console",
    "no-sock",
    "no-dgram",
    "no-apps",
    "no-docs",
    "no-tests",
    // OTP says what failed in its own words and never asks OpenSSL for its texts.
    "no-err",
];

/// What OTP's `crypto` never calls: protocols, formats, and algorithms that it has no name for.
const WITHOUT: &[&str] = &[
    "no-aria",
    "no-argon2",
    "no-camellia",
    "no-cast",
    "no-cmp",
    "no-cms",
    "no-comp",
    "no-ct",
    "no-dtls",
    "no-gost",
    "no-http",
    "no-idea",
    "no-mdc2",
    "no-ml-dsa",
    "no-ml-kem",
    "no-ocsp",
    "no-quic",
    "no-rc5",
    "no-rfc3779",
    "no-scrypt",
    "no-seed",
    "no-slh-dsa",
    "no-srp",
    "no-srtp",
    "no-tls",
    "no-ts",
    "no-whirlpool",
];

/// Of that, what NIFs are not made to do without.
const NIFS_WANT: &[&str] = &["no-pic", "no-sock", "no-dgram", "no-err"];

/// As the emulator is compiled, but without debug information.
const CFLAGS: &str =
    "-O2 -g0 -fno-pie -fno-pic -fno-stack-protector -fcf-protection=none -ffunction-sections -fdata-sections";

/// What it is built for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// OTP's `crypto`.
    Crypto,
    /// NIFs that bring TLS or cryptography of their own.
    Nifs,
}

impl Purpose {
    /// The archives, each before those that it needs.
    pub fn archives(self) -> &'static [&'static str] {
        match self {
            Self::Crypto => &["libcrypto.a"],
            Self::Nifs => &["libssl.a", "libcrypto.a"],
        }
    }

    /// Arguments for its configure script: the shape, and what is left out.
    fn options(self) -> (Vec<&'static str>, &'static [&'static str]) {
        match self {
            Self::Crypto => (SHAPE.to_vec(), WITHOUT),
            Self::Nifs => (SHAPE.iter().copied().filter(|option| !NIFS_WANT.contains(option)).collect(), &["no-quic"]),
        }
    }

    fn cflags(self) -> &'static str {
        match self {
            Self::Crypto => CFLAGS,
            Self::Nifs => libraries::CFLAGS,
        }
    }
}

/// The installed library.
pub(crate) struct Openssl {
    /// Its root, with `include/openssl` and the archives in `lib`.
    pub root: PathBuf,
    /// Hash of everything it was made from.
    pub hash: String,
}

/// Returns the library for programs of `sysroot`, building it unless the cache has it.
pub(crate) fn openssl(purpose: Purpose, sysroot: &Sysroot, progress: &dyn Progress) -> Result<Openssl> {
    host::require(Task::Otp)?;
    let lock = Locks::read()?.openssl;
    let mut inputs = Inputs::common()?;
    inputs.add("openssl", &lock.to_text()).add("sysroot", &sysroot.hash).add("cflags", purpose.cflags());
    let (shape, without) = purpose.options();
    inputs.add("shape", &shape.join(" ")).add("without", &without.join(" "));
    let hash = inputs.hash();
    let root = cache::root()?.join(format!("openssl-{}", short(&hash)));
    let complete = root.join("complete");
    let _guard = cache::guard("openssl", progress)?;
    if !complete.is_file() {
        install(&lock, purpose, sysroot, &root, progress)?;
        cache::write_atomically(&complete, format!("{hash}\n").as_bytes())?;
    }
    Ok(Openssl { root, hash })
}

fn install(lock: &Lock, purpose: Purpose, sysroot: &Sysroot, root: &Path, progress: &dyn Progress) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).map_err(io(root))?;
    }
    fs::create_dir_all(root).map_err(io(root))?;
    let source = root.join("src");
    sources::unpack(&sources::fetch(lock, progress)?, &source, Patches::All, progress)?;

    let (shape, without) = purpose.options();
    let log = |name: &str| root.join(format!("{name}.log"));
    Step { what: "configuring OpenSSL", log: &log("configure"), log_size: 1_900 }.run(
        hermetic("./Configure", root)
            .current_dir(&source)
            .args(shape)
            .args(without)
            .arg(format!("CC={}", sysroot.musl_gcc.display()))
            .args(purpose.cflags().split_whitespace()),
        progress,
    )?;
    let make = |what, name: &str, log_size, targets: &[&str]| {
        let mut command = hermetic("make", root);
        Step { what, log: &log(name), log_size }.run(command.current_dir(&source).arg(jobs()).args(targets), progress)
    };
    make("making OpenSSL's generated files", "generate", 9_000, &["build_generated"])?;
    let archives = purpose.archives();
    make("compiling OpenSSL (1 to 2 minutes on two cores, once)", "make", 810_000, archives)?;

    for archive in archives {
        copy(&source, archive, &root.join("lib"))?;
    }
    let headers = source.join("include/openssl");
    let target = root.join("include/openssl");
    for entry in fs::read_dir(&headers).map_err(io(&headers))? {
        let name = entry.map_err(io(&headers))?.file_name();
        // Beside each generated header lies its template, NAME.h.in.
        if let Some(name) = name.to_str().filter(|name| name.ends_with(".h")) {
            copy(&headers, name, &target)?;
        }
    }
    fs::remove_dir_all(&source).map_err(io(&source))
}

fn copy(from: &Path, name: &str, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(io(to))?;
    let from = from.join(name);
    fs::copy(&from, to.join(name)).map(drop).map_err(io(&from))
}
