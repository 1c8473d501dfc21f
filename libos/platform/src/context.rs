//! What a thread is when it does not run, and the one pair of routines that take it off a CPU and put it back (INV-CTX).
//!
//! A thread leaves its CPU in one of two ways, and both end on the CPU's scheduler stack:
//! - [`switch_out`], a function call: by the System V ABI (x86-64 psABI, section 3.2.1) the caller expects RBX, RBP, RSP, R12-R15, the
//!   control bits of MXCSR and the x87 control word to survive, DF to be clear and the x87 stack to be empty. Everything else (all
//!   vector registers, mask registers, x87 data) is dead across a call, so it is not saved. RFLAGS and the FS base are saved as well.
//! - a trap ([`crate::trap`]): nothing may be assumed. The complete register frame is copied from the trap's own stack into the
//!   context, and the extended state goes into the thread's XSAVE area. Nothing is ever written at or below the interrupted RSP.
//!
//! INV-CTX-1: a context is written only by the CPU that the thread runs on, and read only by the CPU that resumes it, which got the
//! thread through a run queue's lock or an acquire operation.

use crate::percpu::offset;
use crate::trap::TrapFrame;
use core::arch::naked_asm;
use core::mem::offset_of;

/// How extended state is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FpuMode {
    /// FXSAVE: x87 and SSE only.
    Fxsave = 0,
    /// XSAVE with the components of XCR0.
    Xsave = 1,
    /// XSAVEOPT: as XSAVE, but skips components in their initial state.
    Xsaveopt = 2,
}

/// MXCSR after reset: all exceptions masked, round to nearest. What libos code runs with.
pub const MXCSR_DEFAULT: u32 = 0x1f80;
/// The x87 control word of the System V ABI: all exceptions masked, extended precision.
pub const X87_CW_DEFAULT: u32 = 0x37f;

static DEFAULT_MXCSR: u32 = MXCSR_DEFAULT;

/// A thread's registers while it is off its CPU.
#[repr(C, align(64))]
pub struct Context {
    /// The registers; after [`switch_out`] only those that a call preserves.
    pub frame: TrapFrame,
    /// FS base: the C thread pointer.
    pub fs_base: u64,
    /// 1: everything is in `frame` and the XSAVE area; 0: saved by [`switch_out`].
    pub full: u64,
    /// The thread's XSAVE area, 64-byte aligned, of [`crate::cpu::Features::xsave_size`] bytes, zeroed at first.
    pub xsave: *mut u8,
    /// MXCSR (only if not `full`).
    pub mxcsr: u32,
    /// x87 control word (only if not `full`).
    pub x87_cw: u32,
}

const FS_BASE: usize = offset_of!(Context, fs_base);
const FULL: usize = offset_of!(Context, full);
const XSAVE: usize = offset_of!(Context, xsave);
const MXCSR: usize = offset_of!(Context, mxcsr);
const X87_CW: usize = offset_of!(Context, x87_cw);
const RBX: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, rbx);
const RBP: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, rbp);
const R12: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, r12);
const R13: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, r13);
const R14: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, r14);
const R15: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, r15);
const RSP: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, rsp);
const RIP: usize = offset_of!(Context, frame) + offset_of!(TrapFrame, rip);

// The trap path copies a frame to the context's address, and resume pops it from there.
const _: () = assert!(offset_of!(Context, frame) == 0);
const _: () = assert!(size_of::<TrapFrame>() == 22 * 8);

/// IA32_FS_BASE (SDM vol. 4).
const MSR_FS_BASE: u32 = 0xc000_0100;

/// Saves what a call preserves into `context`, the calling thread's own, and enters the scheduler with `reason`. Returns when the
/// thread is resumed, perhaps on another CPU.
///
/// # Safety
/// `context` belongs to the calling thread; interrupts and preemption are enabled and no lock is held.
#[unsafe(naked)]
pub unsafe extern "C" fn switch_out(context: *mut Context, reason: u64) {
    naked_asm!(
        // On the thread's own stack while interrupts and page faults are still welcome: the resume path must not be the first to
        // touch this page.
        "pushfq",
        "cli",
        "inc dword ptr gs:[{preempt}]",
        "mov [rdi + {rbx}], rbx",
        "mov [rdi + {rbp}], rbp",
        "mov [rdi + {r12}], r12",
        "mov [rdi + {r13}], r13",
        "mov [rdi + {r14}], r14",
        "mov [rdi + {r15}], r15",
        "mov [rdi + {rsp}], rsp",
        "mov rax, [rsp + 8]",
        "mov [rdi + {rip}], rax",
        "stmxcsr [rdi + {mxcsr}]",
        "fnstcw [rdi + {x87_cw}]",
        "mov qword ptr [rdi + {full}], 0",
        "jmp {leave}",
        preempt = const offset::PREEMPT,
        rbx = const RBX, rbp = const RBP, r12 = const R12, r13 = const R13, r14 = const R14, r15 = const R15,
        rsp = const RSP, rip = const RIP, mxcsr = const MXCSR, x87_cw = const X87_CW, full = const FULL,
        leave = sym leave,
    )
}

