//! Processes, limits and the machine.

use super::Timeval;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct rlimit`, getrlimit(2); the same as `struct rlimit64` on x86_64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rlimit {
    /// Soft limit; `RLIM_INFINITY` is none.
    pub rlim_cur: u64,
    /// Hard limit.
    pub rlim_max: u64,
}

/// `struct rusage`, getrusage(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Rusage {
    /// User time.
    pub ru_utime: Timeval,
    /// System time.
    pub ru_stime: Timeval,
    /// Largest resident size in KiB.
    pub ru_maxrss: i64,
    /// Unused.
    pub ru_ixrss: i64,
    /// Unused.
    pub ru_idrss: i64,
    /// Unused.
    pub ru_isrss: i64,
    /// Page faults without I/O.
    pub ru_minflt: i64,
    /// Page faults with I/O.
    pub ru_majflt: i64,
    /// Unused.
    pub ru_nswap: i64,
    /// Blocks read.
    pub ru_inblock: i64,
    /// Blocks written.
    pub ru_oublock: i64,
    /// Unused.
    pub ru_msgsnd: i64,
    /// Unused.
    pub ru_msgrcv: i64,
    /// Unused.
    pub ru_nsignals: i64,
    /// Voluntary context switches.
    pub ru_nvcsw: i64,
    /// Involuntary context switches.
    pub ru_nivcsw: i64,
}

/// `struct sysinfo`, sysinfo(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Sysinfo {
    /// Seconds since boot.
    pub uptime: i64,
    /// Load averages of 1, 5 and 15 minutes, times 65536.
    pub loads: [u64; 3],
    /// Usable memory, in `mem_unit` bytes as all sizes here.
    pub totalram: u64,
    /// Free memory.
    pub freeram: u64,
    /// Shared memory.
    pub sharedram: u64,
    /// Memory of buffers.
    pub bufferram: u64,
    /// Swap space.
    pub totalswap: u64,
    /// Free swap space.
    pub freeswap: u64,
    /// Number of processes.
    pub procs: u16,
    /// Padding.
    pub pad: u16,
    /// Padding.
    pub __pad0: u32,
    /// High memory.
    pub totalhigh: u64,
    /// Free high memory.
    pub freehigh: u64,
    /// Bytes in a unit.
    pub mem_unit: u32,
    /// Padding.
    pub __pad1: u32,
}

/// Bytes of one field of `Utsname`, the final NUL included.
pub const UTSNAME_LEN: usize = 65;

/// `struct new_utsname`, uname(2): each field is ended by a NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Utsname {
    /// `Linux`.
    pub sysname: [u8; UTSNAME_LEN],
    /// Host name.
    pub nodename: [u8; UTSNAME_LEN],
    /// Release of the kernel.
    pub release: [u8; UTSNAME_LEN],
    /// Version of the kernel.
    pub version: [u8; UTSNAME_LEN],
    /// `x86_64`.
    pub machine: [u8; UTSNAME_LEN],
    /// Domain name of the NIS.
    pub domainname: [u8; UTSNAME_LEN],
}

/// `struct robust_list_head`, set_robust_list(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RobustListHead {
    /// Address of the first lock, or of this head when the list is empty.
    pub list: usize,
    /// From a list entry to its futex word, in bytes.
    pub futex_offset: i64,
    /// Address of a lock about to be taken or released, or 0.
    pub list_op_pending: usize,
}

/// `struct sched_param`, sched_setscheduler(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SchedParam {
    /// Priority; 0 for `SCHED_OTHER`.
    pub sched_priority: i32,
}
