//! The files that tell about the machine.

use super::super::system::{CpuTime, SystemInfo};
use super::super::text::Text;
use super::{SECOND, TICK};
use crate::platform::Platform;
use core::fmt::{self, Write};

/// One paragraph for each CPU.
pub fn cpuinfo<S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let (vendor, model) = system.cpu_model();
    let (khz, flags, cpus) = (system.cpu_khz(), system.cpu_flags(), system.cpus());
    for cpu in 0..cpus {
        writeln!(w, "processor\t: {cpu}\nvendor_id\t: {vendor}\nmodel name\t: {model}")?;
        writeln!(w, "cpu MHz\t\t: {}.{:03}", khz / 1000, khz % 1000)?;
        writeln!(w, "physical id\t: 0\nsiblings\t: {cpus}\ncore id\t\t: {cpu}\ncpu cores\t: {cpus}")?;
        writeln!(w, "flags\t\t: {flags}\n")?;
    }
    Ok(())
}

/// Amounts of memory in KiB.
pub fn meminfo<S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let memory = system.memory();
    let lines = [
        ("MemTotal", memory.total),
        ("MemFree", memory.free),
        ("MemAvailable", memory.free),
        ("Buffers", 0),
        ("Cached", memory.files),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Shmem", memory.files),
    ];
    for (name, bytes) in lines {
        writeln!(w, "{:<16}{:>8} kB", alloc::format!("{name}:"), bytes / 1024)?;
    }
    writeln!(w, "Hugepagesize:       2048 kB")
}

/// Load averages, runnable and all threads, last process id.
pub fn loadavg<S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    for load in system.load() {
        write!(w, "{}.{:02} ", load / 100, load % 100)?;
    }
    writeln!(w, "{}/{} {}", system.running(), system.threads(), system.pid())
}

/// Seconds since boot, and seconds all CPUs together were idle.
pub fn uptime<P: Platform, S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let up = P::now().as_nanos();
    let idle: u64 = (0..system.cpus()).map(|cpu| system.cpu_time(cpu).idle).sum();
    let hundredths = |ns: u64| (ns / SECOND, ns / TICK % 100);
    let ((up, up_part), (idle, idle_part)) = (hundredths(up), hundredths(idle));
    writeln!(w, "{up}.{up_part:02} {idle}.{idle_part:02}")
}

/// Times of the CPUs in clock ticks, context switches, boot time.
pub fn stat<P: Platform, S: SystemInfo>(system: &S, w: &mut Text) -> fmt::Result {
    let mut total = CpuTime::default();
    for cpu in 0..system.cpus() {
        let time = system.cpu_time(cpu);
        total.busy += time.busy;
        total.idle += time.idle;
        total.interrupts += time.interrupts;
    }
    // user nice system idle iowait irq softirq steal guest guest_nice
    let line = |w: &mut Text, name: &str, time: CpuTime| {
        writeln!(w, "{name} {} 0 0 {} 0 {} 0 0 0 0", time.busy / TICK, time.idle / TICK, time.interrupts / TICK)
    };
    line(w, "cpu ", total)?;
    for cpu in 0..system.cpus() {
        line(w, &alloc::format!("cpu{cpu}"), system.cpu_time(cpu))?;
    }
    let boot = P::realtime_ns().saturating_sub(P::now().as_nanos()) / SECOND;
    writeln!(w, "ctxt {}\nbtime {boot}\nprocesses 1", system.switches())?;
    writeln!(w, "procs_running {}\nprocs_blocked 0", system.running())
}
