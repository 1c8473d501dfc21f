//! The local APIC (Intel SDM vol. 3, chapter 11): end of interrupt, interrupts to other CPUs, the one-shot timer.

use crate::clock;
use crate::cpu;
use crate::irq;
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::registers::model_specific::Msr;

/// Registers, as offsets into the xAPIC page; an x2APIC's MSR is 0x800 plus a sixteenth of that.
mod reg {
    pub const ID: usize = 0x20;
    pub const TASK_PRIORITY: usize = 0x80;
    pub const EOI: usize = 0xb0;
    pub const SPURIOUS: usize = 0xf0;
    pub const ICR_LOW: usize = 0x300;
    pub const ICR_HIGH: usize = 0x310;
    pub const LVT_TIMER: usize = 0x320;
    pub const LVT_LINT0: usize = 0x350;
    pub const LVT_LINT1: usize = 0x360;
    pub const LVT_ERROR: usize = 0x370;
    pub const TIMER_INITIAL: usize = 0x380;
    pub const TIMER_CURRENT: usize = 0x390;
    pub const TIMER_DIVIDE: usize = 0x3e0;
}

const IA32_APIC_BASE: u32 = 0x1b;
const IA32_TSC_DEADLINE: u32 = 0x6e0;
const X2APIC_MSR: u32 = 0x800;
const X2APIC_ICR: u32 = 0x830;

const APIC_BASE_X2: u64 = 1 << 10;
const APIC_BASE_ENABLE: u64 = 1 << 11;
const APIC_BASE_ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const LVT_MASKED: u32 = 1 << 16;
const LVT_NMI: u32 = 0b100 << 8;
const LVT_TSC_DEADLINE: u32 = 0b10 << 17;
const DIVIDE_BY_1: u32 = 0b1011;
const ICR_PENDING: u32 = 1 << 12;
/// Level bit: asserted, for everything but the obsolete INIT de-assert.
const ICR_ASSERT: u32 = 1 << 14;

/// How an interrupt is delivered to another CPU.
#[derive(Clone, Copy, Debug)]
pub enum Ipi {
    /// A vector.
    Fixed(u8),
    /// A non-maskable interrupt.
    Nmi,
    /// Back to the state after power-on.
    Init,
    /// Start in real mode at the given 4 KiB page.
    Startup(u8),
}

impl Ipi {
    fn icr(self) -> u32 {
        ICR_ASSERT
            | match self {
                Self::Fixed(vector) => u32::from(vector),
                Self::Nmi => 0b100 << 8,
                Self::Init => 0b101 << 8,
                Self::Startup(page) => 0b110 << 8 | u32::from(page),
            }
    }
}

const MODE_NONE: u8 = 0;
const MODE_X: u8 = 1;
const MODE_X2: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(MODE_NONE);
static BASE: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());
/// Timer ticks per nanosecond, as a fixed-point number with 32 binary places; 0 with TSC deadlines.
static TIMER_RATE: AtomicU64 = AtomicU64::new(0);

fn read(register: usize) -> u32 {
    if MODE.load(Ordering::Relaxed) == MODE_X2 {
        // SAFETY: the x2APIC is on, and reading its registers has no side effects.
        return unsafe { Msr::new(X2APIC_MSR + register as u32 / 16).read() as u32 };
    }
    // SAFETY: the page was mapped by `init`.
    unsafe { BASE.load(Ordering::Relaxed).add(register).cast::<u32>().read_volatile() }
}

fn write(register: usize, value: u32) {
    if MODE.load(Ordering::Relaxed) == MODE_X2 {
        // SAFETY: the x2APIC is on; the callers in this file know what each register does.
        return unsafe { Msr::new(X2APIC_MSR + register as u32 / 16).write(value.into()) };
    }
    // SAFETY: the page was mapped by `init`; as above.
    unsafe { BASE.load(Ordering::Relaxed).add(register).cast::<u32>().write_volatile(value) }
}

/// Finds and maps the APIC. Called once, on the boot CPU, after paging is up and the clock runs; then [`enable`] on every CPU.
pub fn init() {
    // SAFETY: reading and writing the architectural APIC base register; enabling what CPUID reports.
    let base = unsafe { Msr::new(IA32_APIC_BASE).read() };
    BASE.store(crate::paging::map_mmio(base & APIC_BASE_ADDRESS, 4096), Ordering::Relaxed);
    let x2 = cpu::features().x2apic || base & APIC_BASE_X2 != 0;
    MODE.store(if x2 { MODE_X2 } else { MODE_X }, Ordering::Release);
}

