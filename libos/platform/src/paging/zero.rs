//! Clearing memory.

use super::phys_to_virt;
use core::arch::asm;

/// Fills `bytes` (a multiple of 128, not 0) of memory at `physical` (aligned to 16) with zeros.
///
/// # Safety
/// The memory belongs to the caller.
pub unsafe fn zero(physical: u64, bytes: u64) {
    // SAFETY: by the caller. An explicit loop: `rep stos` is slow where instructions are emulated.
    unsafe {
        asm!(
            "pxor {zero}, {zero}",
            "2:",
            "movaps [{at}], {zero}",
            "movaps [{at} + 16], {zero}",
            "movaps [{at} + 32], {zero}",
            "movaps [{at} + 48], {zero}",
            "movaps [{at} + 64], {zero}",
            "movaps [{at} + 80], {zero}",
            "movaps [{at} + 96], {zero}",
            "movaps [{at} + 112], {zero}",
            "add {at}, 128",
            "cmp {at}, {end}",
            "jne 2b",
            at = inout(reg) phys_to_virt(physical) => _,
            end = in(reg) phys_to_virt(physical + bytes),
            zero = out(xmm_reg) _,
            options(nostack),
        );
    }
}
