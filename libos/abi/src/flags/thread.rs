//! Threads, futexes and scheduling.

use super::{choices, consts, flags};
use crate::args::{Arg, Trace};
use crate::{Errno, SysResult};
use core::fmt;

flags! {
    /// What a new thread shares, clone(2). The lowest byte is the signal sent at its end, `CloneFlags::exit_signal`.
    strict CloneFlags: u64 {
        CSIGNAL = 0xff, "The bits of the exit signal.";
        CLONE_VM = 0x100, "Memory.";
        CLONE_FS = 0x200, "Directory and umask.";
        CLONE_FILES = 0x400, "Descriptors.";
        CLONE_SIGHAND = 0x800, "Signal handlers.";
        CLONE_PIDFD = 0x1000, "Give a descriptor of the process.";
        CLONE_PTRACE = 0x2000, "Traced too.";
        CLONE_VFORK = 0x4000, "Wait until it ends or calls execve(2).";
        CLONE_PARENT = 0x8000, "The same parent.";
        CLONE_THREAD = 0x10000, "The same process.";
        CLONE_NEWNS = 0x20000, "New mount namespace.";
        CLONE_SYSVSEM = 0x40000, "System V semaphore adjustments.";
        CLONE_SETTLS = 0x80000, "Set its thread pointer.";
        CLONE_PARENT_SETTID = 0x10_0000, "Store its id for the parent.";
        CLONE_CHILD_CLEARTID = 0x20_0000, "Clear its id and wake a futex when it ends.";
        CLONE_DETACHED = 0x40_0000, "Ignored; the C library sets it.";
        CLONE_UNTRACED = 0x80_0000, "Cannot be traced by force.";
        CLONE_CHILD_SETTID = 0x100_0000, "Store its id in its memory.";
        CLONE_NEWCGROUP = 0x200_0000, "New cgroup namespace.";
        CLONE_NEWUTS = 0x400_0000, "New host name namespace.";
        CLONE_NEWIPC = 0x800_0000, "New IPC namespace.";
        CLONE_NEWUSER = 0x1000_0000, "New user namespace.";
        CLONE_NEWPID = 0x2000_0000, "New process namespace.";
        CLONE_NEWNET = 0x4000_0000, "New network namespace.";
        CLONE_IO = 0x8000_0000, "I/O context.";
    }
}

impl CloneFlags {
    /// What pthread_create(3) of the C library asks for: all of it, and nothing else.
    pub const THREAD: Self = Self::CLONE_VM
        .union(Self::CLONE_FS)
        .union(Self::CLONE_FILES)
        .union(Self::CLONE_SIGHAND)
        .union(Self::CLONE_THREAD)
        .union(Self::CLONE_SYSVSEM)
        .union(Self::CLONE_SETTLS)
        .union(Self::CLONE_PARENT_SETTID)
        .union(Self::CLONE_CHILD_CLEARTID)
        .union(Self::CLONE_DETACHED);

    /// The signal sent to the parent at the end; 0 for none.
    pub const fn exit_signal(self) -> u8 {
        self.bits() as u8
    }
}

choices! {
    /// The command of a futex operation, futex(2).
    FutexCmd: u32, else ENOSYS {
        FUTEX_WAIT = 0, "Wait if the word has the value; the time limit is relative.";
        FUTEX_WAKE = 1, "Wake some waiters.";
        FUTEX_FD = 2, "Removed from Linux.";
        FUTEX_REQUEUE = 3, "Wake some, move others.";
        FUTEX_CMP_REQUEUE = 4, "The same, if the word has the value.";
        FUTEX_WAKE_OP = 5, "Wake on two words after changing one.";
        FUTEX_LOCK_PI = 6, "Lock with priority inheritance.";
        FUTEX_UNLOCK_PI = 7, "Unlock with priority inheritance.";
        FUTEX_TRYLOCK_PI = 8, "Try to lock with priority inheritance.";
        FUTEX_WAIT_BITSET = 9, "Wait with a mask; the time limit is absolute.";
        FUTEX_WAKE_BITSET = 10, "Wake by mask.";
        FUTEX_WAIT_REQUEUE_PI = 11, "Wait, to be moved to a PI lock.";
        FUTEX_CMP_REQUEUE_PI = 12, "Move waiters to a PI lock.";
        FUTEX_LOCK_PI2 = 13, "`FUTEX_LOCK_PI` with a choice of clock.";
    }
}

