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
    /// Newer versions that the archive's index names but whose files it does not serve, newest first: it is being updated, or never will
    /// have them.
    pub unserved: Vec<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new, unserved } = self;
        if old == new {
            write!(f, "{} {}: unchanged", old.package, old.version)?;
        } else if old.version == new.version {
            write!(f, "{} {}: now in {}", old.package, old.version, new.pool)?;
        } else {
            write!(f, "{} {} -> {}", old.package, old.version, new.version)?;
        }
        for file in new.files.iter().filter(|file| !old.files.contains(file)) {
            write!(f, "\n  {} {} bytes sha256 {}", file.name, file.size, file.sha256)?;
        }
        if !unserved.is_empty() {
            write!(f, "\n  named by the archive's index, but not served: {}", unserved.join(", "))?;
        }
        Ok(())
    }
}

/// Asks the archive's signed index for revisions of the lock's package, fetches the newest that the archive serves, and rewrites the
/// lock. The lock stays as it is unless the new files are on this machine, verified; it never moves to an older revision.
///
/// # Errors
/// [`Error::IndexAhead`] when the archive has neither the pinned revision any more nor serves a newer one; else see [`Error`].
pub fn update_lock(path: &Path, progress: &dyn Progress) -> Result<Change> {
    let old = Lock::read(path)?;
    host::require(Task::Fetch)?;
    let archives = apt_list::archives(Path::new("/etc/apt"));
    if archives.main.is_empty() {
        return Err(Error::NoDebianArchive);
    }
    progress.step(&format!("asking the archive for {} in {}", old.package, old.suite));
    let private = cache::root()?.join("apt");
    let revisions = {
        let _guard = cache::guard("apt", progress)?;
        apt::revisions(&archives, &old.suite, &old.package, &private)?
    };
    let mut newer = Vec::new();
    for revision in revisions {
        if apt::compare(&revision.version, &old.version)?.is_ge() {
            let lock = Lock { version: revision.version, pool: revision.pool, files: revision.files, ..old.clone() };
            // The same rules as for a lock that is read.
            let lock = Lock::parse(&lock.to_text());
            newer.push(lock.map_err(|reason| Error::BadLock { path: path.to_owned(), reason })?);
        }
    }
    if newer.is_empty() {
        let name = format!("{} in {}", old.package, old.suite);
        return Err(Error::Gone { name, package: old.package, tried: archives.main });
    }
    let change = newest_served(old, newer, |lock| fetch(lock, progress).map(drop))?;
    if change.new != change.old {
        change.new.write(path)?;
    }
    Ok(change)
}

/// Moves `old` to the last of `newer` that can be fetched; where `old` is among them itself, it need not be.
fn newest_served(old: Lock, newer: Vec<Lock>, mut fetch: impl FnMut(&Lock) -> Result<()>) -> Result<Change> {
    let mut unserved: Vec<String> = Vec::new();
    for new in newer.into_iter().rev() {
        if new != old {
            match fetch(&new) {
                Ok(()) => {}
                Err(Error::Gone { .. }) => {
                    // The main archive and that of security updates may both name it.
                    if unserved.last() != Some(&new.version) {
                        unserved.push(new.version);
                    }
                    continue;
                }
                Err(error) => return Err(error),
            }
        }
        return Ok(Change { old, new, unserved });
    }
    Err(Error::IndexAhead { package: old.package, versions: unserved })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::File;

    fn lock(version: &str, pool: &str) -> Lock {
        let file = |name: String, digit: &str| File { name, size: 1, sha256: digit.repeat(64) };
        Lock {
            package: "x".into(),
            version: version.into(),
            suite: "trixie".into(),
            pool: format!("pool/{pool}/x/x"),
            files: vec![file("x_1.orig.tar.gz".into(), "0"), file(format!("x_{version}.debian.tar.xz"), "1")],
        }
    }

    #[test]
    fn shows_what_changed() {
        let old = lock("1-1", "updates/main");
        let text = |new: Lock, unserved: &[&str]| {
            let unserved = unserved.iter().map(|&version| version.to_owned()).collect();
            Change { old: old.clone(), new, unserved }.to_string()
        };
        assert_eq!(text(old.clone(), &[]), "x 1-1: unchanged");
        assert_eq!(text(lock("1-1", "main"), &[]), "x 1-1: now in pool/main/x/x");
        let moved = text(lock("1-2", "main"), &["1-4", "1-3"]);
        assert!(moved.starts_with("x 1-1 -> 1-2\n  x_1-2.debian.tar.xz 1 bytes"), "{moved}");
        assert!(moved.ends_with("\n  named by the archive's index, but not served: 1-4, 1-3"), "{moved}");
        assert!(!moved.contains("orig"), "{moved}");
    }

    #[test]
    fn the_newest_that_is_served_is_taken() {
        let all =
            || vec![lock("1-1", "main"), lock("1-2", "updates/main"), lock("1-3", "updates/main"), lock("1-3", "main")];
        let gone = || Error::Gone { name: String::new(), package: String::new(), tried: Vec::new() };
        let update = |old: &Lock, newer: Vec<Lock>, served: &[&str]| {
            newest_served(old.clone(), newer, |lock| {
                assert_ne!(lock, old, "what is pinned is not fetched anew");
                if served.contains(&&*lock.version) { Ok(()) } else { Err(gone()) }
            })
        };
        let old = lock("1-1", "main");
        for (served, version, unserved) in
            [(&["1-2", "1-3"][..], "1-3", &[][..]), (&["1-2"], "1-2", &["1-3"]), (&[], "1-1", &["1-3", "1-2"])]
        {
            let change = update(&old, all(), served).unwrap();
            assert_eq!((&*change.new.version, &*change.old.version), (version, "1-1"));
            assert_eq!(change.unserved, unserved);
        }
        // The pinned one has left the index.
        match update(&old, all().split_off(1), &[]) {
            Err(Error::IndexAhead { versions, .. }) => assert_eq!(versions, ["1-3", "1-2"]),
            other => panic!("{other:?}"),
        }
        let broken = newest_served(old, all(), |_| Err(Error::NoDebianArchive));
        assert!(matches!(broken, Err(Error::NoDebianArchive)), "only what is gone is passed over");
    }
}
