//! The process, its ids and limits.

mod limits;

pub use limits::*;

use super::time::{process_cpu_ns, thread_cpu_ns};
use crate::hostname;
use crate::machine_info::{RELEASE, VERSION};
use crate::task::PID;
use crate::user::Put;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_platform::frames;
use zerocopy::FromZeros;

/// The process group and session of the one process, which leads both.
const GROUP: i32 = PID;

/// uname(2).
pub fn uname(buf: Out<Utsname>) -> SysResult {
    let mut names = Utsname::new_zeroed();
    fill(&mut names.sysname, "Linux");
    fill(&mut names.nodename, hostname::get());
    fill(&mut names.release, RELEASE);
    fill(&mut names.version, VERSION);
    fill(&mut names.machine, "x86_64");
    fill(&mut names.domainname, "(none)");
    buf.put(&names)?;
    Ok(0)
}

/// Writes a text into a zeroed field, cut so that a NUL follows.
fn fill(field: &mut [u8; UTSNAME_LEN], text: &str) {
    let len = text.len().min(UTSNAME_LEN - 1);
    field[..len].copy_from_slice(&text.as_bytes()[..len]);
}

/// getrusage(2).
pub fn getrusage(who: RusageWho, usage: Out<Rusage>) -> SysResult {
    let cpu_ns = match who {
        RusageWho::RUSAGE_SELF => process_cpu_ns(),
        RusageWho::RUSAGE_THREAD => thread_cpu_ns(),
        RusageWho::RUSAGE_CHILDREN => 0,
    };
    let in_use = frames::total_frames().saturating_sub(frames::free_frames()) as u64 * (frames::FRAME / 1024);
    let ru_maxrss = if who == RusageWho::RUSAGE_CHILDREN { 0 } else { in_use as i64 };
    usage.put(&Rusage { ru_utime: Timeval::from_nanos(cpu_ns), ru_maxrss, ..Rusage::default() })?;
    Ok(0)
}

/// wait4(2).
pub fn wait4(_pid: Pid, _wstatus: Out<i32>, _options: WaitOptions, _rusage: Out<Rusage>) -> SysResult {
    Err(Errno::ECHILD)
}

/// waitid(2).
pub fn waitid(idtype: I32, _id: Pid, _infop: Out<Siginfo>, options: U32, _rusage: Out<Rusage>) -> SysResult {
    /// P_ALL, P_PID, P_PGID, P_PIDFD.
    const ID_TYPES: core::ops::RangeInclusive<i32> = 0..=3;
    /// WSTOPPED, WEXITED, WCONTINUED: one of them must be asked for.
    const WHAT: u32 = 2 | 4 | 8;
    if ID_TYPES.contains(&idtype.0) && options.0 & WHAT != 0 { Err(Errno::ECHILD) } else { Err(Errno::EINVAL) }
}

/// getpid(2).
pub fn getpid() -> SysResult {
    Ok(PID as usize)
}

/// getppid(2): process 1 has no parent.
pub fn getppid() -> SysResult {
    Ok(0)
}

/// Whether a process id, where 0 means the caller, is the one process. ESRCH.
fn this_process(pid: Pid) -> SysResult<()> {
    if matches!(pid.0, 0 | PID) { Ok(()) } else { Err(Errno::ESRCH) }
}

/// getpgrp(2).
pub fn getpgrp() -> SysResult {
    Ok(GROUP as usize)
}

/// getpgid(2).
pub fn getpgid(pid: Pid) -> SysResult {
    this_process(pid)?;
    getpgrp()
}

/// setpgid(2).
pub fn setpgid(pid: Pid, pgid: Pid) -> SysResult {
    if pgid.0 < 0 {
        return Err(Errno::EINVAL);
    }
    this_process(pid)?;
    if matches!(pgid.0, 0 | GROUP) { Ok(0) } else { Err(Errno::EPERM) }
}

/// getsid(2).
pub fn getsid(pid: Pid) -> SysResult {
    getpgid(pid)
}

/// setsid(2).
pub fn setsid() -> SysResult {
    Err(Errno::EPERM)
}

/// getuid(2).
pub fn getuid() -> SysResult {
    Ok(0)
}

/// geteuid(2).
pub fn geteuid() -> SysResult {
    Ok(0)
}

/// getgid(2).
pub fn getgid() -> SysResult {
    Ok(0)
}

/// getegid(2).
pub fn getegid() -> SysResult {
    Ok(0)
}

/// Whether ids may be set: there is only 0, and -1 leaves an id as it is. EPERM.
fn set_ids<const N: usize>(ids: [u32; N]) -> SysResult {
    if ids.iter().all(|id| matches!(*id, 0 | u32::MAX)) { Ok(0) } else { Err(Errno::EPERM) }
}

/// As [`set_ids`] for calls that always set. EINVAL for -1, which is no id.
fn set_id(id: u32) -> SysResult {
    if id == u32::MAX { Err(Errno::EINVAL) } else { set_ids([id]) }
}

/// setuid(2).
pub fn setuid(uid: Uid) -> SysResult {
    set_id(uid.0)
}

/// setgid(2).
pub fn setgid(gid: Gid) -> SysResult {
    set_id(gid.0)
}

/// setreuid(2).
pub fn setreuid(ruid: Uid, euid: Uid) -> SysResult {
    set_ids([ruid.0, euid.0])
}

/// setregid(2).
pub fn setregid(rgid: Gid, egid: Gid) -> SysResult {
    set_ids([rgid.0, egid.0])
}

/// setresuid(2).
pub fn setresuid(ruid: Uid, euid: Uid, suid: Uid) -> SysResult {
    set_ids([ruid.0, euid.0, suid.0])
}

/// setresgid(2).
pub fn setresgid(rgid: Gid, egid: Gid, sgid: Gid) -> SysResult {
    set_ids([rgid.0, egid.0, sgid.0])
}

/// getresuid(2).
pub fn getresuid(ruid: Out<u32>, euid: Out<u32>, suid: Out<u32>) -> SysResult {
    for id in [ruid, euid, suid] {
        id.put(&0)?;
    }
    Ok(0)
}

/// getresgid(2).
pub fn getresgid(rgid: Out<u32>, egid: Out<u32>, sgid: Out<u32>) -> SysResult {
    getresuid(rgid, egid, sgid)
}

/// getgroups(2): there are none.
pub fn getgroups(size: I32, _list: Out<u32>) -> SysResult {
    if size.0 < 0 { Err(Errno::EINVAL) } else { Ok(0) }
}

/// See [`crate::forker`].
pub fn fork() -> SysResult {
    crate::forker::fork()
}

/// vfork(2): the same.
pub fn vfork() -> SysResult {
    fork()
}
