//! Puts together what the suites of an application need, as files that are laid into an image, and unpacks the archive of that image for
//! Linux, so that both sides have the same.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use cpio_reader::Mode;
use erts_recipe::Erts;
use rootfs_recipe::{
    newc,
    tree::{Tree, list, name_of, read},
};
use rootfs_release::{applications::Otp, files, start::Additions};
use trapless_tests::repository;

use super::{
    fresh,
    results::turn,
    sides::{self, Side},
};
use crate::{build, cli::BuildOptions, nifs};

/// Of an application of OTP, what is there at run time; suites compile with its headers.
const PARTS: [&str; 3] = ["ebin", "include", "priv"];
/// The modules of these are in every image.
const ALWAYS: [&str; 2] = ["kernel", "stdlib"];
/// What a suite that measures, and tests nothing, is called.
const BENCHMARK: &str = "_bench_SUITE";

/// The suites that an application has, in the order of their names.
///
/// # Errors
/// The folder with the compiled suites cannot be read.
pub fn suites(tests: &Path, application: &str) -> Result<Vec<String>> {
    let names = list(&tests.join(format!("{application}_test")))?;
    let names = names.iter().filter_map(|path| path.file_name()?.to_str()?.strip_suffix(".beam"));
    Ok(names.filter(|name| name.ends_with("_SUITE") && !name.ends_with(BENCHMARK)).map(str::to_owned).collect())
}

/// An image with all of OTP that is built, OTP's helpers for its suites, and the runner. It serves the suites of every application.
///
/// # Errors
/// Something cannot be read or written, or the image cannot be built.
pub fn otp(erts: &Erts, options: &BuildOptions, tests: &Path) -> Result<PathBuf> {
    let folder = repository().join("target/suites/otp");
    // Another run would put its own in the same place.
    let _turn = turn("image")?;
    let (files, applications) = (folder.join("files"), folder.join("applications"));
    fresh(&files)?;
    for entry in list(&erts.otp.join("lib"))? {
        let name = name_of(&entry)?;
        let always = ALWAYS.contains(&name.split('-').next().unwrap_or(name));
        for part in PARTS.into_iter().filter(|part| entry.join(part).is_dir() && !(always && *part == "ebin")) {
            copy(&entry.join(part), &files.join("otp/lib").join(name).join(part))?;
        }
    }
    for application in ["test_server", "trapless_suites"] {
        fresh(&applications.join(application))?;
    }
    link(&tests.join("test_server"), &applications.join("test_server/ebin"))?;
    // Common Test's headers, which the runner includes, are found through the code path of the OTP that compiles it.
    link(&repository().join("tests/erts/trapless_suites/src"), &applications.join("trapless_suites/src"))?;
    let wish = files::Wish { app: Some(&applications), ..wish(&[], Additions::default(), options) };
    image(erts, options, &folder, files::Wish { files: &[files], ..wish })
}

/// Suites of one application with their data, beside the files of an image.
///
/// # Errors
/// Something cannot be read or written.
pub fn suites_of(image: &Path, tests: &Path, application: &str, wanted: &[String]) -> Result<Side> {
    let mut tree = Tree::default();
    for entry in list(&tests.join(format!("{application}_test")))? {
        let name = name_of(&entry)?;
        let at = format!("{}/{name}", sides::folder(application));
        match entry.is_dir() {
            _ if !belongs(name, wanted) => {}
            true => tree.add_folder(&entry, &at)?,
            false => tree.add_file(&at, read(&entry)?)?,
        }
    }
    let disk = repository().join("target/suites").join(application).join("disk");
    Ok(Side { image: image.to_owned(), beside: tree, disk, libs: None, arguments: sides::arguments })
}

/// Puts the files of a side where Linux sees them.
///
/// # Errors
/// The image holds none, or something cannot be written.
pub fn for_linux(side: &Side) -> Result<()> {
    fresh(&side.disk)?;
    lay_out(&build::archive_of(&side.image)?, &side.disk)?;
    lay_out(&newc::write(&side.beside)?, &side.disk)
}

/// Files with all that is in their modules, for some suites look for what stripping would take out.
pub fn wish<'a>(otp: &'a [String], additions: Additions, options: &BuildOptions) -> files::Wish<'a> {
    let no_syscalls = nifs::no_syscalls(options);
    files::Wish { files: &[], otp, additions, app: None, strip: false, nifs: None, no_syscalls }
}