/// Turns on the calling CPU's APIC with its timer off; returns its id.
pub fn enable() -> u32 {
    let mut base = Msr::new(IA32_APIC_BASE);
    let x2 = MODE.load(Ordering::Acquire) == MODE_X2;
    // SAFETY: turns on the mode that `init` chose. From "off" the way to x2APIC leads over xAPIC (SDM vol. 3, 11.12.5).
    unsafe {
        let value = base.read();
        base.write(value | APIC_BASE_ENABLE);
        if x2 {
            base.write(value | APIC_BASE_ENABLE | APIC_BASE_X2);
        }
    }
    write(reg::TASK_PRIORITY, 0);
    write(reg::LVT_LINT0, LVT_MASKED);
    // Where boards connect the line by which somebody outside asks a machine that hangs what it is doing (ACPI 6.4, 5.2.12.7).
    write(reg::LVT_LINT1, LVT_NMI);
    write(reg::LVT_ERROR, LVT_MASKED);
    write(reg::SPURIOUS, SOFTWARE_ENABLE | u32::from(irq::SPURIOUS));
    write(reg::TIMER_DIVIDE, DIVIDE_BY_1);
    let mode = if cpu::features().tsc_deadline { LVT_TSC_DEADLINE } else { 0 };
    write(reg::LVT_TIMER, mode | u32::from(irq::TIMER));
    let id = read(reg::ID);
    if x2 { id } else { id >> 24 }
}

/// Finds out how fast the timer counts. On the boot CPU, once; not needed with TSC deadlines.
pub fn calibrate_timer() {
    if cpu::features().tsc_deadline {
        return;
    }
    let rate = clock::hypervisor_apic_hz().unwrap_or_else(|| {
        without_interrupts(|| {
            write(reg::LVT_TIMER, LVT_MASKED | u32::from(irq::TIMER));
            write(reg::TIMER_INITIAL, u32::MAX);
            let (start, from) = sample();
            while clock::now_ns() - start < 2_000_000 {
                core::hint::spin_loop();
            }
            let (end, to) = sample();
            write(reg::TIMER_INITIAL, 0);
            write(reg::LVT_TIMER, u32::from(irq::TIMER));
            u128::from(from - to) as u64 * 1_000_000_000 / (end - start)
        })
    });
    TIMER_RATE.store(((u128::from(rate) << 32) / 1_000_000_000) as u64, Ordering::Relaxed);
}

/// Time and timer count of one moment: the closest of a few tries, because the host may take the CPU away in between.
fn sample() -> (u64, u32) {
    (0..5)
        .map(|_| {
            let before = clock::now_ns();
            let count = read(reg::TIMER_CURRENT);
            let after = clock::now_ns();
            (after - before, (before + (after - before) / 2, count))
        })
        .min_by_key(|(width, _)| *width)
        .expect("five tries")
        .1
}

/// Programs the calling CPU's timer to interrupt at `at` ns (at once if that is over); `u64::MAX` turns it off. Called with
/// interrupts off.
pub fn set_timer(at: u64) {
    if cpu::features().tsc_deadline {
        let deadline = if at == u64::MAX { 0 } else { clock::tsc_at(at).max(1) };
        // SAFETY: arms (or with 0 disarms) this CPU's timer, whose vector has a handler. The fence keeps the order to the LVT write of
        // an xAPIC (SDM vol. 3, 11.5.4.1).
        unsafe {
            core::arch::x86_64::_mm_mfence();
            Msr::new(IA32_TSC_DEADLINE).write(deadline);
        }
        return;
    }
    let count = if at == u64::MAX {
        0
    } else {
        let ns = at.saturating_sub(clock::now_ns());
        let ticks = (u128::from(ns) * u128::from(TIMER_RATE.load(Ordering::Relaxed))) >> 32;
        // A count that is too large fires early, and is then set anew.
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    };
    write(reg::TIMER_INITIAL, count);
}

/// Tells the APIC that the interrupt in service is done.
pub fn end_of_interrupt() {
    write(reg::EOI, 0);
}

/// Sends an interrupt to the CPU with local APIC id `to`. Callable from everywhere.
pub fn send(to: u32, ipi: Ipi) {
    if MODE.load(Ordering::Relaxed) == MODE_X2 {
        // SAFETY: sends one interrupt; what it does is the caller's business. The fence makes earlier stores visible first: writing an
        // x2APIC register does not (SDM vol. 3, 11.12.3).
        unsafe {
            core::arch::x86_64::_mm_mfence();
            core::arch::x86_64::_mm_lfence();
            Msr::new(X2APIC_ICR).write(u64::from(to) << 32 | u64::from(ipi.icr()));
        }
        return;
    }
    // Two registers make one command: an interrupt handler must not send its own in between.
    without_interrupts(|| {
        while read(reg::ICR_LOW) & ICR_PENDING != 0 {
            core::hint::spin_loop();
        }
        write(reg::ICR_HIGH, to << 24);
        write(reg::ICR_LOW, ipi.icr());
    });
}

/// Whether [`init`] has run.
pub fn ready() -> bool {
    MODE.load(Ordering::Relaxed) != MODE_NONE
}
