//! Names: making, moving and removing them.

use super::only;
use super::place::Place;
use crate::kernel::kernel;
use crate::user;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::vfs::Follow;

/// mkdir(2).
pub fn mkdir(path: Path, mode: Mode) -> SysResult {
    mkdirat(DirFd::AT_FDCWD, path, mode)
}

/// mkdirat(2).
pub fn mkdirat(dirfd: DirFd, path: Path, mode: Mode) -> SysResult {
    let place = Place::read(dirfd, path)?;
    kernel().vfs.mkdir(&place.at(), &place.path, mode.0.into())?;
    Ok(0)
}

/// rmdir(2).
pub fn rmdir(path: Path) -> SysResult {
    unlinkat(DirFd::AT_FDCWD, path, AtFlags::AT_REMOVEDIR)
}

/// unlink(2).
pub fn unlink(path: Path) -> SysResult {
    unlinkat(DirFd::AT_FDCWD, path, AtFlags::empty())
}

/// unlinkat(2).
pub fn unlinkat(dirfd: DirFd, path: Path, flags: AtFlags) -> SysResult {
    only(flags, AtFlags::AT_REMOVEDIR)?;
    let place = Place::read(dirfd, path)?;
    if flags.contains(AtFlags::AT_REMOVEDIR) {
        kernel().vfs.rmdir(&place.at(), &place.path)?;
    } else {
        kernel().vfs.unlink(&place.at(), &place.path)?;
    }
    Ok(0)
}

/// rename(2).
pub fn rename(oldpath: Path, newpath: Path) -> SysResult {
    renameat(DirFd::AT_FDCWD, oldpath, DirFd::AT_FDCWD, newpath)
}

/// renameat(2).
pub fn renameat(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path) -> SysResult {
    renameat2(olddirfd, oldpath, newdirfd, newpath, RenameFlags::empty())
}

/// renameat2(2). EINVAL for a file system that cannot swap, which this one cannot.
pub fn renameat2(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path, flags: RenameFlags) -> SysResult {
    if !RenameFlags::RENAME_NOREPLACE.contains(flags) {
        return Err(Errno::EINVAL);
    }
    let (old, new) = (Place::read(olddirfd, oldpath)?, Place::read(newdirfd, newpath)?);
    kernel().vfs.rename(&old.at(), &old.path, &new.at(), &new.path, flags.is_empty())?;
    Ok(0)
}

/// link(2): of a symbolic link, it makes a second name for the link.
pub fn link(oldpath: Path, newpath: Path) -> SysResult {
    linkat(DirFd::AT_FDCWD, oldpath, DirFd::AT_FDCWD, newpath, AtFlags::empty())
}

/// linkat(2).
pub fn linkat(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path, flags: AtFlags) -> SysResult {
    only(flags, AtFlags::AT_SYMLINK_FOLLOW)?;
    let (old, new) = (Place::read(olddirfd, oldpath)?, Place::read(newdirfd, newpath)?);
    let follow = if flags.is_empty() { Follow::No } else { Follow::Yes };
    kernel().vfs.link(&old.at(), &old.path, &new.at(), &new.path, follow)?;
    Ok(0)
}

/// symlink(2).
pub fn symlink(target: Path, linkpath: Path) -> SysResult {
    symlinkat(target, DirFd::AT_FDCWD, linkpath)
}

/// symlinkat(2).
pub fn symlinkat(target: Path, newdirfd: DirFd, linkpath: Path) -> SysResult {
    let text = user::path(target)?;
    let place = Place::read(newdirfd, linkpath)?;
    kernel().vfs.symlink(&text, &place.at(), &place.path)?;
    Ok(0)
}

/// readlink(2).
pub fn readlink(path: Path, buf: Out<u8>, bufsiz: Len) -> SysResult {
    readlinkat(DirFd::AT_FDCWD, path, buf, bufsiz)
}

/// readlinkat(2): the text is cut to the buffer, and gets no NUL.
pub fn readlinkat(dirfd: DirFd, path: Path, buf: Out<u8>, bufsiz: Len) -> SysResult {
    // The parameter is an int.
    let room = usize::try_from(bufsiz.0 as i32).ok().filter(|&room| room > 0).ok_or(Errno::EINVAL)?;
    let place = Place::read(dirfd, path)?;
    let text = if place.path.is_empty() && dirfd != DirFd::AT_FDCWD {
        // A link opened with O_PATH and O_NOFOLLOW; ENOENT for anything else.
        place.node(AtFlags::AT_EMPTY_PATH)?.readlink().map_err(|_| Errno::ENOENT)?
    } else {
        kernel().vfs.readlink(&place.at(), &place.path)?
    };
    super::put_bytes(buf, room, &text)
}
