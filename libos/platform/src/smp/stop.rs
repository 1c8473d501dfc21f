//! Bringing every CPU to a halt, wherever it is.

use crate::apic::{self, Ipi};
use crate::percpu;
use crate::trap::TrapFrame;
use core::sync::atomic::{AtomicBool, Ordering};
use x86_64::instructions::{hlt, interrupts};

static STOPPING: AtomicBool = AtomicBool::new(false);

/// Stops all other CPUs for good, by NMI: they may have interrupts off.
pub fn stop_others() {
    STOPPING.store(true, Ordering::SeqCst);
    if !apic::ready() {
        return;
    }
    let own = percpu::this();
    for cpu in percpu::all().filter(|cpu| !core::ptr::eq(*cpu, own)) {
        apic::send(cpu.lapic_id.load(Ordering::Relaxed), Ipi::Nmi);
    }
}

/// Stops the calling CPU for good.
pub fn stop_self() -> ! {
    interrupts::disable();
    loop {
        hlt();
    }
}

/// An NMI: the order to stop; or somebody outside wants to know what the machine is doing (QEMU's `nmi` and `inject-nmi`).
pub(crate) fn on_nmi(frame: &mut TrapFrame) {
    percpu::this().stopped_at.store(frame, Ordering::Release);
    if STOPPING.load(Ordering::SeqCst) {
        stop_self();
    }
    crate::epitaph::asked(frame);
}
