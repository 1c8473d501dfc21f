//! The calls on paths, open(2) aside.

use super::limits::{PATH_MAX, PERMISSIONS};
use super::node::{Change, Kind, New, Node};
use super::walk::{Follow, Last};
use super::{At, Vfs};
use crate::platform::Platform;
use crate::socket::unix::UnixSocket;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use trapless_abi::flags::{AccessMode, S_IFMT};
use trapless_abi::structs::{Stat, Statfs};
use trapless_abi::{Errno, SysResult};

impl<P: Platform> Vfs<P> {
    /// The node of a path that must exist; the errors are those of the walk.
    pub fn find(&self, at: &At<'_, P>, path: &[u8], follow: Follow) -> SysResult<Arc<dyn Node<P>>> {
        self.walk(at, path, follow)?.existing()
    }

    /// stat(2), lstat(2), fstatat(2).
    pub fn stat(&self, at: &At<'_, P>, path: &[u8], follow: Follow) -> SysResult<Stat> {
        self.find(at, path, follow)?.stat()
    }

    /// statfs(2).
    pub fn statfs(&self, path: &[u8]) -> SysResult<Statfs> {
        Ok(self.find(&At::Cwd, path, Follow::Yes)?.statfs())
    }

    /// access(2), faccessat(2): as root, so only executing something without any execute bit is EACCES.
    pub fn access(&self, at: &At<'_, P>, path: &[u8], mode: AccessMode, follow: Follow) -> SysResult<()> {
        let stat = self.stat(at, path, follow)?;
        let directory = Kind::of_mode(stat.st_mode) == Some(Kind::Directory);
        if mode.contains(AccessMode::X_OK) && !directory && stat.st_mode & 0o111 == 0 {
            return Err(Errno::EACCES);
        }
        Ok(())
    }

    /// readlink(2): the whole text. EINVAL if it is not a link.
    pub fn readlink(&self, at: &At<'_, P>, path: &[u8]) -> SysResult<Vec<u8>> {
        self.find(at, path, Follow::No)?.readlink()
    }

    /// Gives a path to something new: what mkdir(2), symlink(2), mknod(2) and bind(2) have in common. EEXIST, ENOENT for a slash after
    /// what is not to be a directory.
    pub fn make(&self, at: &At<'_, P>, path: &[u8], new: New<'_, P>) -> SysResult<Arc<dyn Node<P>>> {
        let found = self.walk(at, path, Follow::Never)?;
        let Last::Name(name) = found.last else { return Err(Errno::EEXIST) };
        if found.node.is_some() && !matches!(new, New::Mount(_)) {
            return Err(Errno::EEXIST);
        }
        if found.slash && !matches!(new, New::Directory(_) | New::Mount(_)) {
            return Err(Errno::ENOENT);
        }
        found.parent.create(name.bytes(), new)
    }

    /// mkdir(2).
    pub fn mkdir(&self, at: &At<'_, P>, path: &[u8], mode: u32) -> SysResult<()> {
        self.make(at, path, New::Directory(self.masked(mode & 0o1777))).map(drop)
    }

    /// symlink(2). ENOENT for an empty text, ENAMETOOLONG.
    pub fn symlink(&self, text: &[u8], at: &At<'_, P>, path: &[u8]) -> SysResult<()> {
        if text.is_empty() {
            return Err(Errno::ENOENT);
        }
        if text.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        self.make(at, path, New::Symlink(text)).map(drop)
    }

    /// mknod(2) for regular files; EPERM for the types this file system does not make (devices, pipes, sockets), EINVAL for none.
    pub fn mknod(&self, at: &At<'_, P>, path: &[u8], mode: u32) -> SysResult<()> {
        match Kind::of_mode(mode) {
            Some(Kind::Regular) => {}
            None if mode & S_IFMT == 0 => {}
            Some(Kind::Directory) => return Err(Errno::EPERM),
            Some(Kind::Symlink) | None => return Err(Errno::EINVAL),
            Some(_) => return Err(Errno::EPERM),
        }
        self.make(at, path, New::File(self.masked(mode & PERMISSIONS))).map(drop)
    }

