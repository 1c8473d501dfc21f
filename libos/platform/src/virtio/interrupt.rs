//! The interrupt side of a network card: acknowledge, say which pairs of queues it is about, raise the softirq, nothing more.

use super::device::Error;
use crate::irq::{self, Softirq};
use crate::percpu::{self, MAX_CPUS};
use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

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
    pairs: u64,
}

/// The pairs of queues that are to be looked at by the network softirq of each CPU, a bit each.
static PAIRS: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// Has the network softirq run soon on this CPU, for these pairs of queues. Callable from everywhere.
pub fn raise_for_pairs(pairs: u64) {
    percpu::preempt_disable();
    PAIRS[percpu::this().index()].fetch_or(pairs, Ordering::SeqCst);
    irq::raise(Softirq::NET);
    percpu::preempt_enable();
}

/// The pairs for which the network softirq runs now, on this CPU.
pub fn take_pairs() -> u64 {
    PAIRS[percpu::this().index()].swap(0, Ordering::SeqCst)
}

/// Reserves a vector for the interrupts of `name`, which are acknowledged that way, and are about these pairs of queues, a bit each.
///
/// # Errors
/// [`Error::NoInterrupt`] when the vectors are used up.
pub fn vector(name: &str, acknowledge: Acknowledge, pairs: u64) -> Result<u8, Error> {
    let line: &'static Line = Box::leak(Box::new(Line { acknowledge, pairs }));
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
    raise_for_pairs(line.pairs);
}
