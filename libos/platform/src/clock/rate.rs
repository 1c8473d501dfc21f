//! How fast the time stamp counter ticks.

use super::tsc;
use crate::cpu::{cpuid, cpuid_count};
use crate::port::{inb, outb};
use core::sync::atomic::{AtomicU32, Ordering};
use trapless_logic::firmware::interval_timer::{Reading, counter_hz};
use x86_64::registers::model_specific::Msr;

/// Who told the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The hypervisor's timing leaf, CPUID 4000_0010h.
    HypervisorLeaf,
    /// KVM's paravirtual clock.
    KvmClock,
    /// CPUID 15h: crystal and ratio.
    Crystal,
    /// Measured against channel 0 of the interval timer.
    IntervalTimer,
    /// CPUID 16h: the nominal frequency, a last resort.
    Nominal,
    /// Nobody knows: 1 GHz is assumed.
    Guess,
}

/// Frequencies in Hz.
pub(super) struct Rates {
    pub tsc_hz: u64,
    /// 0 if unknown.
    pub apic_hz: u64,
    pub source: Source,
}

/// A way to find the counter's rate in Hz.
type Way = (fn() -> Option<u64>, Source);

/// The ways, best first.
const WAYS: [Way; 4] = [
    (kvm_clock, Source::KvmClock),
    (crystal, Source::Crystal),
    (interval_timer, Source::IntervalTimer),
    (nominal, Source::Nominal),
];

pub(super) fn find() -> Rates {
    let (tsc_khz, apic_khz) = hypervisor_leaf();
    let apic_hz = apic_khz * 1000;
    if tsc_khz != 0 {
        return Rates { tsc_hz: tsc_khz * 1000, apic_hz, source: Source::HypervisorLeaf };
    }
    let told = WAYS.iter().find_map(|(ask, source)| Some((ask().filter(|&hz| hz > 1_000_000)?, *source)));
    let (tsc_hz, source) = told.unwrap_or((1_000_000_000, Source::Guess));
    Rates { tsc_hz, apic_hz, source }
}

/// CPUID 4000_0010h, VMware's convention that QEMU offers with KVM too: EAX the counter's and EBX the APIC bus's rate in kHz.
fn hypervisor_leaf() -> (u64, u64) {
    let top = cpuid(0x4000_0000).eax;
    if !(0x4000_0010..0x4001_0000).contains(&top) {
        return (0, 0);
    }
    let leaf = cpuid(0x4000_0010);
    (leaf.eax.into(), leaf.ebx.into())
}

/// `struct pvclock_vcpu_time_info` (Linux, Documentation/virt/kvm/x86/msr.rst); the scale is in word 6 and byte 28.
#[repr(C, align(64))]
struct PvClock([AtomicU32; 8]);

static PV_CLOCK: PvClock = PvClock([const { AtomicU32::new(0) }; 8]);

/// KVM tells how it scales the counter to nanoseconds: `ns = (ticks << shift) * mul >> 32`.
fn kvm_clock() -> Option<u64> {
    const MSR_KVM_SYSTEM_TIME_NEW: u32 = 0x4b56_4d01;
    let signature = cpuid(0x4000_0000);
    if [signature.ebx, signature.ecx, signature.edx].map(u32::to_le_bytes).as_flattened() != b"KVMKVMKVM\0\0\0" {
        return None;
    }
    if cpuid(0x4000_0001).eax & (1 << 3) == 0 {
        return None;
    }
    let mut msr = Msr::new(MSR_KVM_SYSTEM_TIME_NEW);
    // SAFETY: the MSR exists; KVM writes 32 bytes to the static (identity mapped) until it is told to stop.
    unsafe {
        msr.write(&raw const PV_CLOCK as u64 | 1);
        msr.write(0);
    }
    let mul = u64::from(PV_CLOCK.0[6].load(Ordering::SeqCst));
    let shift = PV_CLOCK.0[7].load(Ordering::SeqCst) as i8;
    if mul == 0 {
        return None;
    }
    let hz = (1_000_000_000u128 << 32) / u128::from(mul);
    let hz = if shift >= 0 { hz >> shift } else { hz << -shift };
    u64::try_from(hz).ok()
}

/// CPUID 15h (SDM vol. 2): EBX / EAX counter ticks per tick of a crystal of ECX Hz.
fn crystal() -> Option<u64> {
    let leaf = cpuid(0x15);
    if leaf.eax == 0 || leaf.ebx == 0 || leaf.ecx == 0 {
        return None;
    }
    Some(u64::from(leaf.ecx) * u64::from(leaf.ebx) / u64::from(leaf.eax))
}

/// CPUID 16h: base frequency in MHz.
fn nominal() -> Option<u64> {
    Some(u64::from(cpuid_count(0x16, 0).eax & 0xffff) * 1_000_000)
}

const PIT_COMMAND: u16 = 0x43;
const PIT_CHANNEL_0: u16 = 0x40;

/// Lets channel 0 of the 8254 count down freely and compares. Uses the latch command, not the port 61h gate, which not every
/// machine has.
fn interval_timer() -> Option<u64> {
    // SAFETY: nobody else uses the 8254: channel 0, low then high byte, mode 2, from 65536; its interrupt line stays masked.
    unsafe {
        outb(PIT_COMMAND, 0b0011_0100);
        outb(PIT_CHANNEL_0, 0);
        outb(PIT_CHANNEL_0, 0);
    }
    counter_hz(|| {
        let before = tsc();
        let timer = latch();
        Reading { before, timer, after: tsc() }
    })
}

fn latch() -> u16 {
    // SAFETY: the counter latch command for channel 0, and reading what it latched.
    unsafe {
        outb(PIT_COMMAND, 0);
        u16::from_le_bytes([inb(PIT_CHANNEL_0), inb(PIT_CHANNEL_0)])
    }
}
