//! Somebody's files, laid into the image at their own paths: for servers that are no release, as distributions package them.
//!
//! A Debian package is such files, too. Links stay links if they lead to something among all of the files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use rootfs_native::Names;
use rootfs_recipe::{
    Archive, Inputs, build_beside,
    erlang::Erlang,
    shared,
    tree::{Tree, list, name_of, read},
};

use crate::{
    Packed,
    applications::Otp,
    native::{self, Findings, Judge},
    pack::module,
    report::{Part, Report},
    start::{Additions, Start},
};

/// Folders of a package that are for people, not for programs (Debian Policy 12; lintian's User Manual).
const FOR_PEOPLE: [&str; 4] = ["usr/share/doc", "usr/share/man", "usr/share/lintian", "usr/share/doc-base"];

/// What an archive is made of.
pub struct Wish<'a> {
    /// Folders and Debian packages (`.deb`).
    pub files: &'a [PathBuf],
    /// Applications of OTP that no `.app` file among them names.
    pub otp: &'a [String],
    /// How the program is started.
    pub additions: Additions,
    /// Applications, see [`rootfs_recipe::app::add`].
    pub app: Option<&'a Path>,
    /// Whether modules lose what running them does not need.
    pub strip: bool,
    /// Libraries that were made for the image, see [`shared::add`].
    pub nifs: Option<&'a Path>,
    /// Whether the image has no way to take a system call instruction, so that no library may hold one.
    pub no_syscalls: bool,
}

/// Makes the archive, and reads it back to be sure of it. `rootfs` is the folder with the manifest; `work` is for intermediate files.
/// What [`Packed`] says of machine code that was left out are notes: a package has more than the image needs.
///
/// # Errors
/// A package cannot be unpacked, a file cannot be read, two want the same path, or the arguments cannot be read.
pub fn pack(wish: &Wish<'_>, otp: &Otp<'_>, rootfs: &Path, work: &Path) -> Result<Packed> {
    ensure!(!wish.files.is_empty(), "which files? --files takes a folder or a Debian package");
    fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let start = Start::plain(&wish.additions)?;
    let judge = Judge {
        linked: native::linked_in(otp.objects)?,
        names: Names::of(otp.objects, otp.libc)?,
        root: PathBuf::new(),
        replaced: BTreeSet::new(),
        no_syscalls: wish.no_syscalls,
    };
    let mut laid = Laid::new(wish.strip, judge, wish.nifs);
    let mut report = Report::default();
    for (number, source) in wish.files.iter().enumerate() {
        let root = folder_of(source, &work.join(format!("files-{number}")))?;
        let before = size(&laid.tree);
        laid.add(&root)?;
        let after = size(&laid.tree);
        let (files, bytes) = (after.0 - before.0, after.1 - before.1);
        report.parts.push(Part { name: name_of(source)?.to_owned(), origin: "--files", files, bytes });
    }
    let notes = laid.finish();
    let mut tree = laid.tree;
    for (path, content) in start.files("") {
        tree.add_file(path, content.into_bytes())?;
    }

    let before = size(&tree);
    let erlang = Erlang::new(otp.root.join("bin/erl"));
    let inputs = Inputs { rootfs, otp_root: otp.root, erlang: &erlang, app: wish.app, nifs: wish.nifs, work };
    let Archive { bytes, notes: missing, .. } = build_beside(tree, wish.otp, &inputs)?;
    let all = archive_size(&bytes);
    let (files, rest) = (all.0 - before.0, all.1 - before.1);
    report.parts.push(Part { name: "applications of OTP and ours".into(), origin: "image", files, bytes: rest });
    let missing = missing.into_iter().map(|line| format!("{line}, which is not among OTP's applications here"));
    let name = wish.files[0].file_stem().and_then(|name| name.to_str()).unwrap_or("files").to_owned();
    Ok(Packed { name, version: None, bytes, report, notes: notes.into_iter().chain(missing).collect() })
}

