//! Groups of hosts: who on this host has joined which (ip(7), ipv6(7)). smoltcp tells the routers (RFC 2236, RFC 3810).

use super::checksum;
use super::device::PartialChecksum;
use super::link::LinkId;
use super::options::{IPPROTO_IP, IPPROTO_IPV6};
use super::packet::Packet;
use super::stack::Inner;
use super::way::Wish;
use crate::platform::Platform;
use alloc::vec::Vec;
use smoltcp::wire::{IpAddress, IpProtocol, Ipv4Address, Ipv6Address};
use trapless_abi::{Errno, SysResult};

/// A group on a link.
pub(super) type Membership = (LinkId, IpAddress);

/// Groups that one socket may join: net.ipv4.igmp_max_memberships.
const MOST: usize = 20;

/// Names at IPPROTO_IP and IPPROTO_IPV6.
const IP_ADD_MEMBERSHIP: i32 = 35;
const IP_DROP_MEMBERSHIP: i32 = 36;
const IPV6_ADD_MEMBERSHIP: i32 = 20;
const IPV6_DROP_MEMBERSHIP: i32 = 21;

/// What setsockopt(2) asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) join: bool,
    pub(super) group: IpAddress,
    /// The interface by its address, unless that is unspecified, and by its index, unless that is 0.
    address: Ipv4Address,
    index: u32,
}

impl Request {
    /// The request that an option is; None if it is another option. EINVAL.
    pub(super) fn of(level: i32, name: i32, value: &[u8]) -> SysResult<Option<Self>> {
        let join = match (level, name) {
            (IPPROTO_IP, IP_ADD_MEMBERSHIP) | (IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP) => true,
            (IPPROTO_IP, IP_DROP_MEMBERSHIP) | (IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP) => false,
            _ => return Ok(None),
        };
        let word = |at: usize| value.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        let index = |at: usize| word(at).map_or(0, u32::from_ne_bytes);
        let request = if level == IPPROTO_IP {
            // `struct ip_mreq`, or the longer `struct ip_mreqn`.
            let [group, address] = [0, 4].map(|at| word(at).map(|octets: [u8; 4]| Ipv4Address::from(octets)));
            let (group, address) = group.zip(address).ok_or(Errno::EINVAL)?;
            Self { join, group: group.into(), address, index: index(8) }
        } else {
            let group: [u8; 16] = *value.first_chunk().ok_or(Errno::EINVAL)?;
            let address = Ipv4Address::UNSPECIFIED;
            Self { join, group: Ipv6Address::from(group).into(), address, index: index(16) }
        };
        if request.group.is_multicast() { Ok(Some(request)) } else { Err(Errno::EINVAL) }
    }
}

impl<P: Platform> Inner<P> {
    /// Does what a request asks for a socket that is in these groups. ENODEV without such an interface, EADDRINUSE for a group that the
    /// socket is in, EADDRNOTAVAIL for leaving one that it is not in, ENOBUFS.
    pub(super) fn change_groups(&mut self, groups: &mut Vec<Membership>, request: Request) -> SysResult<()> {
        let Request { join, group, address, index } = request;
        let link = match (index, address.is_unspecified()) {
            (0, true) => Some(self.way(group, Wish::default())?).filter(|&link| self.numbered(link).wire.has_nic()),
            (0, false) => self.link_of(address.into()),
            _ => Some(self.link_of_index(index)?),
        };
        let member = (link.ok_or(Errno::ENODEV)?, group);
        // Who leaves a group without saying where leaves it where it is in it.
        let anywhere = !join && index == 0 && address.is_unspecified();
        let place = groups.iter().position(|&other| other == member || (anywhere && other.1 == group));
        match (join, place) {
            (true, Some(_)) => return Err(Errno::EADDRINUSE),
            (true, None) if groups.len() == MOST => return Err(Errno::ENOBUFS),
            (true, None) => {
                groups.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
                self.join(member)?;
                groups.push(member);
            }
            (false, Some(place)) => {
                let member = groups.swap_remove(place);
                self.leave(member);
            }
            (false, None) => return Err(Errno::EADDRNOTAVAIL),
        }
        Ok(())
    }

