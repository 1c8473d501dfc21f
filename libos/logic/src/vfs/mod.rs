//! The file system: one tree of nodes, walked by paths.
//!
//! A mount is a directory entry that leads to the root of another file system; that root knows the directory it hangs in. So a walk
//! needs no mount table: the one kept here is only to be shown.
//!
//! The program is root, as in an initramfs: permission bits are kept and told, and of the checks only "may execute" is left
//! (path_resolution(7)).

pub mod cpio;
pub mod dev;
mod fds;
pub mod limits;
mod node;
mod open;
mod ops;
mod path;
pub mod proc;
pub mod sys;
pub mod system;
#[cfg(all(test, not(loom)))]
mod tests;
mod text;
mod tmpfs;
pub mod tty;
mod walk;

pub use fds::{FdDirectory, FileNode};
pub use node::{Change, Kind, New, Node, same};
pub use open::PathOnly;
pub use text::{Text, TextNode};
pub use tmpfs::{Inode, Name, Tmpfs};
pub use walk::{Follow, Found, Last};

use crate::file::OpenFile;
use crate::platform::Platform;
use crate::sync::{AtomicU32, Lock, Ordering};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Where a relative path starts.
pub enum At<'a, P: Platform> {
    /// The working directory (`AT_FDCWD`).
    Cwd,
    /// An open directory.
    Directory(&'a OpenFile<P>),
}

/// A mount, as `/proc/mounts` shows it.
#[derive(Clone, Debug)]
pub struct Mount {
    /// The directory it covers.
    pub path: String,
    /// Kind of file system: `tmpfs`, `proc`.
    pub kind: &'static str,
    /// Device number of its files.
    pub dev: u64,
}

/// The file system as the program sees it.
pub struct Vfs<P: Platform> {
    root: Arc<dyn Node<P>>,
    cwd: Lock<P, Arc<dyn Node<P>>>,
    umask: AtomicU32,
    mounts: Lock<P, Vec<Mount>>,
}

impl<P: Platform> Vfs<P> {
    /// A file system whose `/` is `root`; the working directory is `/`, the umask 022.
    pub fn new(root: Arc<dyn Node<P>>) -> Self {
        Self { cwd: Lock::new(root.clone()), root, umask: AtomicU32::new(0o022), mounts: Lock::new(Vec::new()) }
    }

    /// The top directory.
    pub fn root(&self) -> &Arc<dyn Node<P>> {
        &self.root
    }

    /// Walks a path. ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG.
    pub fn walk(&self, at: &At<'_, P>, path: &[u8], follow: Follow) -> SysResult<Found<P>> {
        let start = if path.first() == Some(&b'/') { self.root.clone() } else { self.start(at)? };
        walk::walk(&self.root, start, path, follow)
    }

    /// The node a relative path starts from: also what an empty path with AT_EMPTY_PATH means. ENOTDIR for a file without a place in
    /// the tree.
    pub fn start(&self, at: &At<'_, P>) -> SysResult<Arc<dyn Node<P>>> {
        match at {
            At::Cwd => Ok(self.cwd.lock().clone()),
            At::Directory(file) => file.file.clone().node().ok_or(Errno::ENOTDIR),
        }
    }

    /// Hangs a file system under `path`, over the directory there, which is made if it is missing. ENOENT, ENOTDIR, ENOSPC.
    pub fn mount(&self, path: &str, root: Arc<dyn Node<P>>, kind: &'static str) -> SysResult<()> {
        let dev = root.stat()?.st_dev;
        self.make(&At::Cwd, path.as_bytes(), New::Mount(root))?;
        let mut mounts = self.mounts.lock();
        mounts.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        mounts.push(Mount { path: path.into(), kind, dev });
        Ok(())
    }

    /// The mounts, the root file system not among them.
    pub fn mounts(&self) -> Vec<Mount> {
        self.mounts.lock().clone()
    }

    /// umask(2): sets it and returns the old one.
    pub fn umask(&self, mask: u32) -> u32 {
        self.umask.swap(mask & 0o777, Ordering::Relaxed)
    }

    /// The permissions of something new.
    fn masked(&self, mode: u32) -> u32 {
        mode & !self.umask.load(Ordering::Relaxed)
    }
}
