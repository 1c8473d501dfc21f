//! Processes, limits and the machine.

use super::{choices, consts, flags};

flags! {
    /// Options of wait4(2).
    strict WaitOptions: u32 {
        WNOHANG = 1, "Do not wait.";
        WUNTRACED = 2, "Stopped children too.";
        WCONTINUED = 8, "Continued children too.";
        __WNOTHREAD = 0x2000_0000, "Only children of this thread.";
        __WALL = 0x4000_0000, "All kinds of children.";
        __WCLONE = 0x8000_0000, "Only clone children.";
    }
}

choices! {
    /// A limited resource, getrlimit(2).
    Resource: i32, else EINVAL {
        RLIMIT_CPU = 0, "Seconds of processor time.";
        RLIMIT_FSIZE = 1, "Bytes of a file.";
        RLIMIT_DATA = 2, "Bytes of data.";
        RLIMIT_STACK = 3, "Bytes of the main stack.";
        RLIMIT_CORE = 4, "Bytes of a core dump.";
        RLIMIT_RSS = 5, "Bytes in memory.";
        RLIMIT_NPROC = 6, "Threads.";
        RLIMIT_NOFILE = 7, "One more than the highest descriptor.";
        RLIMIT_MEMLOCK = 8, "Bytes locked.";
        RLIMIT_AS = 9, "Bytes mapped.";
        RLIMIT_LOCKS = 10, "File locks.";
        RLIMIT_SIGPENDING = 11, "Queued signals.";
        RLIMIT_MSGQUEUE = 12, "Bytes of message queues.";
        RLIMIT_NICE = 13, "Niceness.";
        RLIMIT_RTPRIO = 14, "Real-time priority.";
        RLIMIT_RTTIME = 15, "Microseconds of real-time computing.";
    }
}

choices! {
    /// Whose use getrusage(2) tells.
    RusageWho: i32, else EINVAL {
        RUSAGE_SELF = 0, "The process.";
        RUSAGE_CHILDREN = -1, "Children waited for.";
        RUSAGE_THREAD = 1, "The thread.";
    }
}

choices! {
    /// What getpriority(2) is about.
    PriorityWhich: i32, else EINVAL {
        PRIO_PROCESS = 0, "A process or thread.";
        PRIO_PGRP = 1, "A process group.";
        PRIO_USER = 2, "A user.";
    }
}

flags! {
    /// Flags of getrandom(2).
    strict GetrandomFlags: u32 {
        GRND_NONBLOCK = 1, "Return EAGAIN rather than wait for entropy.";
        GRND_RANDOM = 2, "From the random source.";
        GRND_INSECURE = 4, "Even before the source is ready.";
    }
}

choices! {
    /// What reboot(2) does.
    RebootCmd: u32, else EINVAL {
        LINUX_REBOOT_CMD_CAD_OFF = 0, "Ctrl-Alt-Del sends SIGINT.";
        LINUX_REBOOT_CMD_CAD_ON = 0x89ab_cdef, "Ctrl-Alt-Del restarts.";
        LINUX_REBOOT_CMD_HALT = 0xcdef_0123, "Halt.";
        LINUX_REBOOT_CMD_POWER_OFF = 0x4321_fedc, "Switch off.";
        LINUX_REBOOT_CMD_RESTART = 0x0123_4567, "Restart.";
    }
}

consts! { u64 {
    RLIM_INFINITY = u64::MAX, "No limit, getrlimit(2).";
} }

consts! { u32 {
    LINUX_REBOOT_MAGIC1 = 0xfee1_dead, "First argument of reboot(2).";
    LINUX_REBOOT_MAGIC2 = 672_274_793, "Second argument of reboot(2).";
} }
