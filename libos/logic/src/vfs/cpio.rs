//! The archive that is linked into the image becomes a tree: names and contents stay where they are, only the index is built.
//!
//! `cpio_reader` reads the entries. Its iterator ends without a word at the first entry it cannot read, so this module follows the
//! offsets itself and checks that the end is the trailer; if not, it looks up what is wrong there.

use super::node::{Change, Kind, Node};
use super::tmpfs::{Inode, Name, Tmpfs};
use crate::platform::Platform;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use cpio_reader::Entry;
use trapless_abi::Errno;
use trapless_abi::structs::Timespec;

/// Bytes of a header of the format "newc" (cpio(5)): 6 of magic number and 13 fields of 8 digits.
const HEADER: usize = 110;
/// Where in the header the size of the file is.
const FILE_SIZE: usize = 6 + 6 * 8;
/// Where in the header the size of the name is, its NUL counted.
const NAME_SIZE: usize = 6 + 11 * 8;
/// The name of the entry that ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It ends before its trailer.
    NoTrailer,
    /// It ends inside an entry.
    Truncated,
    /// There is no header of the format newc.
    Header,
    /// A field is not a hexadecimal number, or the name is not UTF-8.
    Field,
    /// The check sum of an entry with one does not match.
    Checksum,
    /// A name that does not stay inside the tree, contains a NUL or is too long.
    Name,
    /// A device, pipe or socket.
    Type,
    /// It does not fit into the tree: EEXIST, ENOTDIR, ENOSPC.
    Tree(Errno),
}

/// What is wrong with an archive, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveError {
    /// Offset of the entry, in bytes.
    pub offset: usize,
    /// Entries before it.
    pub entry: usize,
    /// Its name, as far as it can be read.
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, entry, name, problem } = self;
        write!(f, "root file system archive, entry {entry} ({name:?}) at offset {offset:#x}: ")?;
        match problem {
            Problem::NoTrailer => f.write_str("the archive ends without its trailer"),
            Problem::Truncated => f.write_str("the archive ends inside this entry"),
            Problem::Header => f.write_str("no header of the format newc"),
            Problem::Field => f.write_str("a field that is not a number, or a name that is not UTF-8"),
            Problem::Checksum => f.write_str("the check sum does not match"),
            Problem::Name => f.write_str("a name that leaves the tree, or is too long"),
            Problem::Type => f.write_str("only files, directories and symbolic links are supported"),
            Problem::Tree(e) => write!(f, "{}", e.description()),
        }
    }
}

/// How much an archive held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries.
    pub entries: usize,
    /// Bytes of file content.
    pub bytes: u64,
}

/// Hangs the files of an archive into `fs`. On an error `fs` holds the entries before it.
pub fn load<P: Platform>(archive: &'static [u8], fs: &Tmpfs<P>) -> Result<Summary, ArchiveError> {
    let mut tree = Tree { root: fs.root(), directory: (&[], fs.root()), links: Vec::new() };
    let (mut offset, mut summary) = (0, Summary::default());
    for entry in cpio_reader::iter_files(archive) {
        let fail = |problem| ArchiveError { offset, entry: summary.entries, name: entry.name().into(), problem };
        // The reader knows older formats too, whose entries have other sizes.
        if !is_newc(archive, offset) {
            return Err(fail(Problem::Header));
        }
        tree.add(&entry).map_err(fail)?;
        offset = end_of(offset, entry.name().len() + 1, entry.file().len());
        summary.entries += 1;
        summary.bytes += entry.file().len() as u64;
    }
    match diagnose(archive, offset) {
        Ok(name) if name == TRAILER => Ok(summary),
        found => {
            let name = String::from_utf8_lossy(found.unwrap_or_else(|_| name_at(archive, offset))).into_owned();
            let problem = found.err().unwrap_or(Problem::Checksum);
            Err(ArchiveError { offset, entry: summary.entries, name, problem })
        }
    }
}

fn is_newc(archive: &[u8], offset: usize) -> bool {
    archive.get(offset..).is_some_and(|a| a.starts_with(b"070701") || a.starts_with(b"070702"))
}

/// Where the entry after this one begins: name and content each end on a multiple of four.
fn end_of(offset: usize, name_size: usize, file_size: usize) -> usize {
    let name_end = (offset + HEADER + name_size).next_multiple_of(4);
    (name_end + file_size).next_multiple_of(4)
}

fn field(archive: &[u8], at: usize) -> Option<usize> {
    usize::from_str_radix(str::from_utf8(archive.get(at..at + 8)?).ok()?, 16).ok()
}

/// As much of the name of an entry as there is.
fn name_at(archive: &[u8], offset: usize) -> &[u8] {
    let rest = archive.get(offset + HEADER..).unwrap_or_default();
    let size = field(archive, offset + NAME_SIZE).unwrap_or(0).saturating_sub(1).min(255);
    &rest[..rest.len().min(size)]
}

