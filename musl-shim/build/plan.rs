//! Which files make libc.a: musl's own rule, with the entry variant's files put in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::entry::{Entry, list, stem};

/// musl's name of the machine, as in `arch/` and `src/*/`.
pub const ARCH: &str = "x86_64";

/// The sources of libc.a in musl's tree `musl`.
///
/// As musl's Makefile has it: every `src/*/*.c` and the allocator's, where a file of the same stem in the
/// subfolder of the machine takes the place of the portable one. Then every source of `entry` takes the place
/// of the one with its stem; one that finds none is an error, since it would come on top instead.
pub fn libc_sources(musl: &Path, entry: &Entry) -> Result<Vec<PathBuf>, String> {
    let src = musl.join("src");
    let mut by_place: BTreeMap<(PathBuf, String), PathBuf> = BTreeMap::new();
    for folder in folders(&src)?.into_iter().chain([src.join("malloc/mallocng")]) {
        let portable = list(&folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "c"));
        let machine = folder.join(ARCH);
        let special = if machine.is_dir() { sources(&machine)? } else { Vec::new() };
        for path in portable.chain(special) {
            by_place.insert((folder.clone(), stem(&path)), path);
        }
    }
    for folder in folders(&entry.folder)? {
        let place = src.join(folder.file_name().unwrap_or_default());
        for source in sources(&folder)? {
            match by_place.get_mut(&(place.clone(), stem(&source))) {
                Some(replaced) => *replaced = source,
                None => return Err(format!("{} replaces no source of musl", source.display())),
            }
        }
    }
    Ok(by_place.into_values().collect())
}

fn folders(of: &Path) -> Result<Vec<PathBuf>, String> {
    Ok(list(of)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn sources(of: &Path) -> Result<Vec<PathBuf>, String> {
    let is_source = |path: &PathBuf| path.extension().is_some_and(|e| e == "c" || e == "s" || e == "S");
    Ok(list(of)?.into_iter().filter(is_source).collect())
}