    fn join(&mut self, member: Membership) -> SysResult<()> {
        self.turn(member.0);
        let members = self.groups.entry(member).or_insert(0);
        if *members == 0 && self.link.iface.join_multicast_group(member.1).is_err() {
            self.groups.remove(&member);
            return Err(Errno::ENOBUFS);
        }
        *members += 1;
        self.link.datagrams.touched = true;
        Ok(())
    }

    /// One socket less is in a group.
    pub(super) fn leave(&mut self, member: Membership) {
        let Some(members) = self.groups.get_mut(&member) else { return };
        *members -= 1;
        if *members == 0 {
            self.groups.remove(&member);
            self.turn(member.0);
            // It is a group, and joined.
            let _ = self.link.iface.leave_multicast_group(member.1);
            self.link.datagrams.touched = true;
        }
    }

    /// Whether some socket of this host is in a group on the current link.
    pub(super) fn is_joined(&self, group: IpAddress) -> bool {
        !self.groups.is_empty() && self.groups.contains_key(&(self.link.number, group))
    }
}

/// Bytes of the header with the router alert before a report, and of the report's own, before its records.
const ALERT: usize = 8;
const REPORT: usize = 8;
/// ICMPv6: a report of version 2 (RFC 3810, 5.2), and its records' kinds for leaving a group and joining it.
const REPORT_KIND: u8 = 143;
const TO_INCLUDE: u8 = 3;
const TO_EXCLUDE: u8 = 4;

/// smoltcp 0.14 takes the one kind of record for the other: joining a group is to exclude nobody from those who are heard (RFC 3810, 6.1).
/// A switch that listens would otherwise keep from this host what it has asked for, solicitations of its neighbours among it.
pub(super) fn correct(frame: &mut [u8], packet: &Packet) {
    if packet.protocol != IpProtocol::HopByHop {
        return;
    }
    let (from, to) = (packet.from, packet.to);
    let Some((_, message)) = frame[packet.payload.clone()].split_at_mut_checked(ALERT) else { return };
    let Some(kind) = message.get(REPORT).copied().filter(|_| message[0] == REPORT_KIND) else { return };
    message[REPORT] = match kind {
        TO_INCLUDE => TO_EXCLUDE,
        TO_EXCLUDE => TO_INCLUDE,
        other => other,
    };
    let pseudo = checksum::pseudo(from, to, IpProtocol::Icmpv6, message.len());
    message[2..4].copy_from_slice(&pseudo.to_be_bytes());
    checksum::complete(message, PartialChecksum { start: 0, offset: 2 });
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn requests_come_in_three_structures() {
        let group = [239, 1, 2, 3];
        let short = [group, [10, 0, 0, 1]].concat();
        let long = [group, [0; 4], 2u32.to_ne_bytes()].concat();
        let of = |name, value: &[u8]| Request::of(IPPROTO_IP, name, value);
        let (address, none) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::UNSPECIFIED);
        let group = Ipv4Address::from(group).into();
        assert_eq!(of(35, &short), Ok(Some(Request { join: true, group, address, index: 0 })));
        assert_eq!(of(36, &long), Ok(Some(Request { join: false, group, address: none, index: 2 })));
        assert_eq!((of(35, &short[..7]), of(35, &[10; 8])), (Err(Errno::EINVAL), Err(Errno::EINVAL)));
        assert_eq!(of(34, &short), Ok(None));
        let v6: Ipv6Address = "ff02::fb".parse().unwrap();
        let value = [&v6.octets()[..], &2u32.to_ne_bytes()].concat();
        let expected = Request { join: true, group: v6.into(), address: none, index: 2 };
        assert_eq!(Request::of(IPPROTO_IPV6, 20, &value), Ok(Some(expected)));
        assert_eq!(Request::of(IPPROTO_IPV6, 20, &value[..15]), Err(Errno::EINVAL));
    }
}