/// Looks at the entry the reader did not return: its name if nothing is wrong with its header.
fn diagnose(archive: &[u8], offset: usize) -> Result<&[u8], Problem> {
    let left = archive.len().saturating_sub(offset);
    if left == 0 || archive[offset..].iter().all(|&b| b == 0) {
        return Err(Problem::NoTrailer);
    }
    if left < HEADER {
        return Err(Problem::Truncated);
    }
    if !is_newc(archive, offset) {
        return Err(Problem::Header);
    }
    for at in (offset + 6..offset + HEADER).step_by(8) {
        field(archive, at).ok_or(Problem::Field)?;
    }
    let size = |at| field(archive, offset + at).ok_or(Problem::Field);
    let (name_size, file_size) = (size(NAME_SIZE)?, size(FILE_SIZE)?);
    if name_size == 0 {
        return Err(Problem::Name);
    }
    if (offset + HEADER + name_size).next_multiple_of(4) + file_size > archive.len().next_multiple_of(4) {
        return Err(Problem::Truncated);
    }
    let name = name_at(archive, offset);
    if name != TRAILER && str::from_utf8(name).is_err() {
        return Err(Problem::Field);
    }
    Ok(name)
}

/// The tree while it grows.
struct Tree<P: Platform> {
    root: Arc<Inode<P>>,
    /// The directory of the last entry, and its path: the next entry is mostly in the same one.
    directory: (&'static [u8], Arc<Inode<P>>),
    /// Files with more than one name, by their number in the archive.
    links: Vec<(FileId, Arc<dyn Node<P>>)>,
}

/// What tells the files of an archive apart: inode number and device.
type FileId = (u32, Option<u32>, Option<u32>);

impl<P: Platform> Tree<P> {
    fn add(&mut self, entry: &Entry<'static>) -> Result<(), Problem> {
        let path = entry.name().as_bytes();
        if path.contains(&0) {
            return Err(Problem::Name);
        }
        let path = path.strip_prefix(b".").filter(|p| p.is_empty() || p[0] == b'/').unwrap_or(path);
        let start = path.iter().position(|&b| b != b'/').unwrap_or(path.len());
        let path = &path[start..];
        let mode = entry.mode().bits();
        let kind = Kind::of_mode(mode).ok_or(Problem::Type)?;
        let node: Arc<dyn Node<P>> = if path.is_empty() {
            self.root.clone()
        } else {
            let (parent, name) = match path.iter().rposition(|&b| b == b'/') {
                Some(slash) => (&path[..slash], &path[slash + 1..]),
                None => (&path[..0], path),
            };
            let parent = self.directory(parent)?;
            let name = component(name)?;
            match kind {
                Kind::Directory => parent.directory(name, mode).map_err(Problem::Tree)?,
                Kind::Symlink => parent.add_static_link(name, entry.file()).map_err(Problem::Tree)?,
                Kind::Regular => self.file(&parent, name, entry)?,
                _ => return Err(Problem::Type),
            }
        };
        let time = Timespec { tv_sec: entry.mtime() as i64, tv_nsec: 0 };
        let change = Change {
            mode: Some(mode),
            uid: Some(entry.uid()),
            gid: Some(entry.gid()),
            atime: Some(time),
            mtime: Some(time),
        };
        node.change(&change).map_err(Problem::Tree)
    }

    /// Adds a regular file, or one more name of one: of several names only the last comes with the content (cpio(5)).
    fn file(
        &mut self,
        parent: &Arc<Inode<P>>,
        name: Name,
        entry: &Entry<'static>,
    ) -> Result<Arc<dyn Node<P>>, Problem> {
        let id = (entry.ino(), entry.devmajor(), entry.devminor());
        if entry.nlink() > 1
            && let Some((_, node)) = self.links.iter().find(|(known, _)| *known == id)
        {
            let node = node.clone();
            parent.link(name.bytes(), &node).map_err(Problem::Tree)?;
            if !entry.file().is_empty() {
                parent.set_static(&node, entry.file()).map_err(Problem::Tree)?;
            }
            return Ok(node);
        }
        let node = parent.add_static(name, entry.mode().bits(), entry.file()).map_err(Problem::Tree)?;
        if entry.nlink() > 1 {
            self.links.push((id, node.clone()));
        }
        Ok(node)
    }

    /// The directory of that path, with all above it: an archive need not list them.
    fn directory(&mut self, path: &'static [u8]) -> Result<Arc<Inode<P>>, Problem> {
        if self.directory.0 != path {
            let mut at = self.root.clone();
            for name in path.split(|&b| b == b'/').filter(|n| !n.is_empty()) {
                at = at.directory(component(name)?, 0o755).map_err(Problem::Tree)?;
            }
            self.directory = (path, at);
        }
        Ok(self.directory.1.clone())
    }
}

fn component(name: &'static [u8]) -> Result<Name, Problem> {
    match name {
        b"" | b"." | b".." => Err(Problem::Name),
        _ if name.len() > super::limits::NAME_MAX => Err(Problem::Name),
        _ => Ok(Name::Static(name)),
    }
}
