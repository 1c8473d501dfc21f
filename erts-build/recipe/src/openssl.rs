//! OpenSSL's libcrypto, which OTP's `crypto` stands on: static, position dependent, over the stock musl.
//!
//! Position dependent, because the image is: code compiled with -fPIC reads addresses from a table (`.got`) that the linker puts among the
//! library OS's pages, where a program in ring 3 (`--entry trap`) cannot read. Only libcrypto is built: TLS and SSH are Erlang code.

use std::fs;
use std::path::{Path, PathBuf};

use sources::host::{self, Task};
use sources::{Lock, Patches, Progress, cache};

use crate::inputs::{Inputs, Locks, short};
use crate::run::{Result, Step, hermetic, io, jobs};
use crate::sysroot::Sysroot;

/// How the library is made: one archive without plug-ins, threads or files of its own, with the kernel's random numbers only.
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

/// As the emulator is compiled, but without debug information.
const CFLAGS: &str =
    "-O2 -g0 -fno-pie -fno-pic -fno-stack-protector -fcf-protection=none -ffunction-sections -fdata-sections";

/// The installed library.
pub(crate) struct Openssl {
    /// Its root, with `include/openssl` and `lib/libcrypto.a`.
    pub root: PathBuf,
    /// Hash of everything it was made from.
    pub hash: String,
}

/// Returns the library for programs of `sysroot`, building it unless the cache has it.
pub(crate) fn openssl(sysroot: &Sysroot, progress: &dyn Progress) -> Result<Openssl> {
    host::require(Task::Otp)?;
    let lock = Locks::read()?.openssl;
    let mut inputs = Inputs::common()?;
    inputs.add("openssl", &lock.to_text()).add("sysroot", &sysroot.hash).add("cflags", CFLAGS);
    inputs.add("shape", &SHAPE.join(" ")).add("without", &WITHOUT.join(" "));
    let hash = inputs.hash();
    let root = cache::root()?.join(format!("openssl-{}", short(&hash)));
    let complete = root.join("complete");
    let _guard = cache::guard("openssl", progress)?;
    if !complete.is_file() {
        install(&lock, sysroot, &root, progress)?;
        cache::write_atomically(&complete, format!("{hash}\n").as_bytes())?;
    }
    Ok(Openssl { root, hash })
}

fn install(lock: &Lock, sysroot: &Sysroot, root: &Path, progress: &dyn Progress) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root).map_err(io(root))?;
    }
    fs::create_dir_all(root).map_err(io(root))?;
    let source = root.join("src");
    sources::unpack(&sources::fetch(lock, progress)?, &source, Patches::All, progress)?;

    let log = |name: &str| root.join(format!("{name}.log"));
    Step { what: "configuring OpenSSL", log: &log("configure"), log_size: 1_900 }.run(
        hermetic("./Configure", root)
            .current_dir(&source)
            .args(SHAPE)
            .args(WITHOUT)
            .arg(format!("CC={}", sysroot.musl_gcc.display()))
            .args(CFLAGS.split_whitespace()),
        progress,
    )?;
    let make = |what, name: &str, log_size, target: &str| {
        let mut command = hermetic("make", root);
        Step { what, log: &log(name), log_size }.run(command.current_dir(&source).args([&jobs(), target]), progress)
    };
    make("making OpenSSL's generated files", "generate", 9_000, "build_generated")?;
    make("compiling OpenSSL's libcrypto (1 to 2 minutes on two cores, once)", "make", 810_000, "libcrypto.a")?;

    copy(&source, "libcrypto.a", &root.join("lib"))?;
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
