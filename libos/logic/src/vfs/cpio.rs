//! The archive that is linked into the image becomes a tree: names and contents stay where they are, only the index is built. A second
//! archive, the initrd, is laid over it.
//!
//! `cpio_reader` decodes the entries, one at a time and without their contents: given a whole archive it adds up every byte of every
//! file for a check sum that this format does not even have (seconds of a boot under emulation), and it ends without a word at the
//! first entry it cannot read. So the offsets are followed here, and whatever is not right is named with its place.

use super::limits::{NAME_MAX, PATH_MAX};
use super::node::{Change, Kind, Node};
use super::tmpfs::{Inode, Name, Tmpfs};
use crate::platform::Platform;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use cpio_reader::Entry;
use trapless_abi::structs::Timespec;
use trapless_abi::{Errno, SysResult};

/// The magic number of the format "newc" (cpio(5)).
const MAGIC: &[u8] = b"070701";
/// How files begin that a program has compressed, as initrds of Linux mostly are.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
];
/// Bytes of a header: the magic number and 13 fields of 8 digits.
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
    /// A field is not a hexadecimal number.
    Field,
    /// A name that does not stay inside the tree, is too long, or does not end where its NUL is.
    Name,
    /// A device, pipe or socket.
    Type,
    /// It is compressed as a whole, by the program of that name.
    Compressed(&'static str),
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
        if let Problem::Compressed(by) = problem {
            return write!(f, "it is compressed ({by}): give the plain archive (cpio -o -H newc)");
        }
        write!(f, "entry {entry} ({name:?}) at offset {offset:#x}: ")?;
        match problem {
            Problem::Compressed(_) => Ok(()),
            Problem::NoTrailer => f.write_str("the archive ends without its trailer"),
            Problem::Truncated => f.write_str("the archive ends inside this entry"),
            Problem::Header => f.write_str("no header of the format newc"),
            Problem::Field => f.write_str("a field that is not a number"),
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
    Tree::of(fs, false).load(archive)
}

/// The same, over what `fs` has already: a file takes the place of one of its name, a directory adds to one.
pub fn load_over<P: Platform>(archive: &'static [u8], fs: &Tmpfs<P>) -> Result<Summary, ArchiveError> {
    Tree::of(fs, true).load(archive)
}

/// The content of a file in an archive; of several of that name, the last. `path` has no leading slash.
pub fn find(archive: &'static [u8], path: &[u8]) -> Result<Option<&'static [u8]>, ArchiveError> {
    let mut found = None;
    walk(archive, |place| {
        if plain(place.name) == path {
            found = Some(place.content);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Puts a file into `fs`, in the place of one that is there. `path` has no leading slash. ENOTDIR, EISDIR, ENOSPC, EINVAL for a path
/// that leaves the tree.
pub fn put<P: Platform>(fs: &Tmpfs<P>, path: &'static [u8], content: &'static [u8]) -> SysResult<()> {
    let errno = |problem| if let Problem::Tree(errno) = problem { errno } else { Errno::EINVAL };
    let mut tree = Tree::of(fs, true);
    let (parent, name) = tree.parent(path).map_err(errno)?;
    tree.free(&parent, &name).map_err(errno)?;
    parent.add_static(name, 0o644, content).map(drop)
}

/// Shows every entry to `visit`, up to the trailer.
fn walk(archive: &'static [u8], mut visit: impl FnMut(&Place) -> Result<(), Problem>) -> Result<Summary, ArchiveError> {
    let (mut offset, mut summary) = (0, Summary::default());
    loop {
        let fail = |problem| ArchiveError {
            offset,
            entry: summary.entries,
            name: String::from_utf8_lossy(name_at(archive, offset)).into_owned(),
            problem,
        };
        let place = place(archive, offset).map_err(fail)?;
        if place.name == TRAILER {
            return Ok(summary);
        }
        visit(&place).map_err(fail)?;
        offset = place.end;
        summary.entries += 1;
        summary.bytes += place.content.len() as u64;
    }
}

/// Where the parts of an entry are.
struct Place {
    header: &'static [u8],
    name: &'static [u8],
    content: &'static [u8],
    /// Where the next entry begins.
    end: usize,
}

/// Finds the entry at `offset`.
fn place(archive: &'static [u8], offset: usize) -> Result<Place, Problem> {
    let rest = archive.get(offset..).unwrap_or_default();
    if rest.iter().all(|&b| b == 0) {
        return Err(Problem::NoTrailer);
    }
    let header = rest.get(..HEADER).ok_or(Problem::Truncated)?;
    if !header.starts_with(MAGIC) {
        let compressed = COMPRESSED.iter().find(|(magic, _)| offset == 0 && header.starts_with(magic));
        return Err(compressed.map_or(Problem::Header, |(_, by)| Problem::Compressed(by)));
    }
    let size = |at| field(header, at).ok_or(Problem::Field);
    let (name_size, file_size) = (size(NAME_SIZE)?, size(FILE_SIZE)?);
    if !(1..=PATH_MAX).contains(&name_size) {
        return Err(Problem::Name);
    }
    // Name and content each end on a multiple of four; the padding at the very end may be missing.
    let start = (HEADER + name_size).next_multiple_of(4);
    let name = rest.get(HEADER..HEADER + name_size).ok_or(Problem::Truncated)?;
    let name = name.strip_suffix(b"\0").ok_or(Problem::Name)?;
    let content = match file_size {
        0 => &[],
        _ => rest.get(start..start + file_size).ok_or(Problem::Truncated)?,
    };
    Ok(Place { header, name, content, end: offset + (start + file_size).next_multiple_of(4) })
}

impl Place {
    /// Decodes the fields of the header and passes them on.
    fn decode<T>(&self, use_it: impl FnOnce(&Entry<'_>) -> Result<T, Problem>) -> Result<T, Problem> {
        // The header on its own: of a file without name and content.
        let mut alone = [0; HEADER + 2];
        alone[..HEADER].copy_from_slice(self.header);
        alone[FILE_SIZE..FILE_SIZE + 8].copy_from_slice(b"00000000");
        alone[NAME_SIZE..NAME_SIZE + 8].copy_from_slice(b"00000001");
        let entry = cpio_reader::iter_files(&alone).next().ok_or(Problem::Field)?;
        use_it(&entry)
    }
}

fn field(header: &[u8], at: usize) -> Option<usize> {
    usize::from_str_radix(str::from_utf8(header.get(at..at + 8)?).ok()?, 16).ok()
}

/// A path as it is looked for: without `./` or slashes in front.
fn plain(path: &'static [u8]) -> &'static [u8] {
    let path = path.strip_prefix(b".").filter(|p| p.is_empty() || p[0] == b'/').unwrap_or(path);
    let start = path.iter().position(|&b| b != b'/').unwrap_or(path.len());
    &path[start..]
}

/// As much of the name of an entry as there is, for a message.
fn name_at(archive: &[u8], offset: usize) -> &[u8] {
    let rest = archive.get(offset..).unwrap_or_default();
    let size = field(rest, NAME_SIZE).unwrap_or(0).clamp(1, PATH_MAX) - 1;
    let name = rest.get(HEADER..).unwrap_or_default();
    &name[..name.len().min(size)]
}

/// The tree while it grows.
struct Tree<P: Platform> {
    root: Arc<Inode<P>>,
    /// The directory of the last entry, and its path: the next entry is mostly in the same one.
    directory: (&'static [u8], Arc<Inode<P>>),
    /// Files with more than one name, by their number in the archive.
    links: Vec<(FileId, Arc<dyn Node<P>>)>,
    /// Whether an entry may take the place of one that is there.
    over: bool,
}

/// What tells the files of an archive apart: inode number and device.
type FileId = (u32, Option<u32>, Option<u32>);

impl<P: Platform> Tree<P> {
    fn of(fs: &Tmpfs<P>, over: bool) -> Self {
        Self { root: fs.root(), directory: (&[], fs.root()), links: Vec::new(), over }
    }

    fn load(mut self, archive: &'static [u8]) -> Result<Summary, ArchiveError> {
        walk(archive, |place| place.decode(|entry| self.add(place, entry)))
    }

    fn add(&mut self, place: &Place, entry: &Entry<'_>) -> Result<(), Problem> {
        let path = place.name;
        if path.contains(&0) {
            return Err(Problem::Name);
        }
        let path = plain(path);
        let mode = entry.mode().bits();
        let kind = Kind::of_mode(mode).ok_or(Problem::Type)?;
        let node: Arc<dyn Node<P>> = if path.is_empty() {
            self.root.clone()
        } else {
            let (parent, name) = self.parent(path)?;
            if kind != Kind::Directory {
                self.free(&parent, &name)?;
            }
            match kind {
                Kind::Directory => parent.directory(name, mode).map_err(Problem::Tree)?,
                Kind::Symlink => parent.add_static_link(name, place.content).map_err(Problem::Tree)?,
                Kind::Regular => self.file(&parent, name, place.content, entry)?,
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
        content: &'static [u8],
        entry: &Entry<'_>,
    ) -> Result<Arc<dyn Node<P>>, Problem> {
        let id = (entry.ino(), entry.devmajor(), entry.devminor());
        if entry.nlink() > 1
            && let Some((_, node)) = self.links.iter().find(|(known, _)| *known == id)
        {
            let node = node.clone();
            parent.link(name.bytes(), &node).map_err(Problem::Tree)?;
            if !content.is_empty() {
                parent.set_static(&node, content).map_err(Problem::Tree)?;
            }
            return Ok(node);
        }
        let node = parent.add_static(name, entry.mode().bits(), content).map_err(Problem::Tree)?;
        if entry.nlink() > 1 {
            self.links.push((id, node.clone()));
        }
        Ok(node)
    }

    /// The directory that a path's last part is in, and that part.
    fn parent(&mut self, path: &'static [u8]) -> Result<(Arc<Inode<P>>, Name), Problem> {
        let (parent, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&path[..0], path),
        };
        Ok((self.directory(parent)?, component(name)?))
    }

    /// Takes away what has that name, if this tree is laid over another.
    fn free(&self, parent: &Arc<Inode<P>>, name: &Name) -> Result<(), Problem> {
        if !self.over {
            return Ok(());
        }
        match parent.unlink(name.bytes()) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(problem) => Err(Problem::Tree(problem)),
        }
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
        _ if name.len() > NAME_MAX => Err(Problem::Name),
        _ => Ok(Name::Static(name)),
    }
}
