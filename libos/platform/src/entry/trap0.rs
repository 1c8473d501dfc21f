//! `trap0`: a system call is the `syscall` instruction, executed in ring 0 (Intel SDM vol. 2, SYSCALL).
//!
//! The instruction leaves RSP as it is, so the entry code changes to the kernel stack itself, and SYSRET leads to ring 3 only, so the
//! way back is a jump. As on Linux, all general registers survive but RAX, RCX and R11. Vector registers do not: the libos uses them
//! like any compiled code. musl's `syscall` statements say so. Nor do the arithmetic flags, which no compiler expects of any statement
//! in assembly; the direction flag comes back clear, as functions leave it.

use crate::gdt::{KERNEL_CS, Segments};
use crate::percpu::offset;
use crate::thread::UserEntry;
use core::arch::naked_asm;
use core::mem::offset_of;
use x86_64::VirtAddr;
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

pub(crate) use super::kernel_stack::{ThreadPart, arrive};
pub use super::kernel_stack::{call_handler, caller, program_sp, return_from_handler};

/// What the program runs with.
pub(crate) const PROGRAM: Segments = Segments::RING_0;

/// IA32_STAR (SDM vol. 4): selectors for SYSCALL in bits 32 to 47; SS is the one after CS.
const IA32_STAR: u32 = 0xc000_0081;

/// Makes `syscall` lead to [`entry`] on the calling CPU.
pub(crate) fn set_up_cpu() {
    LStar::write(VirtAddr::from_ptr(entry as *const ()));
    SFMask::write(RFlags::DIRECTION_FLAG | RFlags::TRAP_FLAG | RFlags::NESTED_TASK);
    // SAFETY: the selector is that of the running code, and the entry point is ready.
    unsafe {
        Msr::new(IA32_STAR).write(KERNEL_CS << 32);
        Efer::update(|flags| flags.insert(EferFlags::SYSTEM_CALL_EXTENSIONS));
    }
}

/// Where `syscall` leads: RCX is the return address; number and arguments as Linux has them.
///
/// Interrupts stay on, since the program's stack is a stack of ring 0 as any other. The kernel stack is found by one instruction, so it is
/// the thread's own, whichever CPU it comes to run on.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        "mov r11, rsp",
        "mov rsp, gs:[{stack}]",
        // A `Call`, but for the flags: in their place is the stack pointer once more.
        "push r11",
        "push r11",
        "push rcx",
        "push rdi",
        "push rsi",
        "push rdx",
        "push r10",
        "push r8",
        "push r9",
        "push rax",
        "cmp rax, {rows}",
        "jae 3f",
        "mov rcx, r10",
        "call [{table} + rax * 8]",
        "2:",
        "add rsp, 8",
        "pop r9",
        "pop r8",
        "pop r10",
        "pop rdx",
        "pop rsi",
        "pop rdi",
        "pop rcx",
        "pop rsp",
        "jmp rcx",
        "3:",
        "mov rax, {enosys}",
        "jmp 2b",
        stack = const offset::ENTRY_STACK,
        rows = const trapless_abi::table::NR_MAX,
        table = sym super::__libos_systab,
        enosys = const trapless_abi::Errno::ENOSYS.to_raw(),
    )
}

/// Goes on in the program with these registers.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn to_program(_: u64, registers: &UserEntry) -> ! {
    naked_asm!(
        "mov rcx, [rsi + {rip}]",
        "mov rdi, [rsi + {rdi}]",
        "mov rdx, [rsi + {rdx}]",
        "mov rsp, [rsi + {rsp}]",
        "mov rsi, [rsi + {rsi}]",
        "jmp rcx",
        rip = const offset_of!(UserEntry, rip),
        rsp = const offset_of!(UserEntry, rsp),
        rdi = const offset_of!(UserEntry, rdi),
        rsi = const offset_of!(UserEntry, rsi),
        rdx = const offset_of!(UserEntry, rdx),
    )
}
