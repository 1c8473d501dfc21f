//! A pinned file of the archive: a binary package, for what is the same everywhere, or an upstream tarball without its packaging.

use std::fs;
use std::path::{Path, PathBuf};

use crate::apt_list;
use crate::cache;
use crate::error::{Error, Result};
use crate::fetch::{SOURCES_VARIABLE, from_archive};
use crate::lock::Lock;
use crate::progress::Progress;
use crate::verify::verify;

/// Reads a lock file that names one `.deb`, and returns that file, verified: from the cache, from the folder in `TRAPLESS_SOURCES`, or
/// from the machine's Debian mirror.
///
/// # Errors
/// [`Error::BadLock`] when it is no such lock; else as [`fetch`](crate::fetch()).
pub fn fetch_binary(lock: &Path, progress: &dyn Progress) -> Result<PathBuf> {
    fetch_one(lock, Kind::Binary, progress)
}

/// The same for a lock file that names one upstream tarball.
///
/// # Errors
/// As [`fetch_binary`].
pub fn fetch_source(lock: &Path, progress: &dyn Progress) -> Result<PathBuf> {
    fetch_one(lock, Kind::Source, progress)
}

/// What kind of file a lock may name.
#[derive(Clone, Copy)]
enum Kind {
    Binary,
    Source,
}

fn fetch_one(lock: &Path, kind: Kind, progress: &dyn Progress) -> Result<PathBuf> {
    let text = fs::read_to_string(lock).map_err(|error| Error::io(lock, error))?;
    let lock = parse(&text, kind).map_err(|reason| Error::BadLock { path: lock.to_owned(), reason })?;
    let file = &lock.files[0];
    if let Some(folder) = std::env::var_os(SOURCES_VARIABLE).filter(|folder| !folder.is_empty()) {
        let path = Path::new(&folder).join(&file.name);
        if !path.is_file() {
            return Err(Error::NotInFolder { folder: folder.into(), name: file.name.clone() });
        }
        return verify(&path, file).map(|()| path);
    }
    let folder = cache::root()?.join("sources");
    fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
    let _guard = cache::guard("sources", progress)?;
    from_archive(&lock, file, &apt_list::archives(Path::new("/etc/apt")).main, &folder, progress)
}

fn parse(text: &str, kind: Kind) -> std::result::Result<Lock, String> {
    let lock = Lock::parse_files(text)?;
    let (fits, what): (fn(&str) -> bool, _) = match kind {
        Kind::Binary => (|name| name.ends_with(".deb"), "one .deb file"),
        Kind::Source => (|name| name.contains(".orig.tar."), "one .orig.tar.* file"),
    };
    match &lock.files[..] {
        [file] if fits(&file.name) => Ok(lock),
        _ => Err(format!("exactly {what} is expected")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locks_of_the_repository_name_one_file_each() {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let read = |name: &str| fs::read_to_string(tests.join(name)).unwrap();
        for (folder, kind) in
            [("servers", Kind::Binary), ("servers/ejabberd", Kind::Binary), ("servers/ejabberd/nifs", Kind::Source)]
        {
            for entry in fs::read_dir(tests.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|ending| ending == "lock") {
                    parse(&fs::read_to_string(&path).unwrap(), kind).unwrap();
                }
            }
        }
        assert_eq!(parse(&read("elixir/source.lock"), Kind::Source).unwrap().package, "elixir-lang");
        let text = read("release/elixir.lock");
        assert_eq!(parse(&text, Kind::Binary).unwrap().package, "elixir-lang");
        assert!(parse(&text, Kind::Source).unwrap_err().contains("one .orig.tar"));
        assert!(parse(&text.replace(".deb\"", ".tar\""), Kind::Binary).unwrap_err().contains("one .deb"));
        assert!(parse(&text.replace("sha256 = \"", "sha256 = \"X"), Kind::Binary).unwrap_err().contains("hex digits"));
        let twice = format!("{text}{}", &text[text.find("[[file]]").unwrap()..]);
        assert!(parse(&twice, Kind::Binary).is_err());
    }
}
