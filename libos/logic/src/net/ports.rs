//! Which local ports are taken, and by whom (ip(7), SO_REUSEADDR and SO_REUSEPORT in socket(7)).

use super::address::Local;
use crate::platform::Platform;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// The range of ports for sockets that did not ask for one (ip(7), ip_local_port_range).
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32768..=60999;

/// With whom a socket shares its port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sharing {
    /// SO_REUSEADDR: with those that have it too.
    pub(super) address: bool,
    /// SO_REUSEPORT: with those that have it too, and what comes to the port is divided between them.
    pub(super) port: bool,
}

impl Sharing {
    const fn allows(self, other: Self) -> bool {
        (self.address && other.address) || (self.port && other.port)
    }
}

/// One socket's claim to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    /// The port, never 0.
    pub(super) port: u16,
    /// The addresses.
    pub(super) local: Local,
    /// As it was when the socket was bound.
    pub(super) sharing: Sharing,
}

/// The ports of one protocol.
#[derive(Default)]
pub(super) struct Ports {
    taken: BTreeMap<u16, Vec<Binding>>,
    next: u16,
}

impl Ports {
    /// Nothing is taken. Free ports are given out from a random place on, so that a peer that remembers the last boot's connections
    /// does not see them again.
    pub(super) fn new<P: Platform>() -> Self {
        let mut start = [0; 2];
        P::random(&mut start);
        let count = EPHEMERAL.end() - EPHEMERAL.start() + 1;
        Self { taken: BTreeMap::new(), next: EPHEMERAL.start() + u16::from_ne_bytes(start) % count }
    }

    /// Takes a port for some addresses, or a free port for 0. EADDRINUSE, ENOBUFS.
    pub(super) fn take(&mut self, port: u16, local: Local, sharing: Sharing) -> SysResult<Binding> {
        let port = if port == 0 { self.free_port()? } else { port };
        let conflict = |held: &Binding| held.local.overlaps(local) && !held.sharing.allows(sharing);
        if self.taken.get(&port).is_some_and(|held| held.iter().any(conflict)) {
            return Err(Errno::EADDRINUSE);
        }
        self.share(Binding { port, local, sharing })
    }

    /// Adds a claim without asking: a connection that a listening socket accepted has the listener's port. ENOBUFS.
    pub(super) fn share(&mut self, binding: Binding) -> SysResult<Binding> {
        let held = self.taken.entry(binding.port).or_default();
        held.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        held.push(binding);
        Ok(binding)
    }

    /// Gives a claim back.
    pub(super) fn give(&mut self, binding: Binding) {
        if let Some(held) = self.taken.get_mut(&binding.port) {
            if let Some(at) = held.iter().position(|b| *b == binding) {
                held.swap_remove(at);
            }
            if held.is_empty() {
                self.taken.remove(&binding.port);
            }
        }
    }

    /// The next port of the range nobody uses; going round makes quick reuse unlikely.
    fn free_port(&mut self) -> SysResult<u16> {
        for _ in EPHEMERAL {
            let port = self.next.clamp(*EPHEMERAL.start(), *EPHEMERAL.end());
            self.next = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
            if !self.taken.contains_key(&port) {
                return Ok(port);
            }
        }
        Err(Errno::EADDRINUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Family;
    use super::*;
    use smoltcp::wire::Ipv4Address;

    const ALL: Local = Local::All(Family::Inet);
    const ALONE: Sharing = Sharing { address: false, port: false };
    const ADDRESS: Sharing = Sharing { address: true, port: false };
    const PORT: Sharing = Sharing { address: false, port: true };

    #[test]
    fn a_port_is_shared_only_if_all_agree() {
        let mut ports = Ports::default();
        for sharing in [ADDRESS, PORT] {
            let first = ports.take(80, ALL, sharing).unwrap();
            let second = ports.take(80, ALL, sharing).unwrap();
            let other = if sharing == PORT { ADDRESS } else { PORT };
            assert_eq!([ALONE, other].map(|s| ports.take(80, ALL, s)), [Err(Errno::EADDRINUSE); 2]);
            ports.give(first);
            ports.give(second);
        }
        assert!(ports.take(80, ALL, ALONE).is_ok());
        assert_eq!([ADDRESS, PORT].map(|s| ports.take(80, ALL, s)), [Err(Errno::EADDRINUSE); 2]);
    }

    #[test]
    fn different_addresses_do_not_conflict() {
        let mut ports = Ports::default();
        let [a, b] = [[127, 0, 0, 1], [10, 0, 0, 1]].map(|octets| Local::One(Ipv4Address::from(octets).into()));
        ports.take(80, a, ALONE).unwrap();
        ports.take(80, b, ALONE).unwrap();
        assert_eq!(ports.take(80, a, ALONE), Err(Errno::EADDRINUSE));
        assert_eq!(ports.take(80, ALL, ALONE), Err(Errno::EADDRINUSE));
    }

    #[test]
    fn free_ports_differ_until_all_are_taken() {
        let mut ports = Ports::default();
        let first = ports.take(0, ALL, ADDRESS).unwrap().port;
        assert_ne!(ports.take(0, ALL, ADDRESS).unwrap().port, first);
        for _ in 2..EPHEMERAL.count() {
            ports.take(0, ALL, ADDRESS).unwrap();
        }
        assert_eq!(ports.take(0, ALL, ADDRESS), Err(Errno::EADDRINUSE));
    }
}
