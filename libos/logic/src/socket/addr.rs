//! Socket addresses between C's `struct sockaddr_*` and Rust's types.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use trapless_abi::structs::{SockaddrIn, SockaddrIn6, SockaddrNl};
use trapless_abi::{Errno, SysResult};
use zerocopy::{FromBytes, IntoBytes};

/// Address families (address_families(7)).
pub(crate) const AF_UNSPEC: u16 = 0;
pub(crate) const AF_UNIX: u16 = 1;
pub(crate) const AF_INET: u16 = 2;
pub(crate) const AF_INET6: u16 = 10;
pub(crate) const AF_NETLINK: u16 = 16;

/// Room for a path in `struct sockaddr_un`, in bytes.
const SUN_PATH: usize = 108;

/// A socket address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SockAddr {
    /// AF_INET or AF_INET6.
    Inet(SocketAddr),
    /// AF_UNIX: the bytes of `sun_path` without the final NUL; empty: unnamed; a leading NUL: abstract.
    Unix(Arc<[u8]>),
    /// AF_NETLINK.
    Netlink {
        /// Port of a socket; 0 is the kernel.
        port: u32,
        /// Multicast groups, a bit each.
        groups: u32,
    },
    /// AF_UNSPEC: dissolves a datagram socket's association (connect(2)).
    Unspecified,
}

impl SockAddr {
    /// Decodes what a program passed. EINVAL if it is too short for its family, EAFNOSUPPORT for other families.
    pub fn decode(bytes: &[u8]) -> SysResult<Self> {
        let family = bytes.first_chunk::<2>().map(|b| u16::from_ne_bytes(*b)).ok_or(Errno::EINVAL)?;
        match family {
            AF_UNSPEC => Ok(Self::Unspecified),
            AF_INET => {
                let (a, _) = SockaddrIn::read_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
                let address = Ipv4Addr::from(a.sin_addr);
                Ok(Self::Inet(SocketAddrV4::new(address, u16::from_be_bytes(a.sin_port)).into()))
            }
            AF_INET6 => {
                let (a, _) = SockaddrIn6::read_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
                let address = Ipv6Addr::from(a.sin6_addr);
                let port = u16::from_be_bytes(a.sin6_port);
                Ok(Self::Inet(SocketAddrV6::new(address, port, a.sin6_flowinfo, a.sin6_scope_id).into()))
            }
            AF_UNIX => {
                let path = &bytes[2..];
                let end = match path {
                    [] => 0,
                    [0, ..] => path.len(),
                    _ => path.iter().position(|&b| b == 0).unwrap_or(path.len()),
                };
                // Whatever comes behind a NUL counts as length.
                if path.len() > SUN_PATH { Err(Errno::EINVAL) } else { Ok(Self::Unix(path[..end].into())) }
            }
            AF_NETLINK => {
                let (a, _) = SockaddrNl::read_from_prefix(bytes).map_err(|_| Errno::EINVAL)?;
                Ok(Self::Netlink { port: a.nl_pid, groups: a.nl_groups })
            }
            _ => Err(Errno::EAFNOSUPPORT),
        }
    }

    /// The bytes of the C structure, as long as the address is (getsockname(2) reports that length).
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Unspecified => AF_UNSPEC.to_ne_bytes().to_vec(),
            Self::Inet(SocketAddr::V4(a)) => SockaddrIn {
                sin_family: AF_INET,
                sin_port: a.port().to_be_bytes(),
                sin_addr: a.ip().octets(),
                sin_zero: [0; 8],
            }
            .as_bytes()
            .to_vec(),
            Self::Inet(SocketAddr::V6(a)) => SockaddrIn6 {
                sin6_family: AF_INET6,
                sin6_port: a.port().to_be_bytes(),
                sin6_flowinfo: a.flowinfo(),
                sin6_addr: a.ip().octets(),
                sin6_scope_id: a.scope_id(),
            }
            .as_bytes()
            .to_vec(),
            &Self::Netlink { port, groups } => {
                SockaddrNl { nl_family: AF_NETLINK, nl_pad: 0, nl_pid: port, nl_groups: groups }.as_bytes().to_vec()
            }
            Self::Unix(path) => {
                let mut bytes = AF_UNIX.to_ne_bytes().to_vec();
                bytes.extend_from_slice(path);
                if path.first().is_some_and(|&b| b != 0) {
                    bytes.push(0);
                }
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_a_round_trip() {
        for text in ["10.0.2.15:5555", "[fe80::1]:80"] {
            let address = SockAddr::Inet(text.parse().unwrap());
            assert_eq!(SockAddr::decode(&address.encode()), Ok(address));
        }
        for path in [&b""[..], b"/tmp/s", b"\0abstract"] {
            let address = SockAddr::Unix(path.into());
            assert_eq!(SockAddr::decode(&address.encode()), Ok(address));
        }
        let address = SockAddr::Netlink { port: 7, groups: 1 };
        assert_eq!(address.encode(), [16, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(SockAddr::decode(&address.encode()), Ok(address));
    }

    #[test]
    fn ports_are_in_network_byte_order() {
        assert_eq!(SockAddr::Inet("1.2.3.4:258".parse().unwrap()).encode()[2..8], [1, 2, 1, 2, 3, 4]);
    }

    #[test]
    fn short_and_foreign_addresses_are_refused() {
        assert_eq!(SockAddr::decode(&[2]), Err(Errno::EINVAL));
        assert_eq!(SockAddr::decode(&[2, 0, 1, 2]), Err(Errno::EINVAL));
        assert_eq!(SockAddr::decode(&[16, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(SockAddr::decode(&[17, 0, 1, 2]), Err(Errno::EAFNOSUPPORT));
    }
}
