//! Descriptors: flags, fcntl, ioctl, pipes, and descriptors that stand for events.

use super::{choices, consts, flags};
use crate::SysResult;
use crate::args::{Arg, Trace};
use core::fmt;

flags! {
    /// Flags of a descriptor, `F_SETFD` of fcntl(2). Linux looks at one bit only.
    lenient FdFlags: u32 {
        FD_CLOEXEC = 1, "Close on execve(2).";
    }
}

flags! {
    /// Flags of dup3, dup(2).
    strict Dup3Flags: u32 {
        O_CLOEXEC = 0o2_000_000, "Close on execve(2).";
    }
}

flags! {
    /// Flags of pipe2, pipe(2).
    strict PipeFlags: u32 {
        O_CLOEXEC = 0o2_000_000, "Close on execve(2).";
        O_NONBLOCK = 0o4000, "Return EAGAIN rather than wait.";
        O_DIRECT = 0o40_000, "Keep writes apart.";
    }
}

flags! {
    /// Flags of eventfd2, eventfd(2).
    strict EventfdFlags: u32 {
        EFD_SEMAPHORE = 1, "A read takes one.";
        EFD_NONBLOCK = 0o4000, "Return EAGAIN rather than wait.";
        EFD_CLOEXEC = 0o2_000_000, "Close on execve(2).";
    }
}

flags! {
    /// Flags of timerfd_create(2).
    strict TimerfdFlags: u32 {
        TFD_NONBLOCK = 0o4000, "Return EAGAIN rather than wait.";
        TFD_CLOEXEC = 0o2_000_000, "Close on execve(2).";
    }
}

flags! {
    /// Flags of timerfd_settime(2).
    strict TimerfdSetFlags: u32 {
        TFD_TIMER_ABSTIME = 1, "The expiry is a time of the clock, not from now.";
        TFD_TIMER_CANCEL_ON_SET = 2, "Cancel when the clock is set.";
    }
}

flags! {
    /// Flags of memfd_create(2).
    strict MemfdFlags: u32 {
        MFD_CLOEXEC = 1, "Close on execve(2).";
        MFD_ALLOW_SEALING = 2, "Seals may be added.";
        MFD_HUGETLB = 4, "Of huge pages.";
        MFD_NOEXEC_SEAL = 8, "Never executable.";
        MFD_EXEC = 0x10, "Executable.";
    }
}

flags! {
    /// Flags of close_range(2).
    strict CloseRangeFlags: u32 {
        CLOSE_RANGE_UNSHARE = 2, "Unshare the table of descriptors first.";
        CLOSE_RANGE_CLOEXEC = 4, "Set close-on-exec instead of closing.";
    }
}

choices! {
    /// What fcntl(2) does.
    FcntlCmd: i32, else EINVAL {
        F_DUPFD = 0, "Duplicate to the lowest free descriptor at or above the argument.";
        F_GETFD = 1, "Get the flags of the descriptor.";
        F_SETFD = 2, "Set the flags of the descriptor.";
        F_GETFL = 3, "Get the status flags of the file.";
        F_SETFL = 4, "Set the status flags of the file.";
        F_GETLK = 5, "Find a lock in the way.";
        F_SETLK = 6, "Lock, or EAGAIN.";
        F_SETLKW = 7, "Lock, waiting.";
        F_SETOWN = 8, "Set who gets SIGIO.";
        F_GETOWN = 9, "Get who gets SIGIO.";
        F_DUPFD_CLOEXEC = 1030, "`F_DUPFD` with close-on-exec.";
        F_SETPIPE_SZ = 1031, "Set the size of a pipe.";
        F_GETPIPE_SZ = 1032, "Get the size of a pipe.";
        F_ADD_SEALS = 1033, "Add seals to a memory file.";
        F_GET_SEALS = 1034, "Get the seals of a memory file.";
    }
}

/// A request of ioctl(2): which exist is for the file to say, with ENOTTY.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoctlRequest(
    /// The number.
    pub u32,
);

