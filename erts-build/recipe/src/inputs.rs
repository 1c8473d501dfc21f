//! What the results depend on, as one hash.

use std::fs;
use std::path::{Path, PathBuf};

use sources::{Lock, sha256_hex};

use crate::run::{Result, io, output_of};

/// Raised by hand when a step changes in a way that none of the hashed inputs shows.
const RECIPE_VERSION: &str = "1";

/// Path of OTP's lock file below the root of the repository.
pub const OTP_LOCK: &str = "erts-build/otp.lock";

/// Path of musl's lock file below the root of the repository.
pub const MUSL_LOCK: &str = "musl-shim/musl.lock";

/// Path of ncurses' lock file below the root of the repository.
pub const NCURSES_LOCK: &str = "erts-build/ncurses.lock";

/// Path of OpenSSL's lock file below the root of the repository.
pub const OPENSSL_LOCK: &str = "erts-build/openssl.lock";

/// Folder of the Linux UAPI headers that are put beside musl's.
pub(crate) const KERNEL_HEADERS: &str = "/usr/include/linux";

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("/"))
}

/// Full paths of the lock files of OTP, musl, ncurses and OpenSSL.
#[must_use]
pub fn lock_paths() -> [PathBuf; 4] {
    [OTP_LOCK, MUSL_LOCK, NCURSES_LOCK, OPENSSL_LOCK].map(|path| repository().join(path))
}

/// What the locks say.
pub(crate) struct Locks {
    pub otp: Lock,
    pub musl: Lock,
    pub ncurses: Lock,
    pub openssl: Lock,
}

impl Locks {
    /// Reads all of them.
    pub fn read() -> Result<Self> {
        let [otp, musl, ncurses, openssl] = lock_paths();
        Ok(Self {
            otp: Lock::read(&otp)?,
            musl: Lock::read(&musl)?,
            ncurses: Lock::read(&ncurses)?,
            openssl: Lock::read(&openssl)?,
        })
    }
}

/// Collects named inputs.
#[derive(Default)]
pub(crate) struct Inputs(String);

impl Inputs {
    /// Starts with what every result depends on: the recipe itself, the host's compilers and its kernel headers.
    pub fn common() -> Result<Self> {
        let mut inputs = Self::default();
        inputs.add("recipe", RECIPE_VERSION);
        for program in ["gcc", "ld"] {
            let version = output_of(program, &["--version"])?;
            inputs.add(program, version.lines().next().unwrap_or_default());
        }
        let version = Path::new(KERNEL_HEADERS).join("version.h");
        inputs.add("linux", &fs::read_to_string(&version).map_err(io(&version))?);
        Ok(inputs)
    }

    /// Adds one input. Its length goes in too, so that no two lists of inputs read the same.
    pub fn add(&mut self, name: &str, content: &str) -> &mut Self {
        self.0 += &format!("{name} {}\n{content}\n", content.len());
        self
    }

    /// The key: 64 hex digits.
    pub fn hash(&self) -> String {
        sha256_hex(self.0.as_bytes())
    }
}

/// The part of a hash that names a folder.
pub(crate) fn short(hash: &str) -> &str {
    &hash[..16]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_counts_and_so_do_its_borders() {
        let hash = |pairs: &[(&str, &str)]| {
            let mut inputs = Inputs::default();
            for (name, content) in pairs {
                inputs.add(name, content);
            }
            inputs.hash()
        };
        let base = hash(&[("a", "x"), ("b", "y")]);
        assert_eq!(base, hash(&[("a", "x"), ("b", "y")]));
        for other in [&[("a", "x")][..], &[("a", "x"), ("b", "z")], &[("a", "x\nb 1\ny")], &[("b", "y"), ("a", "x")]] {
            assert_ne!(base, hash(other), "{other:?}");
        }
    }

    #[test]
    fn the_lock_paths_exist() {
        for path in lock_paths() {
            assert!(path.is_file(), "{}", path.display());
        }
    }
}
