//! The one of everything: the state that handlers share.

use crate::config::Config;
use alloc::sync::Arc;
use spin::Once;
use trapless_logic::fd::FdTable;
use trapless_logic::file::OpenFile;
use trapless_logic::futex::FutexTable;
use trapless_logic::net::NetStack;
use trapless_logic::signal::ProcessSignals;
use trapless_logic::socket::netlink::Netlink;
use trapless_logic::socket::unix::Names;
use trapless_logic::vfs::Vfs;
use trapless_platform::x86::X86;

/// An open file on this machine.
pub type Open = OpenFile<X86>;

/// What the libos consists of once it has booted.
pub struct Kernel {
    /// Boot settings.
    pub config: Config,
    /// The file system.
    pub vfs: Arc<Vfs<X86>>,
    /// The program's descriptors.
    pub fds: Arc<FdTable<X86>>,
    /// Threads that sleep on futex words.
    pub futex: FutexTable<X86>,
    /// The network.
    pub net: Arc<NetStack<X86>>,
    /// Its interfaces, for netlink sockets.
    pub netlink: Arc<Netlink<X86>>,
    /// Names of AF_UNIX sockets.
    pub unix: Arc<Names<X86>>,
    /// Signal dispositions.
    pub signals: ProcessSignals<X86>,
}

static KERNEL: Once<Kernel> = Once::new();

/// Publishes the state; called once, before the first C thread.
pub fn install(kernel: Kernel) {
    KERNEL.call_once(|| kernel);
}

/// The state. Handlers only run after [`install`].
#[inline]
pub fn kernel() -> &'static Kernel {
    KERNEL.get().unwrap_or_else(|| panic!("a system call before the libos has booted"))
}

/// The open file of a descriptor. EBADF.
#[inline]
pub fn open_file(fd: trapless_abi::args::Fd) -> trapless_abi::SysResult<Arc<Open>> {
    kernel().fds.get(fd.0)
}
