//! Loads a [`Block`]'s values into every register, spins, and stores what is there then.
//!
//! RSP points into the block itself, at its live words, so everything is reached from RSP and no other register is needed for
//! addresses. The spin changes RCX and no flag; nothing is pushed while the values are loaded.

use super::block::{Block, SCRATCH_WORDS, Values};
use core::arch::naked_asm;
use core::mem::offset_of;

/// Offset of a block's field from RSP.
macro_rules! from_rsp {
    ($field:ident) => {
        offset_of!(Block, $field) - offset_of!(Block, live)
    };
}

const RSP: usize = offset_of!(Block, live);
const SCRATCH_TOP: usize = offset_of!(Block, scratch) + 8 * SCRATCH_WORDS;
const PUT: usize = from_rsp!(put);
const GOT: usize = from_rsp!(got);
const GPR: usize = offset_of!(Values, gpr);
const FX: usize = offset_of!(Values, fx);
const YMM: usize = offset_of!(Values, ymm);
const RFLAGS: usize = offset_of!(Values, rflags);

/// One round.
pub fn run(block: &mut Block) {
    // SAFETY: the routine writes only inside the block and keeps the calling convention.
    unsafe { round(block) }
}

/// Whether code address `rip` is in the routine (which is shorter than a kilobyte).
#[cfg(feature = "mutants")]
pub fn contains(rip: u64) -> bool {
    rip.wrapping_sub(round as *const () as u64) < 1024
}

