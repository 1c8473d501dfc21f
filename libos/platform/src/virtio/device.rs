//! A virtio device, over PCI or MMIO, and what `virtio-drivers`' transports leave to us: its interrupt and its doorbells.
//!
//! Order of use (virtio 1.2, 3.1.1): [`Device::negotiate`], [`Device::attach_interrupts`], then for each queue `VirtQueue::new` on
//! [`Device::transport`], [`Device::assign_vector`] and [`Device::doorbell`], then `finish_init`.

use super::{mmio, pci};
use bitflags::Flags;
use core::fmt;
use virtio_drivers::PAGE_SIZE;
use virtio_drivers::transport::{DeviceStatus, DeviceType, SomeTransport, Transport};

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It does not speak virtio 1.0 over PCI, or its PCI capabilities make no sense.
    Pci(virtio_drivers::transport::pci::VirtioPciError),
    /// Its register window makes no sense.
    Mmio(virtio_drivers::transport::mmio::MmioError),
    /// A queue or its memory could not be set up, or its configuration could not be read.
    Driver(virtio_drivers::Error),
    /// It does not accept the features that we need, or has failed.
    Refused,
    /// No vector, no MSI-X and no routed line for its interrupt.
    NoInterrupt,
    /// No memory for its buffers.
    NoMemory,
    /// There are more network cards than are used.
    Surplus,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Pci(e) => write!(f, "{e}"),
            Error::Mmio(e) => write!(f, "{e}"),
            Error::Driver(e) => write!(f, "{e}"),
            Error::Refused => f.write_str("device refused the features we need"),
            Error::NoInterrupt => f.write_str("no interrupt can be routed for it"),
            Error::NoMemory => f.write_str("no memory for its buffers"),
            Error::Surplus => f.write_str("eight network cards are used already, and no more are"),
        }
    }
}

impl From<virtio_drivers::Error> for Error {
    fn from(e: virtio_drivers::Error) -> Self {
        Error::Driver(e)
    }
}

/// How a device is reached besides through its transport.
pub(super) enum Wiring {
    /// Over PCI.
    Pci(pci::Wiring),
    /// By a register window.
    Mmio(mmio::Wiring),
}

/// A device that answers.
pub struct Device {
    /// Its registers, as drivers use them.
    pub transport: SomeTransport<'static>,
    pub(super) wiring: Wiring,
}

impl Device {
    /// What kind of device it is.
    pub fn kind(&self) -> DeviceType {
        self.transport.device_type()
    }

    /// Whether its queues can interrupt different CPUs: only by messages (MSI-X).
    pub fn has_messages(&self) -> bool {
        match &self.wiring {
            Wiring::Pci(wiring) => wiring.has_messages(),
            Wiring::Mmio(_) => false,
        }
    }

    /// Makes the interrupts of `pairs` pairs of queues raise the network softirq: by MSI-X where it has that, those of pair `i` on CPU `i`;
    /// else by its line, on CPU 0.
    ///
    /// # Errors
    /// [`Error::NoInterrupt`].
    pub fn attach_interrupts(&mut self, name: &str, pairs: u16) -> Result<(), Error> {
        match &mut self.wiring {
            Wiring::Pci(wiring) => wiring.attach(name, pairs),
            Wiring::Mmio(wiring) => wiring.attach(name),
        }
    }

    /// Resets the device and agrees with it on those features that `choose` makes of the ones it offers; returns them (3.1.1).
    ///
    /// # Errors
    /// [`Error::Refused`] when it does not accept them.
    pub fn negotiate<F: Flags<Bits = u64>>(&mut self, choose: impl FnOnce(F) -> F) -> Result<F, Error> {
        let transport = &mut self.transport;
        transport.set_status(DeviceStatus::empty());
        transport.set_status(DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER);
        let agreed = choose(F::from_bits_truncate(transport.read_device_features()));
        transport.write_driver_features(agreed.bits());
        transport.set_status(DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER | DeviceStatus::FEATURES_OK);
        transport.set_guest_page_size(PAGE_SIZE as u32);
        // Devices from before virtio 1.0 do not know the status bit (3.1.2).
        let modern = !self.transport.requires_legacy_layout();
        let status = self.transport.get_status();
        if status.contains(DeviceStatus::FAILED) || (modern && !status.contains(DeviceStatus::FEATURES_OK)) {
            return Err(Error::Refused);
        }
        Ok(agreed)
    }

    /// Points `queue`'s interrupts to its vector of [`Device::attach_interrupts`]. To be done after [`Device::negotiate`], whose reset
    /// forgets it, and before `finish_init`.
    ///
    /// # Errors
    /// [`Error::NoInterrupt`] when the device has no resources for it.
    pub fn assign_vector(&mut self, queue: u16) -> Result<(), Error> {
        match &mut self.wiring {
            Wiring::Pci(wiring) => wiring.assign_vector(queue),
            Wiring::Mmio(_) => Ok(()),
        }
    }

    /// The register that tells the device about new buffers in `queue`.
    ///
    /// # Errors
    /// [`Error::Refused`] when the device places it outside its own notification window.
    pub fn doorbell(&mut self, queue: u16) -> Result<Doorbell, Error> {
        match &mut self.wiring {
            Wiring::Pci(wiring) => wiring.doorbell(queue).ok_or(Error::Refused),
            Wiring::Mmio(wiring) => Ok(wiring.doorbell(queue)),
        }
    }
}

/// Tells a device that a queue has new buffers: one device write. (`Transport::notify` takes three accesses on PCI, and each leaves the
/// guest.)
pub struct Doorbell {
    pub(super) register: Register,
    pub(super) queue: u16,
}

/// Notification registers are 16 bits wide on PCI (virtio 1.2, 4.1.5.2) and 32 on MMIO (4.2.2).
pub(super) enum Register {
    Narrow(*mut u16),
    Wide(*mut u32),
}

// SAFETY: a doorbell is a write-only device register; any CPU may write to it.
unsafe impl Send for Doorbell {}

impl Doorbell {
    /// Rings.
    pub fn ring(&mut self) {
        // SAFETY: the device's notification register, mapped for good; the device only looks at its queues in answer.
        unsafe {
            match self.register {
                Register::Narrow(at) => at.write_volatile(self.queue),
                Register::Wide(at) => at.write_volatile(self.queue.into()),
            }
        }
    }
}
