//! One node of a [`super::Tmpfs`]: its attributes and what it holds.

use super::super::limits::{NAME_MAX, PERMISSIONS};
use super::super::node::{Change, Kind, New, Node, same};
use super::content::Content;
use super::entries::{Entries, Name};
use super::{NODE_COST, Super};
use crate::file::{Emit, File};
use crate::platform::Platform;
use crate::socket::unix::UnixSocket;
use crate::sync::Lock;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use trapless_abi::flags::{OpenFlags, TMPFS_MAGIC};
use trapless_abi::structs::{Stat, Statfs, Timespec};
use trapless_abi::{Errno, SysResult};

/// Block size told by stat(2), in bytes.
const BLOCK: u64 = 4096;
/// Seconds in a day, for relatime (mount(8)).
const DAY_S: i64 = 24 * 60 * 60;

/// Attributes that change.
pub struct Meta {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names that lead here; for a directory 2 and one for each directory in it.
    pub nlink: u32,
    /// Last access.
    pub atime: Timespec,
    /// Last change of content.
    pub mtime: Timespec,
    /// Last change of attributes.
    pub ctime: Timespec,
}

/// The time stamp for now.
pub fn now<P: Platform>() -> Timespec {
    Timespec::from_nanos(P::realtime_ns())
}

impl Meta {
    /// Attributes of something made now.
    pub fn now<P: Platform>(mode: u32, nlink: u32) -> Self {
        let time = now::<P>();
        Self { mode, uid: 0, gid: 0, nlink, atime: time, mtime: time, ctime: time }
    }

    /// Notes a change of content.
    pub fn modified<P: Platform>(&mut self) {
        self.mtime = now::<P>();
        self.ctime = self.mtime;
    }

    /// Notes an access, at most once a day and once after each change (relatime).
    pub fn accessed<P: Platform>(&mut self) {
        if self.atime <= self.mtime || self.atime <= self.ctime {
            self.atime = now::<P>();
        } else {
            let time = now::<P>();
            if time.tv_sec - self.atime.tv_sec >= DAY_S {
                self.atime = time;
            }
        }
    }
}

/// What is special about a directory.
pub struct Directory<P: Platform> {
    /// Its names.
    pub entries: Entries<P>,
    /// The directory it is in; a removed one keeps it, as `..` still works there.
    pub parent: Option<Arc<dyn Node<P>>>,
    /// It was removed: nothing can be created in it any more.
    pub dead: bool,
}

/// What a node holds.
pub enum Body<P: Platform> {
    /// Bytes.
    Regular(Content),
    /// Names.
    Directory(Directory<P>),
    /// A text.
    Symlink(Name),
    /// What the name of a socket leads to.
    Socket(Weak<UnixSocket<P>>),
}

/// The part of a node that changes.
pub struct State<P: Platform> {
    /// Attributes.
    pub meta: Meta,
    /// Content.
    pub body: Body<P>,
}

impl<P: Platform> State<P> {
    /// The content of a regular file. EISDIR, EINVAL.
    pub fn content(&mut self) -> SysResult<(&mut Meta, &mut Content)> {
        match &mut self.body {
            Body::Regular(content) => Ok((&mut self.meta, content)),
            Body::Directory(_) => Err(Errno::EISDIR),
            Body::Symlink(_) | Body::Socket(_) => Err(Errno::EINVAL),
        }
    }

    /// The names of a directory. ENOTDIR.
    pub fn directory(&mut self) -> SysResult<(&mut Meta, &mut Directory<P>)> {
        match &mut self.body {
            Body::Directory(directory) => Ok((&mut self.meta, directory)),
            _ => Err(Errno::ENOTDIR),
        }
    }
}

/// A node of a [`super::Tmpfs`].
pub struct Inode<P: Platform> {
    pub(super) fs: Arc<Super<P>>,
    ino: u64,
    kind: Kind,
    pub(super) state: Lock<P, State<P>>,
}

impl<P: Platform> Inode<P> {
    pub(super) fn new(fs: Arc<Super<P>>, ino: u64, kind: Kind, meta: Meta, body: Body<P>) -> Self {
        Self { fs, ino, kind, state: Lock::new(State { meta, body }) }
    }

    /// The other node, if it is of the same file system.
    pub(super) fn sibling<'a>(&self, other: &'a Arc<dyn Node<P>>) -> Option<&'a Self> {
        let any: &dyn Any = &**other;
        any.downcast_ref::<Self>().filter(|o| Arc::ptr_eq(&o.fs, &self.fs))
    }
}