#[unsafe(naked)]
unsafe extern "C" fn round(block: *mut Block) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "stmxcsr [rsp]",
        "fnstcw [rsp + 4]",
        "mov [rdi + {saved}], rsp",
        // Load. Flags go through a stack of their own, which ends where the canary begins.
        "lea rsp, [rdi + {live}]",
        "fxrstor64 [rsp + {put} + {fx}]",
        "cmp qword ptr [rsp + {avx}], 0",
        "je 2f",
        "vmovdqa ymm0, [rsp + {put} + {ymm}]",
        "vmovdqa ymm1, [rsp + {put} + {ymm} + 32]",
        "vmovdqa ymm2, [rsp + {put} + {ymm} + 64]",
        "vmovdqa ymm3, [rsp + {put} + {ymm} + 96]",
        "vmovdqa ymm4, [rsp + {put} + {ymm} + 128]",
        "vmovdqa ymm5, [rsp + {put} + {ymm} + 160]",
        "vmovdqa ymm6, [rsp + {put} + {ymm} + 192]",
        "vmovdqa ymm7, [rsp + {put} + {ymm} + 224]",
        "vmovdqa ymm8, [rsp + {put} + {ymm} + 256]",
        "vmovdqa ymm9, [rsp + {put} + {ymm} + 288]",
        "vmovdqa ymm10, [rsp + {put} + {ymm} + 320]",
        "vmovdqa ymm11, [rsp + {put} + {ymm} + 352]",
        "vmovdqa ymm12, [rsp + {put} + {ymm} + 384]",
        "vmovdqa ymm13, [rsp + {put} + {ymm} + 416]",
        "vmovdqa ymm14, [rsp + {put} + {ymm} + 448]",
        "vmovdqa ymm15, [rsp + {put} + {ymm} + 480]",
        "2: mov rcx, [rsp + {turns}]",
        "lea rsp, [rdi + {scratch_top}]",
        "push qword ptr [rdi + {live} + {put} + {rflags}]",
        "popfq",
        "lea rsp, [rdi + {live}]",
        "mov rax, [rsp + {put} + {gpr}]",
        "mov rbx, [rsp + {put} + {gpr} + 8]",
        "mov rdx, [rsp + {put} + {gpr} + 16]",
        "mov rsi, [rsp + {put} + {gpr} + 24]",
        "mov rdi, [rsp + {put} + {gpr} + 32]",
        "mov rbp, [rsp + {put} + {gpr} + 40]",
        "mov r8, [rsp + {put} + {gpr} + 48]",
        "mov r9, [rsp + {put} + {gpr} + 56]",
        "mov r10, [rsp + {put} + {gpr} + 64]",
        "mov r11, [rsp + {put} + {gpr} + 72]",
        "mov r12, [rsp + {put} + {gpr} + 80]",
        "mov r13, [rsp + {put} + {gpr} + 88]",
        "mov r14, [rsp + {put} + {gpr} + 96]",
        "mov r15, [rsp + {put} + {gpr} + 104]",
        // Spin: neither instruction changes a flag.
        "3: lea rcx, [rcx - 1]",
        "jrcxz 4f",
        "jmp 3b",
        // Store.
        "4: mov [rsp + {got} + {gpr}], rax",
        "mov [rsp + {got} + {gpr} + 8], rbx",
        "mov [rsp + {got} + {gpr} + 16], rdx",
        "mov [rsp + {got} + {gpr} + 24], rsi",
        "mov [rsp + {got} + {gpr} + 32], rdi",
        "mov [rsp + {got} + {gpr} + 40], rbp",
        "mov [rsp + {got} + {gpr} + 48], r8",
        "mov [rsp + {got} + {gpr} + 56], r9",
        "mov [rsp + {got} + {gpr} + 64], r10",
        "mov [rsp + {got} + {gpr} + 72], r11",
        "mov [rsp + {got} + {gpr} + 80], r12",
        "mov [rsp + {got} + {gpr} + 88], r13",
        "mov [rsp + {got} + {gpr} + 96], r14",
        "mov [rsp + {got} + {gpr} + 104], r15",
        "lea rdi, [rsp]",
        "lea rsp, [rsp - {live} + {scratch_top}]",
        "pushfq",
        "pop rax",
        "cld",
        "mov [rdi + {got} + {rflags}], rax",
        "fxsave64 [rdi + {got} + {fx}]",
        "cmp qword ptr [rdi + {avx}], 0",
        "je 5f",
        "vmovdqa [rdi + {got} + {ymm}], ymm0",
        "vmovdqa [rdi + {got} + {ymm} + 32], ymm1",
        "vmovdqa [rdi + {got} + {ymm} + 64], ymm2",
        "vmovdqa [rdi + {got} + {ymm} + 96], ymm3",
        "vmovdqa [rdi + {got} + {ymm} + 128], ymm4",
        "vmovdqa [rdi + {got} + {ymm} + 160], ymm5",
        "vmovdqa [rdi + {got} + {ymm} + 192], ymm6",
        "vmovdqa [rdi + {got} + {ymm} + 224], ymm7",
        "vmovdqa [rdi + {got} + {ymm} + 256], ymm8",
        "vmovdqa [rdi + {got} + {ymm} + 288], ymm9",
        "vmovdqa [rdi + {got} + {ymm} + 320], ymm10",
        "vmovdqa [rdi + {got} + {ymm} + 352], ymm11",
        "vmovdqa [rdi + {got} + {ymm} + 384], ymm12",
        "vmovdqa [rdi + {got} + {ymm} + 416], ymm13",
        "vmovdqa [rdi + {got} + {ymm} + 448], ymm14",
        "vmovdqa [rdi + {got} + {ymm} + 480], ymm15",
        "vzeroupper",
        "5: mov rsp, [rdi + {saved} - {live}]",
        // The x87 stack is empty and the modes are the caller's when a function returns.
        "fninit",
        "ldmxcsr [rsp]",
        "fldcw [rsp + 4]",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        saved = const offset_of!(Block, rsp),
        live = const RSP,
        put = const PUT,
        got = const GOT,
        gpr = const GPR,
        fx = const FX,
        ymm = const YMM,
        rflags = const RFLAGS,
        turns = const from_rsp!(turns),
        scratch_top = const SCRATCH_TOP,
        avx = const from_rsp!(avx),
    )
}
