//! Faults on purpose, to show that the corruption sentinel or the processor notices them.

use super::TrapFrame;
use core::sync::atomic::{AtomicBool, Ordering};

static DROP_REGISTER: AtomicBool = AtomicBool::new(false);
static TOUCH_PROGRAM: AtomicBool = AtomicBool::new(false);

/// Takes the interrupt stack away from a vector: its frames go onto the stack of whoever is interrupted.
pub fn drop_ist(vector: u8) {
    super::idt::drop_ist(vector);
}

/// What the program's own sentinel calls its threads while their registers are full (`tests/boundary/spinners.c`).
const SPINNER: &[u8] = b"spinner";

/// From now on a preempted thread of the sentinel loses R12. (Of any thread, and the machine would not live to tell.)
pub fn drop_register() {
    DROP_REGISTER.store(true, Ordering::Relaxed);
}

/// From now on the libos touches memory of the program otherwise than by [`crate::user`].
pub fn touch_program() {
    TOUCH_PROGRAM.store(true, Ordering::Relaxed);
}

/// Called with the address of a page that the program has, and that is there.
pub(crate) fn touch(address: u64) {
    if TOUCH_PROGRAM.load(Ordering::Relaxed) {
        // SAFETY: a page of zeros that nobody else uses; a fault is what is wanted.
        unsafe { (address as *const u64).read_volatile() };
    }
}

/// Called with the frame of a thread that is about to be preempted.
pub(super) fn spoil(frame: &mut TrapFrame) {
    if DROP_REGISTER.load(Ordering::Relaxed) && (crate::sentinel::in_routine(frame.rip) || is_spinner(frame)) {
        frame.r12 = 0;
    }
}

/// Whether the program itself was interrupted, in a thread of the sentinel's.
fn is_spinner(frame: &TrapFrame) -> bool {
    let name = || crate::thread::with_current(crate::thread::Thread::try_name);
    crate::boot::program_range().contains(&frame.rip) && name().is_some_and(|name| name.starts_with(SPINNER))
}
