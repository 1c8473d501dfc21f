//! Configures and compiles OTP, and makes an installation of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sources::{Lock, Patches, Progress};

use crate::openssl::Openssl;
use crate::run::{Result, Step, hermetic, io, jobs};
use crate::toolchain::{CFLAGS, Toolchain};

/// The platform's name in OTP's build tree.
pub(crate) const TRIPLET: &str = "x86_64-pc-linux-musl";

/// Debian's security fixes; the rest of its series adapts OTP to Debian, which this is not.
const PATCHES: Patches = Patches::Prefixed("CVE-");

/// What configure is told not to look for or to build. Graphics, Java and ODBC have no place in the image.
const WITHOUT: &[&str] = &[
    "wx",
    "odbc",
    "javac",
    "observer",
    "debugger",
    "et",
    "megaco",
    "dialyzer",
    "diameter",
    "jinterface",
    "edoc",
    "reltool",
];

/// The other options of configure.
const OPTIONS: &[&str] = &[
    "--enable-jit",
    "--enable-builtin-zlib",
    "--disable-sctp",
    "--disable-systemd",
    // Two builds of the same inputs give the same .beam files.
    "--disable-saved-compile-time",
    // libcrypto goes into the image, and no dynamic linker could find another.
    "--disable-dynamic-ssl-lib",
    "--with-ssl-rpath=no",
    "--disable-otp-test-engine",
];

/// Applications of OTP whose NIFs are linked in, and the archives that hold those. The emulator's table of them ends at the first that is
/// not there, so crypto, which not every image has, comes last.
const STATIC_NIFS: [(&str, &str); 2] = [("asn1", "asn1rt_nif"), ("crypto", "crypto")];

/// What OTP's configure finds out about libcrypto and hands only to the makefile's rules for crypto's shared object, not for its archive:
/// that it compares in constant time, for `crypto:hash_equals/2`.
const DEFINES: &str = "-DHAVE_OPENSSL_CRYPTO_MEMCMP";

/// Files the dfsg tarball lacks and the installation of common_test insists on. Empty ones do: they sort tables in reports.
const STAND_INS: [&str; 2] =
    ["lib/common_test/priv/jquery-latest.js", "lib/common_test/priv/jquery.tablesorter.min.js"];

/// Everything of this file that a result depends on, for its hash.
pub(crate) fn inputs() -> String {
    format!(
        "{TRIPLET}\n{PATCHES:?}\n{STATIC_NIFS:?}\n{DEFINES}\n{}\n{}\n{}",
        WITHOUT.join(" "),
        OPTIONS.join(" "),
        STAND_INS.join(" ")
    )
}

/// One flavor of the emulator, as `toolchain/link-beam.sh` leaves it.
pub(crate) struct Emulator {
    /// The program for this host, with crypto.
    pub program: PathBuf,
    /// The same without.
    pub twin: PathBuf,
    /// The partial object it was linked from.
    pub object: PathBuf,
    /// The other one: crypto's NIF with libcrypto.
    pub crypto: PathBuf,
}

/// One build of OTP.
pub(crate) struct Otp<'a> {
    /// The patched sources, which the build fills.
    pub tree: PathBuf,
    /// The installation.
    pub root: PathBuf,
    /// Folder of the logs.
    pub logs: PathBuf,
    /// Who hears how far it is.
    pub progress: &'a dyn Progress,
}

