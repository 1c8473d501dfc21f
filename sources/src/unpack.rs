//! From verified tarballs to a patched source tree.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache;
use crate::error::{Error, Result};
use crate::fetch::Sources;
use crate::host::{self, Task};
use crate::progress::Progress;

/// Which patches of Debian's series are applied, always in the series' order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patches {
    /// Every one.
    All,
    /// Those whose name begins so.
    Prefixed(&'static str),
}

/// Makes `folder` hold the patched source tree. It appears whole or not at all; one that is there already is replaced.
///
/// # Errors
/// [`Error::PatchFailed`], [`Error::MissingTools`], [`Error::DiskFull`], [`Error::Command`], [`Error::Io`].
pub fn unpack(sources: &Sources, folder: &Path, patches: Patches, progress: &dyn Progress) -> Result<()> {
    host::require(Task::Unpack)?;
    let name = sources.orig.file_name().unwrap_or_default().to_string_lossy();
    progress.step(&format!("unpacking {name}"));
    let temporary = cache::temporary_name(folder);
    remove(&temporary)?;
    fs::create_dir_all(&temporary).map_err(|error| Error::io(&temporary, error))?;
    let result = fill(sources, &temporary, patches).and_then(|()| {
        remove(folder)?;
        fs::rename(&temporary, folder).map_err(|error| Error::io(folder, error))
    });
    if result.is_err() {
        let _ = fs::remove_dir_all(&temporary);
    }
    result
}

fn fill(sources: &Sources, folder: &Path, patches: Patches) -> Result<()> {
    tar(&sources.orig, folder, &["--strip-components=1"])?;
    tar(&sources.debian, folder, &[])?;
    let directory = folder.join("debian/patches");
    let series = directory.join("series");
    let text = match fs::read_to_string(&series) {
        // A package that changes nothing has no series, dpkg-source(1).
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        text => text.map_err(|error| Error::io(&series, error))?,
    };
    for (name, level) in series_of(&text, patches) {
        apply(folder, &directory.join(&name), &level)?;
    }
    Ok(())
}

/// Names and `-p` options of the wanted patches. A series line is `name [options] [# comment]`, quilt(1).
fn series_of(text: &str, patches: Patches) -> Vec<(String, String)> {
    let mut wanted = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(name) = words.next() else { continue };
        let level = words.find(|word| word.starts_with("-p")).unwrap_or("-p1");
        let take = match patches {
            Patches::All => true,
            Patches::Prefixed(prefix) => name.starts_with(prefix),
        };
        if take {
            wanted.push((name.to_owned(), level.to_owned()));
        }
    }
    wanted
}

fn tar(archive: &Path, folder: &Path, options: &[&str]) -> Result<()> {
    let mut command = Command::new("tar");
    command
        .arg("--extract")
        .arg("--file")
        .arg(archive)
        .arg("--directory")
        .arg(folder)
        .arg("--no-same-owner")
        .args(options);
    let output = run(&mut command)?;
    match output {
        Ok(()) => Ok(()),
        Err(text) if text.contains("No space left") => Err(Error::DiskFull { path: folder.to_owned() }),
        Err(output) => Err(Error::Command { command: format!("tar --extract --file {}", archive.display()), output }),
    }
}

fn apply(folder: &Path, patch: &PathBuf, level: &str) -> Result<()> {
    let mut command = Command::new("patch");
    command.args([level, "--batch", "--forward", "--silent", "--no-backup-if-mismatch", "--directory"]);
    command.arg(folder).arg("--input").arg(patch);
    run(&mut command)?.map_err(|output| Error::PatchFailed {
        patch: patch.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        output,
    })
}

