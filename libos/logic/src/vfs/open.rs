//! open(2).

use super::limits::PERMISSIONS;
use super::node::{Kind, New, Node};
use super::walk::{Follow, Last};
use super::{At, Vfs};
use crate::data::{Sink, Source};
use crate::file::{Emit, File, OpenFile};
use crate::platform::Platform;
use alloc::sync::Arc;
use core::any::Any;
use trapless_abi::flags::OpenFlags;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// Flags that count while opening only; F_GETFL does not tell them (fcntl(2)).
const AT_OPEN: OpenFlags = OpenFlags::O_CREAT
    .union(OpenFlags::O_EXCL)
    .union(OpenFlags::O_NOCTTY)
    .union(OpenFlags::O_TRUNC)
    .union(OpenFlags::O_CLOEXEC);

/// What else may be given with O_PATH; the rest is ignored (open(2)).
const WITH_PATH: OpenFlags =
    OpenFlags::O_PATH.union(OpenFlags::O_DIRECTORY).union(OpenFlags::O_NOFOLLOW).union(OpenFlags::O_CLOEXEC);

impl<P: Platform> Vfs<P> {
    /// openat(2) and creat(2). Whether the descriptor is to be closed on exec is the caller's business.
    ///
    /// Besides the errors of the walk: EEXIST, EISDIR, ENOTDIR, ELOOP, ENXIO, ENOSPC, EINVAL for flags that contradict each other,
    /// EOPNOTSUPP for O_TMPFILE.
    pub fn open(&self, at: &At<'_, P>, path: &[u8], flags: OpenFlags, mode: u32) -> SysResult<Arc<OpenFile<P>>> {
        let flags = if flags.contains(OpenFlags::O_PATH) { flags & WITH_PATH } else { flags };
        if flags.contains(OpenFlags::O_TMPFILE) {
            return Err(Errno::EOPNOTSUPP);
        }
        if flags.contains(OpenFlags::O_CREAT | OpenFlags::O_DIRECTORY)
            || flags.bits() & OpenFlags::O_ACCMODE == OpenFlags::O_ACCMODE
        {
            return Err(Errno::EINVAL);
        }
        let node = if flags.contains(OpenFlags::O_CREAT) {
            self.open_or_create(at, path, flags, mode)?
        } else {
            let follow = if flags.contains(OpenFlags::O_NOFOLLOW) { Follow::No } else { Follow::Yes };
            self.walk(at, path, follow)?.existing()?
        };
        check(node.kind(), flags)?;
        let file: Arc<dyn File<P>> = if flags.contains(OpenFlags::O_PATH) {
            Arc::new(PathOnly { node })
        } else {
            if flags.contains(OpenFlags::O_TRUNC) && node.kind() == Kind::Regular {
                node.truncate(0)?;
            }
            node.open(flags)?
        };
        Ok(OpenFile::new(file, (flags - AT_OPEN).bits()))
    }

    /// The node for O_CREAT.
    fn open_or_create(&self, at: &At<'_, P>, path: &[u8], flags: OpenFlags, mode: u32) -> SysResult<Arc<dyn Node<P>>> {
        let exclusive = flags.contains(OpenFlags::O_EXCL);
        let follow = if exclusive || flags.contains(OpenFlags::O_NOFOLLOW) { Follow::No } else { Follow::Yes };
        loop {
            let found = self.walk(at, path, follow)?;
            if found.slash {
                return Err(Errno::EISDIR);
            }
            if let Some(node) = found.node {
                return if exclusive { Err(Errno::EEXIST) } else { Ok(node) };
            }
            let Last::Name(name) = found.last else { return Err(Errno::EISDIR) };
            let new = New::File(self.masked(mode & PERMISSIONS));
            match found.parent.create(name.bytes(), new) {
                // Somebody else was faster: it is an existing file by now.
                Err(Errno::EEXIST) if !exclusive => {}
                created => return created,
            }
        }
    }
}

/// Whether a node of this kind can be opened with these flags. ENOTDIR, EISDIR, ELOOP, ENXIO.
fn check(kind: Kind, flags: OpenFlags) -> SysResult<()> {
    if flags.contains(OpenFlags::O_DIRECTORY) && kind != Kind::Directory {
        return Err(Errno::ENOTDIR);
    }
    if flags.contains(OpenFlags::O_PATH) {
        return Ok(());
    }
    match kind {
        Kind::Directory if flags.writable() || flags.intersects(OpenFlags::O_CREAT | OpenFlags::O_TRUNC) => {
            Err(Errno::EISDIR)
        }
        Kind::Symlink => Err(Errno::ELOOP),
        Kind::Socket => Err(Errno::ENXIO),
        _ => Ok(()),
    }
}

/// A file opened with O_PATH: it names a node and nothing else.
pub struct PathOnly<P: Platform> {
    node: Arc<dyn Node<P>>,
}

impl<P: Platform> File<P> for PathOnly<P> {
    fn read(&self, _to: &mut dyn Sink) -> SysResult<usize> {
        Err(Errno::EBADF)
    }

    fn write(&self, _from: &mut dyn Source) -> SysResult<usize> {
        Err(Errno::EBADF)
    }

    fn truncate(&self, _size: u64) -> SysResult<()> {
        Err(Errno::EBADF)
    }

    fn list(&self, _from: u64, _emit: &mut Emit<'_>) -> SysResult<()> {
        Err(Errno::EBADF)
    }

    fn stat(&self) -> SysResult<Stat> {
        self.node.stat()
    }

    fn node(self: Arc<Self>) -> Option<Arc<dyn Node<P>>> {
        Some(self.node.clone())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
