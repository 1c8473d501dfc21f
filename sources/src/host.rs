//! Which programs and headers of the host each task needs, and the Debian package that brings each.
//!
//! `cargo build` only names what is missing; `cargo xtask` may install it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Something somebody wants to do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Fetch source packages from the archive.
    Fetch,
    /// Unpack and patch them.
    Unpack,
    /// Build musl, stock or shimmed.
    Musl,
    /// Build OTP.
    Otp,
    /// Build the image (everything above, and bindgen's libclang).
    Image,
    /// Run the image.
    Run,
    /// Run the tests.
    Test,
    /// Measure with clients on the host.
    Measure,
    /// Measure over a network made for that.
    MeasureNetwork,
}

/// How to tell that a tool is there.
#[derive(Debug, Clone, Copy)]
enum Check {
    /// A program on the path.
    Program(&'static str),
    /// One of these files exists; the last component may begin with a prefix followed by `*`.
    AnyFile(&'static [&'static str]),
}

/// One need: what it is, how it is found, which package brings it.
struct Tool {
    name: &'static str,
    check: Check,
    package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Tool {
    Tool { name, check: Check::Program(name), package }
}

const FETCH: &[Tool] = &[
    Tool { name: "apt-helper", check: Check::AnyFile(&["/usr/lib/apt/apt-helper"]), package: "apt" },
    Tool {
        name: "Debian's archive keys",
        check: Check::AnyFile(&["/usr/share/keyrings/debian-archive-keyring.gpg"]),
        package: "debian-archive-keyring",
    },
];
const UNPACK: &[Tool] =
    &[program("tar", "tar"), program("xz", "xz-utils"), program("gzip", "gzip"), program("patch", "patch")];
const COMPILE: &[Tool] = &[
    program("gcc", "gcc"),
    program("make", "make"),
    program("ld", "binutils"),
    program("ar", "binutils"),
    Tool { name: "linux/futex.h", check: Check::AnyFile(&["/usr/include/linux/futex.h"]), package: "linux-libc-dev" },
];
const OTP: &[Tool] = &[
    program("g++", "g++"),
    program("perl", "perl"),
    program("strip", "binutils"),
    program("tic", "ncurses-bin"),
    program("infocmp", "ncurses-bin"),
];
/// Where bindgen finds the library: under its plain name or one with its version, but not `libclang-cpp`, which is another.
const LIBCLANG: [&str; 6] = [
    "/usr/lib/llvm-*/lib/libclang.so*",
    "/usr/lib/llvm-*/lib/libclang-1*",
    "/usr/lib/llvm-*/lib/libclang-2*",
    "/usr/lib/x86_64-linux-gnu/libclang.so*",
    "/usr/lib/x86_64-linux-gnu/libclang-1*",
    "/usr/lib64/libclang.so*",
];
const IMAGE: &[Tool] = &[
    Tool { name: "libclang", check: Check::AnyFile(&LIBCLANG), package: "libclang-dev" },
    program("objdump", "binutils"),
];
/// The last is what the image says to try it with.
const RUN: &[Tool] = &[program("qemu-system-x86_64", "qemu-system-x86"), program("nc", "netcat-openbsd")];
const TEST: &[Tool] = &[
    program("gdb", "gdb"),
    program("openssl", "openssl"),
    program("curl", "curl"),
    program("ssh", "openssh-client"),
    program("sftp", "openssh-client"),
    program("python3", "python3"),
    program("dpkg-deb", "dpkg"),
    // Not everybody has its folder on the path.
    Tool { name: "sshd", check: Check::AnyFile(&["/usr/sbin/sshd"]), package: "openssh-server" },
];
const MEASURE: &[Tool] = &[program("wrk", "wrk"), program("taskset", "util-linux"), program("nm", "binutils")];
const NETWORK: &[Tool] = &[program("ip", "iproute2"), program("nft", "nftables"), program("timeout", "coreutils")];

impl Task {
    /// The tool lists this task draws on.
    fn tools(self) -> Vec<&'static [Tool]> {
        match self {
            Self::Fetch => vec![FETCH],
            Self::Unpack => vec![UNPACK],
            // Fetching is not among them: with the sources in the cache or in a folder it needs nothing.
            Self::Musl => vec![UNPACK, COMPILE],
            Self::Otp => vec![UNPACK, COMPILE, OTP],
            Self::Image => vec![UNPACK, COMPILE, OTP, IMAGE],
            Self::Run => vec![UNPACK, COMPILE, OTP, IMAGE, RUN],
            Self::Test => vec![UNPACK, COMPILE, OTP, IMAGE, RUN, TEST],
            Self::Measure => vec![UNPACK, COMPILE, OTP, IMAGE, RUN, MEASURE],
            Self::MeasureNetwork => vec![UNPACK, COMPILE, OTP, IMAGE, RUN, MEASURE, NETWORK],
        }
    }
}

