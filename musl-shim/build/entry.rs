//! The entry variant: one folder whose files take the place of musl's own.

use std::path::{Path, PathBuf};

/// Selects the folder under `entry/`.
pub const VARIABLE: &str = "TRAPLESS_ENTRY";
const DEFAULT: &str = "direct";

/// One way out of musl.
pub struct Entry {
    /// The folder's name, which is the variant's name.
    pub name: String,
    /// Goes first on the include path: holds `syscall_arch.h`. Its subfolders are named after those of
    /// musl's `src/`; a source in one takes the place of musl's source of the same stem there.
    pub folder: PathBuf,
}

/// The variant that the environment selects among the folders of `all` (`musl-shim/entry`).
pub fn selected(all: &Path) -> Result<Entry, String> {
    let name = match std::env::var(VARIABLE) {
        Ok(name) if !name.is_empty() => name,
        _ => DEFAULT.to_owned(),
    };
    let folders = list(all)?;
    let Some(folder) = folders.iter().find(|folder| folder.is_dir() && stem(folder) == name) else {
        let valid: Vec<_> = folders.iter().filter(|folder| folder.is_dir()).map(|folder| stem(folder)).collect();
        return Err(format!("{VARIABLE}={name} names no entry variant; valid: {}", valid.join(", ")));
    };
    Ok(Entry { name, folder: folder.clone() })
}

/// The file name without its extension.
pub fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The contents of a folder, sorted.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let mut paths = std::fs::read_dir(folder)?.map(|item| Ok(item?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    read().map_err(|error| format!("cannot list {}: {error}", folder.display()))
}
