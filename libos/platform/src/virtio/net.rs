//! The virtio network card (virtio 1.2, 5.1): one receive and one transmit queue of 256 buffers each.
//!
//! Built on `virtio-drivers`' queues rather than on its network driver, which notifies the device for every frame, cannot mask
//! interrupts, and has no way to more features.

use super::device::{Device, Error};
use super::ring::{Direction, Ring};
use crate::irq::Softirq;
use alloc::boxed::Box;
use bitflags::bitflags;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::net::NetDevice;
use virtio_drivers::transport::{SomeTransport, Transport};

/// Bytes of the header before each frame (5.1.6); without the last field in devices that predate virtio 1.0.
const HEADER_LEN: usize = 12;
const LEGACY_HEADER_LEN: usize = 10;
/// Longest frame: Ethernet without checksum, with room for one VLAN tag.
const MAX_FRAME: usize = 1518;

const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

bitflags! {
    /// Feature bits that we know (5.1.3, 6). All header offloads are left out, so the header is all zero both ways.
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        /// The device has an address of its own.
        const MAC = 1 << 5;
        /// Legacy: header and frame may share a descriptor.
        const ANY_LAYOUT = 1 << 27;
        /// Virtio 1.0 or later.
        const VERSION_1 = 1 << 32;
    }
}

/// What the card has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames received.
    pub received: u64,
    /// Frames queued for sending.
    pub transmitted: u64,
    /// Frames dropped because they were too long to send.
    pub too_long: u64,
    /// Times that a frame found the transmit ring full.
    pub ring_full: u64,
    /// Receive buffers that came back without a frame.
    pub empty: u64,
}

/// A running network card.
pub struct VirtioNet {
    // Kept because dropping it would reset the device.
    _transport: SomeTransport<'static>,
    receiver: Box<Ring>,
    transmitter: Box<Ring>,
    mac: [u8; 6],
    header_len: usize,
    /// Interrupts are on (for reception at least).
    armed: bool,
    /// A frame found the ring full, so room is to be announced by an interrupt.
    starved: bool,
    counters: Counters,
}

impl VirtioNet {
    /// Takes the card over and starts it, interrupts off: the first [`NetDevice::rearm`] turns them on.
    ///
    /// # Errors
    /// As the variants of [`Error`] say; the device is reset then.
    pub fn new(mut device: Device) -> Result<Box<VirtioNet>, Error> {
        device.attach_interrupt(Softirq::NET)?;
        let features = device.negotiate(Features::all())?;
        let modern = features.contains(Features::VERSION_1);
        let receiver = Ring::new(&mut device, RECEIVE, Direction::ToDriver)?;
        let transmitter = Ring::new(&mut device, TRANSMIT, Direction::ToDevice)?;
        let mac = if features.contains(Features::MAC) {
            device.transport.read_consistent(|| device.transport.read_config_space(0))?
        } else {
            LOCAL_MAC
        };
        device.transport.finish_init();
        let mut net = Box::new(VirtioNet {
            _transport: device.transport,
            receiver,
            transmitter,
            mac,
            header_len: if modern { HEADER_LEN } else { LEGACY_HEADER_LEN },
            armed: true,
            starved: false,
            counters: Counters::default(),
        });
        net.disarm();
        while let Some(buffer) = net.receiver.take() {
            net.receiver.hand_over_whole(buffer);
        }
        net.receiver.kick();
        Ok(net)
    }

    /// What the card has done so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Asks the device not to interrupt. It may still do so once: the hint takes effect when it looks.
    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            self.receiver.interrupts(false);
            self.transmitter.interrupts(false);
        }
    }

    /// Takes back the buffers of frames that are sent.
    fn reclaim_sent(&mut self) {
        while let Some((buffer, _)) = self.transmitter.reclaim() {
            self.transmitter.put_back(buffer);
        }
    }
}

/// The address of a card that has none: locally administered, the same in every boot.
const LOCAL_MAC: [u8; 6] = [0x02, 0x54, 0x72, 0x61, 0x70, 0x00];

impl NetDevice for VirtioNet {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn receive(&mut self, f: &mut dyn FnMut(&mut [u8])) -> bool {
        self.disarm();
        while let Some((buffer, written)) = self.receiver.reclaim() {
            // SAFETY: the device has just given this buffer back.
            let bytes = unsafe { self.receiver.bytes(buffer) };
            let frame = bytes.get_mut(self.header_len..written).filter(|frame| !frame.is_empty());
            let usable = frame.map(&mut *f).is_some();
            self.receiver.hand_over_whole(buffer);
            if usable {
                self.counters.received += 1;
                return true;
            }
            self.counters.empty += 1;
        }
        false
    }

    fn transmit(&mut self, len: usize, fill: &mut dyn FnMut(&mut [u8])) -> bool {
        if len > MAX_FRAME || len == 0 {
            self.counters.too_long += 1;
            return true;
        }
        self.reclaim_sent();
        let Some(buffer) = self.transmitter.take() else {
            self.starved = true;
            self.counters.ring_full += 1;
            return false;
        };
        self.starved = false;
        let whole = self.header_len + len;
        // SAFETY: the buffer was just taken, so the device does not have it.
        let bytes = unsafe { self.transmitter.bytes(buffer) };
        // The header was zeroed with the memory and nothing ever writes to it.
        fill(&mut bytes[self.header_len..whole]);
        self.transmitter.hand_over(buffer, whole);
        self.counters.transmitted += 1;
        true
    }

    fn can_transmit(&self) -> bool {
        self.transmitter.has_room() || self.transmitter.pending()
    }

    fn kick(&mut self) {
        self.transmitter.kick();
        self.receiver.kick();
    }

    fn rearm(&mut self) -> bool {
        self.kick();
        self.armed = true;
        self.receiver.interrupts(true);
        // The stack asks for room before it sends, so a full ring means that it may wait for some.
        self.starved |= !self.can_transmit();
        if self.starved {
            self.transmitter.interrupts(true);
        }
        // What came before the device could see the flags makes no interrupt: look once more, after they are out for sure.
        fence(Ordering::SeqCst);
        let room = self.starved && self.transmitter.pending();
        if room {
            self.reclaim_sent();
            self.starved = false;
        }
        let more = room || self.receiver.pending();
        if more {
            self.disarm();
        }
        more
    }
}