/// The folder of a source; a package is unpacked into `work`.
fn folder_of(source: &Path, work: &Path) -> Result<PathBuf> {
    if source.is_dir() {
        return source.canonicalize().with_context(|| format!("cannot read {}", source.display()));
    }
    let shown = source.display();
    ensure!(source.is_file(), "there is no folder or file {shown} (given with --files)");
    ensure!(
        source.extension().is_some_and(|ending| ending == "deb"),
        "{shown} is neither a folder nor a Debian package (.deb): unpack it, and give its folder"
    );
    if work.exists() {
        fs::remove_dir_all(work).with_context(|| format!("cannot remove {}", work.display()))?;
    }
    let output = Command::new("dpkg-deb").arg("-x").args([source, work]).output().context("cannot run dpkg-deb")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown} cannot be unpacked: {}", said.trim());
    for folder in FOR_PEOPLE.map(|folder| work.join(folder)).into_iter().filter(|folder| folder.exists()) {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    work.canonicalize().with_context(|| format!("cannot read {}", work.display()))
}

/// What is laid into the image.
struct Laid<'a> {
    tree: Tree,
    strip: bool,
    judge: Judge,
    /// Libraries that will take the place of others.
    nifs: Option<&'a Path>,
    machine_code: Findings,
}

impl<'a> Laid<'a> {
    fn new(strip: bool, judge: Judge, nifs: Option<&'a Path>) -> Self {
        Self { tree: Tree::default(), strip, judge, nifs, machine_code: Findings::default() }
    }

    /// Takes out links to nothing, and says what the user should know. What is wrong in a release is not wrong here: nobody says that the
    /// program needs it.
    fn finish(&mut self) -> Vec<String> {
        let dead = self.tree.remove_dead_links().into_iter();
        let mut notes: Vec<_> =
            dead.map(|path| format!("/{path} is a link to nothing among the files: it is left out")).collect();
        notes.append(&mut self.machine_code.notes);
        let libraries = self.machine_code.problems.drain(..).map(|problem| {
            let (what, _) = problem.split_once(": ").unwrap_or((&problem, ""));
            format!("{what}: it is left out, unless --nif DIR has its sources compiled for the image")
        });
        notes.extend(libraries);
        notes
    }

    /// Adds all that is below `root`.
    fn add(&mut self, root: &Path) -> Result<()> {
        root.clone_into(&mut self.judge.root);
        self.folder(root, "")
    }

    fn folder(&mut self, folder: &Path, at: &str) -> Result<()> {
        self.tree.add_directory(at)?;
        self.note_replaced(folder, at)?;
        let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        entries.sort();
        for entry in entries {
            let at = format!("{at}/{}", name_of(&entry)?);
            if entry.is_symlink() {
                let to = fs::read_link(&entry).with_context(|| format!("cannot read {}", entry.display()))?;
                let text = to.to_str().with_context(|| format!("where {at} leads to is not UTF-8"))?;
                self.tree.add_link(&at, text)?;
            } else if entry.is_dir() {
                self.folder(&entry, &at)?;
            } else {
                self.file(&entry, &at)?;
            }
        }
        Ok(())
    }

