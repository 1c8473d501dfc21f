//! What is known about a file: stat(2) and relatives, permissions, owners, times.

use super::place::{Place, follow};
use super::{only, used_file};
use crate::kernel::{kernel, open_file};
use crate::user::{self, Get, Put};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::statx::from_stat;
use trapless_logic::vfs::{Change, Kind};
use trapless_platform::x86::X86;

/// How fresh the answer has to be: one or none of these.
const SYNC: AtFlags = AtFlags::AT_STATX_FORCE_SYNC.union(AtFlags::AT_STATX_DONT_SYNC);
/// What most calls with flags take.
const HOW_TO_WALK: AtFlags = AtFlags::AT_SYMLINK_NOFOLLOW.union(AtFlags::AT_EMPTY_PATH);

/// stat(2).
pub fn stat(path: Path, statbuf: Out<Stat>) -> SysResult {
    newfstatat(DirFd::AT_FDCWD, path, statbuf, AtFlags::empty())
}

/// lstat(2).
pub fn lstat(path: Path, statbuf: Out<Stat>) -> SysResult {
    newfstatat(DirFd::AT_FDCWD, path, statbuf, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// fstat(2).
pub fn fstat(fd: Fd, statbuf: Out<Stat>) -> SysResult {
    statbuf.put(&open_file(fd)?.file.stat()?)?;
    Ok(0)
}

/// fstatat(2).
pub fn newfstatat(dirfd: DirFd, path: Path, statbuf: Out<Stat>, flags: AtFlags) -> SysResult {
    only(flags, HOW_TO_WALK | AtFlags::AT_NO_AUTOMOUNT | SYNC)?;
    statbuf.put(&Place::read(dirfd, path)?.stat(flags)?)?;
    Ok(0)
}

/// statx(2): whatever is asked for, it gives all it has.
pub fn statx(dirfd: DirFd, path: Path, flags: AtFlags, _mask: StatxMask, statxbuf: Out<Statx>) -> SysResult {
    only(flags, HOW_TO_WALK | AtFlags::AT_NO_AUTOMOUNT | SYNC)?;
    if flags.contains(SYNC) {
        return Err(Errno::EINVAL);
    }
    statxbuf.put(&from_stat(&Place::read(dirfd, path)?.stat(flags)?))?;
    Ok(0)
}

/// access(2).
pub fn access(path: Path, mode: AccessMode) -> SysResult {
    faccessat(DirFd::AT_FDCWD, path, mode)
}

/// faccessat(2).
pub fn faccessat(dirfd: DirFd, path: Path, mode: AccessMode) -> SysResult {
    faccessat2(dirfd, path, mode, AtFlags::empty())
}

/// faccessat2(2): real and effective ids are the same.
pub fn faccessat2(dirfd: DirFd, path: Path, mode: AccessMode, flags: AtFlags) -> SysResult {
    only(flags, AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_EACCESS)?;
    let place = Place::read(dirfd, path)?;
    kernel().vfs.access(&place.at(), &place.path, mode, follow(flags))?;
    Ok(0)
}

/// Changes a file given by name.
fn change_at(dirfd: DirFd, path: Path, flags: AtFlags, change: &Change) -> SysResult {
    only(flags, HOW_TO_WALK)?;
    let place = Place::read(dirfd, path)?;
    if place.is_start(flags) {
        place.node(flags)?.change(change)?;
    } else {
        kernel().vfs.change(&place.at(), &place.path, follow(flags), change)?;
    }
    Ok(0)
}

/// Changes an open file. EPERM for those without a name: pipes, sockets and the like.
fn change_open(fd: Fd, change: &Change) -> SysResult {
    used_file(fd)?.file.clone().node().ok_or(Errno::EPERM)?.change(change)?;
    Ok(0)
}

/// Permissions of a mode argument, which may carry the type, as stat(2) gives it.
fn permissions(mode: Mode) -> Change {
    Change::mode(u32::from(mode.0) & !S_IFMT)
}

/// chmod(2).
pub fn chmod(path: Path, mode: Mode) -> SysResult {
    fchmodat(DirFd::AT_FDCWD, path, mode)
}

/// fchmod(2).
pub fn fchmod(fd: Fd, mode: Mode) -> SysResult {
    change_open(fd, &permissions(mode))
}

/// fchmodat(2).
pub fn fchmodat(dirfd: DirFd, path: Path, mode: Mode) -> SysResult {
    fchmodat2(dirfd, path, mode, AtFlags::empty())
}

/// fchmodat2(2).
pub fn fchmodat2(dirfd: DirFd, path: Path, mode: Mode, flags: AtFlags) -> SysResult {
    change_at(dirfd, path, flags, &permissions(mode))
}

/// chown(2).
pub fn chown(path: Path, owner: Uid, group: Gid) -> SysResult {
    fchownat(DirFd::AT_FDCWD, path, owner, group, AtFlags::empty())
}

/// lchown(2).
pub fn lchown(path: Path, owner: Uid, group: Gid) -> SysResult {
    fchownat(DirFd::AT_FDCWD, path, owner, group, AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// fchown(2).
pub fn fchown(fd: Fd, owner: Uid, group: Gid) -> SysResult {
    change_open(fd, &Change::owner(owner.0, group.0))
}

/// fchownat(2).
pub fn fchownat(dirfd: DirFd, path: Path, owner: Uid, group: Gid, flags: AtFlags) -> SysResult {
    change_at(dirfd, path, flags, &Change::owner(owner.0, group.0))
}

/// utimensat(2): without a path it changes the descriptor's file, as futimens(3) wants it.
pub fn utimensat(dirfd: DirFd, path: Path, times: In<[Timespec; 2]>, flags: AtFlags) -> SysResult {
    let times = times.get_opt()?;
    if times.is_some_and(|times| times.iter().all(|time| time.tv_nsec == UTIME_OMIT)) {
        // Nothing to do, so that the file does not even have to be there.
        return Ok(0);
    }
    let change = Change::times::<X86>(times)?;
    match dirfd {
        _ if !path.is_null() => change_at(dirfd, path, flags, &change),
        DirFd::AT_FDCWD => Err(Errno::EFAULT),
        _ if !flags.is_empty() => Err(Errno::EINVAL),
        DirFd(fd) => change_open(Fd(fd), &change),
    }
}

/// statfs(2).
pub fn statfs(path: Path, buf: Out<Statfs>) -> SysResult {
    buf.put(&kernel().vfs.statfs(&user::path(path)?)?)?;
    Ok(0)
}

/// fstatfs(2).
pub fn fstatfs(fd: Fd, buf: Out<Statfs>) -> SysResult {
    let file = open_file(fd)?;
    let statfs = match file.file.clone().node() {
        Some(node) => node.statfs(),
        None => nameless(Kind::of_mode(file.file.stat()?.st_mode)),
    };
    buf.put(&statfs)?;
    Ok(0)
}

/// What Linux says about the hidden file systems of files without a name.
fn nameless(kind: Option<Kind>) -> Statfs {
    const PIPEFS_MAGIC: i64 = 0x5049_5045;
    const SOCKFS_MAGIC: i64 = 0x534f_434b;
    const ANON_INODE_FS_MAGIC: i64 = 0x0904_1934;
    let f_type = match kind {
        Some(Kind::Fifo) => PIPEFS_MAGIC,
        Some(Kind::Socket) => SOCKFS_MAGIC,
        _ => ANON_INODE_FS_MAGIC,
    };
    let block = PAGE_SIZE as i64;
    Statfs { f_type, f_bsize: block, f_frsize: block, f_namelen: NAME_MAX as i64, ..Statfs::default() }
}
