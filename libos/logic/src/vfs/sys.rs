//! /sys, as far as ERTS reads it: where the CPUs are, and what huge pages there are.

use super::Vfs;
use super::node::New;
use super::system::SystemInfo;
use super::text::Text;
use super::tmpfs::Tmpfs;
use crate::platform::Platform;
use alloc::format;
use alloc::sync::Arc;
use core::fmt::{self, Write};
use trapless_abi::SysResult;

/// Device number of the file system on /sys.
const DEV: u64 = 0x16;
/// Bytes the names in /sys may take.
const LIMIT: u64 = 16 << 20;

/// Fills /sys: one package and one memory node, each CPU a core of its own. ENOSPC.
pub fn mount<P: Platform, S: SystemInfo>(vfs: &Vfs<P>, system: &Arc<S>) -> SysResult<()> {
    let fs = Tmpfs::<P>::new(DEV, LIMIT);
    let root = fs.root();
    let cpus = system.cpus();
    let range = move |w: &mut Text| match cpus {
        0 | 1 => writeln!(w, "0"),
        n => writeln!(w, "0-{}", n - 1),
    };
    for name in ["online", "possible", "present"] {
        root.add_text(&format!("devices/system/cpu/{name}"), range)?;
    }
    root.add_text("devices/system/cpu/kernel_max", |w| writeln!(w, "8191"))?;
    for cpu in 0..cpus {
        let topology = |name: &str| format!("devices/system/cpu/cpu{cpu}/topology/{name}");
        for name in ["core_id", "thread_siblings_list", "core_cpus_list"] {
            root.add_text(&topology(name), move |w| writeln!(w, "{cpu}"))?;
        }
        for name in ["thread_siblings", "core_cpus"] {
            root.add_text(&topology(name), move |w| mask(w, cpus, |n| n == cpu))?;
        }
        for name in ["core_siblings_list", "package_cpus_list"] {
            root.add_text(&topology(name), range)?;
        }
        for name in ["core_siblings", "package_cpus"] {
            root.add_text(&topology(name), move |w| mask(w, cpus, |_| true))?;
        }
        root.add_text(&topology("physical_package_id"), |w| writeln!(w, "0"))?;
        root.add_text(&format!("devices/system/cpu/cpu{cpu}/online"), |w| writeln!(w, "1"))?;
        let link = format!("../../cpu/cpu{cpu}");
        root.add_below(&format!("devices/system/node/node0/cpu{cpu}"), New::Symlink(link.as_bytes()))?;
    }
    root.add_text("devices/system/node/node0/cpulist", range)?;
    root.add_text("devices/system/node/node0/cpumap", move |w| mask(w, cpus, |_| true))?;
    root.add_text("devices/system/node/node0/distance", |w| writeln!(w, "10"))?;
    let info = system.clone();
    root.add_text("devices/system/node/node0/meminfo", move |w| {
        let memory = info.memory();
        writeln!(w, "Node 0 MemTotal: {} kB\nNode 0 MemFree: {} kB", memory.total / 1024, memory.free / 1024)
    })?;
    for name in ["online", "possible", "has_cpu", "has_memory"] {
        root.add_text(&format!("devices/system/node/{name}"), |w| writeln!(w, "0"))?;
    }
    let huge = |name: &str| format!("kernel/mm/transparent_hugepage/{name}");
    root.add_text(&huge("enabled"), |w| writeln!(w, "[always] madvise never"))?;
    root.add_text(&huge("hpage_pmd_size"), |w| writeln!(w, "{}", 2 << 20))?;
    fs.seal();
    vfs.mount("/sys", root, "sysfs")
}

/// A CPU mask as the kernel prints it: groups of 8 hexadecimal digits, the highest CPUs first.
fn mask(w: &mut Text, cpus: usize, member: impl Fn(usize) -> bool) -> fmt::Result {
    for group in (0..cpus.div_ceil(32).max(1)).rev() {
        let bits = (0..32).filter(|bit| group * 32 + bit < cpus && member(group * 32 + bit));
        let value: u32 = bits.map(|bit| 1 << bit).sum();
        write!(w, "{value:08x}{}", if group == 0 { "\n" } else { "," })?;
    }
    Ok(())
}
