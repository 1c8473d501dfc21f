//! Builds the archive that Erlang sees as its disk.
//!
//! The archive is a newc cpio: the image links it in and reads it in place. Everything that goes in is named by
//! `rootfs/manifest.toml`, and the same inputs always give the same bytes, so that its hash identifies it.
//!
//! One idea a module: [`tree`] holds the files before they are written, [`newc`] writes them, [`verify`] reads them back, [`beam`] takes
//! the debugging parts out of compiled modules, [`erlang`] runs the Linux build of the same BEAM for what only Erlang can do, [`boot`] has
//! it write boot scripts, [`app`] takes in the user's applications, [`required`] finds what those need of OTP, [`manifest`] says what is
//! wanted, [`shared`] is about shared libraries, [`term`] reads Erlang terms.

pub mod app;
pub mod beam;
pub mod boot;
pub mod erlang;
pub mod manifest;
pub mod newc;
pub mod otp;
pub mod required;
pub mod shared;
pub mod term;
pub mod tree;
pub mod verify;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::{erlang::Erlang, manifest::Manifest, tree::Tree};

/// The environment variable that names an archive made elsewhere, which then is the image's.
pub const ARCHIVE_VARIABLE: &str = "TRAPLESS_ROOTFS";

/// Where the pieces are.
pub struct Inputs<'a> {
    /// The folder that holds `manifest.toml`, `overlay/`, `apps/` and `tools/`.
    pub rootfs: &'a Path,
    /// The built OTP: `lib/` has one folder an application, `bin/` the boot scripts.
    pub otp_root: &'a Path,
    /// The Linux build of the same BEAM.
    pub erlang: &'a Erlang,
    /// The user's own applications (`--app`), see [`app::add`].
    pub app: Option<&'a Path>,
    /// Shared libraries that were made for the image (`--nif`), see [`shared::add`].
    pub nifs: Option<&'a Path>,
    /// A folder for intermediate files.
    pub work: &'a Path,
}

/// What was built.
pub struct Archive {
    /// The bytes of the archive.
    pub bytes: Vec<u8>,
    /// Their SHA-256, in hexadecimal.
    pub hash: String,
    /// The applications in it, by name and version.
    pub applications: Vec<String>,
    /// Names that its shared libraries do not have themselves.
    pub imports: BTreeSet<String>,
    /// Files and folders read: a build script asks to be run again when one of them changes.
    pub inputs: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Builds the archive, and reads it back to be sure of it.
///
/// # Errors
/// Says what is missing or wrong, and where: a file of the manifest that is not there, a module that does not
/// compile, an application folder with nothing in it, an archive that does not read back as what went in.
pub fn build(inputs: &Inputs) -> Result<Archive> {
    build_beside(Tree::default(), &[], inputs)
}

/// The same beside files that are there already, with the applications of OTP that are named in `more`. What the `.app` files among those
/// files name of OTP comes along as far as OTP has it; a note tells of the rest.
///
/// # Errors
/// As [`build`], or one of those files has the place of another, or OTP has no such application.
pub fn build_beside(mut tree: Tree, more: &[String], inputs: &Inputs) -> Result<Archive> {
    let guests = required::descriptions(&tree);
    let manifest = Manifest::read(&inputs.rootfs.join("manifest.toml"))?;
    for directory in &manifest.directories {
        tree.add_directory(directory)?;
    }
    tree.add_folder(&inputs.rootfs.join("overlay"), "")?;

    let otp_lib = inputs.otp_root.join("lib");
    let mut applications = otp::add(&mut tree, &otp_lib, &manifest.otp_applications)?;
    for name in &manifest.own_applications {
        let source = inputs.rootfs.join("apps").join(name);
        applications.extend(app::add(&mut tree, inputs, &source)?);
    }
    if let Some(source) = inputs.app {
        applications.extend(app::add(&mut tree, inputs, source).context("the folder given with --app cannot be used")?);
    }
    let more: Vec<_> = more.iter().filter(|name| !manifest.otp_applications.contains(name)).cloned().collect();
    applications.extend(otp::add(&mut tree, &otp_lib, &more)?);
    let required = required::by(&tree, inputs, &otp_lib, &applications, &guests)?;
    applications.extend(otp::add(&mut tree, &otp_lib, &required.applications)?);
    if let Some(folder) = inputs.nifs {
        shared::add(&mut tree, folder)?;
    }
    for script in &manifest.boots {
        boot::add(&mut tree, inputs, &applications, script)
            .with_context(|| format!("the boot script {}", script.name))?;
    }

    let bytes = newc::write(&tree)?;
    verify::check(&bytes, &tree)?;
    let mut read = tree.sources().to_vec();
    read.push(inputs.rootfs.join("manifest.toml"));
    read.push(inputs.rootfs.join("tools"));
    let imports = shared::imports(&bytes);
    Ok(Archive {
        hash: sources::sha256_hex(&bytes),
        bytes,
        inputs: read,
        applications,
        imports,
        notes: required.missing,
    })
}

/// An archive that was made elsewhere, as by the crate `rootfs-release`.
///
/// # Errors
/// It cannot be read.
pub fn made(file: &Path) -> Result<Archive> {
    let bytes = tree::read(file)?;
    let applications = applications_in(&bytes);
    let imports = shared::imports(&bytes);
    Ok(Archive {
        hash: sources::sha256_hex(&bytes),
        bytes,
        applications,
        imports,
        inputs: vec![file.to_owned()],
        notes: Vec::new(),
    })
}

/// The folders that hold applications.
fn applications_in(archive: &[u8]) -> Vec<String> {
    let folder = |entry: cpio_reader::Entry<'_>| {
        let (folder, rest) = entry.name().strip_prefix(otp::LIB)?.strip_prefix('/')?.split_once('/')?;
        let described = rest.strip_prefix("ebin/")?.strip_suffix(".app")?;
        (folder.split('-').next() == Some(described)).then(|| folder.to_owned())
    };
    cpio_reader::iter_files(archive).filter_map(folder).collect()
}
