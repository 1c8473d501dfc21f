//! The way from the program into the libos and back: one of three variants, chosen when the image is built (`TRAPLESS_ENTRY`).
//!
//! | variant | a system call is | the libos runs on | the program runs in |
//! |---|---|---|---|
//! | `direct` | a function call through `__libos_systab` | the caller's stack | ring 0 |
//! | `trap0` | the `syscall` instruction | a kernel stack of the thread | ring 0 |
//! | `trap` | the `syscall` instruction | a kernel stack of the thread | ring 3 |
//!
//! Each variant is one file with the same names in it, and the only code that knows which one it is:
//! - `PROGRAM`: the segments, and so the ring, that the program runs in;
//! - `set_up_cpu`: what a CPU needs before the program runs on it;
//! - `ThreadPart`: what a thread has for it, and `arrive`, which tells the CPU that resumes the thread;
//! - `caller`, `program_sp`: the program's registers at its system call;
//! - `call_handler`, `return_from_handler`: out to a signal handler and back.
//!
//! The other side of the seam is musl's, in the folder of the same name under `musl-shim/entry`.

#[cfg_attr(entry = "direct", path = "entry/direct.rs")]
#[cfg_attr(entry = "trap0", path = "entry/trap0.rs")]
#[cfg_attr(entry = "trap", path = "entry/trap.rs")]
mod variant;

#[cfg(not(entry = "direct"))]
mod kernel_stack;

pub(crate) use variant::{PROGRAM, ThreadPart, arrive, set_up_cpu};
pub use variant::{call_handler, caller, program_sp, return_from_handler};

/// Whether the program runs in ring 3: its pages are marked for it, and the way in changes GS.
pub(crate) const RING_3: bool = PROGRAM.ring() == 3;

/// A signal handler of the program, as rt_sigaction(2) registered it, and where it is to run.
#[derive(Clone, Copy, Debug)]
pub struct Handler {
    /// The function: `handler(signo, siginfo, ucontext)`.
    pub function: usize,
    /// Where it returns to in the program, to call rt_sigreturn(2).
    pub restorer: usize,
    /// The end of the stack to run on; None: goes on below whoever is interrupted.
    pub stack_top: Option<usize>,
    /// The lowest address of the stack it runs on, 0 if that is not known.
    pub stack_bottom: usize,
}

#[cfg(not(entry = "direct"))]
unsafe extern "C" {
    /// The system call table: a row for each number (see `libos/src/dispatch.rs`).
    static __libos_systab: [usize; trapless_abi::table::NR_MAX];
}
