//! Puts the steps together: what is cached is used, what is not is built.

use std::fs;
use std::path::{Path, PathBuf};

use sources::host::{self, Task};
use sources::{Progress, cache, sha256_file};

use crate::inputs::{Inputs, Locks, short};
use crate::openssl::{Purpose, openssl};
use crate::otp::{self, Emulator, Otp};
use crate::run::{Error, Result, Step, hermetic, io};
use crate::sysroot::{Sysroot, musl_sysroot};
use crate::tinfo::tinfo;
use crate::toolchain;

/// Which emulator is linked into the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavor {
    /// BeamAsm, the just-in-time compiler.
    #[default]
    Jit,
    /// The interpreter.
    Emu,
}

impl Flavor {
    /// Environment variable that chooses the flavor.
    pub const VARIABLE: &str = "TRAPLESS_FLAVOR";

    /// OTP's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jit => "jit",
            Self::Emu => "emu",
        }
    }

    /// The flavor `TRAPLESS_FLAVOR` asks for.
    ///
    /// # Errors
    /// [`Error::BadFlavor`] when it names none.
    pub fn from_environment() -> Result<Self> {
        match std::env::var(Self::VARIABLE).as_deref() {
            Ok("jit" | "") | Err(_) => Ok(Self::Jit),
            Ok("emu") => Ok(Self::Emu),
            Ok(other) => Err(Error::BadFlavor(other.to_owned())),
        }
    }
}

/// A finished build. All paths are absolute and stay valid as long as the cache is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erts {
    /// The emulator as one relocatable object, without debug information. Undefined in it: libc's symbols, `environ`
    /// (libc's too) and `etext` (the linker's).
    pub beam: PathBuf,
    /// The same object with (compressed) debug information.
    pub beam_debug: PathBuf,
    /// OTP's `crypto` with the libcrypto it needs, as one relocatable object: what defines `crypto_nif_init`, which `beam`
    /// refers to weakly. An image whose Erlang code uses `crypto` links it; another does without.
    pub crypto: PathBuf,
    /// `beam` linked with stock musl: a static program for this host, the image's twin. It has no crypto, as the image has none
    /// that is measured beside it; the emulator that `otp` starts has.
    pub beam_linux: PathBuf,
    /// The emulator of `otp`, with crypto: the same objects for this host.
    pub beam_host: PathBuf,
    /// The installation: `lib/APP-VSN/ebin`, `bin/start_clean.boot`, and for this host `bin/erl`, `bin/erlc`.
    pub otp: PathBuf,
    /// The patched, built source tree; its test suites are in `erts/emulator/test` and `lib/APP/test`.
    pub tree: PathBuf,
    /// The C++ compiler that the emulator was compiled with, `c++`, and the parts of the runtime that it has: for NIFs in C++.
    pub tools: PathBuf,
    /// Stock musl, as the host's programs were linked with.
    pub sysroot: Sysroot,
    /// The flavor of `beam`.
    pub flavor: Flavor,
    /// Version of OTP with its Debian revision.
    pub otp_version: String,
    /// Version of ERTS.
    pub erts_version: String,
    /// Hash of every input of the build, 64 hex digits.
    pub hash: String,
}

impl Erts {
    /// The folder of `erl_nif.h` and `erl_driver.h`.
    #[must_use]
    pub fn include(&self) -> PathBuf {
        self.otp.join(format!("erts-{}/include", self.erts_version))
    }

    /// Stock musl as an archive.
    #[must_use]
    pub fn libc(&self) -> PathBuf {
        self.sysroot.root.join("lib/libc.a")
    }
}

