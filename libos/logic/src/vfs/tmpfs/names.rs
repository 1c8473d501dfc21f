//! Changing names: create, link, unlink, rmdir, rename.
//!
//! Each holds the namespace lock from its first look at the tree to its last change, so nothing moves under it; the locks of the
//! nodes are taken one at a time inside, for those who only look names up.

use super::super::node::{Kind, New, Node, same};
use super::content::Content;
use super::entries::{Entries, Name};
use super::inode::{Body, Directory, Inode, now};
use crate::platform::Platform;
use alloc::sync::Arc;
use trapless_abi::{Errno, SysResult};

impl<P: Platform> Inode<P> {
    /// A directory that has no name yet.
    pub(super) fn new_directory(&self, mode: u32) -> SysResult<Arc<Self>> {
        let body = Body::Directory(Directory { entries: Entries::new(), parent: None, dead: false });
        self.fs.make(Kind::Directory, mode, 2, body)
    }

    pub(super) fn create_named(self: &Arc<Self>, name: Name, new: New<'_, P>) -> SysResult<Arc<dyn Node<P>>> {
        let mut mount = false;
        let node: Arc<dyn Node<P>> = match new {
            New::File(mode) => self.fs.make(Kind::Regular, mode, 1, Body::Regular(Content::new(&[])))?,
            New::Directory(mode) => self.new_directory(mode)?,
            New::Symlink(text) => self.fs.make(Kind::Symlink, 0o777, 1, Body::Symlink(Name::owned(text)?))?,
            New::Socket(mode, socket) => self.fs.make(Kind::Socket, mode, 1, Body::Socket(socket))?,
            New::Object(node) => node,
            New::Mount(node) => {
                mount = true;
                node
            }
        };
        let directory = node.kind() == Kind::Directory;
        // Dropped last, outside the locks.
        let _covered;
        let _namespace = self.fs.namespace.lock();
        {
            let mut state = self.state.lock();
            let (meta, names) = state.directory()?;
            if names.dead {
                return Err(Errno::ENOENT);
            }
            match names.entries.get(name.bytes()).map(|n| n.kind()) {
                Some(Kind::Directory) if mount => {
                    _covered = names.entries.replace(name.bytes(), node.clone())?;
                }
                _ => {
                    names.entries.insert(name, node.clone())?;
                    meta.nlink += u32::from(directory);
                    meta.modified::<P>();
                }
            }
        }
        if directory {
            node.set_parent(self.clone());
        }
        Ok(node)
    }

    pub(super) fn link_named(&self, name: &[u8], node: &Arc<dyn Node<P>>) -> SysResult<()> {
        if node.kind() == Kind::Directory {
            return Err(Errno::EPERM);
        }
        let target = self.sibling(node).ok_or(Errno::EXDEV)?;
        let name = Name::owned(name)?;
        let _namespace = self.fs.namespace.lock();
        // A file whose last name is gone gets no new one (link(2)).
        if target.state.lock().meta.nlink == 0 {
            return Err(Errno::ENOENT);
        }
        {
            let mut state = self.state.lock();
            let (meta, names) = state.directory()?;
            if names.dead {
                return Err(Errno::ENOENT);
            }
            names.entries.insert(name, node.clone())?;
            meta.modified::<P>();
        }
        let meta = &mut target.state.lock().meta;
        meta.nlink += 1;
        meta.ctime = now::<P>();
        Ok(())
    }

    pub(super) fn unlink_named(&self, name: &[u8]) -> SysResult<()> {
        let removed;
        let _namespace = self.fs.namespace.lock();
        {
            let mut state = self.state.lock();
            let (meta, names) = state.directory()?;
            if names.entries.get(name).ok_or(Errno::ENOENT)?.kind() == Kind::Directory {
                return Err(Errno::EISDIR);
            }
            removed = names.entries.remove(name).ok_or(Errno::ENOENT)?;
            meta.modified::<P>();
        }
        self.lost_name(&removed);
        Ok(())
    }

