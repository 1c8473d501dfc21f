//! Files by name, their attributes and directories.

mod attributes;
mod content;
mod names;
mod place;

pub use attributes::*;
pub use content::*;
pub use names::*;

use crate::chart;
use crate::kernel::{Open, kernel, open_file};
use crate::user;
use alloc::sync::Arc;
use place::Place;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::data::Sink;
use trapless_logic::dirent::Records;

/// Most bytes of directory records one getdents64(2) gives; the C library asks for 2 KiB.
const MAX_RECORDS: usize = 64 * 1024;

/// The open file of a descriptor, for calls that use the file: with O_PATH it only stands for a place. EBADF.
fn used_file(fd: Fd) -> SysResult<Arc<Open>> {
    let file = open_file(fd)?;
    if file.flags() & OpenFlags::O_PATH.bits() != 0 { Err(Errno::EBADF) } else { Ok(file) }
}

/// Refuses flags that a call does not have. EINVAL.
fn only(flags: AtFlags, known: AtFlags) -> SysResult<()> {
    if known.contains(flags) { Ok(()) } else { Err(Errno::EINVAL) }
}

/// Copies as many bytes out as there is room for, and returns how many. EFAULT.
fn put_bytes(to: Out<u8>, room: usize, bytes: &[u8]) -> SysResult {
    user::buffer(to.addr(), Len(room)).push(&bytes[..bytes.len().min(room)])
}

/// open(2).
pub fn open(path: Path, flags: OpenFlags, mode: Mode) -> SysResult {
    openat(DirFd::AT_FDCWD, path, flags, mode)
}

/// creat(2).
pub fn creat(path: Path, mode: Mode) -> SysResult {
    open(path, OpenFlags::O_CREAT | OpenFlags::O_WRONLY | OpenFlags::O_TRUNC, mode)
}

/// openat(2).
pub fn openat(dirfd: DirFd, path: Path, flags: OpenFlags, mode: Mode) -> SysResult {
    let place = Place::read(dirfd, path)?;
    let number = kernel().fds.reserve()?;
    let file = kernel().vfs.open(&place.at(), &place.path, flags, mode.0.into())?;
    kernel().futex.policy.note_open();
    chart::opened(&place.path);
    Ok(number.fill(file, flags.contains(OpenFlags::O_CLOEXEC)) as usize)
}

/// getdents64(2).
pub fn getdents64(fd: Fd, dirp: Out<u8>, count: Len) -> SysResult {
    let file = used_file(fd)?;
    let mut records = Records::with_room(count.0.min(MAX_RECORDS))?;
    file.list(&mut |ino, next, d_type, name| records.push(ino, next, d_type, name))?;
    put_bytes(dirp, count.0, &records.finish()?)
}

/// getcwd(2): as the system call has it, the result is the length with the NUL.
pub fn getcwd(buf: Out<u8>, size: Len) -> SysResult {
    let mut path = kernel().vfs.getcwd()?;
    path.push(0);
    if path.len() > size.0 {
        return Err(Errno::ERANGE);
    }
    put_bytes(buf, size.0, &path)
}

/// chdir(2).
pub fn chdir(path: Path) -> SysResult {
    kernel().vfs.chdir(&user::path(path)?)?;
    Ok(0)
}

/// fchdir(2).
pub fn fchdir(fd: Fd) -> SysResult {
    let directory = open_file(fd)?;
    kernel().vfs.fchdir(&directory)?;
    Ok(0)
}

/// umask(2).
pub fn umask(mask: Mode) -> SysResult {
    Ok(kernel().vfs.umask(mask.0.into()) as usize)
}