/// Returns OTP with an emulator of `flavor`, building what the cache lacks.
///
/// # Errors
/// [`Error`]: no sources, no tools, no room, or a failing build (with the end of its log).
pub fn build(flavor: Flavor, progress: &dyn Progress) -> Result<Erts> {
    host::require(Task::Otp)?;
    let sysroot = musl_sysroot(progress)?;
    let tinfo = tinfo(&sysroot, progress)?;
    let openssl = openssl(Purpose::Crypto, &sysroot, progress)?;
    let lock = Locks::read()?.otp;
    let mut inputs = Inputs::common()?;
    inputs.add("otp", &lock.to_text()).add("recipe", &otp::inputs());
    toolchain::add_inputs(&mut inputs, &sysroot, &tinfo, &openssl);
    let hash = inputs.hash();

    let home = cache::root()?.join(folder_name(&hash));
    let otp = Otp { tree: home.join("tree"), root: home.join("root"), logs: home.join("logs"), progress };
    let _guard = cache::guard(&folder_name(&hash), progress)?;
    once(&home.join("complete"), &hash, || {
        if home.exists() {
            fs::remove_dir_all(&home).map_err(io(&home))?;
        }
        otp.unpack(&lock)?;
        let toolchain = toolchain::install(&home.join("tools"), &sysroot, &tinfo, &openssl, progress)?;
        otp.configure(&toolchain, &openssl)?;
        otp.make()?;
        otp.install()
    })?;

    let folder = home.join(flavor.name());
    once(&folder.join("complete"), &hash, || {
        if flavor != Flavor::default() {
            otp.make_flavor(flavor.name())?;
        }
        collect(&otp, flavor, &folder)
    })?;
    let erts_version = otp::erts_version(&otp.tree)?;
    Ok(Erts {
        beam: folder.join("beam.o"),
        beam_debug: folder.join("beam-debug.o"),
        crypto: folder.join("crypto.o"),
        beam_linux: folder.join("beam.smp"),
        beam_host: otp.root.join(format!("erts-{erts_version}/bin/beam.{}", flavor.name())),
        erts_version,
        otp: otp.root,
        tree: otp.tree,
        tools: home.join("tools"),
        sysroot,
        flavor,
        otp_version: lock.version,
        hash,
    })
}

/// Name, in the cache, of the build whose inputs have this hash; its guard is named the same, so that a build waits for one of
/// the same inputs only.
pub(crate) fn folder_name(hash: &str) -> String {
    format!("otp-{}", short(hash))
}

/// Does `work` unless the file `marker` tells that it is done; makes the marker last.
fn once(marker: &Path, hash: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    if marker.is_file() {
        return Ok(());
    }
    work()?;
    Ok(cache::write_atomically(marker, format!("{hash}\n").as_bytes())?)
}

/// Brings the emulator's forms from the build tree into `folder`, with a manifest of their hashes.
fn collect(otp: &Otp<'_>, flavor: Flavor, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(io(folder))?;
    let Emulator { program, twin, object, crypto } = otp.emulator(flavor.name());
    let copy = |what: &str, options: &[&str], from: &Path, to: &str| {
        let mut command = hermetic("objcopy", folder);
        // An absolute path stays what it is when it is joined.
        command.args(options).arg(from).arg(folder.join(to));
        Step { what, log: &otp.logs.join("objcopy.log"), log_size: 1 }.run(&mut command, otp.progress)
    };
    copy("stripping the emulator's object", &["--strip-debug"], &object, "beam.o")?;
    copy("keeping its debug information", &["--compress-debug-sections"], &object, "beam-debug.o")?;
    copy("stripping crypto's object", &["--strip-debug"], &crypto, "crypto.o")?;
    copy("stripping the emulator's twin", &["--strip-debug"], &twin, "beam.smp")?;
    // `erl` starts beam.smp, `erl -emu_flavor emu` beam.emu.
    let bin = otp.root.join(format!("erts-{}/bin", otp::erts_version(&otp.tree)?));
    let mut names = vec![format!("beam.{}", flavor.name())];
    if flavor == Flavor::default() {
        names.push("beam.smp".to_owned());
    }
    for name in names {
        let installed = bin.join(name).display().to_string();
        copy("stripping the emulator for the host", &["--strip-debug"], &program, &installed)?;
    }
    otp.discard(flavor.name())?;

    let mut manifest = String::new();
    for name in ["beam.o", "beam-debug.o", "crypto.o", "beam.smp"] {
        manifest += &format!("{}  {name}\n", sha256_file(&folder.join(name))?);
    }
    Ok(cache::write_atomically(&folder.join("SHA256SUMS"), manifest.as_bytes())?)
}
