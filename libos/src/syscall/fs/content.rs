//! What a file holds: its size, locks on it, and writing back what lives in memory anyway.

use super::used_file;
use crate::kernel::{kernel, open_file};
use crate::user;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::vfs::Kind;

/// A length or offset that must not be negative. EINVAL.
fn natural(offset: Offset) -> SysResult<u64> {
    u64::try_from(offset.0).map_err(|_| Errno::EINVAL)
}

/// The type of an open file, None for those that are none in particular (an eventfd).
fn kind(file: &crate::kernel::Open) -> SysResult<Option<Kind>> {
    Ok(Kind::of_mode(file.file.stat()?.st_mode))
}

/// truncate(2).
pub fn truncate(path: Path, length: Offset) -> SysResult {
    kernel().vfs.truncate(&user::path(path)?, natural(length)?)?;
    Ok(0)
}

/// ftruncate(2): EINVAL rather than EBADF for a file that is not open for writing.
pub fn ftruncate(fd: Fd, length: Offset) -> SysResult {
    let length = natural(length)?;
    let file = used_file(fd)?;
    if !file.writable() {
        return Err(Errno::EINVAL);
    }
    file.file.truncate(length)?;
    Ok(0)
}

/// fallocate(2). The memory itself is taken when it is written.
pub fn fallocate(fd: Fd, mode: U32, offset: Offset, len: Offset) -> SysResult {
    let file = used_file(fd)?;
    let end = match (natural(offset)?, natural(len)?) {
        (_, 0) => return Err(Errno::EINVAL),
        (offset, len) => offset.checked_add(len).filter(|&end| end <= i64::MAX as u64).ok_or(Errno::EFBIG)?,
    };
    if mode.0 != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    if !file.writable() {
        return Err(Errno::EBADF);
    }
    match kind(&file)? {
        Some(Kind::Regular) if file.file.size() < end => file.file.truncate(end)?,
        Some(Kind::Regular) => {}
        Some(Kind::Fifo) => return Err(Errno::ESPIPE),
        _ => return Err(Errno::ENODEV),
    }
    Ok(0)
}

/// flock(2).
pub fn flock(fd: Fd, operation: FlockOp) -> SysResult {
    used_file(fd)?;
    match operation - FlockOp::LOCK_NB {
        FlockOp::LOCK_SH | FlockOp::LOCK_EX | FlockOp::LOCK_UN => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// fsync(2): EINVAL for what has no content to write back.
pub fn fsync(fd: Fd) -> SysResult {
    match kind(&*used_file(fd)?)? {
        Some(Kind::Regular | Kind::Directory) => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

/// fdatasync(2).
pub fn fdatasync(fd: Fd) -> SysResult {
    fsync(fd)
}

/// sync(2).
pub fn sync() -> SysResult {
    Ok(0)
}

/// syncfs(2).
pub fn syncfs(fd: Fd) -> SysResult {
    used_file(fd)?;
    Ok(0)
}

/// posix_fadvise(2).
pub fn fadvise64(fd: Fd, _offset: Offset, len: Offset, advice: I32) -> SysResult {
    const LAST_ADVICE: i32 = 5;
    let file = open_file(fd)?;
    if kind(&file)? == Some(Kind::Fifo) {
        return Err(Errno::ESPIPE);
    }
    natural(len)?;
    if (0..=LAST_ADVICE).contains(&advice.0) { Ok(0) } else { Err(Errno::EINVAL) }
}
