//! Turning on what a CPU can do (Intel SDM vol. 3, chapter 2.5, and vol. 1, chapter 13).

use crate::context::FpuMode;
use crate::percpu::PerCpu;
use core::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};
use core::sync::atomic::{AtomicU32, Ordering};
use spin::Once;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::xcontrol::{XCr0, XCr0Flags};

/// Bytes of the legacy region and header of an XSAVE area; FXSAVE needs 512 of them.
const XSAVE_MIN: u32 = 576;
/// Bits of XCR0 that are turned on where the CPU has them: x87, SSE, AVX and the three of AVX-512. AMX (8 KiB of state that nobody
/// here uses, and a signal frame larger than musl's MINSIGSTKSZ) and protection keys stay off.
const XCR0_WANTED: u64 = 0b1110_0111;
const XCR0_AVX512: u64 = 0b1110_0000;
const XCR0_AVX: u64 = 0b100;

/// What the boot CPU found out about itself. All CPUs are taken to be alike.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// XCR0's value; 0 without XSAVE.
    pub xcr0: u64,
    /// Bytes of a thread's save area.
    pub xsave_size: usize,
    /// How that area is written.
    pub fpu_mode: FpuMode,
    /// RDFSBASE and WRFSBASE exist.
    pub fsgsbase: bool,
    /// The local APIC has the x2APIC mode.
    pub x2apic: bool,
    /// The local APIC's timer takes deadlines in units of the time stamp counter.
    pub tsc_deadline: bool,
    /// 1 GiB pages exist.
    pub page1gb: bool,
    /// RDRAND exists.
    pub rdrand: bool,
    /// RDSEED exists.
    pub rdseed: bool,
}

/// CPUID leaf `leaf`, zeros where the CPU has no such leaf.
pub fn cpuid(leaf: u32) -> CpuidResult {
    cpuid_count(leaf, 0)
}

/// CPUID leaf `leaf`, sub-leaf `sub`, zeros where the CPU has no such leaf.
pub fn cpuid_count(leaf: u32, sub: u32) -> CpuidResult {
    let top = __cpuid(leaf & 0xf000_0000).eax;
    let known = if leaf & 0xf000_0000 == 0x4000_0000 {
        __cpuid(1).ecx >> 31 != 0 && leaf <= top.max(0x4000_0001)
    } else {
        leaf <= top
    };
    if known { __cpuid_count(leaf, sub) } else { CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 } }
}

static FEATURES: Once<Features> = Once::new();
/// Largest XSAVE area for the XCR0 in force, from CPUID 0Dh after it was set.
static XSAVE_SIZE: AtomicU32 = AtomicU32::new(XSAVE_MIN);

/// What the CPUs can do. Known once the boot CPU has run [`set_up`].
pub fn features() -> &'static Features {
    FEATURES.get().expect("the boot CPU is set up first")
}

/// Turns on protection, floating point and extended state on the calling CPU and notes in its block how to save that.
pub fn set_up(block: &PerCpu) {
    let one = cpuid(1);
    let seven = cpuid(7);
    let xsave = one.ecx >> 26 & 1 != 0;
    let fsgsbase = seven.ebx & 1 != 0;
    let mut cr4 = Cr4::read() | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    cr4.set(Cr4Flags::OSXSAVE, xsave);
    cr4.set(Cr4Flags::FSGSBASE, fsgsbase);
    let mut cr0 = Cr0::read();
    cr0 |= Cr0Flags::WRITE_PROTECT | Cr0Flags::NUMERIC_ERROR | Cr0Flags::MONITOR_COPROCESSOR;
    cr0 &= !(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED | Cr0Flags::ALIGNMENT_MASK);
    // SAFETY: these bits enable features that CPUID reports, and protections that the page tables are made for.
    unsafe {
        Cr0::write(cr0);
        Cr4::write(cr4);
        Efer::update(|efer| *efer |= EferFlags::NO_EXECUTE_ENABLE);
    }
    let xcr0 = if xsave { set_xcr0() } else { 0 };
    let mode = match (xsave, cpuid_count(0xd, 1).eax & 1 != 0) {
        (false, _) => FpuMode::Fxsave,
        (true, false) => FpuMode::Xsave,
        (true, true) => FpuMode::Xsaveopt,
    };
    block.xsave_mask.store(xcr0, Ordering::Relaxed);
    block.fpu_mode.store(mode as u32, Ordering::Relaxed);
    block.has_avx.store(u32::from(xcr0 & XCR0_AVX != 0), Ordering::Relaxed);
    block.has_fsgsbase.store(u32::from(fsgsbase), Ordering::Relaxed);
    crate::entry::set_up_cpu();
    FEATURES.call_once(|| Features {
        xcr0,
        xsave_size: XSAVE_SIZE.load(Ordering::Relaxed) as usize,
        fpu_mode: mode,
        fsgsbase,
        x2apic: one.ecx >> 21 & 1 != 0,
        tsc_deadline: one.ecx >> 24 & 1 != 0,
        page1gb: cpuid(0x8000_0001).edx >> 26 & 1 != 0,
        rdrand: one.ecx >> 30 & 1 != 0,
        rdseed: seven.ebx >> 18 & 1 != 0,
    });
}

/// Enables the wanted state components that the CPU has; returns XCR0.
fn set_xcr0() -> u64 {
    let leaf = cpuid_count(0xd, 0);
    let mut xcr0 = (u64::from(leaf.eax) | u64::from(leaf.edx) << 32) & XCR0_WANTED;
    // AVX-512's three components only come together, and with AVX.
    if xcr0 & XCR0_AVX512 != XCR0_AVX512 || xcr0 & XCR0_AVX == 0 {
        xcr0 &= !XCR0_AVX512;
    }
    // SAFETY: a subset of what CPUID reports, closed under the dependencies (SDM vol. 1, 13.3).
    unsafe { XCr0::write_raw(XCr0Flags::from_bits_retain(xcr0).bits()) };
    XSAVE_SIZE.fetch_max(cpuid_count(0xd, 0).ebx, Ordering::Relaxed);
    xcr0
}