/// `futex_op` of futex(2): a command and two flags. An unknown command is ENOSYS, as on Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FutexOp {
    /// What to do.
    pub cmd: FutexCmd,
    /// `FUTEX_PRIVATE_FLAG`: not shared with other processes.
    pub private: bool,
    /// `FUTEX_CLOCK_REALTIME`: the time limit is of the wall clock.
    pub realtime: bool,
}

consts! { u32 {
    FUTEX_PRIVATE_FLAG = 128, "Flag of `FutexOp`.";
    FUTEX_CLOCK_REALTIME = 256, "Flag of `FutexOp`.";
    FUTEX_BITSET_MATCH_ANY = u32::MAX, "Mask that matches all.";
    FUTEX_WAITERS = 0x8000_0000, "Bit of a robust or PI futex word: there are waiters.";
    FUTEX_OWNER_DIED = 0x4000_0000, "Bit of a robust futex word: the owner ended without unlocking.";
    FUTEX_TID_MASK = 0x3fff_ffff, "Bits of a robust or PI futex word: the owner.";
} }

impl Arg for FutexOp {
    fn decode(raw: usize) -> SysResult<Self> {
        let bits = raw as u32;
        let cmd = FutexCmd::decode((bits & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) as usize)?;
        let realtime = bits & FUTEX_CLOCK_REALTIME != 0;
        // futex(2): the clock can be chosen for these only.
        let timed =
            matches!(cmd, FutexCmd::FUTEX_WAIT_BITSET | FutexCmd::FUTEX_WAIT_REQUEUE_PI | FutexCmd::FUTEX_LOCK_PI2);
        if realtime && !timed {
            return Err(Errno::ENOSYS);
        }
        Ok(Self { cmd, private: bits & FUTEX_PRIVATE_FLAG != 0, realtime })
    }
}

impl Trace for FutexOp {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = raw as u32;
        FutexCmd::trace((bits & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) as usize, f)?;
        f.write_str(if bits & FUTEX_PRIVATE_FLAG != 0 { "|FUTEX_PRIVATE_FLAG" } else { "" })?;
        f.write_str(if bits & FUTEX_CLOCK_REALTIME != 0 { "|FUTEX_CLOCK_REALTIME" } else { "" })
    }
}

choices! {
    /// What arch_prctl(2) does.
    ArchPrctl: i32, else EINVAL {
        ARCH_SET_GS = 0x1001, "Set the base of GS.";
        ARCH_SET_FS = 0x1002, "Set the base of FS, the thread pointer.";
        ARCH_GET_FS = 0x1003, "Get the base of FS.";
        ARCH_GET_GS = 0x1004, "Get the base of GS.";
    }
}

choices! {
    /// What prctl(2) does; those known here.
    Prctl: i32, else EINVAL {
        PR_SET_PDEATHSIG = 1, "Set the signal sent when the parent ends.";
        PR_GET_DUMPABLE = 3, "Get whether core is dumped.";
        PR_SET_DUMPABLE = 4, "Set whether core is dumped.";
        PR_SET_NAME = 15, "Set the name of the thread.";
        PR_GET_NAME = 16, "Get the name of the thread.";
        PR_SET_TIMERSLACK = 29, "Set the slack of timers.";
        PR_GET_TIMERSLACK = 30, "Get the slack of timers.";
        PR_SET_NO_NEW_PRIVS = 38, "Give up new privileges.";
        PR_SET_THP_DISABLE = 41, "Set whether huge pages are off.";
        PR_SET_VMA = 0x5356_4d41, "Name a mapping.";
    }
}

choices! {
    /// What membarrier(2) does.
    MembarrierCmd: i32, else EINVAL {
        MEMBARRIER_CMD_QUERY = 0, "Ask which commands there are.";
        MEMBARRIER_CMD_GLOBAL = 1, "All threads of the machine.";
        MEMBARRIER_CMD_GLOBAL_EXPEDITED = 2, "All registered processes.";
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED = 4, "Register for that.";
        MEMBARRIER_CMD_PRIVATE_EXPEDITED = 8, "All threads of the process.";
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED = 16, "Register for that.";
        MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE = 32, "The same, serialising instructions.";
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE = 64, "Register for that.";
    }
}

choices! {
    /// A scheduling policy, sched(7).
    SchedPolicy: i32, else EINVAL {
        SCHED_OTHER = 0, "Shared in turn.";
        SCHED_FIFO = 1, "Real time.";
        SCHED_RR = 2, "Real time, in turn.";
        SCHED_BATCH = 3, "Batch.";
        SCHED_IDLE = 5, "Idle.";
        SCHED_DEADLINE = 6, "Deadline.";
    }
}
