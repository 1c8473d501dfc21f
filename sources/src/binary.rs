//! A pinned binary package: one `.deb`, for what runs on the host only and is the same everywhere.

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
    let text = fs::read_to_string(lock).map_err(|error| Error::io(lock, error))?;
    let lock = parse(&text).map_err(|reason| Error::BadLock { path: lock.to_owned(), reason })?;
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

fn parse(text: &str) -> std::result::Result<Lock, String> {
    let lock = Lock::parse_files(text)?;
    match &lock.files[..] {
        [file] if file.name.ends_with(".deb") => Ok(lock),
        _ => Err("exactly one .deb file is expected".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_the_repository_names_one_package() {
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/release/elixir.lock");
        let text = fs::read_to_string(lock).unwrap();
        assert_eq!(parse(&text).unwrap().package, "elixir-lang");
        assert!(parse(&text.replace(".deb\"", ".tar\"")).unwrap_err().contains("one .deb"));
        assert!(parse(&text.replace("sha256 = \"", "sha256 = \"X")).unwrap_err().contains("hex digits"));
        let twice = format!("{text}{}", &text[text.find("[[file]]").unwrap()..]);
        assert!(parse(&twice).is_err());
    }
}
