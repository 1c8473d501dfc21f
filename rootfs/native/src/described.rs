//! `nif.toml`: libraries as their user describes them, where the sources do not tell.
//!
//! ```toml
//! application = "argon2_elixir"     # if it is not the folder's
//!
//! [[library]]
//! file = "priv/argon2_nif.so"
//! sources = ["c_src/*.c", "../argon2/src/core.c"]
//! archives = ["../libsodium/libsodium.a"]
//! include = ["../argon2/include"]
//! flags = ["-DARGON2_NO_THREADS"]
//! ```
//!
//! Paths begin at the file's folder; a `*` stands for all sources of a folder with that ending.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use rootfs_recipe::tree::list;
use serde::Deserialize;

use crate::project::Library;

/// The file's name.
const FILE: &str = "nif.toml";

/// What stands in it.
pub struct Described {
    /// The application, if it is said.
    pub application: Option<String>,
    /// The libraries.
    pub libraries: Vec<Library>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    application: Option<String>,
    library: Vec<One>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    file: String,
    sources: Vec<String>,
    #[serde(default)]
    archives: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
    #[serde(default)]
    flags: Vec<String>,
}

/// Reads the file, if there is one.
///
/// # Errors
/// It cannot be understood, or names sources that are not there.
pub fn read(folder: &Path) -> Result<Option<Described>> {
    let path = folder.join(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let text: Text = toml::from_str(&text).with_context(|| format!("{} cannot be understood", path.display()))?;
    let libraries = text.library.into_iter().map(|one| library(folder, one)).collect::<Result<_>>();
    let libraries = libraries.with_context(|| path.display().to_string())?;
    Ok(Some(Described { application: text.application, libraries }))
}

fn library(folder: &Path, one: One) -> Result<Library> {
    let plain = one.file.split('/').all(|part| !matches!(part, "" | "." | ".."));
    ensure!(plain && one.file.ends_with(".so"), "{} is no place for a library, as priv/NAME.so is", one.file);
    let [archives, include]: [Vec<_>; 2] =
        [one.archives, one.include].map(|paths| paths.iter().map(|path| folder.join(path)).collect());
    for archive in &archives {
        ensure!(archive.is_file(), "there is no archive {}", archive.display());
    }
    Ok(Library { sources: expand(folder, &one.sources)?, archives, file: one.file, include, flags: one.flags })
}

/// The files that patterns stand for. `*` is known in the last part of a path, before an ending.
///
/// # Errors
/// A pattern stands for nothing.
pub fn expand(folder: &Path, patterns: &[String]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for pattern in patterns {
        let path = folder.join(pattern);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let before = files.len();
        match name.split_once('*') {
            None => files.extend(Some(path.clone()).filter(|path| path.is_file())),
            Some((start, end)) => {
                let place = path.parent().unwrap_or(folder);
                let all = if place.is_dir() { list(place)? } else { Vec::new() };
                files.extend(all.into_iter().filter(|file| {
                    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    file.is_file()
                        && name.len() >= start.len() + end.len()
                        && name.starts_with(start)
                        && name.ends_with(end)
                }));
            }
        }
        ensure!(files.len() > before, "there is no source {pattern} in {}", folder.display());
    }
    files.dedup();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Project;
    use trapless_scratch::Folder;

    fn read(folder: &Folder) -> Result<Project> {
        Project::read(folder.path().to_str().unwrap())
    }

    #[test]
    fn a_description_is_taken() {
        let folder = Folder::new();
        folder.write("nif.toml", "application = 'other'\n[[library]]\nfile = 'priv/x.so'\nsources = ['c/*.c', 'y.cc']\narchives = ['y/liby.a']\ninclude = ['h']\nflags = ['-DA']");
        folder.write("c/a.c", "");
        folder.write("c/b.c", "");
        folder.write("c/b.h", "");
        folder.write("y.cc", "");
        folder.write("y/liby.a", "");
        let project = read(&folder).unwrap();
        assert_eq!(project.application, "other");
        let library = &project.libraries[0];
        assert_eq!((library.file.as_str(), library.sources.len()), ("priv/x.so", 3));
        assert_eq!((library.include.len(), &library.flags[..]), (1, &["-DA".to_owned()][..]));
        assert_eq!(library.archives, [project.folder.join("y/liby.a")]);
    }

    #[test]
    fn mistakes_are_named() {
        let folder = Folder::new();
        for (text, message) in [
            ("[[library]]\nfile = 'priv/x.so'\nsources = ['none.c']", "there is no source none.c"),
            ("[[library]]\nfile = 'priv/x.so'\nsources = []\narchives = ['none.a']", "there is no archive"),
            ("[[library]]\nfile = 'x'\nsources = []", "x is no place for a library"),
            ("[[library]]\nfile = '../x.so'\nsources = []", "is no place for a library"),
            ("[[library]]\nfile = 'priv/x.so'\nsources = []", "no sources for priv/x.so"),
            ("[[library]]\nfil = 'x.so'\nsources = []", "cannot be understood"),
        ] {
            folder.write("nif.toml", text);
            let error = format!("{:#}", read(&folder).unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
