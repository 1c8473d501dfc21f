//! Options that are numbers: what each is at first, and which numbers it takes.

use super::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, SOL_SOCKET, ip, ipv6, so, tcp_opt};
use crate::net::conn::ORPHAN;
use trapless_abi::{Errno, SysResult};

/// How far packets go if nobody says anything else.
const DEFAULT_HOPS: i32 = 64;

/// Which numbers an option takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Takes {
    /// Yes or no: 0, or anything else.
    Switch,
    /// Anything.
    Any,
    /// From the first to the second.
    Range(i32, i32),
    /// As [`Takes::Range`], and -1 for what it is at first.
    RangeOrFirst(i32, i32),
    /// None: it can only be read.
    Nothing,
}

/// An option that is a number.
#[derive(Debug)]
pub(in crate::net) struct Number {
    pub(super) level: i32,
    pub(super) name: i32,
    /// What it is at first.
    pub(super) first: i32,
    takes: Takes,
}

impl Number {
    const fn new(level: i32, name: i32, first: i32, takes: Takes) -> Self {
        Self { level, name, first, takes }
    }

    const fn switch(level: i32, name: i32) -> Self {
        Self::new(level, name, 0, Takes::Switch)
    }

    const fn told(level: i32, name: i32, first: i32) -> Self {
        Self::new(level, name, first, Takes::Nothing)
    }

    /// What is kept when this number is set. ENOPROTOOPT if none can be, EINVAL if it is no number for this option.
    pub(super) fn take(&self, number: i32) -> SysResult<i32> {
        match self.takes {
            Takes::Switch => Ok((number != 0).into()),
            Takes::Any => Ok(number),
            Takes::RangeOrFirst(..) if number == -1 => Ok(self.first),
            Takes::Range(least, most) | Takes::RangeOrFirst(least, most) if (least..=most).contains(&number) => {
                Ok(number)
            }
            Takes::Range(..) | Takes::RangeOrFirst(..) => Err(Errno::EINVAL),
            Takes::Nothing => Err(Errno::ENOPROTOOPT),
        }
    }

