//! What /proc and /sys tell about the machine and the program, as far as the rest of the libos has to supply it.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Memory of the machine, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All there is for programs and the libos.
    pub total: u64,
    /// Not in use.
    pub free: u64,
    /// In use by files written to memory.
    pub files: u64,
}

/// Memory of the program, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramMemory {
    /// Mapped addresses.
    pub virtual_size: u64,
    /// Memory behind them.
    pub resident: u64,
    /// Code of the image.
    pub text: u64,
    /// Writable private memory.
    pub data: u64,
}

/// Time a CPU has spent, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Running threads.
    pub busy: u64,
    /// Halted.
    pub idle: u64,
    /// Handling interrupts.
    pub interrupts: u64,
}

/// Where the numbers in /proc and /sys come from. Called when a file is opened, without any lock of the file system held.
pub trait SystemInfo: Send + Sync + 'static {
    /// Process id of the program.
    fn pid(&self) -> i32;

    /// CPUs that run threads.
    fn cpus(&self) -> usize;

    /// Vendor and name of the CPUs, as CPUID tells them.
    fn cpu_model(&self) -> (String, String);

    /// Frequency of the CPUs in kHz.
    fn cpu_khz(&self) -> u64;

    /// Flags of the CPUs, separated by blanks, in the kernel's spelling.
    fn cpu_flags(&self) -> String;

    /// How a CPU has spent its time.
    fn cpu_time(&self, cpu: usize) -> CpuTime;

    /// Memory of the machine.
    fn memory(&self) -> Memory;

    /// Memory of the program.
    fn program_memory(&self) -> ProgramMemory;

    /// Threads of the program.
    fn threads(&self) -> usize;

    /// Threads that run or could run now.
    fn running(&self) -> usize;

    /// Load averages over 1, 5 and 15 minutes, in hundredths.
    fn load(&self) -> [u64; 3];

    /// Context switches since boot.
    fn switches(&self) -> u64;

    /// Name of the host, uname(2).
    fn hostname(&self) -> String;

    /// Release of the system, uname(2).
    fn release(&self) -> String;

    /// Version line of the system, uname(2).
    fn version(&self) -> String;

    /// Path of the program.
    fn executable(&self) -> String;

    /// Arguments of the program, each ended by a NUL.
    fn arguments(&self) -> Vec<u8>;

    /// Environment of the program, each variable ended by a NUL.
    fn environment(&self) -> Vec<u8>;

    /// Command line of the libos.
    fn boot_arguments(&self) -> String;

    /// Lines of /proc/self/maps, proc(5).
    fn maps(&self, w: &mut dyn fmt::Write) -> fmt::Result;
}