/// A tool that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What is missing.
    pub tool: &'static str,
    /// The Debian package that brings it.
    pub apt_package: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (package {})", self.tool, self.apt_package)
    }
}

/// What `task` needs and this machine lacks.
#[must_use]
pub fn missing_for(task: Task) -> Vec<Missing> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    missing_among(&task.tools(), |check| match check {
        Check::Program(name) => path.iter().any(|folder| folder.join(name).is_file()),
        Check::AnyFile(patterns) => patterns.iter().any(|pattern| exists(Path::new("/"), &pattern[1..])),
    })
}

fn missing_among(lists: &[&'static [Tool]], present: impl Fn(Check) -> bool) -> Vec<Missing> {
    let tools = lists.iter().copied().flatten();
    tools
        .filter(|tool| !present(tool.check))
        .map(|tool| Missing { tool: tool.name, apt_package: tool.package })
        .collect()
}

/// Fails with [`Error::MissingTools`] unless everything `task` needs is there.
///
/// # Errors
/// [`Error::MissingTools`].
pub fn require(task: Task) -> Result<()> {
    match missing_for(task) {
        missing if missing.is_empty() => Ok(()),
        missing => Err(Error::MissingTools(missing)),
    }
}

/// The packages to install for `missing`, each once, in order.
#[must_use]
pub fn packages(missing: &[Missing]) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for missing in missing {
        if !packages.contains(&missing.apt_package) {
            packages.push(missing.apt_package);
        }
    }
    packages
}

/// One message: what is missing and the command that brings it.
#[must_use]
pub fn advice(missing: &[Missing]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    format!(
        "this machine lacks: {}.\nOn Debian: apt-get install --no-install-recommends {}\n(`cargo xtask run` does that for you.)",
        names.join(", "),
        packages(missing).join(" ")
    )
}

/// Whether a path below `root` exists; a component that ends in `*` stands for every name with that beginning.
fn exists(root: &Path, pattern: &str) -> bool {
    let (first, rest) = pattern.split_once('/').map_or((pattern, None), |(first, rest)| (first, Some(rest)));
    let goes_on = |path: &Path| rest.map_or_else(|| path.exists(), |rest| exists(path, rest));
    match first.strip_suffix('*') {
        None => goes_on(&root.join(first)),
        Some(prefix) => std::fs::read_dir(root)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
            .any(|entry| goes_on(&entry.path())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    #[test]
    fn names_each_missing_tool_and_its_package_once() {
        let missing =
            missing_among(&Task::Otp.tools(), |check| !matches!(check, Check::Program("ar" | "ld" | "patch")));
        let tools: Vec<_> = missing.iter().map(|missing| missing.tool).collect();
        assert_eq!(tools, ["patch", "ld", "ar"]);
        assert_eq!(packages(&missing), ["patch", "binutils"]);
        assert!(advice(&missing).contains("apt-get install --no-install-recommends patch binutils\n"));
    }

    #[test]
    fn what_runs_this_test_can_unpack() {
        assert_eq!(missing_for(Task::Unpack), []);
    }

    #[test]
    fn another_library_is_not_taken_for_libclang() {
        let scratch = Folder::new();
        let found = || LIBCLANG.iter().any(|pattern| exists(scratch.path(), &pattern[1..]));
        scratch.write("usr/lib/llvm-14/lib/libclang-cpp.so.14", b"");
        assert!(!found());
        scratch.write("usr/lib/llvm-14/lib/libclang-14.so.1", b"");
        assert!(found());
    }

    #[test]
    fn finds_files_by_prefix() {
        let scratch = Folder::new();
        scratch.write("llvm-14/lib/libclang.so.1", b"");
        assert!(exists(scratch.path(), "llvm-*/lib/libclang*"));
        assert!(!exists(scratch.path(), "llvm-*/lib/libfoo*"));
        assert!(!exists(scratch.path(), "llvm-15*/lib/libclang*"));
        assert!(exists(scratch.path(), "llvm-14/lib"));
    }
}
