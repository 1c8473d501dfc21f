//! Interrupts and exceptions: how a CPU enters the libos without being asked.
//!
//! Every entry runs on an interrupt stack of its vector ([`crate::gdt`]), with interrupts off, and counts as one level of disabled
//! preemption. On the way out, if the thread below may be preempted and something is [pending](crate::percpu::pending), the register
//! frame is copied into the *thread's* context and the CPU goes on in the scheduler ([`crate::context`]); else `iretq`.
//!
//! Rust code uses XMM registers like any other, so those are kept on the interrupt stack around the handler. Handlers use no x87 and
//! no AVX (the baseline target has neither in its code), and do no floating-point arithmetic, so MXCSR can stay as it is.

mod dispatch;
mod idt;
#[cfg(feature = "mutants")]
pub mod mutant;

pub use dispatch::{FaultHook, set_fault_hook};
pub use idt::{init_idt, load_idt, vectors_without_ist};

use crate::percpu::offset;
use core::arch::{global_asm, naked_asm};

/// The registers of an interrupted context, as the entry code leaves them on the interrupt stack.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "the fields are the registers of the same names")]
pub struct TrapFrame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rbp: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rbx: u64,
    pub rax: u64,
    /// Vector number.
    pub vector: u64,
    /// Error code; 0 for vectors without one.
    pub error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// RFLAGS.IF: interrupts enabled.
pub const RFLAGS_IF: u64 = 1 << 9;
/// RFLAGS of a fresh thread: IF and the bit that is always 1.
pub const RFLAGS_INITIAL: u64 = RFLAGS_IF | 2;

/// Bytes from one vector's stub to the next.
const STUB_SIZE: usize = 16;

// One stub per vector: make the frames alike (a zero where the CPU pushes no error code; SDM vol. 3, table 6-1), note the vector.
global_asm!(
    ".text",
    ".balign 16",
    ".globl trap_stubs",
    "trap_stubs:",
    ".set vector, 0",
    ".rept 256",
    ".balign 16",
    ".if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)",
    "pushq $0",
    ".endif",
    "pushq $vector",
    "jmp {entry}",
    ".set vector, vector + 1",
    ".endr",
    ".text",
    entry = sym entry,
    options(att_syntax),
);

unsafe extern "C" {
    #[link_name = "trap_stubs"]
    static STUBS: [[u8; STUB_SIZE]; 256];
}

/// Where vector `vector` enters.
fn stub(vector: u8) -> u64 {
    // SAFETY: only the address is taken.
    unsafe { &raw const STUBS[usize::from(vector)] as u64 }
}

/// Common entry: completes the frame, calls the handler, and leaves by the same frame or into the scheduler.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        // DF is whatever the interrupted code had; compiled code expects it clear. (AC means nothing in ring 0 with CR0.AM and
        // CR4.SMAP off; TF, NT and IF are cleared by the gate.)
        "cld",
        "push rax",
        "push rbx",
        "push rcx",
        "push rdx",
        "push rsi",
        "push rdi",
        "push rbp",
        "push r8",
        "push r9",
        "push r10",
        "push r11",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov rdi, rsp",
        "xor ebp, ebp",
        // Interrupt stacks start on 16 bytes and the frame is 22 words: RSP is aligned.
        "sub rsp, 256",
        "movaps [rsp], xmm0",
        "movaps [rsp + 16], xmm1",
        "movaps [rsp + 32], xmm2",
        "movaps [rsp + 48], xmm3",
        "movaps [rsp + 64], xmm4",
        "movaps [rsp + 80], xmm5",
        "movaps [rsp + 96], xmm6",
        "movaps [rsp + 112], xmm7",
        "movaps [rsp + 128], xmm8",
        "movaps [rsp + 144], xmm9",
        "movaps [rsp + 160], xmm10",
        "movaps [rsp + 176], xmm11",
        "movaps [rsp + 192], xmm12",
        "movaps [rsp + 208], xmm13",
        "movaps [rsp + 224], xmm14",
        "movaps [rsp + 240], xmm15",
        "call {dispatch}",
        "movaps xmm0, [rsp]",
        "movaps xmm1, [rsp + 16]",
        "movaps xmm2, [rsp + 32]",
        "movaps xmm3, [rsp + 48]",
        "movaps xmm4, [rsp + 64]",
        "movaps xmm5, [rsp + 80]",
        "movaps xmm6, [rsp + 96]",
        "movaps xmm7, [rsp + 112]",
        "movaps xmm8, [rsp + 128]",
        "movaps xmm9, [rsp + 144]",
        "movaps xmm10, [rsp + 160]",
        "movaps xmm11, [rsp + 176]",
        "movaps xmm12, [rsp + 192]",
        "movaps xmm13, [rsp + 208]",
        "movaps xmm14, [rsp + 224]",
        "movaps xmm15, [rsp + 240]",
        "add rsp, 256",
        "test rax, rax",
        "jz {pop}",
        // The frame moves to the thread's context (its first field); the extended state follows it there.
        "mov rdi, rax",
        "mov rsi, rsp",
        "mov ecx, 22",
        "rep movsq",
        "mov rdi, rax",
        "mov esi, {preempted}",
        "jmp {save}",
        dispatch = sym dispatch::dispatch,
        pop = sym pop_frame,
        preempted = const crate::sched::Reason::Preempted as u64,
        save = sym crate::context::save_extended_and_leave,
    )
}

/// Loads every general register from the frame at RSP and returns to it. The end of every trap and of every resumption of a thread
/// that was preempted.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn pop_frame() {
    naked_asm!(
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop r11",
        "pop r10",
        "pop r9",
        "pop r8",
        "pop rbp",
        "pop rdi",
        "pop rsi",
        "pop rdx",
        "pop rcx",
        "pop rbx",
        "pop rax",
        "add rsp, 16",
        "iretq",
    )
}

/// Offsets that other assembly relies on.
const _: () = assert!(offset::PREEMPT == 8 && offset::PENDING == 12);
