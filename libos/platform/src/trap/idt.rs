//! The interrupt descriptor table (Intel SDM vol. 3, chapter 6.14), one for all CPUs.

use super::stub;
use crate::gdt::{Ist, KERNEL_CS};
use core::cell::UnsafeCell;
use x86_64::VirtAddr;
use x86_64::structures::DescriptorTablePointer;

/// Present, ring 0, 64-bit interrupt gate (interrupts off on entry).
const INTERRUPT_GATE: u64 = 0x8e << 40;

/// INT3, which a program in ring 3 may execute. All other gates are for the CPU alone.
const BREAKPOINT: u8 = 3;
/// A gate's privilege level is 3.
const OPEN_TO_RING_3: u64 = 3 << 45;

/// One gate: two words.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Gate([u64; 2]);

impl Gate {
    const fn new(target: u64, ist: u8) -> Self {
        let low =
            (target & 0xffff) | KERNEL_CS << 16 | (ist as u64) << 32 | INTERRUPT_GATE | (target >> 16 & 0xffff) << 48;
        Self([low, target >> 32])
    }

    const fn ist(self) -> u8 {
        (self.0[0] >> 32 & 7) as u8
    }
}

#[repr(C, align(4096))]
struct Idt(UnsafeCell<[Gate; 256]>);

// SAFETY: written once by the boot CPU before any other CPU runs; read by hardware afterwards.
unsafe impl Sync for Idt {}

static IDT: Idt = Idt(UnsafeCell::new([Gate([0; 2]); 256]));

/// The interrupt stack of a vector.
fn ist_of(vector: u8) -> Ist {
    match vector {
        2 => Ist::Nmi,
        8 => Ist::DoubleFault,
        14 => Ist::PageFault,
        18 => Ist::MachineCheck,
        0..32 => Ist::Exception,
        _ => Ist::Interrupt,
    }
}

/// Fills the table. Called once, by the boot CPU, before any CPU loads it.
pub fn init_idt() {
    // SAFETY: nobody reads the table yet.
    let gates = unsafe { &mut *IDT.0.get() };
    for (vector, gate) in (0..=255).zip(gates) {
        *gate = Gate::new(stub(vector), ist_of(vector) as u8);
        if vector == BREAKPOINT {
            gate.0[0] |= OPEN_TO_RING_3;
        }
    }
    assert!(
        vectors_without_ist().next().is_none(),
        "a vector without an interrupt stack would write below the interrupted RSP"
    );
}

/// Loads the table on the calling CPU.
pub fn load_idt() {
    let pointer = DescriptorTablePointer { limit: 256 * 16 - 1, base: VirtAddr::from_ptr(IDT.0.get()) };
    // SAFETY: the table is complete and is never freed.
    unsafe { x86_64::instructions::tables::lidt(&pointer) };
}

/// Vectors whose gate has no interrupt stack. There must be none.
pub fn vectors_without_ist() -> impl Iterator<Item = u8> {
    // SAFETY: only mutants change the table after init_idt.
    let gates = unsafe { &*IDT.0.get() };
    (0..=255u8).zip(gates).filter(|(_, gate)| gate.ist() == 0).map(|(vector, _)| vector)
}

/// Takes the interrupt stack away from a vector.
#[cfg(feature = "mutants")]
pub(super) fn drop_ist(vector: u8) {
    // SAFETY: one aligned gate, changed while the machine runs a test that is meant to fail.
    unsafe { (*IDT.0.get())[usize::from(vector)] = Gate::new(stub(vector), 0) };
}
