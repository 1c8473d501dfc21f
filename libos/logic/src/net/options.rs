//! Socket options that TCP and UDP sockets keep (socket(7), ip(7), ipv6(7), tcp(7)).

pub(super) use crate::socket::options::{SOL_SOCKET, so};

use super::address::Family;
use super::service::Service;
use super::udp::Header;
use crate::socket::Control;
use crate::socket::options::{time_limit, time_limit_bytes};
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::wire::IpAddress;
use trapless_abi::{Errno, SysResult};

/// IPPROTO_IP.
pub(super) const IPPROTO_IP: i32 = 0;
/// IPPROTO_TCP.
pub(super) const IPPROTO_TCP: i32 = 6;
/// IPPROTO_IPV6.
pub(super) const IPPROTO_IPV6: i32 = 41;

/// Names at IPPROTO_IP.
mod ip {
    pub const TOS: i32 = 1;
    pub const TTL: i32 = 2;
    pub const RECVTTL: i32 = 12;
    pub const RECVTOS: i32 = 13;
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
    pub const V6ONLY: i32 = 26;
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
    pub const USER_TIMEOUT: i32 = 18;
}

/// How far packets go if nobody says anything else.
const DEFAULT_HOPS: u8 = 64;

/// The hop limit that a number at IPPROTO_IPV6 means: none is farther than the next host. EINVAL.
fn hops(number: i32) -> SysResult<u8> {
    match number {
        -1 => Ok(DEFAULT_HOPS),
        0..=255 => Ok((number as u8).max(1)),
        _ => Err(Errno::EINVAL),
    }
}

/// The values.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// With IPV6_V6ONLY.
    pub(super) family: Family,
    pub(super) reuse: bool,
    pub(super) keepalive: bool,
    pub(super) nodelay: bool,
    /// Seconds of silence before the first keep-alive probe.
    pub(super) keepidle: i32,
    /// Seconds between keep-alive probes.
    pub(super) keepintvl: i32,
    /// Unanswered keep-alive probes that end a connection.
    pub(super) keepcnt: i32,
    /// Datagrams may go to broadcast addresses.
    pub(super) broadcast: bool,
    ttl: u8,
    /// IPV6_UNICAST_HOPS.
    hops: u8,
    /// SO_LINGER in seconds.
    pub(super) linger: Option<i32>,
    pub(super) rcvtimeo: Option<Duration>,
    pub(super) sndtimeo: Option<Duration>,
    /// TCP_USER_TIMEOUT in milliseconds, 0: the system's.
    pub(super) user_timeout: i32,
    /// The socket has the options of tcp(7).
    tcp: bool,
    /// Integers that are only remembered: nothing in the stack depends on them.
    kept: Vec<((i32, i32), i32)>,
}

impl Options {
    pub(super) fn new(family: Family, buffer: usize) -> Self {
        let buffer = buffer as i32;
        let mut options = Self {
            family,
            reuse: false,
            keepalive: false,
            nodelay: false,
            keepidle: 7200,
            keepintvl: 75,
            keepcnt: 9,
            broadcast: false,
            ttl: DEFAULT_HOPS,
            hops: DEFAULT_HOPS,
            linger: None,
            rcvtimeo: None,
            sndtimeo: None,
            user_timeout: 0,
            tcp: false,
            kept: alloc::vec![
                ((SOL_SOCKET, so::DONTROUTE), 0),
                ((SOL_SOCKET, so::SNDBUF), buffer),
                ((SOL_SOCKET, so::RCVBUF), buffer),
                ((SOL_SOCKET, so::OOBINLINE), 0),
                ((SOL_SOCKET, so::PRIORITY), 0),
                ((SOL_SOCKET, so::REUSEPORT), 0),
                ((SOL_SOCKET, so::RCVLOWAT), 1),
                ((SOL_SOCKET, so::TIMESTAMP), 0),
                ((IPPROTO_IP, ip::TOS), 0),
                ((IPPROTO_IP, ip::RECVTTL), 0),
                ((IPPROTO_IP, ip::RECVTOS), 0),
                // There is one interface that it could be.
                ((IPPROTO_IP, ip::MULTICAST_IF), 0),
                ((IPPROTO_IP, ip::MULTICAST_TTL), 1),
                ((IPPROTO_IP, ip::MULTICAST_LOOP), 1),
            ],
        };
        if family != Family::Inet {
            options.kept.extend([
                ((IPPROTO_IPV6, ipv6::MULTICAST_IF), 0),
                ((IPPROTO_IPV6, ipv6::MULTICAST_HOPS), 1),
                ((IPPROTO_IPV6, ipv6::MULTICAST_LOOP), 1),
                ((IPPROTO_IPV6, ipv6::RECVHOPLIMIT), 0),
                ((IPPROTO_IPV6, ipv6::RECVTCLASS), 0),
                ((IPPROTO_IPV6, ipv6::TCLASS), 0),
            ]);
        }
        options
    }

