//! `direct`: a system call is a function call, so there is next to nothing to do.

use super::Handler;
use crate::gdt::Segments;
use crate::percpu::PerCpu;
use crate::thread::UserEntry;
use core::arch::asm;
use trapless_abi::SysResult;
use trapless_abi::structs::{Siginfo, Ucontext};

/// What the program runs with.
pub(crate) const PROGRAM: Segments = Segments::RING_0;

/// What a thread has for its system calls: nothing.
pub(crate) struct ThreadPart;

impl ThreadPart {
    /// For a thread of the program.
    pub fn for_program() -> SysResult<Self> {
        Ok(Self)
    }

    /// For a thread of the libos.
    pub const fn for_libos() -> Self {
        Self
    }

    /// Nothing beside the thread's one stack.
    pub fn program_place(&self, _sp: u64) -> Option<(u64, u64)> {
        None
    }
}

/// Nothing to prepare.
pub(crate) fn set_up_cpu() {}

/// Nothing to tell the CPU.
pub(crate) fn arrive(_cpu: &PerCpu, _own: &ThreadPart) {}

/// The registers of the calling thread's system call. There are none: it is a function call like any other.
pub fn caller() -> Option<UserEntry> {
    None
}

/// The program's stack pointer, more or less: the libos runs on the same stack, so any local variable tells.
pub fn program_sp() -> usize {
    let local = 0u8;
    (&raw const local).addr()
}

/// Calls a signal handler like any function, on the calling thread's stack or the one given.
///
/// It may leave by longjmp(3) or siglongjmp(3): nothing of this function's frame is needed then.
///
/// # Errors
/// None.
pub fn call_handler(handler: &Handler, info: &Siginfo, context: &mut Ucontext) -> SysResult<()> {
    let signo = info.si_signo;
    // SAFETY: the address is what the program registered by rt_sigaction(2) and obeys the System V ABI, so it preserves r12; the
    // compiler assumes that the asm uses the stack (no `nostack`), so no live data lie below RSP, and RSP is restored from r12.
    unsafe {
        asm!(
            "mov r12, rsp",
            "test rax, rax",
            "cmovnz rsp, rax",
            "and rsp, -16",
            "call {handler}",
            "mov rsp, r12",
            handler = in(reg) handler.function,
            inout("rax") handler.stack_top.unwrap_or(0) => _,
            in("edi") signo,
            in("rsi") info,
            in("rdx") context,
            out("r12") _,
            clobber_abi("C"),
        );
    }
    Ok(())
}

/// rt_sigreturn(2) is for handlers that were not called: there are none, so this comes back.
pub fn return_from_handler() {}
