//! What has come for UDP sockets: found by port, kept until somebody reads it.

use super::super::ports::Binding;
use crate::platform::{Platform, Supply};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::task::Waker;
use slab::Slab;
use smoltcp::wire::{IpAddress, IpEndpoint};
use trapless_abi::{Errno, SysResult};

/// Bytes and datagrams that wait to be received. One always may, however long it is.
pub(super) const RECEIVE: (usize, usize) = (64 * 1024, 128);

/// A receiver's number. It is used again when that is closed.
pub(super) type UdpId = usize;

/// What the header of a datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Header {
    pub(in crate::net) from: IpEndpoint,
    pub(in crate::net) to: IpEndpoint,
    pub(in crate::net) ttl: u8,
    /// The type of service (RFC 791), or DSCP and ECN (RFC 2474, RFC 3168).
    pub(in crate::net) tos: u8,
    /// The index of the interface by which it came.
    pub(in crate::net) interface: u32,
}

/// A datagram that has come.
pub(super) struct Arrived {
    pub(super) header: Header,
    /// When: nanoseconds since 1970.
    pub(super) at: u64,
    pub(super) data: Vec<u8>,
}

/// The receiving side of a socket.
pub(super) struct Receiver {
    binding: Binding,
    /// SO_BINDTODEVICE: the index of the only interface that is heard; 0: all are.
    pub(super) device: u32,
    /// From connect(2): nobody else is heard.
    pub(super) peer: Option<IpEndpoint>,
    queue: VecDeque<Arrived>,
    bytes: usize,
    /// What ICMP said about datagrams to the peer (udp(7)).
    pub(super) error: Option<Errno>,
    waker: Waker,
}

impl Receiver {
    pub(super) fn first(&self) -> Option<&Arrived> {
        self.queue.front()
    }

    pub(super) fn drop_first(&mut self) {
        if let Some(arrived) = self.queue.pop_front() {
            self.bytes -= arrived.data.len();
        }
    }

    /// How well a datagram fits; None if it is not for this socket.
    fn fit(&self, header: &Header) -> Option<u32> {
        let fits = |wanted: Option<bool>| match wanted {
            Some(false) => None,
            wanted => Some(u32::from(wanted.is_some())),
        };
        if !self.binding.local.covers(header.to.addr) || ![0, header.interface].contains(&self.device) {
            return None;
        }
        let address = u32::from(self.binding.local.one().is_some()) + u32::from(self.device != 0);
        Some(address + fits(self.peer.map(|peer| peer == header.from))?)
    }

    /// Whether it divides what comes to its port with others.
    const fn divides(&self) -> bool {
        self.binding.sharing.port
    }

    fn put(&mut self, header: Header, data: &[u8], at: u64) {
        let full = self.bytes + data.len() > RECEIVE.0 || self.queue.len() >= RECEIVE.1;
        let mut copy = Vec::new();
        let room = copy.try_reserve_exact(data.len()).is_ok() && self.queue.try_reserve(1).is_ok();
        if room && (!full || self.queue.is_empty()) {
            copy.extend_from_slice(data);
            self.bytes += data.len();
            self.queue.push_back(Arrived { header, at, data: copy });
            self.waker.wake_by_ref();
        }
    }
}

/// Some number for a sender.
const fn spread(from: IpEndpoint) -> usize {
    let address = match from.addr {
        IpAddress::Ipv4(address) => address.to_bits(),
        IpAddress::Ipv6(address) => address.to_bits() as u32,
    };
    (address ^ from.port as u32).wrapping_mul(0x9e37_79b1) as usize >> 8
}

/// All receivers.
pub(in crate::net) struct Receivers {
    all: Slab<Receiver>,
    /// Of each port, the latest last.
    ports: BTreeMap<u16, Vec<UdpId>>,
}

impl Receivers {
    pub(in crate::net) fn new() -> Self {
        Self { all: Slab::new(), ports: BTreeMap::new() }
    }

    /// A new one. ENOBUFS.
    pub(super) fn add(&mut self, binding: Binding, device: u32, waker: Waker) -> SysResult<UdpId> {
        let (queue, bytes) = (VecDeque::new(), 0);
        let id = self.all.vacant_key();
        let port = self.ports.entry(binding.port).or_default();
        port.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        port.push(id);
        self.all.insert(Receiver { binding, device, peer: None, queue, bytes, error: None, waker });
        Ok(id)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn remove(&mut self, id: UdpId) {
        let Some(receiver) = self.all.try_remove(id) else { return };
        if let Some(port) = self.ports.get_mut(&receiver.binding.port) {
            port.retain(|&other| other != id);
            if port.is_empty() {
                self.ports.remove(&receiver.binding.port);
            }
        }
    }

    pub(super) fn get(&self, id: UdpId) -> Option<&Receiver> {
        self.all.get(id)
    }

    pub(super) fn get_mut(&mut self, id: UdpId) -> Option<&mut Receiver> {
        self.all.get_mut(id)
    }

    /// Hands a datagram to the socket that it fits best, or to all that it fits if `all`; of several that fit alike the latest has it,
    /// or, if that divides the port with others (SO_REUSEPORT), one of them, for the same sender always the same. False if there is none.
    /// A socket without room, or a machine without memory, loses it.
    pub(in crate::net) fn deliver<P: Platform>(&mut self, header: Header, data: &[u8], all: bool) -> bool {
        let Some(port) = self.ports.get(&header.to.port) else { return false };
        let fitting = port.iter().filter_map(|&id| Some((self.all[id].fit(&header)?, id)));
        if P::memory() == Supply::Short {
            return fitting.count() > 0;
        }
        let at = P::realtime_ns();
        if !all {
            let Some((best, latest)) = fitting.clone().max_by_key(|(fit, _)| *fit) else { return false };
            let mut group = fitting.filter(|(fit, id)| *fit == best && self.all[*id].divides()).map(|(_, id)| id);
            let id = match group.clone().count() {
                count @ 2.. if self.all[latest].divides() => group.nth(spread(header.from) % count),
                _ => None,
            };
            self.all[id.unwrap_or(latest)].put(header, data, at);
            return true;
        }
        let mut found = false;
        for &id in port {
            let receiver = &mut self.all[id];
            // Who is bound to an address of the host does not hear what is for everybody (ip(7)).
            if receiver.fit(&header).is_some() {
                receiver.put(header, data, at);
                found = true;
            }
        }
        found
    }

    /// A datagram from here to there has met an error on its way: who is connected to there is told.
    pub(in crate::net) fn fail(&mut self, from: IpEndpoint, to: IpEndpoint, error: Errno) {
        for id in self.ports.get(&from.port).into_iter().flatten() {
            let receiver = &mut self.all[*id];
            if receiver.binding.local.covers(from.addr) && receiver.peer == Some(to) {
                receiver.error = Some(error);
                receiver.waker.wake_by_ref();
            }
        }
    }
}