    /// The options that only a TCP socket has.
    pub(super) fn with_tcp(mut self) -> Self {
        self.tcp = true;
        self.kept.push(((IPPROTO_TCP, tcp_opt::CORK), 0));
        self
    }

    /// setsockopt(2). ENOPROTOOPT for unknown options, EINVAL for short or absurd values.
    pub(super) fn set(&mut self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        let word = |at: usize| value.get(4 * at..4 * at + 4).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
        match (level, name) {
            (SOL_SOCKET, so::TYPE | so::ERROR | so::ACCEPTCONN | so::PROTOCOL | so::DOMAIN | so::SNDLOWAT) => {
                return Err(Errno::ENOPROTOOPT);
            }
            (SOL_SOCKET, so::RCVTIMEO) => self.rcvtimeo = time_limit(value)?,
            (SOL_SOCKET, so::SNDTIMEO) => self.sndtimeo = time_limit(value)?,
            (SOL_SOCKET, so::LINGER) => {
                let (on, seconds) = (word(0).ok_or(Errno::EINVAL)?, word(1).ok_or(Errno::EINVAL)?);
                self.linger = (on != 0).then_some(seconds);
            }
            _ => {
                // ip(7) takes single bytes for its options too.
                let number = match (word(0), value.first()) {
                    (Some(number), _) => number,
                    (None, Some(&byte)) if level == IPPROTO_IP => i32::from(byte),
                    _ => return Err(Errno::EINVAL),
                };
                self.set_int(level, name, number)?;
            }
        }
        Ok(())
    }

