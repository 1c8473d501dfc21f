//! What a name in the file system leads to.

use crate::file::{Emit, File};
use crate::platform::Platform;
use crate::socket::unix::UnixSocket;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use trapless_abi::flags::{OpenFlags, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK};
use trapless_abi::structs::{Stat, Statfs, Timespec, UTIME_NOW, UTIME_OMIT};
use trapless_abi::{Errno, SysResult};

/// The type of a node, inode(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Character device.
    Character,
    /// Block device.
    Block,
    /// Pipe.
    Fifo,
    /// Socket.
    Socket,
}

impl Kind {
    /// The type in a mode of stat(2); None for a combination that names none.
    pub const fn of_mode(mode: u32) -> Option<Self> {
        match mode & S_IFMT {
            S_IFREG => Some(Self::Regular),
            S_IFDIR => Some(Self::Directory),
            S_IFLNK => Some(Self::Symlink),
            S_IFCHR => Some(Self::Character),
            S_IFBLK => Some(Self::Block),
            S_IFIFO => Some(Self::Fifo),
            S_IFSOCK => Some(Self::Socket),
            _ => None,
        }
    }

    /// The type bits of a mode (`S_IFMT`).
    pub const fn mode(self) -> u32 {
        match self {
            Self::Regular => S_IFREG,
            Self::Directory => S_IFDIR,
            Self::Symlink => S_IFLNK,
            Self::Character => S_IFCHR,
            Self::Block => S_IFBLK,
            Self::Fifo => S_IFIFO,
            Self::Socket => S_IFSOCK,
        }
    }

    /// `d_type` of a directory entry: `DT_*` are the type bits moved down (readdir(3)).
    pub const fn d_type(self) -> u8 {
        (self.mode() >> 12) as u8
    }
}

/// What to create under a new name.
pub enum New<'a, P: Platform> {
    /// An empty regular file with these permissions.
    File(u32),
    /// An empty directory with these permissions.
    Directory(u32),
    /// A symbolic link with this text.
    Symlink(&'a [u8]),
    /// The name of a socket (bind(2)) with these permissions, and where it leads.
    Socket(u32, Weak<UnixSocket<P>>),
    /// An object made elsewhere: a device.
    Object(Arc<dyn Node<P>>),
    /// The root of another file system; takes the place of an empty directory of that name if there is one.
    Mount(Arc<dyn Node<P>>),
}

/// New attributes; None leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Permissions, chmod(2).
    pub mode: Option<u32>,
    /// Owner, chown(2).
    pub uid: Option<u32>,
    /// Group, chown(2).
    pub gid: Option<u32>,
    /// Time of the last access, utimensat(2).
    pub atime: Option<Timespec>,
    /// Time of the last change of content, utimensat(2).
    pub mtime: Option<Timespec>,
}

impl Change {
    /// What chown(2) asks for: -1 leaves an id as it is.
    pub fn owner(uid: u32, gid: u32) -> Self {
        let id = |id| if id == u32::MAX { None } else { Some(id) };
        Self { uid: id(uid), gid: id(gid), ..Self::default() }
    }

    /// What chmod(2) asks for.
    pub fn mode(mode: u32) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }

    /// What utimensat(2) asks for: access and modification time, now if there are none. EINVAL for nanoseconds out of range.
    pub fn times<P: Platform>(times: Option<[Timespec; 2]>) -> SysResult<Self> {
        let now = Timespec::from_nanos(P::realtime_ns());
        let Some([atime, mtime]) = times else {
            return Ok(Self { atime: Some(now), mtime: Some(now), ..Self::default() });
        };
        let time = |time: Timespec| match time.tv_nsec {
            UTIME_NOW => Ok(Some(now)),
            UTIME_OMIT => Ok(None),
            0..=999_999_999 => Ok(Some(time)),
            _ => Err(Errno::EINVAL),
        };
        Ok(Self { atime: time(atime)?, mtime: time(mtime)?, ..Self::default() })
    }
}

/// A file, directory, link or device. Names handed to a node are single components, at most [`super::limits::NAME_MAX`] bytes, and
/// never `.` or `..`: the walk sees to that.
///
/// The default methods answer what Linux answers for a node that has no such operation.
pub trait Node<P: Platform>: Any + Send + Sync {
    /// The type; it never changes.
    fn kind(&self) -> Kind;

