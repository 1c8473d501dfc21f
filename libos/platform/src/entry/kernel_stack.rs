//! The stacks that system calls run on where they do not run on the program's, and what lies on them.
//!
//! A thread of the program starts each system call at the top of its kernel stack, with a [`Call`] there. While a signal handler runs,
//! the call that it interrupted still lies on that stack; so the handler's own calls get another one. rt_sigreturn(2) goes back to the
//! first. A handler that leaves by longjmp(3) never does: that shows by the program's stack pointer, and the stack below is used again.

use super::{Handler, variant};
use crate::percpu::{self, PerCpu};
use crate::stack::Stack;
use crate::thread::{self, UserEntry};
use crate::{context, user};
use alloc::vec::Vec;
use core::arch::naked_asm;
use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::Ordering;
use trapless_abi::structs::{Siginfo, Ucontext};
use trapless_abi::{Errno, SysResult};

/// Bytes of a kernel stack.
const SIZE: usize = 32 << 10;
/// Bytes below its stack pointer that belong to a function (x86-64 psABI, section 3.2.2).
const RED_ZONE: usize = 128;

/// The program's registers at a system call, as the entry code leaves them at the top of the kernel stack: those that a system call
/// preserves although a function call does not, and where it returns to.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Call {
    number: u64,
    r9: u64,
    r8: u64,
    r10: u64,
    rdx: u64,
    rsi: u64,
    rdi: u64,
    rip: u64,
    /// In ring 3 only: `trap0` leaves the flags alone.
    rflags: u64,
    rsp: u64,
}

// Handlers are called with an aligned stack: they are Rust functions.
const _: () = assert!(size_of::<Call>().is_multiple_of(16));

/// The kernel stacks of a thread.
pub(crate) struct ThreadPart {
    /// Where the next system call starts: the top of `current`; 0 in a thread of the libos, which makes none.
    top: Cell<u64>,
    stacks: UnsafeCell<Stacks>,
}

/// All but the top, which the scheduler reads.
struct Stacks {
    current: Option<Stack>,
    /// The calls that handlers have interrupted, the outermost first.
    interrupted: Vec<Interrupted>,
}

/// A system call that waits for the end of a signal handler.
struct Interrupted {
    /// The stack it runs on.
    stack: Stack,
    /// Where it goes on, on that stack.
    sp: u64,
    /// The lowest address of the handler's stack, 0 if that is not known.
    bottom: usize,
    /// Where the program's stack pointer stands when the handler has returned.
    returns_at: usize,
}

impl Interrupted {
    /// Whether the handler may still run, the program's stack pointer being at `sp` in a later call.
    fn is_live(&self, sp: usize) -> bool {
        (self.bottom..=self.returns_at).contains(&sp)
    }
}

// SAFETY: only the thread itself accesses its stacks; the scheduler reads `top`, on the CPU that is to run the thread.
unsafe impl Sync for ThreadPart {}

impl ThreadPart {
    /// For a thread of the program. ENOMEM.
    pub fn for_program() -> SysResult<Self> {
        let stack = Stack::new(SIZE)?;
        let top = Cell::new(stack.top());
        Ok(Self { top, stacks: UnsafeCell::new(Stacks { current: Some(stack), interrupted: Vec::new() }) })
    }

    /// For a thread of the libos.
    pub const fn for_libos() -> Self {
        Self { top: Cell::new(0), stacks: UnsafeCell::new(Stacks { current: None, interrupted: Vec::new() }) }
    }

    /// Stack pointer and instruction pointer of the program, of a thread that does not run and whose own stack pointer is at `sp`: if it
    /// waits in a system call.
    pub fn program_place(&self, sp: u64) -> Option<(u64, u64)> {
        let top = self.top.get();
        let first = top.wrapping_sub(size_of::<Call>() as u64);
        let call = (top.wrapping_sub(SIZE as u64)..=first).contains(&sp).then_some(first as *const Call)?;
        // SAFETY: a system call starts with a `Call` at the top of this stack, and the thread, which does not run, has left it whole.
        let call = unsafe { call.read() };
        Some((call.rsp, call.rip))
    }

    /// Changes the calling thread's stack for its next system calls, and returns the one before.
    fn change(&self, stacks: &mut Stacks, stack: Stack) -> Option<Stack> {
        percpu::preempt_disable();
        self.top.set(stack.top());
        percpu::this().entry_stack.store(stack.top(), Ordering::Relaxed);
        percpu::preempt_enable();
        stacks.current.replace(stack)
    }
}

/// Tells the CPU where the system calls of the thread start that it is about to run.
pub(crate) fn arrive(cpu: &PerCpu, own: &ThreadPart) {
    cpu.entry_stack.store(own.top.get(), Ordering::Relaxed);
}

/// Calls `f` with the calling thread's stacks.
fn with_own<R>(f: impl FnOnce(&ThreadPart, &mut Stacks) -> R) -> R {
    thread::with_current(|me| {
        // SAFETY: only the thread itself comes here, and `f` does not come here again.
        f(&me.entry, unsafe { &mut *me.entry.stacks.get() })
    })
}

