//! A file system in memory, with the semantics of POSIX: what programs write, and the tree the archive of the image is hung into.
//!
//! Locks: one for the namespace of a file system, held by whatever changes names, and one for each node, held for a look-up or a
//! change of that node only. Order: namespace, then at most one node. No user memory is touched while either is held.

mod content;
mod entries;
mod file;
mod inode;
mod names;
mod quota;
#[cfg(all(test, not(loom)))]
mod tests;

use super::limits::PERMISSIONS;
use super::node::{Kind, New, Node};
use crate::platform::Platform;
use crate::sync::{AtomicBool, AtomicU64, Lock, Ordering};
use alloc::sync::Arc;
use content::Content;
use core::any::Any;
use entries::Entries;
use inode::{Body, Directory, Meta};
use quota::Quota;
use trapless_abi::{Errno, SysResult};

pub use entries::Name;
pub use inode::Inode;

/// What a node is charged for, in bytes: its own memory and its name's.
const NODE_COST: u64 = 512;

/// What the nodes of one file system share.
struct Super<P: Platform> {
    dev: u64,
    quota: Quota,
    next_ino: AtomicU64,
    /// Held while names change.
    namespace: Lock<P, ()>,
    /// Programs may not change names: /proc and /sys.
    sealed: AtomicBool,
}

/// A file system in memory.
pub struct Tmpfs<P: Platform> {
    root: Arc<Inode<P>>,
}

impl<P: Platform> Tmpfs<P> {
    /// An empty file system with device number `dev` for at most `limit` bytes.
    pub fn new(dev: u64, limit: u64) -> Self {
        let shared = Arc::new(Super {
            dev,
            quota: Quota::new(limit),
            next_ino: AtomicU64::new(1),
            namespace: Lock::new(()),
            sealed: AtomicBool::new(false),
        });
        let ino = shared.next_ino.fetch_add(1, Ordering::Relaxed);
        let body = Body::Directory(Directory { entries: Entries::new(), parent: None, dead: false });
        let root = Inode::new(shared, ino, Kind::Directory, Meta::now::<P>(0o755, 2), body);
        Self { root: Arc::new(root) }
    }

    /// The directory at the top.
    pub fn root(&self) -> Arc<Inode<P>> {
        self.root.clone()
    }

    /// From now on programs cannot create, remove or rename: EPERM. [`Inode::add`] still can.
    pub fn seal(&self) {
        self.root.state.lock().meta.mode = 0o555;
        self.root.fs.sealed.store(true, Ordering::Relaxed);
    }
}

impl<P: Platform> Super<P> {
    fn check_unsealed(&self) -> SysResult<()> {
        if self.sealed.load(Ordering::Relaxed) { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// A node that has no name yet. ENOSPC.
    fn make(self: &Arc<Self>, kind: Kind, mode: u32, nlink: u32, body: Body<P>) -> SysResult<Arc<Inode<P>>> {
        self.quota.take(NODE_COST)?;
        let ino = self.next_ino.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Inode::new(self.clone(), ino, kind, Meta::now::<P>(mode & PERMISSIONS, nlink), body)))
    }
}

/// What the libos adds while it sets a file system up; seals do not apply.
impl<P: Platform> Inode<P> {
    /// Adds a node under a name. EEXIST, ENOTDIR, ENOSPC.
    pub fn add(self: &Arc<Self>, name: Name, new: New<'_, P>) -> SysResult<Arc<dyn Node<P>>> {
        self.create_named(name, new)
    }

    /// Adds a regular file whose first content lies in the image; it is copied when it is written to. EEXIST, ENOTDIR, ENOSPC.
    pub fn add_static(self: &Arc<Self>, name: Name, mode: u32, content: &'static [u8]) -> SysResult<Arc<Inode<P>>> {
        let node = self.fs.make(Kind::Regular, mode, 1, Body::Regular(Content::new(content)))?;
        self.create_named(name, New::Object(node.clone()))?;
        Ok(node)
    }

    /// Adds a symbolic link whose text lies in the image. EEXIST, ENOTDIR, ENOSPC.
    pub fn add_static_link(self: &Arc<Self>, name: Name, text: &'static [u8]) -> SysResult<Arc<dyn Node<P>>> {
        let node = self.fs.make(Kind::Symlink, 0o777, 1, Body::Symlink(Name::Static(text)))?;
        self.create_named(name, New::Object(node))
    }

    /// Gives a regular file of this file system new content that lies in the image. EXDEV, EISDIR, EINVAL.
    pub fn set_static(&self, node: &Arc<dyn Node<P>>, content: &'static [u8]) -> SysResult<()> {
        let inode = self.sibling(node).ok_or(Errno::EXDEV)?;
        let mut state = inode.state.lock();
        let old = core::mem::replace(state.content()?.1, Content::new(content));
        self.fs.quota.give(old.allocated());
        Ok(())
    }

    /// The node as a directory of such a file system. ENOTDIR for anything else.
    pub fn of(node: Arc<dyn Node<P>>) -> SysResult<Arc<Self>> {
        let any: Arc<dyn Any + Send + Sync> = node;
        any.downcast::<Self>().ok().filter(|n| n.kind() == Kind::Directory).ok_or(Errno::ENOTDIR)
    }

    /// The directory of that name, made if it is missing. ENOTDIR, ENOSPC.
    pub fn directory(self: &Arc<Self>, name: Name, mode: u32) -> SysResult<Arc<Self>> {
        match self.lookup(name.bytes()) {
            Err(Errno::ENOENT) => {
                let node = self.new_directory(mode)?;
                self.create_named(name, New::Object(node.clone()))?;
                Ok(node)
            }
            found => Self::of(found?),
        }
    }
}