    /// The inode number; it never changes.
    fn ino(&self) -> u64;

    /// stat(2).
    fn stat(&self) -> SysResult<Stat>;

    /// The node of that name in this directory. ENOENT, ENOTDIR.
    fn lookup(&self, name: &[u8]) -> SysResult<Arc<dyn Node<P>>> {
        let _ = name;
        Err(Errno::ENOTDIR)
    }

    /// The directory this directory is in; None for the root.
    fn parent(&self) -> Option<Arc<dyn Node<P>>> {
        None
    }

    /// Tells the root of a file system where it was mounted.
    fn set_parent(&self, parent: Arc<dyn Node<P>>) {
        let _ = parent;
    }

    /// Directory entries from position `from` on: see [`File::list`].
    fn list(&self, from: u64, emit: &mut Emit<'_>) -> SysResult<()> {
        let _ = (from, emit);
        Err(Errno::ENOTDIR)
    }

    /// The name under which this directory holds a node.
    fn name_of(&self, node: &Arc<dyn Node<P>>) -> Option<Vec<u8>> {
        let _ = node;
        None
    }

    /// The text of a symbolic link. EINVAL for anything else (readlink(2)).
    fn readlink(&self) -> SysResult<Vec<u8>> {
        Err(Errno::EINVAL)
    }

    /// Where a link leads without going through its text, as the links of `/proc/self/fd` do. None for all others.
    fn jump(&self) -> Option<Arc<dyn Node<P>>> {
        None
    }

    /// The socket that was bound to this name (unix(7)), as long as there is one.
    fn socket(&self) -> Option<Arc<UnixSocket<P>>> {
        None
    }

    /// Gives `name` to something new and returns it. EEXIST, ENOTDIR, ENOSPC, EPERM, ENOENT once the directory is removed.
    fn create(self: Arc<Self>, name: &[u8], new: New<'_, P>) -> SysResult<Arc<dyn Node<P>>> {
        let _ = (name, new);
        Err(Errno::ENOTDIR)
    }

    /// Gives a second name to a file of the same file system: link(2). EXDEV, EEXIST, EPERM for directories.
    fn link(&self, name: &[u8], node: &Arc<dyn Node<P>>) -> SysResult<()> {
        let _ = (name, node);
        Err(Errno::ENOTDIR)
    }

    /// Removes a name that is not a directory's: unlink(2). EISDIR, ENOENT.
    fn unlink(&self, name: &[u8]) -> SysResult<()> {
        let _ = name;
        Err(Errno::ENOTDIR)
    }

    /// Removes an empty directory: rmdir(2). ENOTDIR, ENOTEMPTY, EBUSY for a mount point.
    fn rmdir(&self, name: &[u8]) -> SysResult<()> {
        let _ = name;
        Err(Errno::ENOTDIR)
    }

    /// Moves `old` from this directory to `new` in `to`: rename(2); with `replace` false EEXIST if there is one. EXDEV, EINVAL into
    /// itself, EISDIR, ENOTDIR, ENOTEMPTY.
    fn rename(&self, old: &[u8], to: &Arc<dyn Node<P>>, new: &[u8], replace: bool) -> SysResult<()> {
        let _ = (old, to, new, replace);
        Err(Errno::ENOTDIR)
    }

    /// truncate(2). EISDIR, EINVAL.
    fn truncate(&self, size: u64) -> SysResult<()> {
        let _ = size;
        Err(Errno::EINVAL)
    }

    /// Changes attributes. EPERM where they are fixed.
    fn change(&self, change: &Change) -> SysResult<()> {
        let _ = change;
        Err(Errno::EPERM)
    }

    /// statfs(2).
    fn statfs(&self) -> Statfs;

    /// The object for an open file.
    fn open(self: Arc<Self>, flags: OpenFlags) -> SysResult<Arc<dyn File<P>>>;
}

/// Whether two handles lead to the same node.
pub fn same<P: Platform>(a: &Arc<dyn Node<P>>, b: &Arc<dyn Node<P>>) -> bool {
    // Only the addresses: one type's vtable may exist more than once.
    core::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}
