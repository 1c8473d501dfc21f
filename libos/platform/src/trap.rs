//! Interrupts and exceptions: how a CPU enters the libos without being asked.
//!
//! Every entry runs on an interrupt stack of its vector ([`crate::gdt`]), with interrupts off, and counts as one level of disabled
//! preemption. On the way out, if the thread below may be preempted and something is [pending](crate::percpu::pending), the register
//! frame is copied into the *thread's* context and the CPU goes on in the scheduler ([`crate::context`]); else `iretq`.
//!
//! Where the program runs in ring 3, GS has to be the libos's before Rust runs. For most vectors the saved CS tells: they do not come while
//! the libos runs with the program's GS, a few instructions on its ways in and out with interrupts off. The vectors that can come at any
//! instruction ([`any_time`]) trust neither CS nor the base in GS, which the program can set to anything: they take the CPU's block from
//! their own stack ([`crate::gdt`]) and put back whatever GS was.
//!
//! Rust code uses XMM registers like any other, so those are kept on the interrupt stack around the handler. Handlers use no x87 and
//! no AVX (the baseline target has neither in its code), and do no floating-point arithmetic, so MXCSR can stay as it is.

mod any_time;
mod dispatch;
mod idt;
#[cfg(feature = "mutants")]
pub mod mutant;

pub use dispatch::{FaultHook, set_fault_hook};
pub use idt::{init_idt, load_idt, vectors_without_ist};

use crate::entry::RING_3;
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
    // Debug exceptions, NMIs, double faults, machine checks.
    ".if {ring3} && (vector == 1 || vector == 2 || vector == 8 || vector == 18)",
    "jmp {any_time}",
    ".else",
    "jmp {entry}",
    ".endif",
    ".set vector, vector + 1",
    ".endr",
    ".text",
    entry = sym entry,
    any_time = sym any_time::entry,
    ring3 = const RING_3 as u8,
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

/// Completes a [`TrapFrame`] on the stack.
macro_rules! push_registers {
    () => {
        concat!(
            "push rax\n",
            "push rbx\n",
            "push rcx\n",
            "push rdx\n",
            "push rsi\n",
            "push rdi\n",
            "push rbp\n",
            "push r8\n",
            "push r9\n",
            "push r10\n",
            "push r11\n",
            "push r12\n",
            "push r13\n",
            "push r14\n",
            "push r15\n",
        )
    };
}
/// Keeps the vector registers below it.
macro_rules! save_vectors {
    () => {
        concat!(
            "sub rsp, 256\n",
            "movaps [rsp], xmm0\n",
            "movaps [rsp + 16], xmm1\n",
            "movaps [rsp + 32], xmm2\n",
            "movaps [rsp + 48], xmm3\n",
            "movaps [rsp + 64], xmm4\n",
            "movaps [rsp + 80], xmm5\n",
            "movaps [rsp + 96], xmm6\n",
            "movaps [rsp + 112], xmm7\n",
            "movaps [rsp + 128], xmm8\n",
            "movaps [rsp + 144], xmm9\n",
            "movaps [rsp + 160], xmm10\n",
            "movaps [rsp + 176], xmm11\n",
            "movaps [rsp + 192], xmm12\n",
            "movaps [rsp + 208], xmm13\n",
            "movaps [rsp + 224], xmm14\n",
            "movaps [rsp + 240], xmm15\n",
        )
    };
}
/// Takes them back.
macro_rules! load_vectors {
    () => {
        concat!(
            "movaps xmm0, [rsp]\n",
            "movaps xmm1, [rsp + 16]\n",
            "movaps xmm2, [rsp + 32]\n",
            "movaps xmm3, [rsp + 48]\n",
            "movaps xmm4, [rsp + 64]\n",
            "movaps xmm5, [rsp + 80]\n",
            "movaps xmm6, [rsp + 96]\n",
            "movaps xmm7, [rsp + 112]\n",
            "movaps xmm8, [rsp + 128]\n",
            "movaps xmm9, [rsp + 144]\n",
            "movaps xmm10, [rsp + 160]\n",
            "movaps xmm11, [rsp + 176]\n",
            "movaps xmm12, [rsp + 192]\n",
            "movaps xmm13, [rsp + 208]\n",
            "movaps xmm14, [rsp + 224]\n",
            "movaps xmm15, [rsp + 240]\n",
            "add rsp, 256\n",
        )
    };
}
/// Takes the registers of a [`TrapFrame`] back and leaves what IRET wants.
macro_rules! pop_registers {
    () => {
        concat!(
            "pop r15\n",
            "pop r14\n",
            "pop r13\n",
            "pop r12\n",
            "pop r11\n",
            "pop r10\n",
            "pop r9\n",
            "pop r8\n",
            "pop rbp\n",
            "pop rdi\n",
            "pop rsi\n",
            "pop rdx\n",
            "pop rcx\n",
            "pop rbx\n",
            "pop rax\n",
            "add rsp, 16\n",
        )
    };
}
use {load_vectors, pop_registers, push_registers, save_vectors};

/// Common entry: completes the frame, calls the handler, and leaves by the same frame or into the scheduler.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        // DF is whatever the interrupted code had; compiled code expects it clear. So does AC where CR4.SMAP gives it a meaning. (TF, NT
        // and IF are cleared by the gate.)
        "cld",
        ".if {ring3}",
        "test byte ptr [rsp + {cs}], 3",
        "jz 2f",
        "swapgs",
        "2: cmp dword ptr gs:[{has_smap}], 0",
        "je 3f",
        "clac",
        "3:",
        ".endif",
        push_registers!(),
        "mov rdi, rsp",
        "xor ebp, ebp",
        // Interrupt stacks start on 16 bytes and the frame is 22 words: RSP is aligned.
        save_vectors!(),
        "call {dispatch}",
        load_vectors!(),
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
        ring3 = const RING_3 as u8,
        // Vector, error code and RIP lie below it.
        cs = const 24,
        has_smap = const offset::HAS_SMAP,
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
        pop_registers!(),
        ".if {ring3}",
        "test byte ptr [rsp + 8], 3",
        "jz 2f",
        "swapgs",
        "2:",
        ".endif",
        "iretq",
        ring3 = const RING_3 as u8,
    )
}

/// Offsets that other assembly relies on.
const _: () = assert!(offset::PREEMPT == 8 && offset::PENDING == 12);
