//! The program's address space: mmap(2) and relatives. The plan of it is in `trapless_logic::mm`, the page tables are the platform's.

use crate::kernel::open_file;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::mm::space::MapRequest;
use trapless_platform::mm;

/// Turns an address into a result.
fn address(result: SysResult<u64>) -> SysResult {
    result.map(|at| at as usize)
}

pub fn mmap(addr: UserPtr, length: Len, prot: Prot, flags: MmapFlags, fd: Fd, offset: Offset) -> SysResult {
    let at = u64::try_from(offset.0).ok().filter(|at| at % 4096 == 0).ok_or(Errno::EINVAL)?;
    let request = MapRequest { address: addr.addr() as u64, len: length.0 as u64, prot, flags };
    if flags.contains(MmapFlags::MAP_ANONYMOUS) {
        return address(mm::mmap(&request));
    }
    let file = open_file(fd)?;
    if !file.readable() {
        return Err(Errno::EACCES);
    }
    if !file.file.takes_offsets() {
        return Err(Errno::ENODEV);
    }
    let shared = flags.bits() & MmapFlags::MAP_TYPE != 2;
    if shared && prot.contains(Prot::PROT_WRITE) {
        // Writes would have to reach the file.
        return Err(if file.writable() { Errno::ENODEV } else { Errno::EACCES });
    }
    // A mapping that is only read cannot be told from a copy, as long as nobody writes to the file.
    let filled = MapRequest { prot: prot | Prot::PROT_READ | Prot::PROT_WRITE, ..request };
    let start = mm::mmap(&filled)?;
    let fill = || {
        file.file.read_at(at, &mut crate::user::buffer(start as usize, length))?;
        mm::mprotect(start, request.len, prot)
    };
    fill().inspect_err(|_| {
        let _ = mm::munmap(start, request.len);
    })?;
    Ok(start as usize)
}

pub fn munmap(addr: UserPtr, length: Len) -> SysResult {
    address(mm::munmap(addr.addr() as u64, length.0 as u64))
}

pub fn mprotect(addr: UserPtr, len: Len, prot: Prot) -> SysResult {
    address(mm::mprotect(addr.addr() as u64, len.0 as u64, prot))
}

pub fn brk(addr: UserPtr) -> SysResult {
    Ok(mm::brk(addr.addr() as u64) as usize)
}

pub fn mremap(
    old_address: UserPtr,
    old_size: Len,
    new_size: Len,
    flags: MremapFlags,
    new_address: UserPtr,
) -> SysResult {
    let (old, to) = (old_address.addr() as u64, new_address.addr() as u64);
    address(mm::mremap(old, old_size.0 as u64, new_size.0 as u64, flags, to))
}

pub fn madvise(addr: UserPtr, length: Len, advice: Madvice) -> SysResult {
    address(mm::madvise(addr.addr() as u64, length.0 as u64, advice))
}

pub fn mincore(addr: UserPtr, length: Len, vec: Out<u8>) -> SysResult {
    if !addr.addr().is_multiple_of(4096) {
        return Err(Errno::EINVAL);
    }
    let resident = mm::mincore(addr.addr() as u64, length.0 as u64)?;
    trapless_platform::user::copy_out(vec.addr(), &resident).map(|()| 0)
}

/// ENOMEM if the range has a hole, as all the calls below say.
fn mapped(addr: UserPtr, length: Len) -> SysResult {
    if mm::is_mapped(addr.addr() as u64, length.0 as u64) { Ok(0) } else { Err(Errno::ENOMEM) }
}

pub fn msync(addr: UserPtr, length: Len, flags: MsyncFlags) -> SysResult {
    if !addr.addr().is_multiple_of(4096) || flags.contains(MsyncFlags::MS_ASYNC | MsyncFlags::MS_SYNC) {
        return Err(Errno::EINVAL);
    }
    mapped(addr, length)
}

pub fn mlock(addr: UserPtr, len: Len) -> SysResult {
    mapped(addr, len)
}

pub fn mlock2(addr: UserPtr, len: Len, _flags: MlockFlags) -> SysResult {
    mapped(addr, len)
}

pub fn munlock(addr: UserPtr, len: Len) -> SysResult {
    mapped(addr, len)
}

pub fn mlockall(_flags: MlockallFlags) -> SysResult {
    Ok(0)
}

pub fn munlockall() -> SysResult {
    Ok(0)
}
