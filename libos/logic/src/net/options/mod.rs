//! Socket options that TCP and UDP sockets keep (socket(7), ip(7), ipv6(7), tcp(7)).

mod ancillary;
mod number;

pub(super) use crate::socket::options::{SOL_SOCKET, so};
pub(super) use ancillary::{Asked, Known};
pub(super) use number::*;

use super::address::{Family, is_loopback, resolve};
use super::congestion::Algorithm;
use super::lease::LOOPBACK_MTU;
use super::link::{ETH0, LOOPBACK, NAMES};
use super::ports::Sharing;
use super::wire::MTU;
use crate::socket::options::{time_limit, time_limit_bytes};
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address};
use trapless_abi::{Errno, SysResult};

/// IPPROTO_IP.
pub(super) const IPPROTO_IP: i32 = 0;
/// IPPROTO_TCP.
pub(super) const IPPROTO_TCP: i32 = 6;
/// IPPROTO_IPV6.
pub(super) const IPPROTO_IPV6: i32 = 41;

/// Names at IPPROTO_IP.
pub(super) mod ip {
    pub const TOS: i32 = 1;
    pub const TTL: i32 = 2;
    pub const HDRINCL: i32 = 3;
    pub const ROUTER_ALERT: i32 = 5;
    pub const RECVOPTS: i32 = 6;
    pub const RETOPTS: i32 = 7;
    pub const PKTINFO: i32 = 8;
    pub const MTU_DISCOVER: i32 = 10;
    pub const RECVTTL: i32 = 12;
    pub const RECVTOS: i32 = 13;
    pub const MTU: i32 = 14;
    /// Also that of the ancillary data, IP_ORIGDSTADDR.
    pub const RECVORIGDSTADDR: i32 = 20;
    pub const NODEFRAG: i32 = 22;
    pub const MULTICAST_IF: i32 = 32;
    pub const MULTICAST_TTL: i32 = 33;
    pub const MULTICAST_LOOP: i32 = 34;
}

/// Names at IPPROTO_IPV6.
pub(super) mod ipv6 {
    pub const UNICAST_HOPS: i32 = 16;
    pub const MULTICAST_IF: i32 = 17;
    pub const MULTICAST_HOPS: i32 = 18;
    pub const MULTICAST_LOOP: i32 = 19;
    pub const MTU_DISCOVER: i32 = 23;
    pub const MTU: i32 = 24;
    pub const V6ONLY: i32 = 26;
    pub const RECVPKTINFO: i32 = 49;
    pub const PKTINFO: i32 = 50;
    pub const RECVHOPLIMIT: i32 = 51;
    pub const HOPLIMIT: i32 = 52;
    pub const RECVTCLASS: i32 = 66;
    pub const TCLASS: i32 = 67;
}

/// Names at IPPROTO_TCP.
pub(super) mod tcp_opt {
    pub const NODELAY: i32 = 1;
    pub const MAXSEG: i32 = 2;
    pub const CORK: i32 = 3;
    pub const KEEPIDLE: i32 = 4;
    pub const KEEPINTVL: i32 = 5;
    pub const KEEPCNT: i32 = 6;
    pub const SYNCNT: i32 = 7;
    pub const LINGER2: i32 = 8;
    pub const CONGESTION: i32 = 13;
    pub const USER_TIMEOUT: i32 = 18;
}

/// The bytes that Linux gives the name of a congestion control (tcp(7), TCP_CA_NAME_MAX).
const CONGESTION_NAME: usize = 16;
/// The most seconds of TCP_LINGER2 (TCP_FIN_TIMEOUT_MAX of Linux).
const LONGEST_LINGER: i32 = 120;
/// ECN's part of the type of service, which is TCP's own business (RFC 3168).
const ECN: i32 = 3;

/// The values.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// With IPV6_V6ONLY.
    pub(super) family: Family,
    /// SO_BINDTODEVICE: the index of the only interface; 0: all.
    pub(super) device: u32,
    /// SO_LINGER in seconds.
    pub(super) linger: Option<i32>,
    pub(super) rcvtimeo: Option<Duration>,
    pub(super) sndtimeo: Option<Duration>,
    /// TCP_CONGESTION.
    pub(super) congestion: Algorithm,
    /// The socket has the options of tcp(7).
    tcp: bool,
    /// SO_SNDBUF and SO_RCVBUF, until they are set.
    buffer: i32,
    /// Numbers that are not what they were at first, by level and name.
    changed: Vec<((i32, i32), i32)>,
}

