//! Nodes for objects that are open: devices, and the links of `/proc/self/fd`.

use super::node::{Kind, Node};
use super::{At, Vfs};
use crate::fd::FdTable;
use crate::file::{Emit, File, OpenFile, anonymous_inode};
use crate::platform::Platform;
use crate::sync::Lock;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use trapless_abi::flags::OpenFlags;
use trapless_abi::structs::{Stat, Statfs};
use trapless_abi::{Errno, SysResult};

/// A node that stands for one object: opening it opens the object once more.
pub struct FileNode<P: Platform> {
    file: Arc<dyn File<P>>,
    kind: Kind,
    ino: u64,
}

impl<P: Platform> FileNode<P> {
    /// A node for `file`; its type and number are what the object's stat tells.
    pub fn new(file: Arc<dyn File<P>>) -> SysResult<Arc<Self>> {
        let stat = file.stat()?;
        let kind = Kind::of_mode(stat.st_mode).ok_or(Errno::ENXIO)?;
        Ok(Arc::new(Self { file, kind, ino: stat.st_ino }))
    }
}

impl<P: Platform> Node<P> for FileNode<P> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn stat(&self) -> SysResult<Stat> {
        self.file.stat()
    }

    fn statfs(&self) -> Statfs {
        Statfs { f_bsize: 4096, f_frsize: 4096, f_namelen: 255, ..Statfs::default() }
    }

    fn open(self: Arc<Self>, _flags: OpenFlags) -> SysResult<Arc<dyn File<P>>> {
        self.file.clone().reopen()
    }
}

/// A link whose end moves: `/proc/self/cwd`, `/proc/self/fd/N`.
pub struct JumpLink<P: Platform> {
    ino: u64,
    vfs: Weak<Vfs<P>>,
    to: Target<P>,
}

enum Target<P: Platform> {
    Cwd,
    Open(Arc<OpenFile<P>>),
}

impl<P: Platform> JumpLink<P> {
    /// The link to the working directory.
    pub fn cwd(vfs: Weak<Vfs<P>>) -> Arc<Self> {
        Arc::new(Self { ino: anonymous_inode(), vfs, to: Target::Cwd })
    }
}

impl<P: Platform> Node<P> for JumpLink<P> {
    fn kind(&self) -> Kind {
        Kind::Symlink
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat {
            st_ino: self.ino,
            st_nlink: 1,
            st_mode: Kind::Symlink.mode() | 0o700,
            st_size: 64,
            st_blksize: 1024,
            ..Stat::default()
        })
    }

    fn readlink(&self) -> SysResult<Vec<u8>> {
        let vfs = self.vfs.upgrade().ok_or(Errno::ENOENT)?;
        let file = match &self.to {
            Target::Cwd => return vfs.getcwd(),
            Target::Open(file) => &file.file,
        };
        if let Some(node) = file.clone().node() {
            return match vfs.path_of(&node) {
                Err(Errno::ENOENT) => Ok(b"/ (deleted)".to_vec()),
                path => path,
            };
        }
        let stat = file.stat()?;
        let kind = match Kind::of_mode(stat.st_mode) {
            Some(Kind::Fifo) => "pipe",
            Some(Kind::Socket) => "socket",
            Some(Kind::Character) => "char",
            _ => "anon_inode",
        };
        Ok(format!("{kind}:[{}]", stat.st_ino).into_bytes())
    }

    fn jump(&self) -> Option<Arc<dyn Node<P>>> {
        match &self.to {
            Target::Cwd => self.vfs.upgrade()?.start(&At::Cwd).ok(),
            Target::Open(file) => match file.file.clone().node() {
                Some(node) => Some(node),
                None => Some(FileNode::new(file.file.clone()).ok()?),
            },
        }
    }

    fn statfs(&self) -> Statfs {
        Statfs::default()
    }

    fn open(self: Arc<Self>, _flags: OpenFlags) -> SysResult<Arc<dyn File<P>>> {
        Err(Errno::ELOOP)
    }
}

