//! The virtio network card (virtio 1.2, 5.1): pairs of a receive and a transmit queue of 256 descriptors each, one pair for each CPU where
//! the device has so many; and the offloads.

use super::control::Control;
use super::device::{Device, Error};
use super::receiver::{self, Receiver};
use super::transmitter::{self, Transmitter};
use crate::irq::Softirq;
use crate::{frames, percpu};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};
use trapless_logic::net::NetDevice;
use trapless_logic::net::device::{Arrival, Counters, Offloads, Transmitter as Door};
use trapless_logic::virtio::control::{Rss, use_pairs};
use trapless_logic::virtio::features::{self, Features};
use trapless_logic::virtio::queues::{self, HASH_TYPES, MAX_KEY, MAX_PAIRS, MAX_TABLE};
use trapless_logic::virtio::turns::Turns;
use virtio_drivers::PAGE_SIZE;
use virtio_drivers::transport::{SomeTransport, Transport};

/// The address of a card that has none: locally administered, the same in every boot.
const LOCAL_MAC: [u8; 6] = [0x02, 0x54, 0x72, 0x61, 0x70, 0x00];
/// The part of free memory that pairs beyond the first may take.
const SHARE: usize = 16;

/// A running network card.
pub struct VirtioNet {
    // Kept because dropping it would reset the device.
    _transport: SomeTransport<'static>,
    /// As many receivers as transmitters.
    receivers: Vec<Receiver>,
    transmitters: Vec<Transmitter>,
    turns: Turns,
    /// The receiver that holds a frame, if one does.
    holder: usize,
    mac: [u8; 6],
    offloads: Offloads,
    /// Interrupts are on (for reception at least).
    armed: bool,
}

impl VirtioNet {
    /// Takes the card over and starts it, interrupts off: the first [`NetDevice::rearm`] turns them on. They are counted under `name`.
    ///
    /// # Errors
    /// As the variants of [`Error`] say; the device is reset then.
    // Not inlined: its tables pass over the stack on their way to the heap, and the boot stack is small.
    #[inline(never)]
    pub fn new(mut device: Device, name: &str) -> Result<Box<VirtioNet>, Error> {
        let cpus = percpu::cpu_count();
        let several = cpus > 1 && device.has_messages();
        let agreed = device.negotiate(|offered| features::choose(offered, several))?;
        let offered = match agreed.intersects(Features::MQ | Features::RSS) {
            true => queues::offered(agreed, read::<u16>(&mut device, MAX_PAIRS)?),
            false => None,
        };
        let pair_pages = (receiver::BYTES + transmitter::BYTES).div_ceil(PAGE_SIZE);
        let pairs = queues::used(offered, cpus, 1 + frames::available_frames() / SHARE / pair_pages);
        device.attach_interrupts(Softirq::NET, name, pairs)?;
        let mut receivers = Vec::new();
        let mut transmitters = Vec::new();
        for pair in 0..pairs {
            receivers.push(Receiver::new(&mut device, queues::receive(pair), agreed)?);
            transmitters.push(Transmitter::new(&mut device, queues::transmit(pair), agreed)?);
        }
        let command = if pairs > 1 { command(&mut device, agreed, pairs)? } else { None };
        let order = match offered.zip(command) {
            Some((offered, command)) => {
                let control =
                    Control::new(&mut device, queues::control(offered), agreed.contains(Features::EVENT_IDX))?;
                Some((control, command))
            }
            None => None,
        };
        let mac = if agreed.contains(Features::MAC) { read(&mut device, 0)? } else { LOCAL_MAC };
        let longest = transmitters[0].longest();
        let offloads = Offloads {
            checksum: agreed.contains(Features::CSUM),
            segmentation: agreed.contains(Features::HOST_TSO4).then_some(longest),
            segmentation6: agreed.contains(Features::HOST_TSO6).then_some(longest),
        };
        device.transport.finish_init();
        // Until it is told so the device uses the first pair alone.
        if !order.is_some_and(|(control, command)| control.obeys(&command)) {
            receivers.truncate(1);
            transmitters.truncate(1);
        }
        let mut net = Box::new(VirtioNet {
            _transport: device.transport,
            turns: Turns::new(receivers.len()),
            receivers,
            transmitters,
            holder: 0,
            mac,
            offloads,
            armed: true,
        });
        net.disarm();
        net.kick();
        Ok(net)
    }

    fn disarm(&mut self) {
        if core::mem::take(&mut self.armed) {
            self.receivers.iter_mut().for_each(|receiver| receiver.ring.interrupt_after(0));
            self.transmitters.iter_mut().for_each(Transmitter::disarm);
        }
    }
}

/// A field of the device's configuration.
fn read<T: zerocopy::FromBytes + zerocopy::IntoBytes + PartialEq>(device: &mut Device, at: usize) -> Result<T, Error> {
    Ok(device.transport.read_consistent(|| device.transport.read_config_space(at))?)
}

/// The command to use so many pairs. `None` if the device cannot do what it offers.
fn command(device: &mut Device, agreed: Features, pairs: u16) -> Result<Option<Vec<u8>>, Error> {
    if !agreed.contains(Features::RSS) {
        return Ok(Some(use_pairs(pairs)));
    }
    let rss = Rss { key: read(device, MAX_KEY)?, table: read(device, MAX_TABLE)?, types: read(device, HASH_TYPES)? };
    Ok(rss.spread(pairs).or_else(|| agreed.contains(Features::MQ).then(|| use_pairs(pairs))))
}

impl NetDevice for VirtioNet {
    fn mac(&self) -> [u8; 6] {
        self.mac
    }

    fn offloads(&self) -> Offloads {
        self.offloads
    }

    fn queues(&self) -> usize {
        self.receivers.len()
    }

    fn receive(&mut self) -> Option<Arrival> {
        self.disarm();
        self.release();
        let (queue, integrity) = self.turns.next(|queue| self.receivers[queue].receive())?;
        self.holder = queue;
        Some(Arrival { integrity, queue })
    }

    fn parts(&mut self, queue: usize) -> (&mut [u8], &mut dyn Door) {
        (self.receivers[self.holder].held(), &mut self.transmitters[queue])
    }

    fn release(&mut self) {
        self.receivers[self.holder].release();
    }

    fn can_transmit(&mut self) -> bool {
        self.transmitters.iter_mut().any(Door::can_transmit)
    }

    fn kick(&mut self) {
        self.transmitters.iter_mut().for_each(|transmitter| transmitter.ring.kick());
        self.receivers.iter_mut().for_each(|receiver| receiver.ring.kick());
    }

    fn rearm(&mut self) -> bool {
        self.kick();
        self.armed = true;
        self.receivers.iter_mut().for_each(|receiver| receiver.ring.interrupt_after(1));
        // Each is to be asked.
        let room = self.transmitters.iter_mut().map(Transmitter::arm).filter(|&room| room).count() > 0;
        // What came before the device could see that makes no interrupt: look once more, after it is out for sure.
        fence(Ordering::SeqCst);
        let more = room || self.receivers.iter().any(Receiver::pending);
        if more {
            self.disarm();
        }
        more
    }

    fn counters(&self, queue: usize) -> Counters {
        let (receiver, transmitter) = (&self.receivers[queue], &self.transmitters[queue]);
        Counters {
            received: receiver.received,
            transmitted: transmitter.transmitted,
            malformed: receiver.malformed,
            too_long: transmitter.too_long,
            ring_full: transmitter.ring_full,
            kicks: receiver.ring.kicks + transmitter.ring.kicks,
        }
    }
}