impl Options {
    pub(super) const fn new(family: Family, buffer: usize) -> Self {
        Self {
            family,
            device: 0,
            linger: None,
            rcvtimeo: None,
            sndtimeo: None,
            congestion: Algorithm::Cubic,
            tcp: false,
            buffer: buffer as i32,
            changed: Vec::new(),
        }
    }

    /// The index of the interface that packets to an address are to leave by, if it is of the link `scope` (0: of none): that of the
    /// address, or of the socket, or for groups.
    pub(super) fn interface(&self, scope: u32, to: IpAddress) -> u32 {
        match to {
            _ if scope != 0 => scope,
            _ if self.device != 0 => self.device,
            IpAddress::Ipv6(group) if group.is_multicast() => self.number(&MULTICAST_INTERFACE6) as u32,
            _ => 0,
        }
    }

    /// An address of the card by which packets to a group are to leave (IP_MULTICAST_IF), if they go to one.
    pub(super) fn group_source(&self, to: IpAddress) -> Option<IpAddress> {
        let IpAddress::Ipv4(group) = to else { return None };
        let own = Ipv4Address::from(self.number(&MULTICAST_INTERFACE).to_ne_bytes());
        (group.is_multicast() && !own.is_unspecified()).then_some(own.into())
    }

    /// The options that only a TCP socket has.
    pub(super) const fn with_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// The value of a number.
    pub(super) fn number(&self, number: &Number) -> i32 {
        self.changed_to(number.level, number.name).unwrap_or(number.first)
    }

    /// Whether a switch is on.
    pub(super) fn on(&self, number: &Number) -> bool {
        self.number(number) != 0
    }

    fn changed_to(&self, level: i32, name: i32) -> Option<i32> {
        self.changed.iter().find(|(key, _)| *key == (level, name)).map(|(_, value)| *value)
    }

    /// ENOBUFS.
    fn change(&mut self, key: (i32, i32), value: i32) -> SysResult<()> {
        if let Some(changed) = self.changed.iter_mut().find(|(other, _)| *other == key) {
            changed.1 = value;
            return Ok(());
        }
        self.changed.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        self.changed.push((key, value));
        Ok(())
    }

