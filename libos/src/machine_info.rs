//! The numbers behind /proc and /sys.

use crate::config::Config;
use crate::task::PID;
use crate::{hostname, load};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::Ordering::Relaxed;
use trapless_abi::flags::Prot;
use trapless_logic::vfs::system::{CpuTime, Memory, ProgramMemory, SystemInfo};
use trapless_platform::{boot, clock, cpu, frames, mm, percpu, thread};

/// The release that uname(2) reports: a Linux whose system calls are those promised here.
pub const RELEASE: &str = "6.12.0-trapless";
/// The version line that uname(2) reports.
pub const VERSION: &str = concat!("#1 SMP trapless ", env!("CARGO_PKG_VERSION"));

/// What the libos tells about itself.
pub struct MachineInfo {
    /// Program arguments.
    pub arguments: Vec<String>,
    /// Program environment.
    pub environment: Vec<String>,
    /// Kernel command line.
    pub line: String,
}

impl MachineInfo {
    /// For a program that is about to start.
    pub fn new(config: &Config, argv: &[String], envp: &[String]) -> Self {
        Self { arguments: argv.to_vec(), environment: envp.to_vec(), line: config.line.clone() }
    }
}

fn zero_terminated(words: &[String]) -> Vec<u8> {
    words.iter().flat_map(|word| word.bytes().chain([0])).collect()
}

/// A text in CPUID leaves, in the order of the registers given.
fn text_of(registers: &[u32]) -> String {
    let bytes: Vec<u8> = registers.iter().flat_map(|r| r.to_le_bytes()).filter(|&b| b != 0).collect();
    String::from_utf8_lossy(&bytes).trim().to_string()
}

impl SystemInfo for MachineInfo {
    fn pid(&self) -> i32 {
        PID
    }

    fn cpus(&self) -> usize {
        percpu::cpu_count()
    }

    fn cpu_model(&self) -> (String, String) {
        let vendor = cpu::cpuid(0);
        let brand: Vec<u32> = (0x8000_0002..=0x8000_0004)
            .map(cpu::cpuid)
            .flat_map(|leaf| [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx])
            .collect();
        (text_of(&[vendor.ebx, vendor.edx, vendor.ecx]), text_of(&brand))
    }

    fn cpu_khz(&self) -> u64 {
        clock::tsc_hz() / 1000
    }

    fn cpu_flags(&self) -> String {
        let (one, extended) = (cpu::cpuid(1), cpu::cpuid(0x8000_0001));
        let bits = [
            ("fpu", one.edx),
            ("tsc", one.edx >> 4),
            ("msr", one.edx >> 5),
            ("cx8", one.edx >> 8),
            ("apic", one.edx >> 9),
            ("cmov", one.edx >> 15),
            ("clflush", one.edx >> 19),
            ("mmx", one.edx >> 23),
            ("fxsr", one.edx >> 24),
            ("sse", one.edx >> 25),
            ("sse2", one.edx >> 26),
            ("ht", one.edx >> 28),
            ("syscall", extended.edx >> 11),
            ("nx", extended.edx >> 20),
            ("pdpe1gb", extended.edx >> 26),
            ("lm", extended.edx >> 29),
            ("pni", one.ecx),
            ("ssse3", one.ecx >> 9),
            ("cx16", one.ecx >> 13),
            ("sse4_1", one.ecx >> 19),
            ("sse4_2", one.ecx >> 20),
            ("popcnt", one.ecx >> 23),
            ("aes", one.ecx >> 25),
            ("xsave", one.ecx >> 26),
            ("avx", one.ecx >> 28),
            ("rdrand", one.ecx >> 30),
            ("hypervisor", one.ecx >> 31),
        ];
        let names: Vec<&str> = bits.iter().filter(|(_, bit)| bit & 1 != 0).map(|(name, _)| *name).collect();
        names.join(" ")
    }

    fn cpu_time(&self, cpu: usize) -> CpuTime {
        let Some(cpu) = percpu::get(cpu) else { return CpuTime::default() };
        let idle = cpu.stats.idle_ns.load(Relaxed);
        CpuTime { busy: clock::now_ns().saturating_sub(idle), idle, interrupts: 0 }
    }

    fn memory(&self) -> Memory {
        let bytes = |frames: usize| frames as u64 * frames::FRAME;
        Memory { total: bytes(frames::total_frames()), free: bytes(frames::free_frames()), files: 0 }
    }

    fn program_memory(&self) -> ProgramMemory {
        let text = boot::program_sections()[0];
        let used = (frames::total_frames() - frames::free_frames()) as u64 * frames::FRAME;
        ProgramMemory {
            virtual_size: mm::mapped_pages() * frames::FRAME,
            // The program's memory and the libos's heap come from the same frames.
            resident: used,
            text: text.end - text.start,
            data: used,
        }
    }

    fn threads(&self) -> usize {
        thread::user_count()
    }

    fn running(&self) -> usize {
        thread::active_count()
    }

    fn load(&self) -> [u64; 3] {
        load::averages().hundredths()
    }

    fn switches(&self) -> u64 {
        percpu::all().map(|cpu| cpu.stats.switches.load(Relaxed)).sum()
    }

    fn hostname(&self) -> String {
        hostname::get().into()
    }

    fn release(&self) -> String {
        RELEASE.into()
    }

    fn version(&self) -> String {
        VERSION.into()
    }

    fn executable(&self) -> String {
        "/otp/bin/beam.smp".into()
    }

    fn arguments(&self) -> Vec<u8> {
        zero_terminated(&self.arguments)
    }

    fn environment(&self) -> Vec<u8> {
        zero_terminated(&self.environment)
    }

    fn boot_arguments(&self) -> String {
        self.line.clone()
    }

    fn maps(&self, w: &mut dyn fmt::Write) -> fmt::Result {
        let mut at = 0;
        while let Some((range, area)) = mm::area_after(at) {
            let right = |bit, letter| if area.prot.contains(bit) { letter } else { '-' };
            let (r, w_, x) = (right(Prot::PROT_READ, 'r'), right(Prot::PROT_WRITE, 'w'), right(Prot::PROT_EXEC, 'x'));
            let kind = if area.shared { 's' } else { 'p' };
            writeln!(w, "{:x}-{:x} {r}{w_}{x}{kind} 00000000 00:00 0", range.start, range.end)?;
            at = range.end;
        }
        Ok(())
    }
}
