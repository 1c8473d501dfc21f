//! `trap`: a system call is the `syscall` instruction, executed in ring 3, as on Linux without page table isolation.
//!
//! Pages of the libos are mapped, but not for ring 3. On the way in SWAPGS brings the CPU's block and with it the thread's kernel stack
//! (Intel SDM vol. 2, SYSCALL, SWAPGS); SYSRET leads back. What a thread of the program finds in its registers is as in `trap0`.
//!
//! SYSRET to an address that is not canonical would fault in ring 0 with the program's stack. There is none to come: RCX is the address
//! behind a `syscall` that the program has executed, and what it can execute ends far below 2^47; handlers' addresses are checked. All
//! other ways into the program end in IRET ([`crate::trap`]).
//!
//! Supervisor mode execution and access prevention are on where the CPU has them, so that the libos cannot run code of the program, and
//! reads and writes its memory in one place only ([`crate::user`]).

use crate::cpu::cpuid;
use crate::gdt::{KERNEL_CS, KERNEL_SS, Segments};
use crate::paging;
use crate::percpu::{self, offset};
use crate::thread::UserEntry;
use crate::trap::RFLAGS_INITIAL;
use core::arch::naked_asm;
use core::mem::offset_of;
use core::sync::atomic::Ordering;
use x86_64::VirtAddr;
use x86_64::registers::control::{Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags, KernelGsBase, LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;

pub(crate) use super::kernel_stack::{ThreadPart, arrive};
pub use super::kernel_stack::{call_handler, caller, program_sp, return_from_handler};

/// What the program runs with.
pub(crate) const PROGRAM: Segments = Segments::RING_3;

/// IA32_STAR (SDM vol. 4): SYSCALL's CS in bits 32 to 47, its SS is the next; SYSRET's SS is the one after the selector in bits 48 to 63,
/// its CS the one after that.
const IA32_STAR: u32 = 0xc000_0081;
const STAR: u64 = KERNEL_CS << 32 | (KERNEL_SS | 3) << 48;
const _: () = assert!((STAR >> 48) + 8 == PROGRAM.ss && (STAR >> 48) + 16 == PROGRAM.cs);
const _: () = assert!(paging::WINDOW.end < 1 << 47 && paging::HEAP.end < 1 << 47 && paging::LOW_WINDOW_END < 1 << 47);

/// What SYSCALL clears: interrupts stay off until the stack is changed, and no flag of the program matters to the libos.
const CLEARED: RFlags = RFlags::INTERRUPT_FLAG
    .union(RFlags::DIRECTION_FLAG)
    .union(RFlags::TRAP_FLAG)
    .union(RFlags::NESTED_TASK)
    .union(RFlags::ALIGNMENT_CHECK);

/// Makes `syscall` lead to [`entry`] on the calling CPU, and keeps the libos out of the program's pages.
pub(crate) fn set_up_cpu() {
    LStar::write(VirtAddr::from_ptr(entry as *const ()));
    SFMask::write(CLEARED);
    // The GS base of ring 3: 0 until a thread of the program changes it, and nobody's to keep.
    KernelGsBase::write(VirtAddr::zero());
    // CPUID 7: EBX bits 7 and 20.
    let features = cpuid(7).ebx;
    let (smep, smap) = (features >> 7 & 1 != 0, features >> 20 & 1 != 0);
    // SAFETY: the selectors are those of the GDT, and the entry point is ready; the CPU has the two bits, and the libos neither executes
    // the program's pages nor touches them but in `crate::user`.
    unsafe {
        Msr::new(IA32_STAR).write(STAR);
        Efer::update(|flags| flags.insert(EferFlags::SYSTEM_CALL_EXTENSIONS));
        Cr4::update(|flags| {
            flags.set(Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION, smep);
            flags.set(Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION, smap);
        });
    }
    percpu::this().has_smap.store(smap.into(), Ordering::Relaxed);
}

/// Where `syscall` leads: RCX is the return address, R11 the flags; number and arguments as Linux has them.
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!(
        "swapgs",
        "mov gs:[{scratch}], rsp",
        "mov rsp, gs:[{stack}]",
        // A `Call`.
        "push gs:[{scratch}]",
        "push r11",
        "push rcx",
        "push rdi",
        "push rsi",
        "push rdx",
        "push r10",
        "push r8",
        "push r9",
        "push rax",
        "sti",
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
        // From here on the stack, then GS is the program's.
        "cli",
        "pop rcx",
        "pop r11",
        "pop rsp",
        "swapgs",
        "sysretq",
        "3:",
        "mov rax, {enosys}",
        "jmp 2b",
        scratch = const offset::ENTRY_SCRATCH,
        stack = const offset::ENTRY_STACK,
        rows = const trapless_abi::table::NR_MAX,
        table = sym super::__libos_systab,
        enosys = const trapless_abi::Errno::ENOSYS.to_raw(),
    )
}

/// Goes on in the program with these registers; the others are zero.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn to_program(_: u64, registers: &UserEntry) -> ! {
    naked_asm!(
        "cli",
        "mov rcx, [rsi + {rip}]",
        "mov rdi, [rsi + {rdi}]",
        "mov rdx, [rsi + {rdx}]",
        "mov rsp, [rsi + {rsp}]",
        "mov rsi, [rsi + {rsi}]",
        "mov r11d, {rflags}",
        "xor eax, eax",
        "xor ebx, ebx",
        "xor ebp, ebp",
        "xor r8d, r8d",
        "xor r9d, r9d",
        "xor r10d, r10d",
        "xor r12d, r12d",
        "xor r13d, r13d",
        "xor r14d, r14d",
        "xor r15d, r15d",
        "swapgs",
        "sysretq",
        rip = const offset_of!(UserEntry, rip),
        rsp = const offset_of!(UserEntry, rsp),
        rdi = const offset_of!(UserEntry, rdi),
        rsi = const offset_of!(UserEntry, rsi),
        rdx = const offset_of!(UserEntry, rdx),
        rflags = const RFLAGS_INITIAL,
    )
}