    /// setsockopt(2). ENOPROTOOPT for unknown options, EINVAL for short or absurd values, ENOENT for a congestion control that is not
    /// there, ENOBUFS.
    pub(super) fn set(&mut self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        let word = |at: usize| value.get(4 * at..4 * at + 4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
        match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO) => self.rcvtimeo = time_limit(value)?,
            (SOL_SOCKET, so::SNDTIMEO) => self.sndtimeo = time_limit(value)?,
            (SOL_SOCKET, so::LINGER) => {
                let (on, seconds) = (word(0).ok_or(Errno::EINVAL)?, word(1).ok_or(Errno::EINVAL)?);
                self.linger = (on != 0).then_some(seconds);
            }
            (IPPROTO_TCP, tcp_opt::CONGESTION) if self.tcp => self.congestion = congestion_control(value)?,
            _ => {
                // ip(7) takes single bytes for its options too.
                // `struct ip_mreq` has the group in front of the interface's address.
                let at = usize::from((level, name) == (IPPROTO_IP, ip::MULTICAST_IF) && value.len() >= 8);
                let number = match (word(at), value.first()) {
                    (Some(number), _) => number,
                    (None, Some(&byte)) if level == IPPROTO_IP => i32::from(byte),
                    _ => return Err(Errno::EINVAL),
                };
                self.set_number(level, name, number)?;
            }
        }
        Ok(())
    }

    fn set_number(&mut self, level: i32, name: i32, number: i32) -> SysResult<()> {
        let value = match (level, name) {
            (IPPROTO_TCP, _) if !self.tcp => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_IPV6, _) if self.family == Family::Inet => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_IPV6, ipv6::V6ONLY) => {
                self.family = if number != 0 { Family::Inet6Only } else { Family::Inet6 };
                return Ok(());
            }
            // The wire has one MTU.
            (IPPROTO_IPV6, ipv6::MTU) => return if number == 0 { Ok(()) } else { Err(Errno::EINVAL) },
            // Linux doubles buffer sizes for its own bookkeeping and programs know it (socket(7)).
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => number.clamp(1024, 1 << 22) * 2,
            (SOL_SOCKET, so::RCVLOWAT) => match number {
                ..0 => i32::MAX,
                0 => 1,
                _ => number,
            },
            (IPPROTO_IP, ip::MULTICAST_TTL) if self.tcp => return Err(Errno::EINVAL),
            (IPPROTO_IPV6, ipv6::MULTICAST_HOPS) if self.tcp => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_IP, ip::TOS) if self.tcp => number & 0xff & !ECN,
            (IPPROTO_IP, ip::TOS) => number & 0xff,
            (IPPROTO_IPV6, ipv6::TCLASS) if self.tcp => CLASS.take(number)? & !ECN,
            (IPPROTO_TCP, tcp_opt::LINGER2) => match number {
                ..0 => -1,
                0 => LINGER2.first,
                _ => number.min(LONGEST_LINGER),
            },
            // The wire's is taken all the same (tcp(7): the option is a wish).
            (IPPROTO_TCP, tcp_opt::MAXSEG) => match number {
                0 | 88..=32767 => return Ok(()),
                _ => return Err(Errno::EINVAL),
            },
            _ => Number::of(level, name)?.take(number)?,
        };
        self.change((level, name), value)
    }

    /// With whom a socket shares its port.
    pub(super) fn sharing(&self) -> Sharing {
        Sharing { address: self.on(&REUSE_ADDRESS), port: self.on(&REUSE_PORT) }
    }

    /// How far packets to an address go.
    pub(super) fn hop_limit(&self, to: IpAddress) -> u8 {
        let hops = match to {
            IpAddress::Ipv4(_) => self.number(&TTL),
            IpAddress::Ipv6(_) => self.number(&HOPS),
        };
        // None is farther than the next host.
        hops.clamp(1, 255) as u8
    }

    /// The type of service of packets to an address, or their traffic class.
    pub(super) fn service_class(&self, to: IpAddress) -> u8 {
        let class = match to {
            IpAddress::Ipv4(_) => self.number(&TOS),
            IpAddress::Ipv6(_) => self.number(&CLASS),
        };
        class as u8
    }

    /// Whether this host, too, hears what is sent to a group that it is in.
    pub(super) fn loops(&self, to: IpAddress) -> bool {
        match to {
            IpAddress::Ipv4(_) => self.on(&MULTICAST_LOOP),
            IpAddress::Ipv6(_) => self.on(&MULTICAST_LOOP6),
        }
    }

    /// IP_MTU and IPV6_MTU of a socket that is connected to there. ENOTCONN, EOPNOTSUPP.
    pub(super) fn mtu(&self, level: i32, peer: Option<IpEndpoint>) -> SysResult<i32> {
        if level == IPPROTO_IPV6 && self.family == Family::Inet {
            return Err(Errno::EOPNOTSUPP);
        }
        let peer = resolve(peer.ok_or(Errno::ENOTCONN)?);
        Ok(if is_loopback(peer.addr) { LOOPBACK_MTU as i32 } else { MTU as i32 })
    }

    /// getsockopt(2) for what is kept here. ENOPROTOOPT, EOPNOTSUPP for a protocol that a socket of AF_INET has not.
    pub(super) fn get(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let number = match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO) => return Ok(time_limit_bytes(self.rcvtimeo)),
            (SOL_SOCKET, so::SNDTIMEO) => return Ok(time_limit_bytes(self.sndtimeo)),
            (SOL_SOCKET, so::BINDTODEVICE) => return Ok(interface_name(self.device)),
            (SOL_SOCKET, so::LINGER) => {
                let words = [i32::from(self.linger.is_some()), self.linger.unwrap_or(0)];
                return Ok(words.iter().flat_map(|w| w.to_ne_bytes()).collect());
            }
            // As in Linux, setting one is ENOPROTOOPT.
            (IPPROTO_IPV6, _) if self.family == Family::Inet => return Err(Errno::EOPNOTSUPP),
            (IPPROTO_TCP, _) if !self.tcp && self.family == Family::Inet => return Err(Errno::EOPNOTSUPP),
            (IPPROTO_TCP, _) if !self.tcp => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_TCP, tcp_opt::CONGESTION) => {
                let mut name = self.congestion.name().as_bytes().to_vec();
                name.resize(CONGESTION_NAME, 0);
                return Ok(name);
            }
            (IPPROTO_IPV6, ipv6::V6ONLY) => (self.family == Family::Inet6Only).into(),
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => self.changed_to(level, name).unwrap_or(self.buffer),
            _ => self.number(Number::of(level, name)?),
        };
        Ok(number.to_ne_bytes().to_vec())
    }
}

