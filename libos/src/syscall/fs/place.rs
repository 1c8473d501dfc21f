//! A file named by a directory descriptor and a path, as the *at calls do.

use crate::kernel::{Open, kernel, open_file};
use crate::user;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::SysResult;
use trapless_abi::table::types::*;
use trapless_logic::vfs::{At, Follow, Node};
use trapless_platform::x86::X86;

/// A path, and where it starts.
pub struct Place {
    directory: Option<Arc<Open>>,
    /// The path, which may be empty.
    pub path: Vec<u8>,
}

impl Place {
    /// Copies the path in, and looks the descriptor up if the path needs it. EFAULT, ENAMETOOLONG, EBADF.
    pub fn read(dirfd: DirFd, path: Path) -> SysResult<Self> {
        let path = user::path(path)?;
        let directory = match dirfd {
            _ if path.first() == Some(&b'/') => None,
            DirFd::AT_FDCWD => None,
            DirFd(fd) => Some(open_file(Fd(fd))?),
        };
        Ok(Self { directory, path })
    }

    /// Where the path starts.
    pub fn at(&self) -> At<'_, X86> {
        match &self.directory {
            Some(file) => At::Directory(file),
            None => At::Cwd,
        }
    }

    /// Whether it stands for the descriptor itself (AT_EMPTY_PATH).
    pub fn is_start(&self, flags: AtFlags) -> bool {
        self.path.is_empty() && flags.contains(AtFlags::AT_EMPTY_PATH)
    }

    /// stat(2) of it.
    pub fn stat(&self, flags: AtFlags) -> SysResult<Stat> {
        match &self.directory {
            Some(file) if self.is_start(flags) => file.file.stat(),
            _ => self.node(flags)?.stat(),
        }
    }

    /// The node it leads to. ENOENT and the other errors of a walk; ENOTDIR for the descriptor of something nameless.
    pub fn node(&self, flags: AtFlags) -> SysResult<Arc<dyn Node<X86>>> {
        if self.is_start(flags) {
            kernel().vfs.start(&self.at())
        } else {
            kernel().vfs.find(&self.at(), &self.path, follow(flags))
        }
    }
}

/// What to do with a link at the end of the path.
pub fn follow(flags: AtFlags) -> Follow {
    if flags.contains(AtFlags::AT_SYMLINK_NOFOLLOW) { Follow::No } else { Follow::Yes }
}