/// Runs a program to its end; on failure the inner error is what it printed.
fn run(command: &mut Command) -> Result<std::result::Result<(), String>> {
    let output = command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).output().map_err(|error| Error::Command {
        command: command.get_program().to_string_lossy().into_owned(),
        output: error.to_string(),
    })?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    let text = [output.stdout, output.stderr].concat();
    Ok(Err(String::from_utf8_lossy(&text).trim().to_owned()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(folder, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Quiet;
    use trapless_scratch::Folder;

    #[test]
    fn takes_the_wanted_patches_in_order() {
        let text = "gnu.patch\n# off.patch\nCVE-2.patch -p0\n\nCVE-1.patch # why\n#CVE-0.patch\n";
        let names = |patches| series_of(text, patches).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Patches::All), ["gnu.patch", "CVE-2.patch", "CVE-1.patch"]);
        assert_eq!(names(Patches::Prefixed("CVE-")), ["CVE-2.patch", "CVE-1.patch"]);
        assert_eq!(series_of(text, Patches::Prefixed("CVE-2"))[0].1, "-p0");
    }

    const GOOD: &[u8] = b"--- a/greeting\n+++ b/greeting\n@@ -1 +1 @@\n-hello\n+goodbye\n";

    /// A package of one file and one patch.
    fn package(scratch: &Folder, patch: &[u8]) -> Sources {
        scratch.write("x-1/greeting", b"hello\n");
        scratch.write("debian/patches/series", b"CVE-1.patch\n");
        scratch.write("debian/patches/CVE-1.patch", patch);
        Sources { orig: pack(scratch, "x_1.orig.tar", "x-1"), debian: pack(scratch, "x_1-1.debian.tar", "debian") }
    }

    /// A tarball of a folder.
    fn pack(scratch: &Folder, name: &str, member: &str) -> PathBuf {
        let archive = scratch.path().join(name);
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(scratch.path()).arg("-cf").arg(&archive).arg(member);
        assert!(tar.status().unwrap().success());
        archive
    }

    #[test]
    fn unpacks_and_patches() {
        let scratch = Folder::new();
        let sources = package(&scratch, GOOD);
        let tree = scratch.path().join("tree");
        for (patches, content) in [(Patches::All, "goodbye\n"), (Patches::Prefixed("other"), "hello\n")] {
            unpack(&sources, &tree, patches, &Quiet).unwrap();
            assert_eq!(fs::read_to_string(tree.join("greeting")).unwrap(), content);
        }
    }

    #[test]
    fn a_package_without_patches_is_unpacked() {
        let scratch = Folder::new();
        scratch.write("x-1/greeting", b"hello\n");
        scratch.write("debian/rules", b"");
        let sources = Sources {
            orig: pack(&scratch, "x_1.orig.tar", "x-1"),
            debian: pack(&scratch, "x_1-1.debian.tar", "debian"),
        };
        let tree = scratch.path().join("tree");
        unpack(&sources, &tree, Patches::All, &Quiet).unwrap();
        assert_eq!(fs::read_to_string(tree.join("greeting")).unwrap(), "hello\n");
    }

    #[test]
    fn a_patch_that_does_not_fit_leaves_no_tree() {
        let scratch = Folder::new();
        let sources = package(&scratch, b"--- a/greeting\n+++ b/greeting\n@@ -1 +1 @@\n-salut\n+adieu\n");
        let tree = scratch.path().join("tree");
        match unpack(&sources, &tree, Patches::All, &Quiet) {
            Err(Error::PatchFailed { patch, .. }) => assert_eq!(patch, "CVE-1.patch"),
            other => panic!("{other:?}"),
        }
        assert!(!tree.exists());
    }

    #[test]
    fn a_truncated_tarball_leaves_no_tree() {
        let scratch = Folder::new();
        let mut sources = package(&scratch, GOOD);
        let whole = fs::read(&sources.orig).unwrap();
        sources.orig = scratch.write("short.tar", &whole[..1030]);
        let tree = scratch.path().join("tree");
        assert!(matches!(unpack(&sources, &tree, Patches::All, &Quiet), Err(Error::Command { .. })));
        assert!(!tree.exists());
    }
}
