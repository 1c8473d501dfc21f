//! Socket options: a level, and names that mean something only within it.

use super::consts;
use crate::SysResult;
use crate::args::{Arg, Trace};
use core::fmt;

macro_rules! levels {
    ($($name:ident = $value:literal, $doc:literal;)*) => {
        /// The level of a socket option, getsockopt(2). An unknown one is for the socket to refuse, with ENOPROTOOPT.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct SockLevel(
            /// The number.
            pub i32,
        );

        impl SockLevel {
            $(#[doc = $doc] pub const $name: Self = Self($value);)*
        }

        impl Trace for SockLevel {
            fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match raw as i32 {
                    $($value => f.write_str(stringify!($name)),)*
                    other => write!(f, "{other}"),
                }
            }
        }
    };
}

levels! {
    IPPROTO_IP = 0, "ip(7).";
    SOL_SOCKET = 1, "socket(7).";
    IPPROTO_TCP = 6, "tcp(7).";
    IPPROTO_UDP = 17, "udp(7).";
    IPPROTO_IPV6 = 41, "ipv6(7).";
    IPPROTO_SCTP = 132, "SCTP.";
}

impl Arg for SockLevel {
    fn decode(raw: usize) -> SysResult<Self> {
        Ok(Self(raw as i32))
    }
}

consts! { i32 {
    SO_DEBUG = 1, "Level `SOL_SOCKET`, socket(7): debugging.";
    SO_REUSEADDR = 2, "Bind although connections linger.";
    SO_TYPE = 3, "Kind of socket.";
    SO_ERROR = 4, "Take the pending error.";
    SO_DONTROUTE = 5, "Only to direct neighbours.";
    SO_BROADCAST = 6, "Allow broadcasts.";
    SO_SNDBUF = 7, "Bytes of the send buffer; set doubles, get shows the double.";
    SO_RCVBUF = 8, "Bytes of the receive buffer; set doubles, get shows the double.";
    SO_KEEPALIVE = 9, "Probe idle connections.";
    SO_OOBINLINE = 10, "Out-of-band data in line.";
    SO_PRIORITY = 12, "Priority of packets.";
    SO_LINGER = 13, "What close(2) does with unsent data.";
    SO_REUSEPORT = 15, "Share the port.";
    SO_PASSCRED = 16, "Receive credentials.";
    SO_PEERCRED = 17, "Credentials of the peer.";
    SO_RCVLOWAT = 18, "Least bytes to read.";
    SO_SNDLOWAT = 19, "Least bytes to write.";
    SO_RCVTIMEO = 20, "Time limit of receiving.";
    SO_SNDTIMEO = 21, "Time limit of sending.";
    SO_BINDTODEVICE = 25, "Only by this interface.";
    SO_TIMESTAMP = 29, "Receive time stamps.";
    SO_ACCEPTCONN = 30, "Whether it listens.";
    SO_SNDBUFFORCE = 32, "`SO_SNDBUF` beyond the limit.";
    SO_RCVBUFFORCE = 33, "`SO_RCVBUF` beyond the limit.";
    SO_MARK = 36, "Mark of packets.";
    SO_PROTOCOL = 38, "Protocol.";
    SO_DOMAIN = 39, "Address family.";
} }

consts! { i32 {
    IP_TOS = 1, "Level `IPPROTO_IP`, ip(7): type of service.";
    IP_TTL = 2, "Time to live.";
    IP_HDRINCL = 3, "The program writes the header.";
    IP_OPTIONS = 4, "Options of packets.";
    IP_PKTINFO = 8, "Receive destination and interface.";
    IP_MTU_DISCOVER = 10, "Path MTU discovery.";
    IP_RECVERR = 11, "Receive errors.";
    IP_RECVTTL = 12, "Receive the time to live.";
    IP_RECVTOS = 13, "Receive the type of service.";
    IP_MTU = 14, "Path MTU.";
    IP_MULTICAST_IF = 32, "Interface of multicasts.";
    IP_MULTICAST_TTL = 33, "Time to live of multicasts.";
    IP_MULTICAST_LOOP = 34, "Receive own multicasts.";
    IP_ADD_MEMBERSHIP = 35, "Join a group.";
    IP_DROP_MEMBERSHIP = 36, "Leave a group.";
} }

consts! { i32 {
    TCP_NODELAY = 1, "Level `IPPROTO_TCP`, tcp(7): send small segments at once.";
    TCP_MAXSEG = 2, "Largest segment.";
    TCP_CORK = 3, "Hold partial segments.";
    TCP_KEEPIDLE = 4, "Idle seconds before probes.";
    TCP_KEEPINTVL = 5, "Seconds between probes.";
    TCP_KEEPCNT = 6, "Number of probes.";
    TCP_SYNCNT = 7, "Number of SYNs.";
    TCP_LINGER2 = 8, "Seconds in FIN-WAIT-2.";
    TCP_DEFER_ACCEPT = 9, "Accept once data are there.";
    TCP_WINDOW_CLAMP = 10, "Largest window.";
    TCP_INFO = 11, "State of the connection.";
    TCP_QUICKACK = 12, "Acknowledge at once.";
    TCP_CONGESTION = 13, "Congestion control.";
    TCP_USER_TIMEOUT = 18, "Milliseconds until unacknowledged data end the connection.";
    TCP_FASTOPEN = 23, "Queue of fast opens.";
} }

consts! { i32 {
    IPV6_UNICAST_HOPS = 16, "Level `IPPROTO_IPV6`, ipv6(7): hop limit.";
    IPV6_MULTICAST_HOPS = 18, "Hop limit of multicasts.";
    IPV6_V6ONLY = 26, "No IPv4.";
    IPV6_TCLASS = 67, "Traffic class.";
} }
