//! Vectors that can come at any instruction, where the program runs in ring 3: NMIs, machine checks, double faults, debug exceptions.
//!
//! They may find ring 0 with the program's GS. None of them ends in the scheduler.

use super::{TrapFrame, dispatch, load_vectors, pop_registers, push_registers, save_vectors};
use crate::percpu::offset;
use core::arch::naked_asm;

/// IA32_GS_BASE (SDM vol. 4).
const IA32_GS_BASE: u32 = 0xc000_0101;

/// As [`super::entry`], but takes the CPU's block from above the frame ([`crate::gdt`]).
#[unsafe(naked)]
pub(super) unsafe extern "C" fn entry() {
    naked_asm!(
        "cld",
        push_registers!(),
        "mov ecx, {gs_base}",
        "rdmsr",
        "shl rdx, 32",
        "or rax, rdx",
        "mov rbx, rax",
        "mov rax, [rsp + {frame}]",
        "mov rdx, rax",
        "shr rdx, 32",
        "wrmsr",
        "cmp dword ptr gs:[{has_smap}], 0",
        "je 2f",
        "clac",
        "2: mov rdi, rsp",
        "xor ebp, ebp",
        save_vectors!(),
        "call {dispatch}",
        load_vectors!(),
        "mov rax, rbx",
        "mov rdx, rbx",
        "shr rdx, 32",
        "mov ecx, {gs_base}",
        "wrmsr",
        pop_registers!(),
        "iretq",
        gs_base = const IA32_GS_BASE,
        frame = const size_of::<TrapFrame>(),
        has_smap = const offset::HAS_SMAP,
        dispatch = sym dispatch::dispatch,
    )
}