/// The registers of the calling thread's present system call.
fn call() -> Call {
    let top = thread::with_current(|me| me.entry.top.get()) as *const Call;
    // SAFETY: threads of the program only run Rust code in system calls, which start with a `Call` at the top of the stack.
    unsafe { top.sub(1).read() }
}

/// The registers with which the calling thread goes on after its present system call, as far as they are known: for clone(2).
pub fn caller() -> Option<UserEntry> {
    let Call { r9, r8, r10, rdx, rsi, rdi, rip, rsp, .. } = call();
    Some(UserEntry { rip, rsp, rdi, rsi, rdx, r8, r9, r10, fs_base: context::fs_base() })
}

/// The program's stack pointer at the calling thread's present system call.
pub fn program_sp() -> usize {
    call().rsp as usize
}

/// Runs a signal handler of the program, in the middle of a system call, until it calls rt_sigreturn(2).
///
/// It may leave by longjmp(3) or siglongjmp(3); then this never returns.
///
/// # Errors
/// EFAULT: the handler is no address of the program, or its stack is not there. ENOMEM.
pub fn call_handler(handler: &Handler, info: &Siginfo, context: &mut Ucontext) -> SysResult<()> {
    if !user::is_program_memory(handler.function, 1) {
        return Err(Errno::EFAULT);
    }
    let interrupted = program_sp();
    let top = handler.stack_top.unwrap_or(interrupted.wrapping_sub(RED_ZONE));
    let info_at = top.wrapping_sub(size_of::<Siginfo>()) & !15;
    let context_at = info_at.wrapping_sub(size_of::<Ucontext>()) & !15;
    // The handler finds its return address, which leads to rt_sigreturn(2).
    let sp = context_at.wrapping_sub(size_of::<usize>());
    user::write(info_at, info)?;
    user::write(context_at, context)?;
    user::write(sp, &handler.restorer)?;
    let goes_on_at = interrupt(interrupted, handler.stack_bottom, context_at)?;
    let registers = UserEntry {
        rip: handler.function as u64,
        rsp: sp as u64,
        rdi: info.si_signo as u64,
        rsi: info_at as u64,
        rdx: context_at as u64,
        ..UserEntry::default()
    };
    // SAFETY: the record that `interrupt` has just made is alive, and the next system call runs on another stack.
    unsafe { leave(goes_on_at, &registers) };
    end_interruption();
    *context = user::read(context_at)?;
    Ok(())
}

/// rt_sigreturn(2): goes back to the system call that the handler has interrupted. Comes back here if there is none.
pub fn return_from_handler() {
    if let Some(sp) = resumption(program_sp()) {
        // SAFETY: `leave` stored it, and its frame is still there (the call it belongs to is not over).
        unsafe { go_on(sp) }
    }
}

/// Makes the calling thread's next system calls start on another stack, and returns where to note at which point of this one the
/// present call goes on. `sp` is the program's stack pointer at the present call. ENOMEM.
fn interrupt(sp: usize, bottom: usize, returns_at: usize) -> SysResult<*mut u64> {
    with_own(|own, stacks| {
        let mut spare = None;
        while let Some(left) = stacks.interrupted.pop_if(|call| !call.is_live(sp)) {
            spare = Some(left.stack);
        }
        stacks.interrupted.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let next = spare.map_or_else(|| Stack::new(SIZE), Ok)?;
        let stack = own.change(stacks, next).ok_or(Errno::ENOMEM)?;
        Ok(&raw mut stacks.interrupted.push_mut(Interrupted { stack, sp: 0, bottom, returns_at }).sp)
    })
}

/// Where the call goes on whose handler has returned with the program's stack pointer at `sp`. None if there is none.
fn resumption(sp: usize) -> Option<u64> {
    with_own(|_, stacks| {
        while stacks.interrupted.pop_if(|call| call.returns_at != sp).is_some() {}
        stacks.interrupted.last().map(|call| call.sp)
    })
}

/// Ends what [`interrupt`] began, on the stack of the interrupted call.
fn end_interruption() {
    let nested = with_own(|own, stacks| stacks.interrupted.pop().and_then(|call| own.change(stacks, call.stack)));
    drop(nested);
}

/// Leaves for the program. Returns by [`go_on`] with what is stored in `*goes_on_at`.
///
/// # Safety
/// `goes_on_at` can be written, and system calls start on another stack than this.
#[unsafe(naked)]
unsafe extern "C" fn leave(goes_on_at: *mut u64, registers: &UserEntry) {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "mov [rdi], rsp",
        "jmp {to_program}",
        to_program = sym variant::to_program,
    )
}

/// Returns from [`leave`], which stored `sp`.
///
/// # Safety
/// `leave` was called on a stack that still is as it was then.
#[unsafe(naked)]
unsafe extern "C" fn go_on(sp: u64) -> ! {
    naked_asm!("mov rsp, rdi", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx", "ret")
}
