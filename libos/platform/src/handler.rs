//! Calling a signal handler of the C program, as a plain function.

use core::arch::asm;
use trapless_abi::structs::{Siginfo, Ucontext};

/// Calls `handler(signo, info, context)` at address `handler` on the calling thread's stack, or on the stack that ends at `stack_top`.
///
/// The handler may leave by longjmp(3) or siglongjmp(3): nothing of this function's frame is needed then.
pub fn call_handler(handler: usize, info: &Siginfo, context: &mut Ucontext, stack_top: Option<usize>) {
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
            handler = in(reg) handler,
            inout("rax") stack_top.unwrap_or(0) => _,
            in("edi") signo,
            in("rsi") info,
            in("rdx") context,
            out("r12") _,
            clobber_abi("C"),
        );
    }
}
