//! Decoding and tracing of flags and choices.

use super::*;
use crate::Errno;
use crate::args::{Arg, Trace};
use core::fmt;

struct Traced<T>(usize, core::marker::PhantomData<T>);

impl<T: Trace> fmt::Display for Traced<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::trace(self.0, f)
    }
}

fn traced<T: Trace>(raw: usize) -> String {
    Traced::<T>(raw, core::marker::PhantomData).to_string()
}

#[test]
fn strict_sets_refuse_unknown_bits() {
    assert_eq!(Prot::decode(3), Ok(Prot::PROT_READ | Prot::PROT_WRITE));
    assert_eq!(Prot::decode(0x100), Err(Errno::EINVAL));
    assert_eq!(PipeFlags::decode(1), Err(Errno::EINVAL));
    assert_eq!(EventfdFlags::decode(2), Err(Errno::EINVAL));
    assert_eq!(MremapFlags::decode(8), Err(Errno::EINVAL));
    assert_eq!(AtFlags::decode(1), Err(Errno::EINVAL));
    assert_eq!(SockFlags::decode(1), Err(Errno::EINVAL));
    assert_eq!(CloneFlags::decode(1 << 32), Err(Errno::EINVAL));
}

#[test]
fn lenient_sets_drop_unknown_bits() {
    assert_eq!(OpenFlags::decode(1 << 30 | 0o1), Ok(OpenFlags::O_WRONLY));
    assert_eq!(MmapFlags::decode(0x2000_0022), Ok(MmapFlags::MAP_PRIVATE | MmapFlags::MAP_ANONYMOUS));
    assert_eq!(EpollEvents::decode(1 << 30 | 1 << 20), Ok(EpollEvents::EPOLLONESHOT));
}

/// A C `int` comes sign-extended, an `unsigned` may come with anything above it: only 32 bits count.
#[test]
fn upper_halves_do_not_count() {
    assert_eq!(Prot::decode(0xffff_ffff_0000_0001), Ok(Prot::PROT_READ));
    assert_eq!(RusageWho::decode(-1isize as usize), Ok(RusageWho::RUSAGE_CHILDREN));
    assert_eq!(RusageWho::decode(0xffff_ffff), Ok(RusageWho::RUSAGE_CHILDREN));
}

#[test]
fn choices_have_their_own_errors() {
    assert_eq!(ClockId::decode(1), Ok(ClockId::CLOCK_MONOTONIC));
    assert_eq!(ClockId::decode(10), Err(Errno::EINVAL));
    assert_eq!(AddressFamily::decode(3), Err(Errno::EAFNOSUPPORT));
    assert_eq!(FutexOp::decode(99), Err(Errno::ENOSYS));
    assert_eq!(FutexOp::decode(128 | 256), Err(Errno::ENOSYS));
    let wait = FutexOp { cmd: FutexCmd::FUTEX_WAIT, private: true, realtime: false };
    assert_eq!(FutexOp::decode(128), Ok(wait));
    let stream = SockType { kind: SockKind::SOCK_STREAM, flags: SockFlags::SOCK_NONBLOCK };
    assert_eq!(SockType::decode(0o4001), Ok(stream));
    assert_eq!(SockType::decode(0x11), Err(Errno::EINVAL));
    assert_eq!(SockType::decode(9), Err(Errno::EINVAL));
}

#[test]
fn signals_are_1_to_64() {
    assert_eq!(Signal::decode(9), Ok(Signal::SIGKILL));
    assert_eq!(Signal::decode(0), Err(Errno::EINVAL));
    assert_eq!(Signal::decode(65), Err(Errno::EINVAL));
    assert_eq!(Signal::decode(256 + 9), Err(Errno::EINVAL));
    assert_eq!(Option::<Signal>::decode(0), Ok(None));
    assert_eq!(Option::<Signal>::decode(64).unwrap().unwrap().number(), 64);
}

#[test]
fn access_modes() {
    assert!(OpenFlags::empty().readable() && !OpenFlags::empty().writable());
    assert!(OpenFlags::O_RDWR.readable() && OpenFlags::O_RDWR.writable());
    assert!(!OpenFlags::O_WRONLY.readable() && OpenFlags::O_WRONLY.writable());
    assert!(!OpenFlags::O_PATH.readable());
}

#[test]
fn traces_read_like_c() {
    assert_eq!(traced::<OpenFlags>(0), "O_RDONLY");
    assert_eq!(traced::<OpenFlags>(0o100_000), "O_RDONLY|O_LARGEFILE");
    assert_eq!(traced::<OpenFlags>(0o2_100_001), "O_WRONLY|O_LARGEFILE|O_CLOEXEC");
    assert_eq!(traced::<OpenFlags>(0o4_010_002), "O_RDWR|O_SYNC");
    assert_eq!(traced::<Prot>(0), "PROT_NONE");
    assert_eq!(traced::<Prot>(0x103), "PROT_READ|PROT_WRITE|0x100");
    assert_eq!(traced::<MsgFlags>(0), "0");
    assert_eq!(traced::<AccessMode>(0), "F_OK");
    assert_eq!(traced::<MmapFlags>(0x4022), "MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE");
    assert_eq!(traced::<CloneFlags>(0x111), "CLONE_VM|0x11");
    assert_eq!(traced::<FutexOp>(129), "FUTEX_WAKE|FUTEX_PRIVATE_FLAG");
    assert_eq!(traced::<SockType>(0o2_000_001), "SOCK_STREAM|SOCK_CLOEXEC");
    assert_eq!(traced::<ClockId>(10), "0xa");
    assert_eq!(traced::<Mode>(0o644), "0644");
    assert_eq!(traced::<IoctlRequest>(0x5413), "TIOCGWINSZ");
    assert_eq!(traced::<Signal>(15), "SIGTERM");
    assert_eq!(traced::<Signal>(33), "SIGRT_1");
    assert_eq!(traced::<SockLevel>(1), "SOL_SOCKET");
}