macro_rules! requests {
    ($($name:ident = $value:literal, $doc:literal;)*) => {
        impl IoctlRequest {
            $(#[doc = $doc] pub const $name: Self = Self($value);)*

            /// The Linux spelling, if this is a request known here.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

requests! {
    TCGETS = 0x5401, "Get the modes of a terminal, ioctl_tty(2).";
    TCSETS = 0x5402, "Set the modes of a terminal.";
    TCSETSW = 0x5403, "Set them once output is drained.";
    TCSETSF = 0x5404, "Set them, dropping input.";
    TIOCGPGRP = 0x540f, "Get the foreground process group.";
    TIOCSPGRP = 0x5410, "Set the foreground process group.";
    TIOCGWINSZ = 0x5413, "Get the size of the window.";
    TIOCSWINSZ = 0x5414, "Set the size of the window.";
    FIONREAD = 0x541b, "Get the number of bytes that can be read.";
    FIONBIO = 0x5421, "Set or clear `O_NONBLOCK`.";
    FIOCLEX = 0x5451, "Set close-on-exec.";
    FIONCLEX = 0x5450, "Clear close-on-exec.";
    SIOCGIFNAME = 0x8910, "Get the name of an interface, netdevice(7).";
    SIOCGIFCONF = 0x8912, "List interfaces.";
    SIOCGIFFLAGS = 0x8913, "Get flags.";
    SIOCGIFADDR = 0x8915, "Get the address.";
    SIOCGIFDSTADDR = 0x8917, "Get the address of the peer.";
    SIOCGIFBRDADDR = 0x8919, "Get the broadcast address.";
    SIOCGIFNETMASK = 0x891b, "Get the netmask.";
    SIOCGIFMTU = 0x8921, "Get the MTU.";
    SIOCGIFHWADDR = 0x8927, "Get the hardware address.";
    SIOCGIFINDEX = 0x8933, "Get the index.";
    SIOCGIFTXQLEN = 0x8942, "Get the length of the transmit queue.";
    SIOCGIFMAP = 0x8970, "Get the parameters of the hardware.";
}

impl Arg for IoctlRequest {
    fn decode(raw: usize) -> SysResult<Self> {
        Ok(Self(raw as u32))
    }
}

impl Trace for IoctlRequest {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self(raw as u32).name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", raw as u32),
        }
    }
}

consts! { i16 {
    F_RDLCK = 0, "`l_type` of `Flock`: shared lock, fcntl(2).";
    F_WRLCK = 1, "Exclusive lock.";
    F_UNLCK = 2, "No lock.";
} }

consts! { usize {
    PIPE_BUF = 4096, "Writes to a pipe of at most this many bytes stay whole, pipe(7).";
} }

/// Bits of `Termios`, termios(3), that the console looks at.
pub mod termios {
    use super::consts;
    consts! { u32 {
        ICRNL = 0o400, "`c_iflag`: turn CR into NL on input.";
        IXON = 0o2000, "`c_iflag`: flow control.";
        OPOST = 0o1, "`c_oflag`: process output.";
        ONLCR = 0o4, "`c_oflag`: turn NL into CR NL on output.";
        B38400 = 0o17, "`c_cflag`: speed.";
        CS8 = 0o60, "`c_cflag`: 8 bits a character.";
        CREAD = 0o200, "`c_cflag`: receive.";
        ISIG = 0o1, "`c_lflag`: characters that send signals.";
        ICANON = 0o2, "`c_lflag`: lines.";
        ECHO = 0o10, "`c_lflag`: echo.";
        ECHOE = 0o20, "`c_lflag`: erase visibly.";
        ECHOK = 0o40, "`c_lflag`: NL after kill.";
        ECHOCTL = 0o1000, "`c_lflag`: echo control characters as ^X.";
        ECHOKE = 0o4000, "`c_lflag`: kill visibly.";
        IEXTEN = 0o100_000, "`c_lflag`: extensions.";
    } }
    consts! { usize {
        VINTR = 0, "Index in `c_cc`: sends SIGINT.";
        VQUIT = 1, "Index in `c_cc`: sends SIGQUIT.";
        VERASE = 2, "Index in `c_cc`: erases a character.";
        VKILL = 3, "Index in `c_cc`: erases the line.";
        VEOF = 4, "Index in `c_cc`: end of file.";
        VTIME = 5, "Index in `c_cc`: time limit in tenths of a second.";
        VMIN = 6, "Index in `c_cc`: least number of characters.";
    } }
}