    /// The option of that name. ENOPROTOOPT.
    pub(super) fn of(level: i32, name: i32) -> SysResult<&'static Self> {
        ALL.iter().find(|number| (number.level, number.name) == (level, name)).copied().ok_or(Errno::ENOPROTOOPT)
    }
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $constant:ident = $value:expr;)*) => {
        $($(#[$doc])* pub(in crate::net) static $constant: Number = $value;)*
        static ALL: &[&Number] = &[$(&$constant),*];
    };
}

// Beside the name stands what it is for; where nothing does, a program may set it and nothing depends on it.
numbers! {
    /// SO_REUSEADDR: a port may be shared with others that have it.
    REUSE_ADDRESS = Number::switch(SOL_SOCKET, so::REUSEADDR);
    /// SO_REUSEPORT: what comes to a port is divided between the sockets that have it.
    REUSE_PORT = Number::switch(SOL_SOCKET, so::REUSEPORT);
    /// SO_BROADCAST: datagrams may go to broadcast addresses.
    BROADCAST = Number::switch(SOL_SOCKET, so::BROADCAST);
    /// SO_KEEPALIVE.
    KEEP_ALIVE = Number::switch(SOL_SOCKET, so::KEEPALIVE);
    /// SO_RCVLOWAT: bytes that must be there for poll(2).
    RECEIVE_LOW_WATER = Number::new(SOL_SOCKET, so::RCVLOWAT, 1, Takes::Any);
    /// SO_TIMESTAMP: datagrams tell when they came.
    TIMESTAMP = Number::switch(SOL_SOCKET, so::TIMESTAMP);
    DONT_ROUTE = Number::switch(SOL_SOCKET, so::DONTROUTE);
    /// SO_OOBINLINE: urgent data always is.
    OUT_OF_BAND_INLINE = Number::switch(SOL_SOCKET, so::OOBINLINE);
    PRIORITY = Number::new(SOL_SOCKET, so::PRIORITY, 0, Takes::Any);
    SEND_LOW_WATER = Number::told(SOL_SOCKET, so::SNDLOWAT, 1);
    /// IP_TOS.
    TOS = Number::new(IPPROTO_IP, ip::TOS, 0, Takes::Any);
    /// IP_TTL.
    TTL = Number::new(IPPROTO_IP, ip::TTL, DEFAULT_HOPS, Takes::RangeOrFirst(1, 255));
    /// IP_PKTINFO: datagrams tell where they were sent to.
    PACKET_INFO = Number::switch(IPPROTO_IP, ip::PKTINFO);
    /// IP_RECVTTL.
    RECEIVE_TTL = Number::switch(IPPROTO_IP, ip::RECVTTL);
    /// IP_RECVTOS.
    RECEIVE_TOS = Number::switch(IPPROTO_IP, ip::RECVTOS);
    /// IP_RECVORIGDSTADDR.
    RECEIVE_DESTINATION = Number::switch(IPPROTO_IP, ip::RECVORIGDSTADDR);
    /// IP_RECVOPTS: packets with options are not taken.
    RECEIVE_OPTIONS = Number::switch(IPPROTO_IP, ip::RECVOPTS);
    RETURN_OPTIONS = Number::switch(IPPROTO_IP, ip::RETOPTS);
    MTU_DISCOVER = Number::new(IPPROTO_IP, ip::MTU_DISCOVER, 1, Takes::Range(0, 5));
    HEADER_INCLUDED = Number::told(IPPROTO_IP, ip::HDRINCL, 0);
    NO_DEFRAGMENTATION = Number::told(IPPROTO_IP, ip::NODEFRAG, 0);
    /// IP_ROUTER_ALERT: for raw sockets only.
    ROUTER_ALERT = Number::new(IPPROTO_IP, ip::ROUTER_ALERT, 0, Takes::Range(1, 0));
    /// IP_MULTICAST_IF: the address of the interface by which packets to groups leave.
    MULTICAST_INTERFACE = Number::new(IPPROTO_IP, ip::MULTICAST_IF, 0, Takes::Any);
    /// IP_MULTICAST_TTL.
    MULTICAST_TTL = Number::new(IPPROTO_IP, ip::MULTICAST_TTL, 1, Takes::RangeOrFirst(0, 255));
    /// IP_MULTICAST_LOOP: this host, too, hears what is sent to a group that it is in.
    MULTICAST_LOOP = Number::new(IPPROTO_IP, ip::MULTICAST_LOOP, 1, Takes::Switch);
    /// IPV6_UNICAST_HOPS.
    HOPS = Number::new(IPPROTO_IPV6, ipv6::UNICAST_HOPS, DEFAULT_HOPS, Takes::RangeOrFirst(0, 255));
    /// IPV6_TCLASS.
    CLASS = Number::new(IPPROTO_IPV6, ipv6::TCLASS, 0, Takes::RangeOrFirst(0, 255));
    /// IPV6_RECVPKTINFO.
    PACKET_INFO6 = Number::switch(IPPROTO_IPV6, ipv6::RECVPKTINFO);
    /// IPV6_RECVHOPLIMIT.
    RECEIVE_HOPS = Number::switch(IPPROTO_IPV6, ipv6::RECVHOPLIMIT);
    /// IPV6_RECVTCLASS.
    RECEIVE_CLASS = Number::switch(IPPROTO_IPV6, ipv6::RECVTCLASS);
    MTU_DISCOVER6 = Number::new(IPPROTO_IPV6, ipv6::MTU_DISCOVER, 1, Takes::Range(0, 5));
    /// IPV6_MULTICAST_IF: the index of the interface by which packets to groups leave.
    MULTICAST_INTERFACE6 = Number::new(IPPROTO_IPV6, ipv6::MULTICAST_IF, 0, Takes::Any);
    /// IPV6_MULTICAST_HOPS.
    MULTICAST_HOPS = Number::new(IPPROTO_IPV6, ipv6::MULTICAST_HOPS, 1, Takes::RangeOrFirst(0, 255));
    /// IPV6_MULTICAST_LOOP.
    MULTICAST_LOOP6 = Number::new(IPPROTO_IPV6, ipv6::MULTICAST_LOOP, 1, Takes::Range(0, 1));
    /// TCP_NODELAY.
    NO_DELAY = Number::switch(IPPROTO_TCP, tcp_opt::NODELAY);
    /// TCP_KEEPIDLE: seconds of silence before the first keep-alive probe.
    KEEP_IDLE = Number::new(IPPROTO_TCP, tcp_opt::KEEPIDLE, 7200, Takes::Range(1, 32767));
    /// TCP_KEEPINTVL: seconds between keep-alive probes.
    KEEP_INTERVAL = Number::new(IPPROTO_TCP, tcp_opt::KEEPINTVL, 75, Takes::Range(1, 32767));
    /// TCP_KEEPCNT: unanswered keep-alive probes that end a connection.
    KEEP_COUNT = Number::new(IPPROTO_TCP, tcp_opt::KEEPCNT, 9, Takes::Range(1, 127));
    /// TCP_SYNCNT: how often a SYN is sent again.
    SYN_COUNT = Number::new(IPPROTO_TCP, tcp_opt::SYNCNT, 6, Takes::Range(1, 127));
    /// TCP_LINGER2: seconds that a closed connection waits for the peer's end.
    LINGER2 = Number::new(IPPROTO_TCP, tcp_opt::LINGER2, ORPHAN.as_secs() as i32, Takes::Any);
    /// TCP_USER_TIMEOUT in milliseconds, 0: the system's.
    USER_TIMEOUT = Number::new(IPPROTO_TCP, tcp_opt::USER_TIMEOUT, 0, Takes::Range(0, i32::MAX));
    /// TCP_CORK: what is written is sent at once all the same.
    CORK = Number::switch(IPPROTO_TCP, tcp_opt::CORK);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn no_two_options_have_one_name() {
        let mut names: Vec<_> = ALL.iter().map(|number| (number.level, number.name)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn an_option_takes_what_its_kind_takes() {
        assert_eq!(REUSE_PORT.take(-7), Ok(1));
        assert_eq!([TTL.take(-1), TTL.take(0), TTL.take(255)], [Ok(64), Err(Errno::EINVAL), Ok(255)]);
        assert_eq!([MULTICAST_LOOP6.take(-1), MULTICAST_LOOP6.take(0)], [Err(Errno::EINVAL), Ok(0)]);
        assert_eq!(HEADER_INCLUDED.take(0), Err(Errno::ENOPROTOOPT));
        assert_eq!(ROUTER_ALERT.take(1), Err(Errno::EINVAL));
    }
}
