//! What can go wrong between a lock file and a source tree. Each message stands alone and says what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::fetch::SOURCES_VARIABLE;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// One failure, with what the reader can do about it in its `Display` form.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A lock file is not readable TOML of the expected form.
    BadLock {
        /// The lock file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// A file is shorter or longer than its lock says: a truncated download or copy.
    WrongSize {
        /// The file.
        path: PathBuf,
        /// Bytes the lock asks for.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file has the right size but other content than its lock says.
    WrongHash {
        /// The file.
        path: PathBuf,
        /// SHA-256 the lock asks for, in lower-case hex.
        expected: String,
        /// SHA-256 found.
        found: String,
    },
    /// The archive delivered something else than the pinned file; nothing of it was kept.
    BadDownload {
        /// Where it came from.
        uri: String,
        /// What was wrong with it: [`Error::WrongSize`] or [`Error::WrongHash`].
        reason: Box<Error>,
    },
    /// `TRAPLESS_SOURCES` is set, and the folder lacks a file.
    NotInFolder {
        /// The folder.
        folder: PathBuf,
        /// Name of the file.
        name: String,
    },
    /// No configured apt source looks like a Debian archive.
    NoDebianArchive,
    /// The archive has no such file any more.
    Gone {
        /// Name of the file.
        name: String,
        /// Its source package and version.
        package: String,
        /// Where it was looked for.
        tried: Vec<String>,
    },
    /// The archive's index names revisions whose files it does not serve, and no other: it is being updated.
    IndexAhead {
        /// The source package.
        package: String,
        /// The revisions its index names, newest first.
        versions: Vec<String>,
    },
    /// The archive cannot be reached.
    NoNetwork {
        /// What was asked for.
        uri: String,
        /// The downloader's last words.
        reason: String,
    },
    /// No room for a file or folder.
    DiskFull {
        /// Where.
        path: PathBuf,
    },
    /// Host tools are missing.
    MissingTools(Vec<crate::host::Missing>),
    /// A patch of the package's series does not apply.
    PatchFailed {
        /// Name of the patch.
        patch: String,
        /// What `patch` printed.
        output: String,
    },
    /// A host program failed.
    Command {
        /// The program and its arguments.
        command: String,
        /// What it printed, or why it did not start.
        output: String,
    },
    /// Anything else the file system says.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl Error {
    /// Wraps an I/O error with the path it is about; a full disk gets its own message.
    pub fn io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLock { path, reason } => {
                write!(f, "{}: not a lock file: {reason}\nRestore it from version control.", path.display())
            }
            Self::WrongSize { path, expected, found } => write!(
                f,
                "{}: {found} bytes, expected {expected}: the file is truncated or not the pinned one.\n\
                 Replace it by a good copy.",
                path.display()
            ),
            Self::WrongHash { path, expected, found } => write!(
                f,
                "{}: wrong content.\n  expected sha256 {expected}\n  found    sha256 {found}\n\
                 The file is damaged or not the pinned one. Replace it by a good copy.",
                path.display()
            ),
            Self::BadDownload { uri, reason } => {
                let what = match &**reason {
                    Self::WrongSize { expected, found, .. } => format!("{found} bytes came, {expected} were expected"),
                    Self::WrongHash { expected, found, .. } => {
                        format!("\n  expected sha256 {expected}\n  found    sha256 {found}")
                    }
                    other => other.to_string(),
                };
                write!(
                    f,
                    "{uri} is not the pinned file: {what}\nNothing of it was kept. Build again; if it stays so, this mirror (or a proxy on \
                     the way) is not to be trusted: put the right file into a folder and set {SOURCES_VARIABLE} to it."
                )
            }
            Self::NotInFolder { folder, name } => write!(
                f,
                "{name} is not in {} ({SOURCES_VARIABLE}).\nPut it there, or unset {SOURCES_VARIABLE} to fetch it from the Debian mirror.",
                folder.display()
            ),
            Self::NoDebianArchive => write!(
                f,
                "no Debian archive among the apt sources of this machine (/etc/apt/sources.list, /etc/apt/sources.list.d).\n\
                 Add one, or put the files named in musl-shim/*.lock and erts-build/*.lock into a folder and set {SOURCES_VARIABLE} to it."
            ),
            Self::Gone { name, package, tried } => write!(
                f,
                "{name} is no longer in the archive ({package}). Looked at:\n  {}\n\
                 Run `cargo xtask sources --update` to move the lock to what the archive has now, or put the file into a folder and \
                 set {SOURCES_VARIABLE} to it.",
                tried.join("\n  ")
            ),
            Self::IndexAhead { package, versions } => write!(
                f,
                "the archive's index names {package} {} but serves none of their files: the mirror is being updated.\n\
                 The lock is unchanged. Try again later.",
                versions.join(", ")
            ),
            Self::NoNetwork { uri, reason } => write!(
                f,
                "cannot fetch {uri}: {reason}\n\
                 Check the network (apt's own proxy settings are honoured), or put the file into a folder and set {SOURCES_VARIABLE} to it."
            ),
            Self::DiskFull { path } => write!(
                f,
                "no space left for {}.\nFree some (a build of OTP takes about 2 GB), or set {} to a folder on another disk.",
                path.display(),
                crate::cache::CACHE_VARIABLE
            ),
            Self::MissingTools(missing) => write!(f, "{}", crate::host::advice(missing)),
            Self::PatchFailed { patch, output } => write!(
                f,
                "{patch} does not apply:\n{output}\nThe lock and the build recipe do not fit each other: restore the lock from version control."
            ),
            Self::Command { command, output } => write!(f, "`{command}` failed:\n{output}"),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
