//! The virtio network card (virtio 1.2, 5.1): one receive and one transmit queue of 256 descriptors each, and the offloads.

use super::device::{Device, Error};
use super::receiver::Receiver;
use super::transmitter::Transmitter;
use crate::irq::Softirq;
use alloc::boxed::Box;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::net::NetDevice;
use trapless_logic::net::device::{Counters, Integrity, Offloads, Transmitter as Door};
use trapless_logic::virtio::features::{self, Features};
use virtio_drivers::transport::{SomeTransport, Transport};

const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

/// The address of a card that has none: locally administered, the same in every boot.
const LOCAL_MAC: [u8; 6] = [0x02, 0x54, 0x72, 0x61, 0x70, 0x00];

/// A running network card.
pub struct VirtioNet {
    // Kept because dropping it would reset the device.
    _transport: SomeTransport<'static>,
    receiver: Receiver,
    transmitter: Transmitter,
    mac: [u8; 6],
    offloads: Offloads,
    /// Interrupts are on (for reception at least).
    armed: bool,
}

impl VirtioNet {
    /// Takes the card over and starts it, interrupts off: the first [`NetDevice::rearm`] turns them on.
    ///
    /// # Errors
    /// As the variants of [`Error`] say; the device is reset then.
    // Not inlined: its tables pass over the stack on their way to the heap, and the boot stack is small.
    #[inline(never)]
    pub fn new(mut device: Device) -> Result<Box<VirtioNet>, Error> {
        device.attach_interrupt(Softirq::NET)?;
        let agreed = device.negotiate(features::choose)?;
        let receiver = Receiver::new(&mut device, RECEIVE, agreed)?;
        let transmitter = Transmitter::new(&mut device, TRANSMIT, agreed)?;
        let mac = if agreed.contains(Features::MAC) {
            device.transport.read_consistent(|| device.transport.read_config_space(0))?
        } else {
            LOCAL_MAC
        };
        let offloads = Offloads {
            checksum: agreed.contains(Features::CSUM),
            segmentation: agreed.contains(Features::HOST_TSO4).then(|| transmitter.longest()),
        };
        device.transport.finish_init();
        let mut net =
            Box::new(VirtioNet { _transport: device.transport, receiver, transmitter, mac, offloads, armed: true });
        net.disarm();
        net.receiver.ring.kick();
        Ok(net)
    }

    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            self.receiver.ring.interrupt_after(0);
            self.transmitter.disarm();
        }
    }
}

impl NetDevice for VirtioNet {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn receive(&mut self) -> Option<Integrity> {
        self.disarm();
        self.receiver.receive()
    }

    fn parts(&mut self) -> (&mut [u8], &mut dyn Door) {
        (self.receiver.held(), &mut self.transmitter)
    }

    fn release(&mut self) {
        self.receiver.release();
    }

    fn kick(&mut self) {
        self.transmitter.ring.kick();
        self.receiver.ring.kick();
    }

    fn rearm(&mut self) -> bool {
        self.kick();
        self.armed = true;
        self.receiver.ring.interrupt_after(1);
        let room = self.transmitter.arm();
        // What came before the device could see that makes no interrupt: look once more, after it is out for sure.
        fence(Ordering::SeqCst);
        let more = room || self.receiver.pending();
        if more {
            self.disarm();
        }
        more
    }

    fn counters(&self) -> Counters {
        Counters {
            received: self.receiver.received,
            transmitted: self.transmitter.transmitted,
            malformed: self.receiver.malformed,
            too_long: self.transmitter.too_long,
            ring_full: self.transmitter.ring_full,
            kicks: self.receiver.ring.kicks + self.transmitter.ring.kicks,
        }
    }
}