/// The name of an interface with a zero behind it; nothing for index 0.
fn interface_name(index: u32) -> Vec<u8> {
    let name = match index {
        0 => return Vec::new(),
        LOOPBACK => "lo",
        index => NAMES.get(index.saturating_sub(ETH0) as usize).copied().unwrap_or_default(),
    };
    [name.as_bytes(), &[0]].concat()
}

/// The congestion control of that name. ENOENT, EINVAL for none.
fn congestion_control(value: &[u8]) -> SysResult<Algorithm> {
    let most = value.len().min(CONGESTION_NAME - 1);
    let name = value[..most].split(|&byte| byte == 0).next().unwrap_or_default();
    if value.is_empty() {
        return Err(Errno::EINVAL);
    }
    Algorithm::of_name(name).ok_or(Errno::ENOENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered_and_unknown_options_refused() {
        let mut o = Options::new(Family::Inet, 65536).with_tcp();
        for priority in [3i32, 4] {
            o.set(SOL_SOCKET, so::PRIORITY, &priority.to_ne_bytes()).unwrap();
            assert_eq!(o.get(SOL_SOCKET, so::PRIORITY).unwrap(), priority.to_ne_bytes());
        }
        assert_eq!(o.set(SOL_SOCKET, 9999, &[0; 4]), Err(Errno::ENOPROTOOPT));
        assert_eq!(o.set(SOL_SOCKET, so::KEEPALIVE, &[1]), Err(Errno::EINVAL));
    }

    #[test]
    fn linger_and_timeouts_have_structures() {
        let mut o = Options::new(Family::Inet, 65536);
        o.set(SOL_SOCKET, so::LINGER, &[1, 0, 0, 0, 5, 0, 0, 0]).unwrap();
        assert_eq!(o.linger, Some(5));
        let limit = Some(Duration::from_micros(1_500_000));
        o.set(SOL_SOCKET, so::RCVTIMEO, &time_limit_bytes(limit)).unwrap();
        assert_eq!(o.rcvtimeo, limit);
        assert_eq!(o.set(SOL_SOCKET, so::RCVTIMEO, &[0; 8]), Err(Errno::EINVAL));
    }

    #[test]
    fn buffer_sizes_are_doubled_as_linux_does() {
        let mut o = Options::new(Family::Inet, 65536);
        assert_eq!(o.get(SOL_SOCKET, so::SNDBUF).unwrap(), 65536i32.to_ne_bytes());
        o.set(SOL_SOCKET, so::RCVBUF, &4096i32.to_ne_bytes()).unwrap();
        assert_eq!(o.get(SOL_SOCKET, so::RCVBUF).unwrap(), 8192i32.to_ne_bytes());
    }

    #[test]
    fn a_bad_ttl_is_einval() {
        let mut o = Options::new(Family::Inet, 65536);
        assert_eq!(o.set(IPPROTO_IP, 2, &0i32.to_ne_bytes()), Err(Errno::EINVAL));
        o.set(IPPROTO_IP, 2, &[7]).unwrap();
        assert_eq!(o.number(&TTL), 7);
    }

    #[test]
    fn congestion_control_can_be_chosen() {
        let mut o = Options::new(Family::Inet, 65536).with_tcp();
        assert_eq!(o.get(IPPROTO_TCP, tcp_opt::CONGESTION).unwrap(), b"cubic\0\0\0\0\0\0\0\0\0\0\0");
        let mut choose = |name: &[u8]| o.set(IPPROTO_TCP, tcp_opt::CONGESTION, name).map(|()| o.congestion.name());
        assert_eq!([choose(b"cubic"), choose(b"reno"), choose(b"cubic\0")], [Ok("cubic"), Ok("reno"), Ok("cubic")]);
        assert_eq!(choose(b"reno\0xyz and what does not fit there"), Ok("reno"));
        let refused = [choose(b"ren"), choose(b"renown"), choose(b"\0"), choose(&[b'r'; 100]), choose(b"")];
        assert_eq!(refused, [Errno::ENOENT, Errno::ENOENT, Errno::ENOENT, Errno::ENOENT, Errno::EINVAL].map(Err));
        assert_eq!(o.get(IPPROTO_TCP, tcp_opt::CONGESTION).unwrap(), b"reno\0\0\0\0\0\0\0\0\0\0\0\0");
    }
}
