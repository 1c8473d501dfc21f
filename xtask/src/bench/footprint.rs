//! How much a serving image takes: memory, file, and CPU while idle.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection};
use trapless_tests::{
    load,
    machine::{ECHO_PORT, Forward, Machine},
    vm::{READY, Vm, free_port},
};

use super::boot;

/// Memory sizes between which the smallest that serves is looked for, in MiB.
const SIZES: (u32, u32) = (16, 512);
/// Until an idle machine is idle, and how long it is watched.
const SETTLE: Duration = Duration::from_secs(5);
const WATCH: Duration = Duration::from_secs(10);
/// A boot with too little memory ends, or it hangs; it hangs when it takes this many times the time of a good one.
const PATIENCE: u32 = 8;

/// What was found.
pub struct Footprint {
    /// CPUs, and the smallest memory in MiB with which the echo server serves.
    pub smallest: Vec<(u32, u32)>,
    /// Host CPU use of an idle image with eight CPUs, in percent of one.
    pub idle: f64,
    /// Parts of the image, in bytes.
    pub parts: Vec<(&'static str, u64)>,
    /// The whole file in bytes.
    pub file: u64,
}

/// Measures on q35.
pub fn measure(image: &Path) -> Result<Footprint> {
    let bytes = fs::read(image).with_context(|| format!("cannot read {}", image.display()))?;
    let mut smallest = Vec::new();
    for cpus in [1, 8] {
        let memory = smallest_memory(image, cpus)?;
        eprintln!("smp {cpus} serves from {memory} MiB on");
        smallest.push((cpus, memory));
    }
    Ok(Footprint { smallest, idle: idle(image)?, parts: parts(&bytes)?, file: bytes.len() as u64 })
}

fn smallest_memory(image: &Path, cpus: u32) -> Result<u32> {
    let machine = |memory| Machine { cpus, memory, ..Machine::new(image) };
    let (mut fails, mut serves) = SIZES;
    let vm = Vm::serve("bench-memory", &machine(serves))?;
    let patience = vm.started().elapsed() * PATIENCE;
    drop(vm);
    while serves - fails > 1 {
        let memory = fails.midpoint(serves);
        if does_serve(&machine(memory), patience)? { serves = memory } else { fails = memory }
    }
    Ok(serves)
}

fn does_serve(machine: &Machine, patience: Duration) -> Result<bool> {
    let mut machine = machine.clone();
    machine.forwards.push(Forward { host: free_port()?, guest: ECHO_PORT, udp: false });
    let vm = Vm::boot("bench-memory", &machine)?;
    Ok(vm.console().wait_for(READY, 0, patience).is_some() && load::echo(&vm.connect(ECHO_PORT)?, b"hello").is_ok())
}

fn idle(image: &Path) -> Result<f64> {
    let vm = Vm::serve("bench-idle", &Machine { cpus: 8, ..Machine::new(image) })?;
    thread::sleep(SETTLE);
    let before = boot::cpu_time(vm.id())?;
    thread::sleep(WATCH);
    let used = boot::cpu_time(vm.id())?.saturating_sub(before);
    Ok(100.0 * used.as_secs_f64() / WATCH.as_secs_f64())
}

/// Which section belongs to what: name of the part, and what the names of its sections begin with.
const PARTS: [(&str, &[&str]); 4] = [
    ("library OS", &[".boot", ".libos", ".note", ".got"]),
    ("ERTS and musl", &[".erts", ".init_array", "ERTS_"]),
    ("files (OTP and the application)", &[".rootfs"]),
    ("symbols, for backtraces and gdb", &[".symtab", ".strtab", ".shstrtab"]),
];

fn parts(image: &[u8]) -> Result<Vec<(&'static str, u64)>> {
    let mut sums = PARTS.map(|(name, _)| (name, 0));
    for section in object::File::parse(image)?.sections() {
        let (name, size) = (section.name()?, section.data()?.len() as u64);
        let part = PARTS.iter().position(|(_, starts)| starts.iter().any(|start| name.starts_with(start)));
        let Some(part) = part else {
            ensure!(size < 4096, "section {name} belongs to no part");
            continue;
        };
        sums[part].1 += size;
    }
    Ok(sums.to_vec())
}
