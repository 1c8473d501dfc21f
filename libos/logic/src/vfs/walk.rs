//! From a path to a node: path_resolution(7).

use super::limits::{MAX_LINKS, NAME_MAX, PATH_MAX};
use super::node::{Kind, Node};
use crate::platform::Platform;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// What to do with a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Go where it leads (open, stat).
    Yes,
    /// Take the link itself, unless a slash follows it (lstat, O_NOFOLLOW).
    No,
    /// Take the link itself in any case: the name is what counts (unlink, rename, mkdir).
    Never,
}

/// The last component of a path.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on the stack: a box would be an allocation for each walk"
)]
pub enum Last {
    /// A name in the parent directory.
    Name(FileName),
    /// No component at all: `/`.
    Root,
    /// `.`.
    Dot,
    /// `..`.
    DotDot,
}

/// A name on its own, at most [`NAME_MAX`] bytes.
pub struct FileName {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl FileName {
    fn new(name: &[u8]) -> SysResult<Self> {
        let mut bytes = [0; NAME_MAX];
        bytes.get_mut(..name.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(name);
        Ok(Self { bytes, len: name.len() as u8 })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Where a walk ended.
pub struct Found<P: Platform> {
    /// The directory that holds the last name; for all but [`Last::Name`] the directory itself.
    pub parent: Arc<dyn Node<P>>,
    /// The last name.
    pub last: Last,
    /// A slash followed the last name.
    pub slash: bool,
    /// What the name leads to; None if there is no such name in `parent`.
    pub node: Option<Arc<dyn Node<P>>>,
}

impl<P: Platform> Found<P> {
    /// The node that must be there: ENOENT if not, ENOTDIR for a slash after something that is no directory.
    pub fn existing(self) -> SysResult<Arc<dyn Node<P>>> {
        let node = self.node.ok_or(Errno::ENOENT)?;
        if self.slash && node.kind() != Kind::Directory { Err(Errno::ENOTDIR) } else { Ok(node) }
    }
}

/// Splits the next component off: it and what follows, starting with a slash or empty.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.iter().position(|&b| b == b'/').unwrap_or(path.len()))
}

fn without_slashes(path: &[u8]) -> &[u8] {
    &path[path.iter().position(|&b| b != b'/').unwrap_or(path.len())..]
}

/// Walks `path` from `start`, or from `root` if it begins with a slash. `..` at the root stays there.
///
/// ENOENT for an empty path, an empty link, or a missing directory on the way; ENOTDIR, ELOOP after [`MAX_LINKS`] links,
/// ENAMETOOLONG.
pub fn walk<P: Platform>(
    root: &Arc<dyn Node<P>>,
    start: Arc<dyn Node<P>>,
    path: &[u8],
    follow: Follow,
) -> SysResult<Found<P>> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    if path.len() >= PATH_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    // The rest of the way once a link's text is part of it.
    let mut spliced: Vec<u8>;
    let mut rest = path;
    let mut at = if path[0] == b'/' { root.clone() } else { start };
    let mut last = Last::Root;
    let mut links = 0;
    loop {
        let (name, after) = split(without_slashes(rest));
        match name {
            b"" | b"." | b".." if at.kind() != Kind::Directory => return Err(Errno::ENOTDIR),
            b"" => return Ok(Found { parent: at.clone(), last, slash: false, node: Some(at) }),
            b"." => {
                (last, rest) = (Last::Dot, after);
                continue;
            }
            b".." => {
                at = at.parent().unwrap_or_else(|| root.clone());
                (last, rest) = (Last::DotDot, after);
                continue;
            }
            _ => {}
        }
        let end = without_slashes(after).is_empty();
        let found = |at, node| found(at, name, after, node);
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let node = match at.lookup(name) {
            Ok(node) => node,
            Err(Errno::ENOENT) if end => return found(at, None),
            Err(e) => return Err(e),
        };
        let itself = end && (follow == Follow::Never || (follow == Follow::No && after.is_empty()));
        if node.kind() == Kind::Symlink && !itself {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::ELOOP);
            }
            match node.jump() {
                Some(target) if end => return found(at, Some(target)),
                Some(target) => (at, rest) = (target, after),
                None => {
                    let text = node.readlink()?;
                    if *text.first().ok_or(Errno::ENOENT)? == b'/' {
                        at = root.clone();
                    }
                    spliced = splice(text, after)?;
                    (last, rest) = (Last::Root, &spliced);
                }
            }
        } else if end {
            return found(at, Some(node));
        } else if node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        } else {
            (at, rest) = (node, after);
        }
    }
}

fn found<P: Platform>(
    parent: Arc<dyn Node<P>>,
    name: &[u8],
    after: &[u8],
    node: Option<Arc<dyn Node<P>>>,
) -> SysResult<Found<P>> {
    Ok(Found { parent, last: Last::Name(FileName::new(name)?), slash: !after.is_empty(), node })
}

/// A link's text with the rest of the path behind it (which is empty or begins with a slash). ENOMEM.
fn splice(mut text: Vec<u8>, after: &[u8]) -> SysResult<Vec<u8>> {
    text.try_reserve_exact(after.len()).map_err(|_| Errno::ENOMEM)?;
    text.extend_from_slice(after);
    Ok(text)
}
