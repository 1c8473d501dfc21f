//! /proc/trapless: what the libos tells about itself (docs/debugging.md).

use crate::{chart, counters, network, ntp, power, profile, signals};
use alloc::string::String;
use core::fmt::{self, Write};
use core::sync::atomic::Ordering::Relaxed;
use trapless_abi::SysResult;
use trapless_logic::vfs::Vfs;
use trapless_platform::irq::{self, Kind};
use trapless_platform::thread::{self, Status};
use trapless_platform::x86::X86;
use trapless_platform::{frames, heap, mm, percpu, sched};

/// Adds them.
///
/// # Errors
/// ENOSPC.
pub fn add(vfs: &Vfs<X86>) -> SysResult<()> {
    vfs.add_control("/proc/trapless/syscalls", |w| counters::write(w), counters::obey)?;
    vfs.add_control("/proc/trapless/power", |w| power::write_state(w), power::obey)?;
    vfs.add_control("/proc/trapless/signal", |w| signals::write_pending(w), signals::obey)?;
    vfs.add_synthetic("/proc/trapless/threads", |w| write_threads(w))?;
    vfs.add_synthetic("/proc/trapless/cpus", |w| write_cpus(w))?;
    vfs.add_synthetic("/proc/trapless/sched", |w| write_sched(w))?;
    vfs.add_synthetic("/proc/trapless/interrupts", |w| write_interrupts(w))?;
    vfs.add_synthetic("/proc/trapless/memory", |w| write_memory(w))?;
    vfs.add_synthetic("/proc/trapless/net", |w| network::write_state(w))?;
    vfs.add_control("/proc/trapless/profile", |w| profile::write(w), profile::obey)?;
    vfs.add_synthetic("/proc/trapless/clock", |w| ntp::write_state(w))?;
    vfs.add_synthetic("/proc/trapless/bootchart", |w| chart::write(w))
}

fn write_threads(w: &mut dyn Write) -> fmt::Result {
    writeln!(w, "{:>8} {:<16} {:<8} {:>4} {:>14}", "tid", "name", "state", "cpu", "cpu_ns")?;
    for thread in thread::all() {
        let name = thread.name();
        let name = String::from_utf8_lossy(name.split(|&b| b == 0).next().unwrap_or_default());
        let state = match thread.status() {
            Status::Running => "running",
            Status::Queued => "ready",
            Status::Parked => "waits",
        };
        writeln!(w, "{:>8} {name:<16} {state:<8} {:>4} {:>14}", thread.id(), thread.last_cpu(), thread.cpu_ns())?;
    }
    Ok(())
}

fn write_cpus(w: &mut dyn Write) -> fmt::Result {
    writeln!(
        w,
        "{:>4} {:>10} {:>10} {:>10} {:>8} {:>8} {:>10} {:>14} {:>10} {:>10}",
        "cpu", "switches", "preempted", "traps", "ipis", "steals", "halts", "idle_ns", "faults", "lock_halts"
    )?;
    for cpu in percpu::all() {
        let s = &cpu.stats;
        writeln!(
            w,
            "{:>4} {:>10} {:>10} {:>10} {:>8} {:>8} {:>10} {:>14} {:>10} {:>10}",
            cpu.index(),
            s.switches.load(Relaxed),
            s.preemptions.load(Relaxed),
            s.traps.load(Relaxed),
            s.ipis_sent.load(Relaxed),
            s.steals.load(Relaxed),
            s.halts.load(Relaxed),
            s.idle_ns.load(Relaxed),
            s.page_faults.load(Relaxed),
            s.lock_halts.load(Relaxed)
        )?;
    }
    Ok(())
}

/// What the scheduler has measured of this machine.
fn write_sched(w: &mut dyn Write) -> fmt::Result {
    writeln!(w, "waking_ns {}", sched::waking_ns())
}

/// How often each interrupt came to each CPU, as Linux's /proc/interrupts has it: the devices' by vector, then the CPUs' own.
fn write_interrupts(w: &mut dyn Write) -> fmt::Result {
    write!(w, "{:>9}", "")?;
    percpu::all().try_for_each(|cpu| write!(w, " {:>10}", alloc::format!("CPU{}", cpu.index())))?;
    writeln!(w)?;
    for (vector, line) in irq::lines() {
        write!(w, "{vector:>8}:")?;
        percpu::all().try_for_each(|cpu| write!(w, " {:>10}", line.count(cpu.index())))?;
        writeln!(w, "  {}", line.name())?;
    }
    Kind::ALL.iter().try_for_each(|&kind| {
        write!(w, "{:>8}:", kind.name())?;
        percpu::all().try_for_each(|cpu| write!(w, " {:>10}", cpu.stats.interrupts[kind as usize].load(Relaxed)))?;
        writeln!(w)
    })
}

/// Where the machine's memory is, in bytes: all of it that is not the image's; what is free, and how much of that is only for the libos;
/// what the libos's heap has taken; and the addresses that the program has mapped, which need no memory until they are used.
fn write_memory(w: &mut dyn Write) -> fmt::Result {
    let bytes = |frames: usize| frames as u64 * frames::FRAME;
    let free = frames::free_frames();
    let lines = [
        ("total", bytes(frames::total_frames())),
        ("free", bytes(free)),
        ("reserved", bytes(free.saturating_sub(frames::available_frames()))),
        ("libos_chunks", heap::chunk_bytes() as u64),
        ("libos_pools", heap::pool_bytes() as u64),
        ("program_mapped", mm::mapped_pages() * frames::FRAME),
    ];
    lines.iter().try_for_each(|(name, bytes)| writeln!(w, "{name} {bytes}"))
}