impl<P: Platform> Node<P> for Inode<P> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn stat(&self) -> SysResult<Stat> {
        let state = self.state.lock();
        let (size, allocated) = match &state.body {
            Body::Regular(content) => (content.size(), content.resident()),
            Body::Directory(_) => (BLOCK, 0),
            Body::Symlink(text) => (text.bytes().len() as u64, 0),
            Body::Socket(_) => (0, 0),
        };
        let meta = &state.meta;
        Ok(Stat {
            st_dev: self.fs.dev,
            st_ino: self.ino,
            st_nlink: u64::from(meta.nlink),
            st_mode: self.kind.mode() | meta.mode,
            st_uid: meta.uid,
            st_gid: meta.gid,
            st_size: size as i64,
            st_blksize: BLOCK as i64,
            st_blocks: allocated.div_ceil(512) as i64,
            st_atim: meta.atime,
            st_mtim: meta.mtime,
            st_ctim: meta.ctime,
            ..Stat::default()
        })
    }

    fn lookup(&self, name: &[u8]) -> SysResult<Arc<dyn Node<P>>> {
        if self.kind != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        self.state.lock().directory()?.1.entries.get(name).cloned().ok_or(Errno::ENOENT)
    }

    fn parent(&self) -> Option<Arc<dyn Node<P>>> {
        self.state.lock().directory().ok()?.1.parent.clone()
    }

    fn set_parent(&self, parent: Arc<dyn Node<P>>) {
        if let Ok((_, directory)) = self.state.lock().directory() {
            directory.parent = Some(parent);
        }
    }

    fn list(&self, from: u64, emit: &mut Emit<'_>) -> SysResult<()> {
        // Positions 0 and 1 are the two dots; an entry's key k is at position k + 2.
        let parent = self.state.lock().directory()?.1.parent.clone();
        let dir = Kind::Directory.d_type();
        if from < 1 && !emit(self.ino, 1, dir, b".") {
            return Ok(());
        }
        if from < 2 && !emit(parent.map_or(self.ino, |p| p.ino()), 2, dir, b"..") {
            return Ok(());
        }
        let mut key = from.saturating_sub(2);
        loop {
            // A statement of its own: the lock is free again before the name is passed on.
            let listed = self.state.lock().directory()?.1.entries.listed(key);
            let Some(listed) = listed else { return Ok(()) };
            if !emit(listed.ino, listed.next + 2, listed.d_type, listed.name()) {
                return Ok(());
            }
            key = listed.next;
        }
    }

    fn name_of(&self, node: &Arc<dyn Node<P>>) -> Option<Vec<u8>> {
        let mut state = self.state.lock();
        let (name, _) = state.directory().ok()?.1.entries.nodes().find(|(_, n)| same(n, node))?;
        Some(name.into())
    }

    fn readlink(&self) -> SysResult<Vec<u8>> {
        let state = self.state.lock();
        let Body::Symlink(text) = &state.body else { return Err(Errno::EINVAL) };
        let mut copy = Vec::new();
        copy.try_reserve_exact(text.bytes().len()).map_err(|_| Errno::ENOMEM)?;
        copy.extend_from_slice(text.bytes());
        Ok(copy)
    }

    fn socket(&self) -> Option<Arc<UnixSocket<P>>> {
        match &self.state.lock().body {
            Body::Socket(socket) => socket.upgrade(),
            _ => None,
        }
    }

    fn create(self: Arc<Self>, name: &[u8], new: New<'_, P>) -> SysResult<Arc<dyn Node<P>>> {
        self.fs.check_unsealed()?;
        self.create_named(Name::owned(name)?, new)
    }

    fn link(&self, name: &[u8], node: &Arc<dyn Node<P>>) -> SysResult<()> {
        self.fs.check_unsealed()?;
        self.link_named(name, node)
    }

    fn unlink(&self, name: &[u8]) -> SysResult<()> {
        self.fs.check_unsealed()?;
        self.unlink_named(name)
    }

    fn rmdir(&self, name: &[u8]) -> SysResult<()> {
        self.fs.check_unsealed()?;
        self.rmdir_named(name)
    }

    fn rename(&self, old: &[u8], to: &Arc<dyn Node<P>>, new: &[u8], replace: bool) -> SysResult<()> {
        self.fs.check_unsealed()?;
        self.rename_named(old, to, new, replace)
    }

    fn truncate(&self, size: u64) -> SysResult<()> {
        let mut state = self.state.lock();
        let (meta, content) = state.content()?;
        content.truncate(size, &self.fs.quota)?;
        meta.modified::<P>();
        Ok(())
    }

    fn change(&self, change: &Change) -> SysResult<()> {
        let meta = &mut self.state.lock().meta;
        if let Some(mode) = change.mode {
            meta.mode = mode & PERMISSIONS;
        }
        meta.uid = change.uid.unwrap_or(meta.uid);
        meta.gid = change.gid.unwrap_or(meta.gid);
        meta.atime = change.atime.unwrap_or(meta.atime);
        meta.mtime = change.mtime.unwrap_or(meta.mtime);
        meta.ctime = now::<P>();
        Ok(())
    }

    fn statfs(&self) -> Statfs {
        let quota = &self.fs.quota;
        let free = quota.limit().saturating_sub(quota.used());
        Statfs {
            f_type: TMPFS_MAGIC,
            f_bsize: BLOCK as i64,
            f_blocks: quota.limit() / BLOCK,
            f_bfree: free / BLOCK,
            f_bavail: free / BLOCK,
            f_files: quota.limit() / NODE_COST,
            f_ffree: free / NODE_COST,
            f_namelen: NAME_MAX as i64,
            f_frsize: BLOCK as i64,
            ..Statfs::default()
        }
    }

    fn open(self: Arc<Self>, _flags: OpenFlags) -> SysResult<Arc<dyn File<P>>> {
        match self.kind {
            Kind::Regular | Kind::Directory => Ok(self),
            _ => Err(Errno::ELOOP),
        }
    }
}

impl<P: Platform> Drop for Inode<P> {
    fn drop(&mut self) {
        let content = match &self.state.lock().body {
            Body::Regular(content) => content.allocated(),
            _ => 0,
        };
        self.fs.quota.give(content + NODE_COST);
    }
}
