//! What happens on a trap, once the registers are safe.

use super::{RFLAGS_IF, TrapFrame};
use crate::context::Context;
use crate::percpu::{self, PerCpu, count};
use crate::ring::Event;
use core::sync::atomic::{AtomicPtr, Ordering};
use x86_64::instructions::interrupts;
use x86_64::registers::control::Cr2;

const DEBUG: u64 = 1;
const NMI: u64 = 2;
const DOUBLE_FAULT: u64 = 8;
const PAGE_FAULT: u64 = 14;
const MACHINE_CHECK: u64 = 18;
const FIRST_INTERRUPT: u64 = 32;

/// Offered every exception that the libos cannot settle by itself: `(frame, vector, address)`, the address being CR2 for page faults,
/// else RIP. Returns true if the thread can go on with the (changed) frame, false if the machine is to stop. Runs on an interrupt
/// stack with preemption disabled, so it must not take a lock that the interrupted code may hold.
pub type FaultHook = fn(&mut TrapFrame, u8, u64) -> bool;

static FAULT_HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Sets the function that turns exceptions of C code into signals.
pub fn set_fault_hook(hook: FaultHook) {
    FAULT_HOOK.store(hook as *mut (), Ordering::Release);
}

/// Called by the entry code. Returns the current thread's context if that is to be saved and the scheduler entered, else null.
pub(super) extern "C" fn dispatch(frame: &mut TrapFrame) -> *mut Context {
    let cpu = percpu::this();
    let depth = cpu.preempt.load(Ordering::Relaxed);
    cpu.preempt.store(depth + 1, Ordering::Relaxed);
    count(&cpu.stats.traps);
    match frame.vector {
        NMI => crate::smp::stop::on_nmi(frame),
        PAGE_FAULT => page_fault(cpu, depth != 0, frame),
        vector @ FIRST_INTERRUPT.. => {
            if vector == u64::from(crate::irq::TIMER) {
                crate::profile::on_timer(cpu, frame);
            }
            crate::irq::handle(vector as u8);
        }
        _ => exception(frame, frame.rip),
    }
    let current = cpu.current.load(Ordering::Relaxed);
    let switch = depth == 0
        && cpu.pending.load(Ordering::Relaxed) != 0
        && !current.is_null()
        && frame.rflags & RFLAGS_IF != 0
        && !matches!(frame.vector, DEBUG | NMI | DOUBLE_FAULT | MACHINE_CHECK);
    if switch {
        #[cfg(feature = "mutants")]
        super::mutant::spoil(frame);
        // The scheduler takes over this level of disabled preemption.
        // SAFETY: the running thread is alive, and its context is this CPU's to write (INV-CTX-1).
        unsafe { (*current).context() }
    } else {
        cpu.preempt.store(depth, Ordering::Relaxed);
        core::ptr::null_mut()
    }
}

/// Interrupts are let in again while memory is found and cleared: the stack is this vector's own, and preemption is disabled.
fn page_fault(cpu: &PerCpu, locked: bool, frame: &mut TrapFrame) {
    let address = Cr2::read_raw();
    count(&cpu.stats.page_faults);
    if cpu.in_page_fault.swap(true, Ordering::Relaxed) {
        crate::epitaph::trap(frame, Some(address), "page fault while handling a page fault");
    }
    let welcome = frame.rflags & RFLAGS_IF != 0;
    if welcome {
        interrupts::enable();
    }
    let settled = crate::paging::handle_page_fault(address, frame.error, locked || !welcome, frame);
    interrupts::disable();
    cpu.in_page_fault.store(false, Ordering::Relaxed);
    if !settled {
        exception(frame, address);
    }
}

#[cold]
fn exception(frame: &mut TrapFrame, address: u64) {
    percpu::this().ring.note(Event::Trap, frame.vector, frame.rip);
    let hook = FAULT_HOOK.load(Ordering::Acquire);
    if !hook.is_null() {
        // SAFETY: set_fault_hook stored a FaultHook.
        let hook: FaultHook = unsafe { core::mem::transmute(hook) };
        if hook(frame, frame.vector as u8, address) {
            return;
        }
    }
    let why = if frame.cs & 3 == 3 { "unhandled exception of the program" } else { "unhandled exception" };
    crate::epitaph::trap(frame, Some(address).filter(|_| frame.vector == PAGE_FAULT), why);
}