    /// Notes which files others take the place of, if an application of theirs lies in this folder.
    fn note_replaced(&mut self, folder: &Path, at: &str) -> Result<()> {
        let Some(nifs) = self.nifs else { return Ok(()) };
        for application in list(nifs)? {
            let name = name_of(&application)?;
            if folder.join(format!("ebin/{name}.app")).is_file() {
                self.judge.replaced.extend(shared::of(nifs, name, at)?);
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, at: &str) -> Result<()> {
        if self.judge.look_at(file, at, &mut self.machine_code)? {
            return Ok(());
        }
        let mut content = read(file)?;
        if at.ends_with(".beam") {
            content = module(content, self.strip).with_context(|| format!("{} cannot be used", file.display()))?;
        }
        self.tree.add_file(at, content)
    }
}

/// Files, and bytes in them.
fn size(tree: &Tree) -> (usize, usize) {
    let files = tree.nodes().filter_map(|(path, _)| tree.file(path));
    files.fold((0, 0), |sum, content| (sum.0 + 1, sum.1 + content.len()))
}

fn archive_size(archive: &[u8]) -> (usize, usize) {
    use cpio_reader::Mode;
    let is_file = |mode: Mode| !mode.contains(Mode::DIRECTORY) && !mode.contains(Mode::SYMBOLIK_LINK);
    let files = cpio_reader::iter_files(archive).filter(|entry| is_file(entry.mode()));
    files.fold((0, 0), |sum, entry| (sum.0 + 1, sum.1 + entry.file().len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rootfs_recipe::tree::Node;
    use std::os::unix::fs::symlink;
    use trapless_scratch::Folder;

    fn laid<'a>(folder: &Folder, nifs: Option<&'a Path>) -> Laid<'a> {
        let judge = Judge {
            linked: BTreeSet::new(),
            names: Names::of(&[], &Folder::new().write("libc.a", "!<arch>\n")).unwrap(),
            root: PathBuf::new(),
            replaced: BTreeSet::new(),
            no_syscalls: true,
        };
        let mut laid = Laid::new(true, judge, nifs);
        laid.add(&folder.path().canonicalize().unwrap()).unwrap();
        laid
    }

    #[test]
    fn links_stay_links_to_something_among_the_files() {
        let folder = Folder::new();
        folder.write("etc/demo/demo.conf", "x");
        folder.write("usr/lib/demo/priv/demo_nif.so", "\x7fELF");
        let link = |to: &str, at: &str| symlink(to, folder.path().join(at)).unwrap();
        link("/etc/demo", "usr/lib/demo/etc");
        link("demo/priv/demo_nif.so", "usr/lib/demo_nif.so");
        link("/etc/passwd", "usr/lib/passwd");
        let mut laid = laid(&folder, None);
        let notes = laid.finish().join("\n");
        for left_out in ["/usr/lib/demo_nif.so is a link to nothing", "/usr/lib/passwd is a link to nothing"] {
            assert!(notes.contains(left_out), "{notes}");
        }
        let links = laid.tree.nodes().filter_map(|(path, node)| matches!(node, Node::Link(_)).then_some(path));
        assert_eq!(links.collect::<Vec<_>>(), ["usr/lib/demo/etc"]);
    }

    #[test]
    fn machine_code_stays_out_with_a_note() {
        let folder = Folder::new();
        folder.write("usr/lib/demo/priv/demo_nif.so", "\x7fELF");
        folder.write("usr/sbin/demo", "#!/bin/sh\n");
        let mut laid = laid(&folder, None);
        assert_eq!(laid.tree.file("usr/lib/demo/priv/demo_nif.so"), None);
        assert!(laid.tree.file("usr/sbin/demo").is_some());
        let expected = "/usr/lib/demo/priv/demo_nif.so is a shared library that the image cannot load: it is left out, unless --nif DIR \
                        has its sources compiled for the image";
        assert_eq!(laid.finish(), [expected]);
    }

    #[test]
    fn a_library_whose_place_another_takes_is_no_news() {
        let (folder, nifs) = (Folder::new(), Folder::new());
        folder.write("usr/lib/p1_demo-1/ebin/demo.app", "");
        folder.write("usr/lib/p1_demo-1/priv/lib/demo_nif.so", "\x7fELF");
        folder.write("usr/lib/p1_demo-1/priv/lib/other.so", "\x7fELF");
        nifs.write("demo/priv/lib/demo_nif.so", "\x7fELF");
        let mut laid = laid(&folder, Some(nifs.path()));
        let notes = laid.finish();
        assert!(notes.len() == 1 && notes[0].starts_with("/usr/lib/p1_demo-1/priv/lib/other.so"), "{notes:?}");
    }

    #[test]
    fn what_is_no_source_is_named() {
        let folder = Folder::new();
        let error = |name: &str| {
            format!("{:#}", folder_of(&folder.path().join(name), &folder.path().join("work")).unwrap_err())
        };
        assert!(error("none").contains("there is no folder or file"));
        folder.write("x.zip", "");
        assert!(error("x.zip").contains("neither a folder nor a Debian package"));
        folder.write("x.deb", "no package");
        assert!(error("x.deb").contains("x.deb cannot be unpacked"));
    }
}
