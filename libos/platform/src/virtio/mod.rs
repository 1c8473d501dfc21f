//! Virtio devices (virtio 1.2, OASIS), on the transports of the `virtio-drivers` crate. What a driver has to compute is in
//! `trapless_logic::virtio`.

mod control;
pub mod device;
pub mod hal;
pub mod interrupt;
mod mmio;
pub mod net;
mod pci;
mod receiver;
mod ring;
pub mod rng;
mod transmitter;

use crate::acpi;
use crate::pci::DeviceFunction;
use alloc::vec::Vec;
use core::fmt;
use device::{Device, Error};
use rng::VirtioRng;
use trapless_logic::firmware::virtio_mmio;
use trapless_logic::net::{NAMES, Nic};
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::virtio_device_type;

/// The devices that the libos uses, started.
#[derive(Default)]
pub struct Devices {
    /// The network cards, as many as have [names](NAMES), in the order in which they were found.
    pub net: Vec<Nic>,
    /// The first entropy device.
    pub rng: Option<VirtioRng>,
    /// What was found and could not be used.
    pub problems: Vec<Problem>,
}

/// Where a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A PCI function.
    Pci(DeviceFunction),
    /// The physical address of a register window.
    Mmio(u64),
}

/// A device that was found and could not be used. Displays as one line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which one.
    pub place: Place,
    /// Why.
    pub error: Error,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Pci(at) => write!(f, "virtio device at PCI {at} is not usable: {}", self.error),
            Place::Mmio(at) => write!(f, "virtio device at {at:#x} is not usable: {}", self.error),
        }
    }
}

/// Finds and starts the virtio devices on PCI, in ACPI, and on the kernel command line. Needs the heap, frames, [`acpi::init`],
/// [`crate::ioapic::init`] and interrupt vectors.
pub fn probe(command_line: &[u8]) -> Devices {
    let mut found = Devices::default();
    for function in crate::pci::scan() {
        if virtio_device_type(&function.info).is_some_and(wanted) {
            found.add(Place::Pci(function.at), pci::device(function.at).map(Some));
        }
    }
    let mut seen = Vec::new();
    for place in acpi::get().virtio_mmio.iter().copied().chain(virtio_mmio::devices(command_line)) {
        if !seen.contains(&place.base) {
            seen.push(place.base);
            found.add(Place::Mmio(place.base), mmio::device(place));
        }
    }
    found
}

/// Whether we have a driver for that kind.
fn wanted(kind: DeviceType) -> bool {
    matches!(kind, DeviceType::Network | DeviceType::EntropySource)
}

impl Devices {
    /// Starts a device and keeps it, or notes why not.
    fn add(&mut self, place: Place, device: Result<Option<Device>, Error>) {
        let started = device.and_then(|device| match device {
            Some(device) if device.kind() == DeviceType::Network => {
                let name = NAMES.get(self.net.len()).ok_or(Error::Surplus)?;
                self.net.push(net::start(device, name, self.net.len() as u8)?);
                Ok(())
            }
            Some(device) if device.kind() == DeviceType::EntropySource && self.rng.is_none() => {
                self.rng = Some(VirtioRng::new(device)?);
                Ok(())
            }
            _ => Ok(()),
        });
        if let Err(error) = started {
            self.problems.push(Problem { place, error });
        }
    }
}
