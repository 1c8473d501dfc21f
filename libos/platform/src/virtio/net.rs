//! The virtio network card (virtio 1.2, 5.1): pairs of a receive and a transmit queue of 256 descriptors each, one pair for each CPU where
//! the device has so many; and the offloads.

use super::control::Control;
use super::device::{Device, Error};
use super::receiver::{self, Receiver};
use super::transmitter::{self, Transmitter};
use crate::{frames, percpu};
use alloc::boxed::Box;
use alloc::vec::Vec;
use trapless_logic::net::SHARDS;
use trapless_logic::net::device::{Nic, Offloads, Pair, Receiver as _};
use trapless_logic::virtio::control::{Rss, use_pairs};
use trapless_logic::virtio::features::{self, Features};
use trapless_logic::virtio::queues::{self, HASH_TYPES, MAX_KEY, MAX_PAIRS, MAX_TABLE};
use virtio_drivers::PAGE_SIZE;
use virtio_drivers::transport::Transport;

/// The address of a card that has none: locally administered, the same in every boot. The last byte is the card's number.
const LOCAL_MAC: [u8; 6] = [0x02, 0x54, 0x72, 0x61, 0x70, 0x00];
/// The part of free memory that pairs beyond the first may take.
const SHARE: usize = 16;

/// Takes a card over and starts it, interrupts off: the first `rearm` turns them on. They are counted under `name`, which the card of that
/// number has.
///
/// # Errors
/// As the variants of [`Error`] say; the device is reset then.
// Not inlined: its tables pass over the stack on their way to the heap, and the boot stack is small.
#[inline(never)]
pub fn start(mut device: Device, name: &str, number: u8) -> Result<Nic, Error> {
    // The stack has no more shards than that to hear pairs.
    let cpus = percpu::cpu_count().min(SHARDS);
    let several = cpus > 1 && device.has_messages();
    let agreed = device.negotiate(|offered| features::choose(offered, several))?;
    let offered = match agreed.intersects(Features::MQ | Features::RSS) {
        true => queues::offered(agreed, read::<u16>(&mut device, MAX_PAIRS)?),
        false => None,
    };
    let pair_pages = (receiver::BYTES + transmitter::BYTES).div_ceil(PAGE_SIZE);
    let pairs = queues::used(offered, cpus, 1 + frames::available_frames() / SHARE / pair_pages);
    device.attach_interrupts(name, pairs)?;
    let mut receivers = Vec::new();
    let mut transmitters = Vec::new();
    for pair in 0..pairs {
        receivers.push(Box::new(Receiver::new(&mut device, queues::receive(pair), agreed)?));
        transmitters.push(Box::new(Transmitter::new(&mut device, queues::transmit(pair), agreed)?));
    }
    let command = if pairs > 1 { command(&mut device, agreed, pairs)? } else { None };
    let order = match offered.zip(command) {
        Some((offered, command)) => {
            let control = Control::new(&mut device, queues::control(offered), agreed.contains(Features::EVENT_IDX))?;
            Some((control, command))
        }
        None => None,
    };
    let [a, b, c, d, e, _] = LOCAL_MAC;
    let local = [a, b, c, d, e, number];
    let mac = if agreed.contains(Features::MAC) { read(&mut device, 0)? } else { local };
    let longest = transmitters[0].longest();
    let offloads = Offloads {
        checksum: agreed.contains(Features::CSUM),
        segmentation: agreed.contains(Features::HOST_TSO4).then_some(longest),
        segmentation6: agreed.contains(Features::HOST_TSO6).then_some(longest),
    };
    device.transport.finish_init();
    // Dropping it would reset the device.
    core::mem::forget(device.transport);
    // Until it is told so the device uses the first pair alone.
    if !order.is_some_and(|(control, command)| control.obeys(&command)) {
        receivers.truncate(1);
        transmitters.truncate(1);
    }
    receivers.iter_mut().for_each(|receiver| receiver.kick());
    let pair = |(receiver, transmitter): (Box<Receiver>, Box<Transmitter>)| Pair { receiver, transmitter };
    Ok(Nic { mac, offloads, pairs: receivers.into_iter().zip(transmitters).map(pair).collect() })
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