    /// bind(2) of an AF_UNIX socket: a name that leads to it. EEXIST, ENOENT for a slash at the end.
    pub fn bind(&self, path: &[u8], socket: Weak<UnixSocket<P>>) -> SysResult<()> {
        self.make(&At::Cwd, path, New::Socket(self.masked(0o777), socket)).map(drop)
    }

    /// link(2), linkat(2); `follow` says what to do if `old` is a symbolic link. EXDEV, EPERM for a directory, EEXIST.
    pub fn link(
        &self,
        old_at: &At<'_, P>,
        old: &[u8],
        new_at: &At<'_, P>,
        new: &[u8],
        follow: Follow,
    ) -> SysResult<()> {
        let node = self.find(old_at, old, follow)?;
        let found = self.walk(new_at, new, Follow::Never)?;
        let Last::Name(name) = found.last else { return Err(Errno::EEXIST) };
        if found.node.is_some() {
            return Err(Errno::EEXIST);
        }
        if found.slash {
            return Err(Errno::ENOENT);
        }
        found.parent.link(name.bytes(), &node)
    }

    /// unlink(2). EISDIR for a directory.
    pub fn unlink(&self, at: &At<'_, P>, path: &[u8]) -> SysResult<()> {
        let found = self.walk(at, path, Follow::Never)?;
        let Last::Name(name) = found.last else { return Err(Errno::EISDIR) };
        let node = found.node.ok_or(Errno::ENOENT)?;
        if found.slash {
            return Err(if node.kind() == Kind::Directory { Errno::EISDIR } else { Errno::ENOTDIR });
        }
        found.parent.unlink(name.bytes())
    }

    /// rmdir(2). EINVAL for `.`, ENOTEMPTY for `..`, EBUSY for `/` and mount points.
    pub fn rmdir(&self, at: &At<'_, P>, path: &[u8]) -> SysResult<()> {
        let found = self.walk(at, path, Follow::Never)?;
        match found.last {
            Last::Name(name) => found.parent.rmdir(name.bytes()),
            Last::Dot => Err(Errno::EINVAL),
            Last::DotDot => Err(Errno::ENOTEMPTY),
            Last::Root => Err(Errno::EBUSY),
        }
    }

    /// rename(2), renameat2(2); without `replace` (RENAME_NOREPLACE) an existing `new` is EEXIST. EBUSY for dots and mount points,
    /// EXDEV, EINVAL into itself, EISDIR, ENOTDIR, ENOTEMPTY.
    pub fn rename(
        &self,
        old_at: &At<'_, P>,
        old: &[u8],
        new_at: &At<'_, P>,
        new: &[u8],
        replace: bool,
    ) -> SysResult<()> {
        let from = self.walk(old_at, old, Follow::Never)?;
        let to = self.walk(new_at, new, Follow::Never)?;
        let (Last::Name(old), Last::Name(new)) = (from.last, to.last) else { return Err(Errno::EBUSY) };
        let node = from.node.ok_or(Errno::ENOENT)?;
        if (from.slash || to.slash) && node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        from.parent.rename(old.bytes(), &to.parent, new.bytes(), replace)
    }

    /// truncate(2). EISDIR, EINVAL.
    pub fn truncate(&self, path: &[u8], size: u64) -> SysResult<()> {
        self.find(&At::Cwd, path, Follow::Yes)?.truncate(size)
    }

    /// chmod(2), chown(2), utimensat(2) and relatives.
    pub fn change(&self, at: &At<'_, P>, path: &[u8], follow: Follow, change: &Change) -> SysResult<()> {
        let node = self.find(at, path, follow)?;
        if change.mode.is_some() && node.kind() == Kind::Symlink {
            // Links have no permissions of their own (chmod(2)).
            return Err(Errno::EOPNOTSUPP);
        }
        node.change(change)
    }
}