/// `/proc/self/fd`: a link for each open descriptor.
pub struct FdDirectory<P: Platform> {
    ino: u64,
    table: Arc<FdTable<P>>,
    vfs: Weak<Vfs<P>>,
    parent: Lock<P, Option<Arc<dyn Node<P>>>>,
}

impl<P: Platform> FdDirectory<P> {
    /// The directory of the descriptors in `table`.
    pub fn new(table: Arc<FdTable<P>>, vfs: Weak<Vfs<P>>) -> Arc<Self> {
        Arc::new(Self { ino: anonymous_inode(), table, vfs, parent: Lock::new(None) })
    }
}

impl<P: Platform> Node<P> for FdDirectory<P> {
    fn kind(&self) -> Kind {
        Kind::Directory
    }

    fn ino(&self) -> u64 {
        self.ino
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat {
            st_ino: self.ino,
            st_nlink: 2,
            st_mode: Kind::Directory.mode() | 0o500,
            st_blksize: 1024,
            ..Stat::default()
        })
    }

    fn lookup(&self, name: &[u8]) -> SysResult<Arc<dyn Node<P>>> {
        let fd: i32 = str::from_utf8(name).ok().and_then(|n| n.parse().ok()).ok_or(Errno::ENOENT)?;
        // One spelling only: neither "+1" nor "01".
        if fd.to_string().as_bytes() != name {
            return Err(Errno::ENOENT);
        }
        let file = self.table.get(fd).map_err(|_| Errno::ENOENT)?;
        Ok(Arc::new(JumpLink { ino: anonymous_inode(), vfs: self.vfs.clone(), to: Target::Open(file) }))
    }

    fn parent(&self) -> Option<Arc<dyn Node<P>>> {
        self.parent.lock().clone()
    }

    fn set_parent(&self, parent: Arc<dyn Node<P>>) {
        *self.parent.lock() = Some(parent);
    }

    fn list(&self, from: u64, emit: &mut Emit<'_>) -> SysResult<()> {
        let directory = Kind::Directory.d_type();
        if from < 1 && !emit(self.ino, 1, directory, b".") {
            return Ok(());
        }
        let parent = self.parent().map_or(self.ino, |p| p.ino());
        if from < 2 && !emit(parent, 2, directory, b"..") {
            return Ok(());
        }
        let mut next = i32::try_from(from.saturating_sub(2)).map_err(|_| Errno::EINVAL)?;
        while let Some(fd) = self.table.next_open(next) {
            next = fd + 1;
            let position = next as u64 + 2;
            if !emit(self.ino + position, position, Kind::Symlink.d_type(), fd.to_string().as_bytes()) {
                break;
            }
        }
        Ok(())
    }

    fn statfs(&self) -> Statfs {
        Statfs::default()
    }

    fn open(self: Arc<Self>, flags: OpenFlags) -> SysResult<Arc<dyn File<P>>> {
        if flags.writable() {
            return Err(Errno::EISDIR);
        }
        Ok(Arc::new(OpenDirectory(self)))
    }
}

/// An open [`FdDirectory`].
struct OpenDirectory<P: Platform>(Arc<FdDirectory<P>>);

impl<P: Platform> File<P> for OpenDirectory<P> {
    fn seekable(&self) -> bool {
        true
    }

    fn read_at(&self, _offset: u64, _to: &mut dyn crate::data::Sink) -> SysResult<usize> {
        Err(Errno::EISDIR)
    }

    fn list(&self, from: u64, emit: &mut Emit<'_>) -> SysResult<()> {
        self.0.list(from, emit)
    }

    fn stat(&self) -> SysResult<Stat> {
        self.0.stat()
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn Node<P>>> {
        Some(self.0.clone())
    }

    fn as_any(&self) -> &(dyn core::any::Any + Send + Sync) {
        self
    }
}
