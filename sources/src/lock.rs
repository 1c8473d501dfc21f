//! Lock files: which revision of a source package is used, down to the bytes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One pinned Debian source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Name of the source package.
    pub package: String,
    /// Its full Debian version, epoch and revision included.
    pub version: String,
    /// The Debian release whose revisions the lock follows.
    pub suite: String,
    /// Folder of the files below the archive's root, as the archive's index gives it.
    pub pool: String,
    /// The files: the upstream tarball and the packaging (which holds the patches).
    #[serde(rename = "file")]
    pub files: Vec<File>,
}

/// One file of a source package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, 64 lower-case hex digits.
    pub sha256: String,
}

const HEADER: &str = "# Pinned source package. Changed by `cargo xtask sources --update`, not by hand.\n\n";

impl Lock {
    /// Reads and checks a lock file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::BadLock`] when it is not a lock.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&text).map_err(|reason| Error::BadLock { path: path.to_owned(), reason })
    }

    /// Parses the text of a lock file.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let lock = Self::parse_files(text)?;
        for kind in [".orig.tar.", ".debian.tar."] {
            if lock.files.iter().filter(|file| file.name.contains(kind)).count() != 1 {
                return Err(format!("exactly one *{kind}* file is expected"));
            }
        }
        Ok(lock)
    }

    /// The same for files of any kind.
    pub(crate) fn parse_files(text: &str) -> std::result::Result<Self, String> {
        let lock: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for file in &lock.files {
            let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if file.sha256.len() != 64 || !file.sha256.bytes().all(hex) {
                return Err(format!("{}: sha256 is not 64 lower-case hex digits", file.name));
            }
            // The name becomes a path in the cache.
            if file.name.is_empty() || file.name.contains('/') || file.name.starts_with('.') {
                return Err(format!("{:?} is not a plain file name", file.name));
            }
        }
        Ok(lock)
    }

    /// Writes the lock, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::DiskFull`].
    pub fn write(&self, path: &Path) -> Result<()> {
        crate::cache::write_atomically(path, self.to_text().as_bytes())
    }

    /// The text of the lock file; equal locks have equal texts, so it serves as a hash input too.
    #[must_use]
    pub fn to_text(&self) -> String {
        let body = toml::to_string(self).expect("a lock holds only strings and integers, which TOML can always carry");
        format!("{HEADER}{body}")
    }

    /// The upstream tarball.
    #[must_use]
    pub fn orig(&self) -> &File {
        self.file(".orig.tar.")
    }

    /// The packaging tarball.
    #[must_use]
    pub fn debian(&self) -> &File {
        self.file(".debian.tar.")
    }

    fn file(&self, kind: &str) -> &File {
        self.files.iter().find(|file| file.name.contains(kind)).expect("checked when the lock was made")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        package = "musl"
        version = "1.2.5-3.1~deb13u1"
        suite = "trixie"
        pool = "pool/main/m/musl"
        [[file]]
        name = "musl_1.2.5.orig.tar.gz"
        size = 1080786
        sha256 = "a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4"
        [[file]]
        name = "musl_1.2.5-3.1~deb13u1.debian.tar.xz"
        size = 29056
        sha256 = "46fdfb271edc2f035d8d4063ff2e299734409693e781e69e4b77e0a9a495072e"
    "#;

    #[test]
    fn parses_and_tells_the_files_apart() {
        let lock = Lock::parse(TEXT).unwrap();
        assert_eq!(lock.version, "1.2.5-3.1~deb13u1");
        assert_eq!(lock.orig().size, 1_080_786);
        assert_eq!(lock.debian().size, 29_056);
    }

    #[test]
    fn survives_being_written_and_read() {
        let lock = Lock::parse(TEXT).unwrap();
        assert_eq!(Lock::parse(&lock.to_text()).unwrap(), lock);
    }

    #[test]
    fn the_locks_of_the_repository_are_locks() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for name in ["musl-shim/musl.lock", "erts-build/otp.lock", "erts-build/ncurses.lock"] {
            let lock = Lock::read(&root.join(name)).unwrap();
            assert!(lock.pool.starts_with("pool/"), "{name}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_lock() {
        let cases = [
            ("truncated", TEXT[..TEXT.len() / 2].to_owned()),
            ("short hash", TEXT.replace("a9a118", "")),
            ("upper-case hash", TEXT.replace("a9a118", "A9A118")),
            ("unknown key", format!("colour = \"red\"\n{TEXT}")),
            ("path in a name", TEXT.replace("musl_1.2.5.orig", "../musl_1.2.5.orig")),
            ("negative size", TEXT.replace("29056", "-1")),
            ("no packaging", TEXT.replace(".debian.tar.", ".deb.")),
            ("empty", String::new()),
        ];
        for (what, text) in cases {
            assert!(Lock::parse(&text).is_err(), "{what}");
        }
    }
}
