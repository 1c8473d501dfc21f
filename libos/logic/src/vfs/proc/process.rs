//! The files that tell about the program.

use super::super::Vfs;
use super::super::system::SystemInfo;
use super::super::text::Text;
use super::TICK;
use crate::platform::Platform;
use alloc::string::String;
use alloc::sync::Weak;
use core::fmt::{self, Write};

const PAGE: u64 = 4096;
/// A bit for each.
const ALL_CAPABILITIES: u64 = (1 << 41) - 1;

/// The last component of the program's path, at most 15 bytes.
pub fn command<S: SystemInfo>(system: &S) -> String {
    let path = system.executable();
    path.rsplit('/').next().unwrap_or_default().chars().take(15).collect()
}

/// /proc/self/stat: the fields the libos knows; the others are 0, as they are for a process that never used them.
pub fn stat<S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let memory = system.program_memory();
    // The CPUs do nothing else.
    let busy: u64 = (0..system.cpus()).map(|cpu| system.cpu_time(cpu).busy).sum();
    // pid (comm) state ppid pgrp session tty_nr tpgid flags, then four of faults.
    write!(w, "{0} ({1}) R 0 {0} {0} 1025 {0} 0 0 0 0 0 ", system.pid(), command(system))?;
    // utime stime cutime cstime priority nice (14 to 19).
    write!(w, "{} 0 0 0 20 0 ", busy / TICK)?;
    // num_threads itrealvalue starttime vsize rss rsslim, then 27 fields of addresses, signals and placement.
    write!(w, "{} 0 0 {} {} {}", system.threads(), memory.virtual_size, memory.resident / PAGE, u64::MAX)?;
    for _ in 26..=52 {
        w.write_str(" 0")?;
    }
    writeln!(w)
}

/// /proc/self/statm, in pages: size resident shared text lib data dt.
pub fn statm<S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let memory = system.program_memory();
    let pages = |bytes: u64| bytes.div_ceil(PAGE);
    let (size, resident) = (pages(memory.virtual_size), pages(memory.resident));
    writeln!(w, "{size} {resident} 0 {} 0 {} 0", pages(memory.text), pages(memory.data))
}

/// /proc/self/status.
pub fn status<S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let memory = system.program_memory();
    let pid = system.pid();
    writeln!(w, "Name:\t{}\nUmask:\t0022\nState:\tR (running)", command(system))?;
    writeln!(w, "Tgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\nPPid:\t0\nTracerPid:\t0")?;
    writeln!(w, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t1024\nGroups:\t")?;
    for (name, bytes) in
        [("VmSize", memory.virtual_size), ("VmRSS", memory.resident), ("VmData", memory.data), ("VmExe", memory.text)]
    {
        writeln!(w, "{name}:\t{:>8} kB", bytes / 1024)?;
    }
    writeln!(w, "Threads:\t{}", system.threads())?;
    // Nothing is forbidden to the one user: all 41 capabilities (capabilities(7)), none of which a program could inherit.
    writeln!(
        w,
        "CapInh:\t{0:016x}\nCapPrm:\t{1:016x}\nCapEff:\t{1:016x}\nCapBnd:\t{1:016x}\nCapAmb:\t{0:016x}",
        0, ALL_CAPABILITIES
    )?;
    writeln!(w, "Cpus_allowed_list:\t0-{}\nMems_allowed_list:\t0", system.cpus().saturating_sub(1))
}

/// The root file system and what is mounted on it: path, kind, device.
fn each_mount<P: Platform>(
    vfs: &Weak<Vfs<P>>,
    mut show: impl FnMut(usize, &str, &str, u64) -> fmt::Result,
) -> fmt::Result {
    let vfs = vfs.upgrade().ok_or(fmt::Error)?;
    let root = vfs.root().stat().map_or(0, |stat| stat.st_dev);
    show(1, "/", "rootfs", root)?;
    for (n, mount) in vfs.mounts().iter().enumerate() {
        show(n + 2, &mount.path, mount.kind, mount.dev)?;
    }
    Ok(())
}

/// /proc/self/mounts.
pub fn mounts<P: Platform>(vfs: &Weak<Vfs<P>>, w: &mut Text) -> fmt::Result {
    each_mount(vfs, |_, path, kind, _| writeln!(w, "{kind} {path} {kind} rw 0 0"))
}

/// /proc/self/mountinfo.
pub fn mountinfo<P: Platform>(vfs: &Weak<Vfs<P>>, w: &mut Text) -> fmt::Result {
    each_mount(vfs, |id, path, kind, dev| {
        let (major, minor) = (dev >> 8, dev & 0xff);
        writeln!(w, "{id} {} {major}:{minor} / {path} rw - {kind} {kind} rw", u8::from(id > 1))
    })
}
