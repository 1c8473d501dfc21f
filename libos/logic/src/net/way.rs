//! Which card a packet leaves by.

use super::address::is_loopback;
use super::link::{ETH0, LOOPBACK, Link, LinkId, NAMES};
use super::stack::Inner;
use crate::platform::Platform;
use smoltcp::wire::IpAddress;
use trapless_abi::{Errno, SysResult};

/// What a packet's way depends on beside where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// The index of the interface that it is to leave by: the scope of an address, or what a program asks for. 0: any.
    pub(super) interface: u32,
    /// The address that it comes from, if that is certain.
    pub(super) source: Option<IpAddress>,
}

impl<P: Platform> Inner<P> {
    /// The link of an interface. ENODEV.
    pub(super) fn link_of_index(&self, index: u32) -> SysResult<LinkId> {
        let number = index.checked_sub(ETH0).and_then(|number| LinkId::try_from(number).ok());
        number.filter(|&number| number < self.count() && self.numbered(number).wire.has_nic()).ok_or(Errno::ENODEV)
    }

    /// The index of the interface with this name, which a zero may end (SO_BINDTODEVICE); 0 for an empty name. ENODEV.
    pub(super) fn index_of_name(&self, name: &[u8]) -> SysResult<u32> {
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        match name {
            b"" => return Ok(0),
            b"lo" => return Ok(LOOPBACK),
            _ => {}
        }
        let number = NAMES.iter().position(|known| known.as_bytes() == name).ok_or(Errno::ENODEV)?;
        let index = ETH0 + number as u32;
        self.link_of_index(index).map(|_| index)
    }

    /// The link whose card has an address.
    pub(super) fn link_of(&self, own: IpAddress) -> Option<LinkId> {
        self.links().find(|link| link.wire.own().contains(&own)).map(|link| link.number)
    }

    /// The link that a packet leaves by. Addresses of this host's are reached by the cards that have them, hosts on a network by that
    /// card, others by the first router; but what comes from an address of a card with a router goes to that one. ENODEV; ENETUNREACH
    /// for another than this host by the loopback.
    pub(super) fn way(&self, to: IpAddress, Wish { interface, source }: Wish) -> SysResult<LinkId> {
        let alone = self.others.is_empty();
        if is_loopback(to) || (alone && interface == 0) {
            return Ok(0);
        }
        if let Some(own) = self.link_of(to) {
            return Ok(own);
        }
        match interface {
            0 => {}
            LOOPBACK => return Err(Errno::ENETUNREACH),
            index => return self.link_of_index(index),
        }
        let first = |test: &dyn Fn(&Link) -> bool| self.links().find(|link| test(link)).map(|link| link.number);
        let from = source.and_then(|source| self.link_of(source));
        let everybody = to.is_multicast() || to.is_broadcast();
        let speaks = |link: &Link| link.wire.own().iter().any(|own| own.version() == to.version());
        let found = if everybody {
            from.or_else(|| first(&speaks))
        } else {
            let networks = || self.links().filter(|link| link.reaches(to)).map(|link| link.number);
            let network = networks().find(|&number| Some(number) == from).or_else(|| networks().next());
            let router = |link: &Link| link.has_router(to);
            network.or_else(|| from.filter(|&own| router(self.numbered(own)))).or_else(|| first(&router))
        };
        Ok(found.unwrap_or(0))
    }
}
