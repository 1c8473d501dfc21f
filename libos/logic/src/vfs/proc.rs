//! /proc, as far as ERTS and OTP read it: proc(5).

mod machine;
mod process;

use super::Vfs;
use super::fds::{FdDirectory, JumpLink};
use super::node::New;
use super::system::SystemInfo;
use super::text::Text;
use super::tmpfs::Tmpfs;
use crate::fd::FdTable;
use crate::platform::Platform;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use trapless_abi::SysResult;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// Nanoseconds of a clock tick (`USER_HZ` is 100).
const TICK: u64 = SECOND / 100;
/// Device number of the file system on /proc.
const DEV: u64 = 0x15;
/// Bytes the names in /proc may take.
const LIMIT: u64 = 4 << 20;

/// Fills /proc. ENOSPC.
pub fn mount<P: Platform, S: SystemInfo>(vfs: &Arc<Vfs<P>>, table: Arc<FdTable<P>>, system: &Arc<S>) -> SysResult<()> {
    let fs = Tmpfs::<P>::new(DEV, LIMIT);
    let root = fs.root();
    let text = |path: &str, make: fn(&S, &mut Text) -> fmt::Result| {
        let system = system.clone();
        root.add_text(path, move |w| make(&system, w))
    };
    text("cpuinfo", machine::cpuinfo)?;
    text("meminfo", machine::meminfo)?;
    text("loadavg", machine::loadavg)?;
    text("uptime", machine::uptime::<P, S>)?;
    text("stat", machine::stat::<P, S>)?;
    text("version", |s, w| writeln!(w, "Linux version {} ({}) {}", s.release(), s.hostname(), s.version()))?;
    text("cmdline", |s, w| writeln!(w, "{}", s.boot_arguments()))?;
    text("filesystems", |_, w| w.write_str("nodev\ttmpfs\nnodev\tproc\nnodev\tsysfs\n"))?;
    text("sys/kernel/hostname", |s, w| writeln!(w, "{}", s.hostname()))?;
    text("sys/kernel/osrelease", |s, w| writeln!(w, "{}", s.release()))?;
    text("sys/kernel/version", |s, w| writeln!(w, "{}", s.version()))?;
    text("sys/kernel/ostype", |_, w| w.write_str("Linux\n"))?;
    text("sys/kernel/pid_max", |_, w| w.write_str("4194304\n"))?;
    text("sys/kernel/threads-max", |_, w| w.write_str("4194304\n"))?;
    text("sys/fs/nr_open", |_, w| writeln!(w, "{}", crate::fd::NR_OPEN))?;
    text("sys/fs/file-max", |_, w| writeln!(w, "{}", i64::MAX))?;
    text("sys/fs/pipe-max-size", |_, w| writeln!(w, "{}", crate::pipe::MAX_CAPACITY))?;
    text("sys/net/core/somaxconn", |_, w| w.write_str("4096\n"))?;
    text("sys/vm/overcommit_memory", |_, w| w.write_str("1\n"))?;

    let own = |file: &str| alloc::format!("{}/{file}", system.pid());
    text(&own("maps"), |s, w| s.maps(w))?;
    text(&own("cgroup"), |_, w| w.write_str("0::/\n"))?;
    text(&own("stat"), process::stat)?;
    text(&own("statm"), process::statm)?;
    text(&own("status"), process::status)?;
    text(&own("comm"), |s, w| writeln!(w, "{}", process::command(s)))?;
    text(&own("cmdline"), |s, w| w.write_bytes(&s.arguments()))?;
    text(&own("environ"), |s, w| w.write_bytes(&s.environment()))?;
    let weak = Arc::downgrade(vfs);
    let mounts = weak.clone();
    root.add_text(&own("mounts"), move |w| process::mounts(&mounts, w))?;
    let mounts = weak.clone();
    root.add_text(&own("mountinfo"), move |w| process::mountinfo(&mounts, w))?;
    let executable = system.executable();
    root.add_below(&own("exe"), New::Symlink(executable.as_bytes()))?;
    root.add_below(&own("root"), New::Symlink(b"/"))?;
    root.add_below(&own("cwd"), New::Object(JumpLink::cwd(weak.clone())))?;
    root.add_below(&own("fd"), New::Object(FdDirectory::new(table, weak)))?;
    root.add_below("self", New::Symlink(alloc::format!("{}", system.pid()).as_bytes()))?;
    root.add_below("mounts", New::Symlink(b"self/mounts"))?;
    fs.seal();
    vfs.mount("/proc", root, "proc")
}
