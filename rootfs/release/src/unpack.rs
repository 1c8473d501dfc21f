//! A release in a `.tar.gz`, as `rebar3 tar`, `mix release` (with `:tar` among its steps) and `systools:make_tar` make it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;

/// Unpacks `archive` into a new folder at `folder`, and returns the top folder of the release in it.
///
/// # Errors
/// It is no such archive, or it is damaged.
pub fn unpack(archive: &Path, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let shown = archive.display();
    let file = File::open(archive).with_context(|| format!("cannot read {shown}"))?;
    tar::Archive::new(GzDecoder::new(file))
        .unpack(folder)
        .with_context(|| format!("{shown} is damaged, or it is no .tar.gz archive"))?;
    // Some have a folder around them.
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    if !folder.join("releases").is_dir() && entries.len() == 1 {
        return Ok(entries.remove(0));
    }
    ensure!(!entries.is_empty(), "{shown} is empty");
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use trapless_scratch::Folder;

    fn archive(folder: &Folder, path: &str) -> PathBuf {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, &b"ok"[..]).unwrap();
        folder.write("release.tar.gz", tar.into_inner().unwrap().finish().unwrap())
    }

    #[test]
    fn a_release_is_found_with_and_without_a_folder_around_it() {
        let folder = Folder::new();
        for (path, top) in [("releases/1/x", "out"), ("demo-1/releases/1/x", "out/demo-1")] {
            let found = unpack(&archive(&folder, path), &folder.path().join("out")).unwrap();
            assert_eq!(found, folder.path().join(top));
            assert_eq!(fs::read(found.join("releases/1/x")).unwrap(), b"ok");
        }
    }

    #[test]
    fn what_is_no_archive_is_named() {
        let folder = Folder::new();
        let file = folder.write("x.tar.gz", "no archive");
        let error = format!("{:#}", unpack(&file, &folder.path().join("out")).unwrap_err());
        assert!(error.contains("x.tar.gz is damaged, or it is no .tar.gz"), "{error}");
        let whole = fs::read(archive(&folder, "releases/1/x")).unwrap();
        let cut = folder.write("x.tar.gz", &whole[..whole.len() / 2]);
        assert!(unpack(&cut, &folder.path().join("out")).is_err());
    }
}
