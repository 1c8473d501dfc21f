//! The folder that outlives `target/`: downloads and compiled third-party code, shared by all checkouts of a user.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::progress::Progress;

/// Environment variable that overrides where the cache is.
pub const CACHE_VARIABLE: &str = "TRAPLESS_CACHE";

/// The cache folder, made if need be: `$TRAPLESS_CACHE`, else `$XDG_CACHE_HOME/trapless`, else `~/.cache/trapless`.
///
/// # Errors
/// [`Error::Io`] and [`Error::DiskFull`] when it cannot be made.
pub fn root() -> Result<PathBuf> {
    let root = root_from(|name| std::env::var_os(name));
    fs::create_dir_all(&root).map_err(|error| Error::io(&root, error))?;
    Ok(root)
}

/// The same without side effects, for an environment given as a function. Empty variables count as unset (XDG says so).
fn root_from(variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("trapless")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/trapless")))
        .unwrap_or_else(|| std::env::temp_dir().join("trapless-cache"))
}

/// Held while one build works on a part of the cache; other builds wait. The system drops it with the process.
#[derive(Debug)]
pub struct Guard {
    _file: fs::File,
}

/// Waits for the exclusive right to work on `name` in the cache.
///
/// # Errors
/// [`Error::Io`] and [`Error::DiskFull`].
pub fn guard(name: &str, progress: &dyn Progress) -> Result<Guard> {
    let path = root()?.join(format!("{name}.lock"));
    let failed = |error| Error::io(&path, error);
    let file = fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            progress.step(&format!("waiting for another build that works on {name}"));
            file.lock().map_err(failed)?;
        }
        Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
    }
    Ok(Guard { _file: file })
}

/// Writes a file under a temporary name beside its final one, then renames it: nobody ever sees half of it.
///
/// # Errors
/// [`Error::Io`] and [`Error::DiskFull`].
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = temporary_name(path);
    fs::write(&temporary, content)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| Error::io(path, error))
        .inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// A name beside `path` that no other process uses.
#[must_use]
pub fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".part{}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    #[test]
    fn looks_at_the_variables_in_order() {
        let with = |pairs: &'static [(&str, &str)]| {
            root_from(move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
        };
        assert_eq!(with(&[("TRAPLESS_CACHE", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")]), Path::new("/a"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/b"), ("HOME", "/c")]), Path::new("/b/trapless"));
        assert_eq!(with(&[("TRAPLESS_CACHE", ""), ("HOME", "/c")]), Path::new("/c/.cache/trapless"));
    }

    #[test]
    fn an_atomic_write_leaves_one_whole_file() {
        let scratch = Folder::new();
        let path = scratch.write("x", b"old");
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let scratch = Folder::new();
        let path = scratch.path().join("missing/x");
        assert!(matches!(write_atomically(&path, b"new"), Err(Error::Io { .. })));
    }
}