/// Builds an image of files: where it is. `folder` holds all that is made.
///
/// # Errors
/// As [`otp`].
pub fn image(erts: &Erts, options: &BuildOptions, folder: &Path, wish: files::Wish<'_>) -> Result<PathBuf> {
    let objects = [&*erts.beam, &*erts.crypto];
    let otp = Otp { root: &erts.otp, erts: &erts.erts_version, objects: &objects, libc: &erts.libc() };
    let packed = files::pack(&wish, &otp, &repository().join("rootfs"), &folder.join("work"))?;
    let archive = folder.join("rootfs.cpio");
    // An unchanged file keeps its time, so that nothing is linked again for it.
    if !fs::read(&archive).is_ok_and(|old| old == packed.bytes) {
        fs::write(&archive, &packed.bytes).with_context(|| format!("cannot write {}", archive.display()))?;
    }
    let image = folder.join("image.elf");
    let built = build::build_with(options, Some(&archive), None)?;
    fs::copy(&built, &image).with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(image)
}

/// What is no suite's belongs to every suite; of the suites only the wanted ones, with their data. Their source stays outside.
fn belongs(name: &str, suites: &[String]) -> bool {
    let Some(at) = name.find("_SUITE") else { return !name.ends_with(".erl") };
    let suite = &name[..at + "_SUITE".len()];
    let rest = &name[suite.len()..];
    suites.iter().any(|wanted| wanted == suite) && rest != ".erl"
}

fn link(from: &Path, to: &Path) -> Result<()> {
    symlink(from, to).with_context(|| format!("cannot link {} to {}", to.display(), from.display()))
}

/// Copies a folder with all that is in it.
///
/// # Errors
/// Something in it cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let entry = entry?.path();
        let to = to.join(name_of(&entry)?);
        if entry.is_dir() {
            copy(&entry, &to)?;
        } else {
            fs::copy(&entry, &to).with_context(|| format!("cannot copy {}", entry.display()))?;
        }
    }
    Ok(())
}

/// Unpacks the archive that is inside an image, so that Linux sees the same files: where they are, in a folder of `folder`.
///
/// # Errors
/// There is none, or something cannot be written.
pub fn unpack(folder: &Path, image: &Path) -> Result<PathBuf> {
    let disk = folder.join("disk");
    fresh(&disk)?;
    lay_out(&build::archive_of(image)?, &disk)?;
    Ok(disk)
}

/// Writes the files of an archive.
fn lay_out(archive: &[u8], disk: &Path) -> Result<()> {
    for entry in cpio_reader::iter_files(archive) {
        let path = disk.join(entry.name());
        let failed = || format!("cannot write {}", path.display());
        if entry.mode().contains(Mode::DIRECTORY) {
            fs::create_dir_all(&path).with_context(failed)?;
            continue;
        }
        fs::write(&path, entry.file()).with_context(failed)?;
        fs::set_permissions(&path, PermissionsExt::from_mode(entry.mode().bits() & 0o777)).with_context(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use trapless_scratch::Folder;

    #[test]
    fn wanted_suites_belong_and_what_is_nobodys() {
        let wanted = ["ets_SUITE".to_owned()];
        for (name, expected) in [
            ("ets_SUITE.beam", true),
            ("ets_SUITE_data", true),
            ("ets_SUITE.erl", false),
            ("lists_SUITE.beam", false),
            ("lists_SUITE_data", false),
            ("ets_tough_SUITE.beam", false),
            ("kernel_test_lib.beam", true),
            ("kernel_test_lib.erl", false),
            ("httpd_test_data", true),
            ("ssl_test_lib.hrl", true),
        ] {
            assert_eq!(belongs(name, &wanted), expected, "{name}");
        }
    }

    #[test]
    fn an_application_has_the_suites_that_were_compiled() {
        let folder = Folder::new();
        for name in [
            "b_SUITE.beam",
            "a_SUITE.beam",
            "a_SUITE.erl",
            "a_bench_SUITE.beam",
            "lib.beam",
            "a_SUITE_data/x_SUITE.beam",
        ] {
            folder.write(&format!("x_test/{name}"), "");
        }
        assert_eq!(suites(folder.path(), "x").unwrap(), ["a_SUITE", "b_SUITE"]);
    }

    #[test]
    fn programs_can_be_run_where_the_archive_is_unpacked() {
        let mut tree = rootfs_recipe::tree::Tree::default();
        tree.add_file("bin/cpu_sup", b"\x7fELF...".to_vec()).unwrap();
        tree.add_file("etc/hosts", b"127.0.0.1 localhost".to_vec()).unwrap();
        let folder = Folder::new();
        lay_out(&newc::write(&tree).unwrap(), folder.path()).unwrap();
        let mode = |path: &str| fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o111;
        assert_eq!((mode("bin/cpu_sup"), mode("etc/hosts")), (0o111, 0));
    }
}
