//! The interrupt side of a virtio device: acknowledge, raise a softirq, nothing more.

use super::device::Error;
use crate::irq::{self, Softirq};
use alloc::boxed::Box;

/// How the device is told that its interrupt was seen (virtio 1.2, 4.1.4.5 and 4.2.2).
pub enum Acknowledge {
    /// MSI-X: a message needs no answer.
    Message,
    /// PCI pin: reading the ISR status register releases the line.
    PciIsr(*mut u8),
    /// MMIO: the interrupt status register's bits are written to the acknowledge register.
    Mmio {
        /// Interrupt status.
        status: *mut u32,
        /// Interrupt acknowledge.
        acknowledge: *mut u32,
    },
}

/// What the handler needs; lives for ever, as handlers do.
struct Line {
    acknowledge: Acknowledge,
    softirq: Softirq,
}

/// Reserves a vector for the interrupts of `name`, which are acknowledged that way and raise `softirq`.
///
/// # Errors
/// [`Error::NoInterrupt`] when the vectors are used up.
pub fn vector(name: &str, acknowledge: Acknowledge, softirq: Softirq) -> Result<u8, Error> {
    let line: &'static Line = Box::leak(Box::new(Line { acknowledge, softirq }));
    irq::alloc_vector(name, on_interrupt, core::ptr::from_ref(line).expose_provenance()).ok_or(Error::NoInterrupt)
}

fn on_interrupt(arg: usize) {
    // SAFETY: arg is the leaked Line that `vector` passed along with this handler.
    let line = unsafe { &*core::ptr::with_exposed_provenance::<Line>(arg) };
    match line.acknowledge {
        Acknowledge::Message => {}
        // SAFETY: the device's own ISR register, mapped for good; reading it is the acknowledgement.
        Acknowledge::PciIsr(isr) => _ = unsafe { isr.read_volatile() },
        // SAFETY: the device's own registers, mapped for good.
        Acknowledge::Mmio { status, acknowledge } => unsafe { acknowledge.write_volatile(status.read_volatile()) },
    }
    irq::raise(line.softirq);
}