impl Otp<'_> {
    /// Unpacks and patches the sources.
    pub fn unpack(&self, lock: &Lock) -> Result<()> {
        fs::create_dir_all(&self.logs).map_err(io(&self.logs))?;
        sources::unpack(&sources::fetch(lock, self.progress)?, &self.tree, PATCHES, self.progress)?;
        for name in STAND_INS {
            let path = self.tree.join(name);
            fs::write(&path, "").map_err(io(&path))?;
        }
        Ok(())
    }

    /// Configures the tree for `toolchain`, with the libcrypto of `openssl`.
    pub fn configure(&self, toolchain: &Toolchain, openssl: &Openssl) -> Result<()> {
        let nifs = STATIC_NIFS.map(|(application, archive)| {
            self.tree.join(format!("lib/{application}/priv/lib/{TRIPLET}/{archive}.a")).display().to_string()
        });
        let mut command = self.command("./configure");
        command
            .arg(format!("--build={TRIPLET}"))
            .arg(format!("CC={}", toolchain.cc.display()))
            .arg(format!("CXX={}", toolchain.cxx.display()))
            .arg(format!("LD={}", toolchain.cc.display()))
            .arg(format!("CFLAGS={CFLAGS} {DEFINES}"))
            .arg(format!("CXXFLAGS={CFLAGS}"))
            .arg("LDFLAGS=-static -no-pie")
            .arg(format!("--enable-static-nifs={}", nifs.join(" ")))
            .arg(format!("--with-ssl={}", openssl.root.display()))
            .args(OPTIONS)
            .args(WITHOUT.iter().map(|name| format!("--without-{name}")));
        self.step("configuring OTP", "configure", 46_500, &mut command)
    }

    /// Compiles the default emulator (JIT) and all the libraries.
    ///
    /// The archives of the static NIFs come first. In a parallel make the rule that makes them all would run once for each, at the
    /// same time in the same folder, and one run breaks the archive that the other writes.
    pub fn make(&self) -> Result<()> {
        let mut archives = self.command("make");
        archives.args([
            &jobs(),
            "-C",
            "lib",
            &format!("TARGET={TRIPLET}"),
            "BUILD_STATIC_LIBS=1",
            "TYPE=opt",
            "static_lib",
        ]);
        self.step("compiling the static NIFs of OTP", "make-static", 3_100, &mut archives)?;
        let what = "compiling OTP, emulator and libraries (5 to 10 minutes on two cores, once)";
        self.step(what, "make", 107_300, self.command("make").arg(jobs()))
    }

    /// Compiles another flavor of the emulator in the same tree.
    pub fn make_flavor(&self, flavor: &str) -> Result<()> {
        let what = format!("compiling the emulator, flavor {flavor} (1 to 2 minutes on two cores, once)");
        let mut command = self.command("make");
        command.args([&jobs(), "emulator", &format!("FLAVOR={flavor}")]);
        self.step(&what, &format!("make-{flavor}"), 60_000, &mut command)
    }

    /// Installs into `root`: libraries with versions in their names, boot scripts, and the `erl` of this host.
    pub fn install(&self) -> Result<()> {
        let root = self.root.display().to_string();
        let mut release = self.command("make");
        release.args(["release", &format!("RELEASE_ROOT={root}")]);
        self.step("installing OTP in the cache", "release", 118_500, &mut release)?;
        let mut install = hermetic("./Install", &self.logs);
        install.current_dir(&self.root).args(["-minimal", &root]);
        self.step("making OTP's start scripts", "install", 1, &mut install)
    }

    /// Where the build leaves the emulator of `flavor`.
    pub fn emulator(&self, flavor: &str) -> Emulator {
        let file = |suffix: &str| self.tree.join("bin").join(TRIPLET).join(format!("beam.{flavor}{suffix}"));
        Emulator { program: file(""), twin: file(".twin"), object: file(".o"), crypto: file(".crypto.o") }
    }

    /// Deletes what nobody needs once the emulator of `flavor` has been taken out of the tree: some 300 MB.
    pub fn discard(&self, flavor: &str) -> Result<()> {
        let Emulator { program, twin, object, crypto } = self.emulator(flavor);
        let archive = self.tree.join("bin").join(TRIPLET).join("libbeam.a");
        for path in [program, twin, object, crypto, archive] {
            fs::remove_file(&path).map_err(io(&path))?;
        }
        let objects = self.tree.join(format!("erts/emulator/obj/{TRIPLET}/opt/{flavor}"));
        fs::remove_dir_all(&objects).map_err(io(&objects))
    }

    pub fn command(&self, program: &str) -> Command {
        let mut command = hermetic(program, &self.logs);
        command.current_dir(&self.tree).env("ERL_TOP", &self.tree);
        command
    }

    pub fn step(&self, what: &str, log: &str, log_size: u64, command: &mut Command) -> Result<()> {
        let log = self.logs.join(format!("{log}.log"));
        Step { what, log: &log, log_size }.run(command, self.progress)
    }
}

/// The version of ERTS in a source tree.
pub(crate) fn erts_version(tree: &Path) -> Result<String> {
    let path = tree.join("erts/vsn.mk");
    let text = fs::read_to_string(&path).map_err(io(&path))?;
    let version = text.lines().find_map(|line| line.strip_prefix("VSN = "));
    version.map(|version| version.trim().to_owned()).ok_or_else(|| {
        sources::Error::io(&path, std::io::Error::other("no line `VSN = `: not the OTP this recipe is written for"))
            .into()
    })
}
