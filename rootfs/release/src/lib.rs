//! Makes the archive that Erlang sees as its disk of somebody's release.
//!
//! One idea a module: [`layout`] finds the parts of a release, [`rel`] reads `.rel` and `.app` files by means of [`term`],
//! [`applications`] finds what is named there and checks that it fits the emulator, [`native`] looks for machine code, [`start`]
//! works out arguments and environment (with [`words`], and [`mix`] for Elixir's), [`pack`] puts files in, [`report`] says how big
//! everything is, [`unpack`] takes releases in archives. [`files`] does without a release.

pub mod applications;
pub mod files;
pub mod layout;
pub mod mix;
pub mod native;
pub mod pack;
pub mod rel;
pub mod report;
pub mod start;
pub mod unpack;
pub mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use rootfs_native::Names;
use rootfs_recipe::{
    Inputs, app,
    erlang::Erlang,
    manifest::Manifest,
    newc,
    otp::LIB,
    shared,
    tree::{Tree, list, name_of, read},
    verify,
};

pub use rootfs_recipe::term;

use crate::{
    applications::{Found, Otp},
    layout::Layout,
    native::{Findings, Judge},
    pack::Packer,
    report::{Part, Report},
    start::{Additions, Start},
};

/// Our application that loads the modules of a boot script on several CPUs.
const BOOT: &str = "trapless_boot";

/// What an archive is made of.
pub struct Wish<'a> {
    /// The release: a folder, or a `.tar.gz` of one.
    pub release: &'a Path,
    /// What the user adds to it.
    pub additions: Additions,
    /// More applications, see [`app::add`].
    pub app: Option<&'a Path>,
    /// Whether modules lose what running them does not need.
    pub strip: bool,
    /// Whether a release with shared libraries that cannot be loaded is taken, without them.
    pub allow_native: bool,
    /// Libraries that were made for the image, see [`shared::add`].
    pub nifs: Option<&'a Path>,
    /// Whether the image has no way to take a system call instruction, so that no library may hold one.
    pub no_syscalls: bool,
}

/// An archive, and what there is to tell about it.
pub struct Packed {
    /// Name of the release, or of the first of the files.
    pub name: String,
    /// Version of the release.
    pub version: Option<String>,
    /// The bytes of the archive.
    pub bytes: Vec<u8>,
    /// What is in it.
    pub report: Report,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Makes the archive, and reads it back to be sure of it. `rootfs` is the folder with the manifest; `work` is for intermediate files.
///
/// # Errors
/// All that is missing in the release or cannot work, each with what to do.
pub fn pack(wish: &Wish<'_>, otp: &Otp<'_>, rootfs: &Path, work: &Path) -> Result<Packed> {
    fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let root = if wish.release.is_file() {
        unpack::unpack(wish.release, &work.join("unpacked"))?
    } else {
        wish.release.to_owned()
    };
    let layout = Layout::read(&root)?;
    let found = applications::find(&layout, otp)?;
    let start = Start::of(&layout, &wish.additions)?;
    let machine_code = machine_code(&layout, &found, otp, wish)?;

    let mut tree = Tree::default();
    for directory in Manifest::read(&rootfs.join("manifest.toml"))?.directories {
        tree.add_directory(&directory)?;
    }
    tree.add_directory("otp/bin")?;
    tree.add_folder(&rootfs.join("overlay"), "")?;
    let mut packer = Packer { tree: &mut tree, strip: wish.strip, left_out: &machine_code.files };
    found.iter().try_for_each(|application| packer.application(application))?;
    packer.rest(&layout, start.configured_at_boot)?;

    let erlang = Erlang::new(otp.root.join("bin/erl"));
    let inputs = Inputs { rootfs, otp_root: otp.root, erlang: &erlang, app: wish.app, nifs: wish.nifs, work };
    let mut added = app::add(&mut tree, &inputs, &rootfs.join("apps").join(BOOT))?;
    if let Some(folder) = wish.app {
        added.extend(app::add(&mut tree, &inputs, folder).context("the folder given with --app cannot be used")?);
    }
    if let Some(nifs) = wish.nifs {
        shared::add(&mut tree, nifs)?;
    }
    add_boot(&mut tree, &layout, &inputs, &added)?;
    for (path, content) in start.files(layout.version_name()?) {
        tree.add_file(path, content.into_bytes())?;
    }

    let bytes = newc::write(&tree)?;
    verify::check(&bytes, &tree)?;
    let notes = [start.notes, machine_code.notes, left_out(&layout, &found)?].concat();
    Ok(Packed {
        report: report(&tree, &found, &added),
        name: layout.rel.name,
        version: Some(layout.rel.version),
        bytes,
        notes,
    })
}

/// Everything that is machine code, and what to do about it.
fn machine_code(layout: &Layout, found: &[Found], otp: &Otp<'_>, wish: &Wish<'_>) -> Result<Findings> {
    let mut judge = Judge {
        linked: native::linked_in(otp.objects)?,
        names: Names::of(otp.objects, otp.libc)?,
        root: PathBuf::new(),
        replaced: BTreeSet::new(),
        no_syscalls: wish.no_syscalls,
    };
    let mut findings = Findings::default();
    for Found { name, full_name, folder, .. } in found {
        let private = folder.join("priv");
        if private.is_dir() {
            let shown = format!("lib/{full_name}");
            judge.replaced = wish.nifs.map_or(Ok(BTreeSet::new()), |nifs| shared::of(nifs, name, &shown))?;
            judge.root = folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))?;
            judge.look_through(&private, &format!("{shown}/priv"), &mut findings)?;
        }
    }
    if wish.allow_native {
        findings.notes.append(&mut findings.problems);
    }
    applications::report(&findings.problems, layout)?;
    Ok(findings)
}