    fn set_int(&mut self, level: i32, name: i32, number: i32) -> SysResult<()> {
        match (level, name) {
            (IPPROTO_TCP, _) if !self.tcp => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_IPV6, _) if self.family == Family::Inet => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_IPV6, ipv6::V6ONLY) => {
                self.family = if number != 0 { Family::Inet6Only } else { Family::Inet6 };
            }
            (IPPROTO_IPV6, ipv6::UNICAST_HOPS) => self.hops = hops(number)?,
            (IPPROTO_IPV6, ipv6::MULTICAST_HOPS | ipv6::TCLASS) if !(-1..=255).contains(&number) => {
                return Err(Errno::EINVAL);
            }
            (SOL_SOCKET, so::REUSEADDR) => self.reuse = number != 0,
            (SOL_SOCKET, so::KEEPALIVE) => self.keepalive = number != 0,
            (SOL_SOCKET, so::BROADCAST) => self.broadcast = number != 0,
            (IPPROTO_TCP, tcp_opt::NODELAY) => self.nodelay = number != 0,
            (IPPROTO_TCP, tcp_opt::KEEPIDLE) if (1..=32767).contains(&number) => self.keepidle = number,
            (IPPROTO_TCP, tcp_opt::KEEPINTVL) if (1..=32767).contains(&number) => self.keepintvl = number,
            (IPPROTO_TCP, tcp_opt::KEEPCNT) if (1..=127).contains(&number) => self.keepcnt = number,
            (IPPROTO_TCP, tcp_opt::USER_TIMEOUT) if number >= 0 => self.user_timeout = number,
            (IPPROTO_TCP, tcp_opt::KEEPIDLE | tcp_opt::KEEPINTVL | tcp_opt::KEEPCNT | tcp_opt::USER_TIMEOUT) => {
                return Err(Errno::EINVAL);
            }
            (IPPROTO_IP, ip::TTL) => match number {
                -1 => self.ttl = DEFAULT_HOPS,
                1..=255 => self.ttl = number as u8,
                _ => return Err(Errno::EINVAL),
            },
            _ => {
                let kept = self.kept.iter_mut().find(|(key, _)| *key == (level, name)).ok_or(Errno::ENOPROTOOPT)?;
                kept.1 = match (level, name) {
                    // Linux doubles buffer sizes for its own bookkeeping and programs know it (socket(7)).
                    (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => number.clamp(1024, 1 << 22) * 2,
                    _ => number,
                };
            }
        }
        Ok(())
    }

    /// An integer that is only remembered.
    fn kept(&self, level: i32, name: i32) -> i32 {
        self.kept.iter().find(|(key, _)| *key == (level, name)).map_or(0, |(_, value)| *value)
    }

    /// How far packets to an address go.
    pub(super) const fn hop_limit(&self, to: IpAddress) -> u8 {
        match to {
            IpAddress::Ipv4(_) => self.ttl,
            IpAddress::Ipv6(_) => self.hops,
        }
    }

    /// What a datagram asks for, by its own ancillary data or by the socket's options. EINVAL.
    pub(super) fn asked(&self, control: &[Control], to: IpAddress) -> SysResult<Service> {
        let (tos, farthest) = match to {
            IpAddress::Ipv4(_) => ((IPPROTO_IP, ip::TOS), (IPPROTO_IP, ip::MULTICAST_TTL)),
            IpAddress::Ipv6(_) => ((IPPROTO_IPV6, ipv6::TCLASS), (IPPROTO_IPV6, ipv6::MULTICAST_HOPS)),
        };
        let ttl = if to.is_multicast() { self.kept(farthest.0, farthest.1) as u8 } else { self.hop_limit(to) };
        let mut service = Service { tos: self.kept(tos.0, tos.1).max(0) as u8, ttl: Some(ttl.max(1)) };
        for Control { level, kind, data } in control {
            let word = data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
            match (*level, *kind) {
                (IPPROTO_IP, ip::TOS) => {
                    let byte = data.first().filter(|_| data.len() == 1).map(|&byte| i32::from(byte));
                    service.tos = byte.or(word).and_then(|tos| tos.try_into().ok()).ok_or(Errno::EINVAL)?;
                }
                (IPPROTO_IP, ip::TTL) => {
                    let ttl = word.and_then(|ttl| u8::try_from(ttl).ok()).filter(|&ttl| ttl > 0);
                    service.ttl = Some(ttl.ok_or(Errno::EINVAL)?);
                }
                (IPPROTO_IPV6, ipv6::TCLASS) if self.family != Family::Inet => match word {
                    Some(-1) => {}
                    Some(class @ 0..=255) => service.tos = class as u8,
                    _ => return Err(Errno::EINVAL),
                },
                (IPPROTO_IPV6, ipv6::HOPLIMIT) if self.family != Family::Inet => {
                    service.ttl = Some(hops(word.ok_or(Errno::EINVAL)?)?);
                }
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(service)
    }

    /// Whether this host, too, hears what is sent to a group that it is in.
    pub(super) fn loops(&self, to: IpAddress) -> bool {
        match to {
            IpAddress::Ipv4(_) => self.kept(IPPROTO_IP, ip::MULTICAST_LOOP) != 0,
            IpAddress::Ipv6(_) => self.kept(IPPROTO_IPV6, ipv6::MULTICAST_LOOP) != 0,
        }
    }

    /// Ancillary data of a datagram that came, as asked for (ip(7), ipv6(7)).
    pub(super) fn told(&self, &Header { from, ttl, tos, .. }: &Header) -> Vec<Control> {
        let word = |number: u8| i32::from(number).to_ne_bytes().to_vec();
        let known = match from.addr {
            IpAddress::Ipv4(_) => {
                [(IPPROTO_IP, ip::RECVTTL, ip::TTL, word(ttl)), (IPPROTO_IP, ip::RECVTOS, ip::TOS, alloc::vec![tos])]
            }
            IpAddress::Ipv6(_) => [
                (IPPROTO_IPV6, ipv6::RECVHOPLIMIT, ipv6::HOPLIMIT, word(ttl)),
                (IPPROTO_IPV6, ipv6::RECVTCLASS, ipv6::TCLASS, word(tos)),
            ],
        };
        let asked = known.into_iter().filter(|(level, wanted, ..)| self.kept(*level, *wanted) != 0);
        asked.map(|(level, _, kind, data)| Control { level, kind, data }).collect()
    }

    /// getsockopt(2) for what is kept here. ENOPROTOOPT.
    pub(super) fn get(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let number = match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO) => return Ok(time_limit_bytes(self.rcvtimeo)),
            (SOL_SOCKET, so::SNDTIMEO) => return Ok(time_limit_bytes(self.sndtimeo)),
            (SOL_SOCKET, so::LINGER) => {
                let words = [i32::from(self.linger.is_some()), self.linger.unwrap_or(0)];
                return Ok(words.iter().flat_map(|w| w.to_ne_bytes()).collect());
            }
            (SOL_SOCKET, so::REUSEADDR) => self.reuse.into(),
            (SOL_SOCKET, so::KEEPALIVE) => self.keepalive.into(),
            (SOL_SOCKET, so::BROADCAST) => self.broadcast.into(),
            (SOL_SOCKET, so::SNDLOWAT) => 1,
            (IPPROTO_IP, ip::TTL) => self.ttl.into(),
            (IPPROTO_IPV6, ipv6::V6ONLY) if self.family != Family::Inet => (self.family == Family::Inet6Only).into(),
            (IPPROTO_IPV6, ipv6::UNICAST_HOPS) if self.family != Family::Inet => self.hops.into(),
            // As in Linux, setting one is ENOPROTOOPT.
            (IPPROTO_IPV6, _) if self.family == Family::Inet => return Err(Errno::EOPNOTSUPP),
            (IPPROTO_TCP, _) if !self.tcp => return Err(Errno::ENOPROTOOPT),
            (IPPROTO_TCP, tcp_opt::NODELAY) => self.nodelay.into(),
            (IPPROTO_TCP, tcp_opt::KEEPIDLE) => self.keepidle,
            (IPPROTO_TCP, tcp_opt::KEEPINTVL) => self.keepintvl,
            (IPPROTO_TCP, tcp_opt::KEEPCNT) => self.keepcnt,
            (IPPROTO_TCP, tcp_opt::USER_TIMEOUT) => self.user_timeout,
            (IPPROTO_TCP, tcp_opt::MAXSEG) => 1460,
            _ => self.kept.iter().find(|(key, _)| *key == (level, name)).ok_or(Errno::ENOPROTOOPT)?.1,
        };
        Ok(number.to_ne_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_remembered_and_unknown_options_refused() {
        let mut o = Options::new(Family::Inet, 65536).with_tcp();
        o.set(SOL_SOCKET, so::PRIORITY, &3i32.to_ne_bytes()).unwrap();
        assert_eq!(o.get(SOL_SOCKET, so::PRIORITY).unwrap(), 3i32.to_ne_bytes());
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
        o.set(SOL_SOCKET, so::RCVBUF, &4096i32.to_ne_bytes()).unwrap();
        assert_eq!(o.get(SOL_SOCKET, so::RCVBUF).unwrap(), 8192i32.to_ne_bytes());
    }

    #[test]
    fn a_bad_ttl_is_einval() {
        let mut o = Options::new(Family::Inet, 65536);
        assert_eq!(o.set(IPPROTO_IP, 2, &0i32.to_ne_bytes()), Err(Errno::EINVAL));
        o.set(IPPROTO_IP, 2, &[7]).unwrap();
        assert_eq!(o.ttl, 7);
    }
}
