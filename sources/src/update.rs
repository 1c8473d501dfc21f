//! Moves a lock to the revision the archive has now.

use std::fmt;
use std::path::Path;

use crate::apt;
use crate::apt_list;
use crate::cache;
use crate::error::{Error, Result};
use crate::fetch::fetch;
use crate::host::{self, Task};
use crate::lock::Lock;
use crate::progress::Progress;

/// What an update did, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The lock as it was.
    pub old: Lock,
    /// The lock as it is now; equal to `old` when nothing newer is there.
    pub new: Lock,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.old == self.new {
            return write!(f, "{} {}: unchanged", self.old.package, self.old.version);
        }
        write!(f, "{} {} -> {}", self.old.package, self.old.version, self.new.version)?;
        for file in self.new.files.iter().filter(|file| !self.old.files.contains(file)) {
            write!(f, "\n  {} {} bytes sha256 {}", file.name, file.size, file.sha256)?;
        }
        Ok(())
    }
}

/// Asks the archive's signed index for the newest revision of the lock's package, fetches it, and rewrites the lock.
/// The lock stays as it is unless the new files are on this machine, verified.
///
/// # Errors
/// [`Error::IndexAhead`] when the index names files the archive does not serve; else see [`Error`].
pub fn update_lock(path: &Path, progress: &dyn Progress) -> Result<Change> {
    let old = Lock::read(path)?;
    host::require(Task::Fetch)?;
    let archives = apt_list::archives(Path::new("/etc/apt"));
    if archives.main.is_empty() {
        return Err(Error::NoDebianArchive);
    }
    progress.step(&format!("asking the archive for {} in {}", old.package, old.suite));
    let private = cache::root()?.join("apt");
    let newest = {
        let _guard = cache::guard("apt", progress)?;
        apt::revisions(&archives, &old.suite, &old.package, &private)?.pop()
    };
    let newest = newest.ok_or_else(|| Error::Gone {
        name: format!("{} in {}", old.package, old.suite),
        package: old.package.clone(),
        tried: archives.main,
    })?;
    let new = Lock { version: newest.version, pool: newest.pool, files: newest.files, ..old.clone() };
    // The same rules as for a lock that is read.
    let new = Lock::parse(&new.to_text()).map_err(|reason| Error::BadLock { path: path.to_owned(), reason })?;
    if new != old {
        fetch(&new, progress).map_err(|error| match error {
            Error::Gone { .. } => Error::IndexAhead { package: new.package.clone(), version: new.version.clone() },
            other => other,
        })?;
        new.write(path)?;
    }
    Ok(Change { old, new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::File;

    #[test]
    fn shows_what_changed() {
        let file = |name: &str, digit: &str| File { name: name.into(), size: 1, sha256: digit.repeat(64) };
        let old = Lock {
            package: "x".into(),
            version: "1-1".into(),
            suite: "trixie".into(),
            pool: "pool/main/x/x".into(),
            files: vec![file("x_1.orig.tar.gz", "0"), file("x_1-1.debian.tar.xz", "1")],
        };
        let mut new = old.clone();
        assert_eq!(Change { old: old.clone(), new: new.clone() }.to_string(), "x 1-1: unchanged");
        new.version = "1-2".into();
        new.files[1] = file("x_1-2.debian.tar.xz", "2");
        let text = Change { old, new }.to_string();
        assert!(text.starts_with("x 1-1 -> 1-2\n  x_1-2.debian.tar.xz 1 bytes"), "{text}");
        assert!(!text.contains("orig"), "{text}");
    }
}
