//! Waiting for descriptors.

use super::{choices, consts, flags};

flags! {
    /// Events of poll(2), widened from the 16 bits of `Pollfd`. Linux ignores bits it does not know.
    lenient PollEvents: u32 {
        POLLIN = 0x1, "Can be read.";
        POLLPRI = 0x2, "Urgent data.";
        POLLOUT = 0x4, "Can be written.";
        POLLERR = 0x8, "Error; always reported.";
        POLLHUP = 0x10, "Hung up; always reported.";
        POLLNVAL = 0x20, "Not a descriptor; always reported.";
        POLLRDNORM = 0x40, "As `POLLIN`.";
        POLLRDBAND = 0x80, "Priority data can be read.";
        POLLWRNORM = 0x100, "As `POLLOUT`.";
        POLLWRBAND = 0x200, "Priority data can be written.";
        POLLMSG = 0x400, "Unused.";
        POLLRDHUP = 0x2000, "The peer will write no more.";
    }
}

flags! {
    /// Events and behaviour of an epoll entry, epoll_ctl(2). Linux ignores bits it does not know.
    lenient EpollEvents: u32 {
        EPOLLIN = 0x1, "Can be read.";
        EPOLLPRI = 0x2, "Urgent data.";
        EPOLLOUT = 0x4, "Can be written.";
        EPOLLERR = 0x8, "Error; always reported.";
        EPOLLHUP = 0x10, "Hung up; always reported.";
        EPOLLRDNORM = 0x40, "As `EPOLLIN`.";
        EPOLLRDBAND = 0x80, "Priority data can be read.";
        EPOLLWRNORM = 0x100, "As `EPOLLOUT`.";
        EPOLLWRBAND = 0x200, "Priority data can be written.";
        EPOLLMSG = 0x400, "Unused.";
        EPOLLRDHUP = 0x2000, "The peer will write no more.";
        EPOLLEXCLUSIVE = 1 << 28, "Wake one waiter.";
        EPOLLWAKEUP = 1 << 29, "Keep the machine awake.";
        EPOLLONESHOT = 1 << 30, "Disable the entry after one report.";
        EPOLLET = 1 << 31, "Report changes only.";
    }
}

impl EpollEvents {
    /// The events proper, which share their numbers with `PollEvents`; the other bits change how they are reported.
    pub const fn events(self) -> PollEvents {
        PollEvents::from_bits_truncate(self.bits() & 0xffff)
    }
}

choices! {
    /// What epoll_ctl(2) does.
    EpollOp: i32, else EINVAL {
        EPOLL_CTL_ADD = 1, "Add an entry.";
        EPOLL_CTL_DEL = 2, "Remove an entry.";
        EPOLL_CTL_MOD = 3, "Change an entry.";
    }
}

flags! {
    /// Flags of epoll_create1, epoll_create(2).
    strict EpollCreateFlags: u32 {
        EPOLL_CLOEXEC = 0o2_000_000, "Close on execve(2).";
    }
}

consts! { usize {
    EPOLL_MAX_EVENTS = i32::MAX as usize / 12, "Most events epoll_wait(2) takes: their bytes fit an int.";
} }
