//! Virtio devices behind a register window at a fixed address (virtio 1.2, 4.2), as on QEMU's microvm.

use super::device::{Device, Doorbell, Error, Register, Wiring as DeviceWiring};
use super::interrupt::{self, Acknowledge};
use crate::irq;
use core::ptr::NonNull;
use trapless_logic::firmware::virtio_mmio::Device as Place;
use virtio_drivers::transport::SomeTransport;
use virtio_drivers::transport::mmio::{MmioError, MmioTransport, VirtIOHeader};

/// Register offsets (4.2.2, table 4.1).
const QUEUE_NOTIFY: usize = 0x50;
const INTERRUPT_STATUS: usize = 0x60;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;

/// Where the registers and the interrupt are.
pub(super) struct Wiring {
    place: Place,
    window: *mut u8,
}

// SAFETY: device registers, which any CPU may access.
unsafe impl Send for Wiring {}

/// The device at `place`; `Ok(None)` when the window is there but nothing is plugged into it.
pub(super) fn device(place: Place) -> Result<Option<Device>, Error> {
    let len = place.len as usize;
    let window = crate::paging::map_mmio(place.base, len);
    let header = NonNull::new(window.cast::<VirtIOHeader>()).ok_or(Error::NoMemory)?;
    // SAFETY: map_mmio has mapped the whole window for good; the firmware says that it is a virtio register window, and the first thing
    // the transport does is to check the magic value.
    match unsafe { MmioTransport::new(header, len) } {
        Ok(transport) => Ok(Some(Device {
            transport: SomeTransport::Mmio(transport),
            wiring: DeviceWiring::Mmio(Wiring { place, window }),
        })),
        Err(MmioError::InvalidDeviceID(_)) => Ok(None),
        Err(e) => Err(Error::Mmio(e)),
    }
}

impl Wiring {
    fn register(&self, offset: usize) -> *mut u32 {
        self.window.wrapping_add(offset).cast()
    }

    pub(super) fn attach(&mut self, name: &str) -> Result<(), Error> {
        let acknowledge = Acknowledge::Mmio {
            status: self.register(INTERRUPT_STATUS),
            acknowledge: self.register(INTERRUPT_ACKNOWLEDGE),
        };
        let vector = interrupt::vector(name, acknowledge, 1)?;
        let Place { gsi, polarity, trigger, .. } = self.place;
        crate::ioapic::route(gsi, vector, irq::lapic_id_of(0), polarity, trigger).map_err(|_| Error::NoInterrupt)
    }

    pub(super) fn doorbell(&self, queue: u16) -> Doorbell {
        Doorbell { register: Register::Wide(self.register(QUEUE_NOTIFY)), queue }
    }
}
