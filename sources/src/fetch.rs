//! From a lock to verified files on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use crate::apt::{self, Failure};
use crate::apt_list;
use crate::cache;
use crate::error::{Error, Result};
use crate::host::{self, Task};
use crate::lock::{File, Lock};
use crate::progress::Progress;
use crate::verify::verify;

/// Environment variable naming a folder that holds the files of the lock files; nothing is downloaded then.
pub const SOURCES_VARIABLE: &str = "TRAPLESS_SOURCES";

/// The verified files of one lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The upstream tarball.
    pub orig: PathBuf,
    /// The packaging tarball, with the patch series.
    pub debian: PathBuf,
}

/// Returns the files of `lock`, fetching what is not there yet. Every file returned has been verified in this call.
///
/// # Errors
/// See [`Error`]; each tells what to do.
pub fn fetch(lock: &Lock, progress: &dyn Progress) -> Result<Sources> {
    if let Some(folder) = std::env::var_os(SOURCES_VARIABLE).filter(|folder| !folder.is_empty()) {
        return from_folder(lock, Path::new(&folder));
    }
    let folder = cache::root()?.join("sources");
    fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    let _guard = cache::guard("sources", progress)?;
    let archives = apt_list::archives(Path::new("/etc/apt"));
    let get = |file: &File| {
        let roots = if lock.pool.starts_with(apt::UPDATES) { &archives.security } else { &archives.main };
        from_archive(lock, file, roots, &folder, progress)
    };
    // The small one first: what an archive has of a revision it has whole or not at all.
    let debian = get(lock.debian())?;
    Ok(Sources { orig: get(lock.orig())?, debian })
}

/// Takes the files from a folder, in place.
fn from_folder(lock: &Lock, folder: &Path) -> Result<Sources> {
    let get = |file: &File| {
        let path = folder.join(&file.name);
        if !path.is_file() {
            return Err(Error::NotInFolder { folder: folder.to_owned(), name: file.name.clone() });
        }
        verify(&path, file).map(|()| path)
    };
    Ok(Sources { orig: get(lock.orig())?, debian: get(lock.debian())? })
}

/// Takes one file from the cache, else from the first of `roots` that has it.
pub(crate) fn from_archive(
    lock: &Lock,
    file: &File,
    roots: &[String],
    folder: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    let path = folder.join(&file.name);
    if path.is_file() {
        if verify(&path, file).is_ok() {
            return Ok(path);
        }
        progress.step(&format!("{} in the cache is damaged: fetching it again", file.name));
        fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
    }
    if roots.is_empty() {
        return Err(Error::NoDebianArchive);
    }
    host::require(Task::Fetch)?;
    progress.step(&format!("fetching {} ({:.1} MB)", file.name, file.size as f64 / 1e6));
    let temporary = cache::temporary_name(&path);
    let mut tried = Vec::new();
    for root in roots {
        let uri = format!("{root}/{}/{}", lock.pool, file.name);
        match apt::download(&uri, &temporary, file, progress) {
            Ok(()) => {
                if let Err(reason) = verify(&temporary, file) {
                    let _ = fs::remove_file(&temporary);
                    return Err(Error::BadDownload { uri, reason: Box::new(reason) });
                }
                fs::rename(&temporary, &path).map_err(|error| Error::io(&path, error))?;
                return Ok(path);
            }
            Err(Failure::NotFound) => tried.push(uri),
            Err(Failure::Other(error)) => {
                let _ = fs::remove_file(&temporary);
                return Err(error);
            }
        }
    }
    let package = format!("{} {}", lock.package, lock.version);
    Err(Error::Gone { name: file.name.clone(), package, tried })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Quiet;
    use crate::verify::sha256_hex;
    use trapless_scratch::Folder;

    fn lock(orig: &[u8], debian: &[u8]) -> Lock {
        let file = |name: &str, content: &[u8]| File {
            name: name.into(),
            size: content.len() as u64,
            sha256: sha256_hex(content),
        };
        Lock {
            package: "x".into(),
            version: "1-1".into(),
            suite: "trixie".into(),
            pool: "pool/main/x/x".into(),
            files: vec![file("x_1.orig.tar.gz", orig), file("x_1-1.debian.tar.xz", debian)],
        }
    }

    #[test]
    fn a_folder_serves_verified_files_in_place() {
        let scratch = Folder::new();
        let orig = scratch.write("x_1.orig.tar.gz", b"upstream");
        let lock = lock(b"upstream", b"packaging");
        match from_folder(&lock, scratch.path()) {
            Err(Error::NotInFolder { name, .. }) => assert_eq!(name, "x_1-1.debian.tar.xz"),
            other => panic!("{other:?}"),
        }
        let debian = scratch.write("x_1-1.debian.tar.xz", b"packaging");
        assert_eq!(from_folder(&lock, scratch.path()).unwrap(), Sources { orig, debian });
        scratch.write("x_1.orig.tar.gz", b"upstrea");
        assert!(matches!(from_folder(&lock, scratch.path()), Err(Error::WrongSize { .. })));
        scratch.write("x_1.orig.tar.gz", b"Upstream");
        assert!(matches!(from_folder(&lock, scratch.path()), Err(Error::WrongHash { .. })));
    }

    /// A `file:` archive makes the whole way through apt's downloader testable without a network.
    fn archive(scratch: &Folder) -> Vec<String> {
        vec![format!("file:{}/archive", scratch.path().display())]
    }

    #[test]
    fn a_good_file_is_used_and_a_damaged_one_replaced() {
        let scratch = Folder::new();
        let lock = lock(b"upstream", b"packaging");
        scratch.write("cache/x_1.orig.tar.gz", b"upstream");
        let folder = scratch.path().join("cache");
        let path = from_archive(&lock, lock.orig(), &[], &folder, &Quiet).unwrap();
        assert_eq!(path, folder.join("x_1.orig.tar.gz"), "in the cache: no archive is needed");

        scratch.write("cache/x_1.orig.tar.gz", b"upstr");
        scratch.write("archive/pool/main/x/x/x_1.orig.tar.gz", b"upstream");
        let path = from_archive(&lock, lock.orig(), &archive(&scratch), &folder, &Quiet).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"upstream");
    }

    #[test]
    fn a_bad_download_leaves_no_file() {
        let scratch = Folder::new();
        let lock = lock(b"upstream", b"packaging");
        let folder = scratch.path().join("cache");
        fs::create_dir(&folder).unwrap();
        let get = || from_archive(&lock, lock.orig(), &archive(&scratch), &folder, &Quiet);
        assert!(matches!(get(), Err(Error::Gone { .. })));
        scratch.write("archive/pool/main/x/x/x_1.orig.tar.gz", b"up");
        let bad = |result| match result {
            Err(Error::BadDownload { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert!(matches!(*bad(get()), Error::WrongSize { expected: 8, found: 2, .. }));
        scratch.write("archive/pool/main/x/x/x_1.orig.tar.gz", b"downstre");
        assert!(matches!(*bad(get()), Error::WrongHash { .. }));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }

    #[test]
    fn no_archive_is_an_error_of_its_own() {
        let scratch = Folder::new();
        let lock = lock(b"upstream", b"packaging");
        let result = from_archive(&lock, lock.orig(), &[], scratch.path(), &Quiet);
        assert!(matches!(result, Err(Error::NoDebianArchive)));
    }
}