/// Adds the release's boot script with the changes that `tools/rootfs_tool.erl` explains.
fn add_boot(tree: &mut Tree, layout: &Layout, inputs: &Inputs<'_>, added: &[String]) -> Result<()> {
    let to = inputs.work.join("start.boot");
    let mut arguments = vec!["release".into(), layout.boot.clone().into_os_string(), to.clone().into_os_string()];
    arguments.extend(added.iter().map(|name| format!("path={name}").into()));
    inputs.erlang.run(inputs.work, &inputs.rootfs.join("tools/rootfs_tool.erl"), &arguments)?;
    tree.add_file(&format!("otp/releases/{}/start.boot", layout.version_name()?), read(&to)?)
}

/// Applications that lie in the release and are not part of it.
fn left_out(layout: &Layout, found: &[Found]) -> Result<Vec<String>> {
    let lib = layout.root.join("lib");
    if !lib.is_dir() {
        return Ok(Vec::new());
    }
    let used: BTreeSet<&str> = found.iter().flat_map(|found| [&*found.full_name, &*found.name]).collect();
    let mut notes = Vec::new();
    for folder in list(&lib)? {
        let name = name_of(&folder)?;
        if folder.is_dir() && !used.contains(name) {
            notes.push(format!("lib/{name} is left out: {} does not name it", layout.rel_file.display()));
        }
    }
    Ok(notes)
}

fn report(tree: &Tree, found: &[Found], added: &[String]) -> Report {
    let mut parts: Vec<(String, &'static str, String)> = found
        .iter()
        .map(|found| {
            let origin = if found.ours { "OTP as built here" } else { "release" };
            (found.full_name.clone(), origin, format!("{LIB}/{}/", found.full_name))
        })
        .collect();
    parts.extend(added.iter().map(|name| {
        let origin = if name.starts_with(BOOT) { "image" } else { "--app" };
        (name.clone(), origin, format!("{LIB}/{name}/"))
    }));
    parts.push(("releases/".into(), "release", "otp/releases/".into()));
    parts.push(("etc/".into(), "image", "etc/".into()));
    let files = || tree.nodes().filter_map(|(path, _)| Some((path, tree.file(path)?.len())));
    let rest = files().filter(|(path, _)| !parts.iter().any(|(.., prefix)| path.starts_with(prefix.as_str())));
    let rest = rest.fold((0, 0), |sum, (_, bytes)| (sum.0 + 1, sum.1 + bytes));
    let mut report = Report::default();
    for (name, origin, prefix) in parts {
        let own = files().filter(|(path, _)| path.starts_with(&prefix));
        let (files, bytes) = own.fold((0, 0), |sum, (_, bytes)| (sum.0 + 1, sum.1 + bytes));
        report.parts.push(Part { name, origin, files, bytes });
    }
    if rest.0 > 0 {
        report.parts.push(Part { name: "other files".into(), origin: "release", files: rest.0, bytes: rest.1 });
    }
    report
}