    pub(super) fn rmdir_named(&self, name: &[u8]) -> SysResult<()> {
        let removed;
        let _namespace = self.fs.namespace.lock();
        removed = self.lookup(name)?;
        self.bury(&removed)?;
        let mut state = self.state.lock();
        let (meta, names) = state.directory()?;
        names.entries.remove(name);
        meta.nlink -= 1;
        meta.modified::<P>();
        Ok(())
    }

    pub(super) fn rename_named(&self, old: &[u8], to: &Arc<dyn Node<P>>, new: &[u8], replace: bool) -> SysResult<()> {
        let target = self.sibling(to).ok_or(Errno::EXDEV)?;
        let name = Name::owned(new)?;
        let replaced;
        let _namespace = self.fs.namespace.lock();
        let node = self.lookup(old)?;
        let directory = node.kind() == Kind::Directory;
        if directory {
            if self.sibling(&node).is_none() {
                return Err(Errno::EBUSY);
            }
            check_not_below(&node, to.clone())?;
        }
        replaced = match target.lookup(new) {
            Ok(_) if !replace => return Err(Errno::EEXIST),
            // Two names of one file: nothing happens (rename(2)).
            Ok(existing) if same(&existing, &node) => return Ok(()),
            Ok(existing) => match (directory, existing.kind() == Kind::Directory) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                _ => Some(existing),
            },
            Err(Errno::ENOENT) => None,
            Err(e) => return Err(e),
        };
        if let Some(replaced) = &replaced
            && directory
        {
            self.bury(replaced)?;
        }
        {
            let mut state = target.state.lock();
            let (meta, names) = state.directory()?;
            if names.dead {
                return Err(Errno::ENOENT);
            }
            if replaced.is_some() {
                names.entries.replace(new, node.clone())?;
            } else {
                names.entries.insert(name, node.clone())?;
                meta.nlink += u32::from(directory);
            }
            if core::ptr::eq(self, target) {
                // Under the same hold of the lock, so that no look-up sees both names or none.
                names.entries.remove(old);
                meta.nlink -= u32::from(directory);
            }
            meta.modified::<P>();
        }
        if !core::ptr::eq(self, target) {
            let mut state = self.state.lock();
            let (meta, names) = state.directory()?;
            names.entries.remove(old);
            meta.nlink -= u32::from(directory);
            meta.modified::<P>();
        }
        if directory {
            node.set_parent(to.clone());
        } else if let Some(replaced) = &replaced {
            self.lost_name(replaced);
        }
        if let Some(moved) = self.sibling(&node) {
            moved.state.lock().meta.ctime = now::<P>();
        }
        Ok(())
    }

    /// Counts a name of a file less.
    fn lost_name(&self, node: &Arc<dyn Node<P>>) {
        if let Some(inode) = self.sibling(node) {
            let meta = &mut inode.state.lock().meta;
            meta.nlink -= 1;
            meta.ctime = now::<P>();
        }
    }

    /// Makes an empty directory refuse new names, before it loses its own. ENOTDIR, ENOTEMPTY, EBUSY for a mount point.
    fn bury(&self, node: &Arc<dyn Node<P>>) -> SysResult<()> {
        if node.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let mut state = self.sibling(node).ok_or(Errno::EBUSY)?.state.lock();
        let (meta, names) = state.directory()?;
        if !names.entries.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        names.dead = true;
        meta.nlink = 0;
        meta.ctime = now::<P>();
        Ok(())
    }
}

/// EINVAL if `at` is `node` or lies below it: a directory cannot become part of itself.
fn check_not_below<P: Platform>(node: &Arc<dyn Node<P>>, at: Arc<dyn Node<P>>) -> SysResult<()> {
    let mut at = Some(at);
    while let Some(dir) = at {
        if same(&dir, node) {
            return Err(Errno::EINVAL);
        }
        at = dir.parent();
    }
    Ok(())
}
