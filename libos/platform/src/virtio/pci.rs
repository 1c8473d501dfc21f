//! Virtio devices on PCI, by the modern interface (virtio 1.2, 4.1).

use super::device::{Device, Doorbell, Error, Register, Wiring as DeviceWiring};
use super::hal::DmaHal;
use super::interrupt::{self, Acknowledge};
use crate::irq;
use crate::pci::config::Config;
use crate::pci::msix::Msix;
use crate::pci::{self, ConfigurationAccess, DeviceFunction};
use alloc::format;
use trapless_logic::virtio::queues::Vectors;
use virtio_drivers::transport::SomeTransport;
use virtio_drivers::transport::pci::bus::PCI_CAP_ID_VNDR;
use virtio_drivers::transport::pci::{
    PciTransport, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_PCI_CAP_NOTIFY_CFG, VirtioPciError,
};

/// Fields of the common configuration structure, by offset (4.1.4.3).
const QUEUE_SELECT: usize = 0x16;
const QUEUE_MSIX_VECTOR: usize = 0x1a;
const QUEUE_NOTIFY_OFF: usize = 0x1e;
const COMMON_LEN: usize = 0x38;
/// What the device answers when it could not assign a vector (4.1.5.1.2).
const NO_VECTOR: u16 = 0xffff;

/// Where the registers are.
pub(super) struct Wiring {
    at: DeviceFunction,
    common: *mut u8,
    notify: *mut u8,
    notify_len: usize,
    notify_multiplier: usize,
    isr: *mut u8,
    /// What the function has, until an interrupt is attached.
    found: Option<Msix>,
    /// Which queue has which of its messages.
    messages: Option<Vectors>,
}

// SAFETY: device registers, which any CPU may access.
unsafe impl Send for Wiring {}

/// A structure that a vendor capability points to (4.1.4).
struct Window {
    base: *mut u8,
    len: usize,
    /// Offset of the capability itself.
    capability: u8,
}

/// Maps the first window of kind `kind` that holds at least `min_len` bytes.
fn window(at: DeviceFunction, kind: u8, min_len: usize) -> Option<Window> {
    let mut root = pci::root();
    let config = Config::get();
    let vendor = |c: &pci::CapabilityInfo| c.id == PCI_CAP_ID_VNDR && (c.private_header >> 8) as u8 == kind;
    let capability = root.capabilities(at).find(vendor)?.offset;
    let bar = config.read_word(at, capability + 4) as u8;
    let (offset, len) = (config.read_word(at, capability + 8), config.read_word(at, capability + 12));
    let (base, size) = root.bar_info(at, bar).ok().flatten()?.memory_address_size()?;
    if base == 0 || u64::from(offset) + u64::from(len) > size || (len as usize) < min_len {
        return None;
    }
    let base = crate::paging::map_mmio(base + u64::from(offset), len as usize);
    Some(Window { base, len: len as usize, capability })
}

/// The device at `at`, which is known to be a virtio function.
pub(super) fn device(at: DeviceFunction) -> Result<Device, Error> {
    pci::silence(at);
    let transport = PciTransport::new::<DmaHal, _>(&mut pci::root(), at).map_err(Error::Pci)?;
    let common =
        window(at, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_LEN).ok_or(Error::Pci(VirtioPciError::MissingCommonConfig))?;
    let notify = window(at, VIRTIO_PCI_CAP_NOTIFY_CFG, 2).ok_or(Error::Pci(VirtioPciError::MissingNotifyConfig))?;
    let isr = window(at, VIRTIO_PCI_CAP_ISR_CFG, 1).ok_or(Error::Pci(VirtioPciError::MissingIsrConfig))?;
    let wiring = Wiring {
        at,
        common: common.base,
        notify: notify.base,
        notify_len: notify.len,
        notify_multiplier: Config::get().read_word(at, notify.capability + 16) as usize,
        isr: isr.base,
        found: Msix::find(at),
        messages: None,
    };
    pci::enable(at, true);
    Ok(Device { transport: SomeTransport::Pci(transport), wiring: DeviceWiring::Pci(wiring) })
}

impl Wiring {
    /// Accesses a 16-bit field of the common configuration for `queue`.
    fn queue_field(&mut self, queue: u16, offset: usize) -> *mut u16 {
        let field = |offset: usize| self.common.wrapping_add(offset).cast::<u16>();
        // SAFETY: the mapped window holds the whole structure; selecting a queue only says which one the other fields mean.
        unsafe { field(QUEUE_SELECT).write_volatile(queue) };
        field(offset)
    }

    /// Whether the function can send messages to the boot CPU.
    pub(super) fn has_messages(&self) -> bool {
        self.found.is_some() && Msix::reaches(irq::lapic_id_of(0))
    }

    pub(super) fn attach(&mut self, name: &str, pairs: u16) -> Result<(), Error> {
        let boot = irq::lapic_id_of(0);
        if let Some(mut msix) = self.found.take().filter(|_| Msix::reaches(boot)) {
            let vectors = Vectors::new(msix.entries(), pairs);
            msix.begin();
            for entry in 0..vectors.entries() {
                let (pair, of_pair) = vectors.serves(entry);
                let own = format!("{name}-{pair}{of_pair}");
                let vector = interrupt::vector(&own, Acknowledge::Message, vectors.all_served(entry))?;
                let cpu = Some(irq::lapic_id_of(pair.into())).filter(|&cpu| Msix::reaches(cpu)).unwrap_or(boot);
                msix.set(entry, vector, cpu);
            }
            msix.finish();
            pci::enable(self.at, false);
            self.messages = Some(vectors);
            return Ok(());
        }
        let line = pci::interrupt_line(self.at).ok_or(Error::NoInterrupt)?;
        let vector = interrupt::vector(name, Acknowledge::PciIsr(self.isr), 1)?;
        pci::route_intx(line, vector, boot).map_err(|_| Error::NoInterrupt)
    }

    pub(super) fn assign_vector(&mut self, queue: u16) -> Result<(), Error> {
        let Some(entry) = self.messages.map(|vectors| vectors.of_queue(queue)) else { return Ok(()) };
        let field = self.queue_field(queue, QUEUE_MSIX_VECTOR);
        // SAFETY: a field of the common configuration; that entry of the MSI-X table is set up.
        let assigned = unsafe {
            field.write_volatile(entry);
            field.read_volatile()
        };
        if assigned == NO_VECTOR { Err(Error::NoInterrupt) } else { Ok(()) }
    }

    pub(super) fn doorbell(&mut self, queue: u16) -> Option<Doorbell> {
        let field = self.queue_field(queue, QUEUE_NOTIFY_OFF);
        // SAFETY: a read-only field of the common configuration.
        let offset = usize::from(unsafe { field.read_volatile() }) * self.notify_multiplier;
        let inside = offset.is_multiple_of(2) && offset + 2 <= self.notify_len;
        inside.then(|| Doorbell { register: Register::Narrow(self.notify.wrapping_add(offset).cast()), queue })
    }
}