/// The end of the trap path: `rdi` is the context, whose frame has been copied; the extended registers are still the thread's.
/// Interrupts are off, the preemption counter is 1. Never returns here; `rsi` is the reason for the scheduler.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn save_extended_and_leave() {
    naked_asm!(
        "mov rcx, [rdi + {xsave}]",
        "mov eax, gs:[{mask}]",
        "mov edx, gs:[{mask} + 4]",
        "cmp dword ptr gs:[{mode}], 1",
        "je 2f",
        "ja 3f",
        "fxsave64 [rcx]",
        "jmp 4f",
        "2: xsave64 [rcx]",
        "jmp 4f",
        "3: xsaveopt64 [rcx]",
        "4:",
        // The upper halves would only slow the libos down.
        "cmp dword ptr gs:[{has_avx}], 0",
        "je 5f",
        "vzeroupper",
        "5:",
        "mov qword ptr [rdi + {full}], 1",
        "jmp {leave}",
        xsave = const XSAVE, full = const FULL,
        mask = const offset::XSAVE_MASK, mode = const offset::FPU_MODE, has_avx = const offset::HAS_AVX,
        leave = sym leave,
    )
}

/// What both ways have in common: save the FS base, go to the scheduler's stack with libos defaults. `rdi`: context, `rsi`: reason.
#[unsafe(naked)]
unsafe extern "C" fn leave() {
    naked_asm!(
        "cmp dword ptr gs:[{has_fsgsbase}], 0",
        "je 2f",
        "rdfsbase rax",
        "jmp 3f",
        "2: mov ecx, {msr}",
        "rdmsr",
        "shl rdx, 32",
        "or rax, rdx",
        "3: mov [rdi + {fs_base}], rax",
        "ldmxcsr [rip + {default}]",
        "mov rsp, gs:[{sched_top}]",
        "xor ebp, ebp",
        "mov rdi, rsi",
        "call {enter}",
        "ud2",
        has_fsgsbase = const offset::HAS_FSGSBASE,
        msr = const MSR_FS_BASE,
        fs_base = const FS_BASE,
        sched_top = const offset::SCHED_TOP,
        default = sym DEFAULT_MXCSR,
        enter = sym crate::sched::enter,
    )
}

/// Continues the thread whose context this is. The only way back to a thread.
///
/// # Safety
/// Interrupts are off, the caller is the scheduler on its own stack with the preemption counter at 1, and `context` was saved and
/// belongs to the thread that is now this CPU's current one.
#[unsafe(naked)]
pub unsafe extern "C" fn resume(context: *const Context) -> ! {
    naked_asm!(
        "mov r8, rdi",
        "mov rax, [r8 + {fs_base}]",
        "cmp dword ptr gs:[{has_fsgsbase}], 0",
        "je 2f",
        "wrfsbase rax",
        "jmp 3f",
        "2: mov rdx, rax",
        "shr rdx, 32",
        "mov ecx, {msr}",
        "wrmsr",
        "3: mov dword ptr gs:[{preempt}], 0",
        "cmp qword ptr [r8 + {full}], 0",
        "je 6f",

        // Everything.
        "mov rcx, [r8 + {xsave}]",
        "mov eax, gs:[{mask}]",
        "mov edx, gs:[{mask} + 4]",
        "cmp dword ptr gs:[{mode}], 0",
        "jne 4f",
        "fxrstor64 [rcx]",
        "jmp 5f",
        "4: xrstor64 [rcx]",
        "5: mov rsp, r8",
        "jmp {pop}",

        // What a call preserves. An interrupt may have led here, which leaves no segment in SS. That means nothing to code in 64-bit
        // mode, but an emulator translates all code anew for it. Another thread may have left values on the x87 stack, which a call
        // promises to find empty.
        "6: mov eax, {ss}",
        "mov ss, eax",
        "fninit",
        "fldcw [r8 + {x87_cw}]",
        "ldmxcsr [r8 + {mxcsr}]",
        "mov rbx, [r8 + {rbx}]",
        "mov rbp, [r8 + {rbp}]",
        "mov r12, [r8 + {r12}]",
        "mov r13, [r8 + {r13}]",
        "mov r14, [r8 + {r14}]",
        "mov r15, [r8 + {r15}]",
        "mov rsp, [r8 + {rsp}]",
        "popfq",
        "ret",
        fs_base = const FS_BASE, full = const FULL, xsave = const XSAVE, mxcsr = const MXCSR, x87_cw = const X87_CW,
        rbx = const RBX, rbp = const RBP, r12 = const R12, r13 = const R13, r14 = const R14, r15 = const R15, rsp = const RSP,
        has_fsgsbase = const offset::HAS_FSGSBASE, preempt = const offset::PREEMPT,
        mask = const offset::XSAVE_MASK, mode = const offset::FPU_MODE, msr = const MSR_FS_BASE,
        pop = sym crate::trap::pop_frame, ss = const crate::gdt::KERNEL_SS,
    )
}

/// Sets the calling thread's FS base (arch_prctl(2), ARCH_SET_FS).
pub fn set_fs_base(base: u64) {
    x86_64::registers::model_specific::FsBase::write(x86_64::VirtAddr::new_truncate(base));
}

/// The calling thread's FS base (arch_prctl(2), ARCH_GET_FS).
pub fn fs_base() -> u64 {
    x86_64::registers::model_specific::FsBase::read().as_u64()
}

/// The calling thread's floating-point control: MXCSR and x87 control word. A new thread inherits it, as after clone(2).
pub fn fp_control() -> (u32, u32) {
    let (mut mxcsr, mut cw) = (0u32, 0u32);
    // SAFETY: both instructions store a control register to the given local.
    unsafe {
        core::arch::asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut mxcsr, in(reg) &raw mut cw,
            options(nostack, preserves_flags));
    }
    (mxcsr & 0xffc0, cw)
}
