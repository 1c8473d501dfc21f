//! The structures Linux x86_64 shares with C programs, with the names and fields of the kernel's UAPI headers.
//!
//! Every byte of each structure is a field (padding included), so zerocopy's derives can turn them into bytes and back
//! without `unsafe`; `FromZeros::new_zeroed()` makes an empty one. Pointers are `usize`: they are addresses in the
//! program's memory, to be copied from and to, never dereferenced.

mod fs;
mod net;
mod netlink;
mod poll;
mod process;
mod signal;
mod term;
mod time;

pub use fs::*;
pub use net::*;
pub use netlink::*;
pub use poll::*;
pub use process::*;
pub use signal::*;
pub use term::*;
pub use time::*;

/// Checks sizes at compile time: a structure of another size would not be the kernel's.
macro_rules! sizes {
    ($($name:ident = $size:literal),* $(,)?) => {
        $(const _: () = assert!(size_of::<$name>() == $size, stringify!($name));)*
    };
}

sizes! {
    Timespec = 16, Timeval = 16, Itimerspec = 32, Itimerval = 32, Tms = 32, Timezone = 8,
    Stat = 144, Statx = 256, StatxTimestamp = 16, Statfs = 120, Dirent64 = 19, Flock = 32,
    EpollEvent = 12, Pollfd = 8, FdSet = 128, PselectSigmask = 16,
    Sockaddr = 16, SockaddrIn = 16, SockaddrIn6 = 28, SockaddrUn = 110, SockaddrStorage = 128,
    Iovec = 16, Msghdr = 56, MmsgHdr = 64, Cmsghdr = 16, Linger = 8, IpMreqn = 12, Ucred = 12, Ifreq = 40, Ifconf = 16,
    SockaddrNl = 12, Nlmsghdr = 16, Nlmsgerr = 20, Rtattr = 4, Ifinfomsg = 16, Ifaddrmsg = 8,
    Sigset = 8, Sigaction = 32, StackT = 24, Siginfo = 128, Mcontext = 256, Ucontext = 304,
    Rlimit = 16, Rusage = 144, Sysinfo = 112, Utsname = 390, RobustListHead = 24, SchedParam = 4,
    Winsize = 8, Termios = 36,
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;
    use zerocopy::{FromBytes, FromZeros, IntoBytes};

    #[test]
    fn bytes_round_trip() {
        let mut event = EpollEvent::new_zeroed();
        event.events = 0x4000_0001;
        event.data = 0x1122_3344_5566_7788;
        let bytes = event.as_bytes();
        assert_eq!(bytes[4..], 0x1122_3344_5566_7788u64.to_le_bytes());
        assert_eq!(EpollEvent::read_from_bytes(bytes).unwrap(), event);
        assert!(EpollEvent::read_from_bytes(&bytes[1..]).is_err());
    }

    /// Offsets that only the kernel's own (not the libc's) headers fix.
    #[test]
    fn kernel_offsets() {
        assert_eq!(offset_of!(Sigaction, sa_restorer), 16);
        assert_eq!(offset_of!(Sigaction, sa_mask), 24);
        assert_eq!(offset_of!(Termios, c_line), 16);
        assert_eq!(offset_of!(Stat, st_size), 48);
        assert_eq!(offset_of!(Stat, st_atim), 72);
        assert_eq!(offset_of!(Statx, stx_mnt_id), 0x90);
        assert_eq!(offset_of!(Dirent64, d_type), 18);
        assert_eq!(offset_of!(Siginfo, si_pid), 16);
        assert_eq!(offset_of!(Ucontext, uc_mcontext), 40);
        assert_eq!(offset_of!(Ucontext, uc_sigmask), 296);
    }
}
