//! What netdevice(7) tells of the interfaces, by ioctl(2) on any socket.

use super::InterfaceInfo;
use crate::socket::SockAddr;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use smoltcp::wire::Ipv4Cidr;
use trapless_abi::flags::IoctlRequest;
use trapless_abi::structs::{Ifreq, Sockaddr};
use trapless_abi::{Errno, SysResult};
use zerocopy::IntoBytes;

/// Whether a request is for [`query`].
pub const fn is_query(request: IoctlRequest) -> bool {
    matches!(
        request,
        IoctlRequest::SIOCGIFNAME
            | IoctlRequest::SIOCGIFFLAGS
            | IoctlRequest::SIOCGIFADDR
            | IoctlRequest::SIOCGIFDSTADDR
            | IoctlRequest::SIOCGIFBRDADDR
            | IoctlRequest::SIOCGIFNETMASK
            | IoctlRequest::SIOCGIFMTU
            | IoctlRequest::SIOCGIFHWADDR
            | IoctlRequest::SIOCGIFINDEX
            | IoctlRequest::SIOCGIFTXQLEN
            | IoctlRequest::SIOCGIFMAP
    )
}

/// Fills in what `request` asks of the interface that `asked` names (SIOCGIFNAME: whose index it has). Only an AF_INET socket, told
/// by `inet`, knows addresses. ENODEV, EADDRNOTAVAIL, ENOTTY.
pub fn query(interfaces: &[InterfaceInfo], request: IoctlRequest, inet: bool, asked: &mut Ifreq) -> SysResult<()> {
    let find = |test: &dyn Fn(&InterfaceInfo) -> bool| interfaces.iter().find(|i| test(i)).ok_or(Errno::ENODEV);
    if request == IoctlRequest::SIOCGIFNAME {
        let wanted = asked.ifr_ifru.first_chunk().map(|index| u32::from_ne_bytes(*index));
        asked.ifr_name = name(find(&|i| Some(i.index) == wanted)?.name);
        return Ok(());
    }
    let found = |asked: &Ifreq| find(&|i| asked.ifr_name.split(|&b| b == 0).next() == Some(i.name.as_bytes()));
    match request {
        IoctlRequest::SIOCGIFFLAGS => put(asked, &(found(asked)?.flags as u16).to_ne_bytes()),
        IoctlRequest::SIOCGIFMTU => put(asked, &found(asked)?.mtu.to_ne_bytes()),
        IoctlRequest::SIOCGIFINDEX => put(asked, &found(asked)?.index.to_ne_bytes()),
        // Nothing waits for a card but what is in its rings.
        IoctlRequest::SIOCGIFTXQLEN => found(asked).map(|_| put(asked, &0u32.to_ne_bytes()))?,
        // Memory, port, interrupt and DMA channel of a card that has them set by hand: none. The last bytes are padding.
        IoctlRequest::SIOCGIFMAP => found(asked).map(|_| put(asked, &[0; 21]))?,
        IoctlRequest::SIOCGIFHWADDR => {
            let interface = found(asked)?;
            let mut hardware = Sockaddr { sa_family: interface.hardware_type(), sa_data: [0; 14] };
            hardware.sa_data[..6].copy_from_slice(&interface.mac);
            put(asked, hardware.as_bytes());
        }
        IoctlRequest::SIOCGIFADDR
        | IoctlRequest::SIOCGIFDSTADDR
        | IoctlRequest::SIOCGIFBRDADDR
        | IoctlRequest::SIOCGIFNETMASK
            if inet =>
        {
            let interface = found(asked)?;
            let address = interface.address.ok_or(Errno::EADDRNOTAVAIL)?;
            let value = match request {
                IoctlRequest::SIOCGIFBRDADDR => interface.broadcast().unwrap_or(Ipv4Addr::UNSPECIFIED),
                IoctlRequest::SIOCGIFNETMASK => Ipv4Cidr::new(address, interface.prefix).netmask(),
                // Neither interface leads to one peer: then SIOCGIFDSTADDR is the address, too.
                _ => address,
            };
            put(asked, &inet_bytes(value));
        }
        _ => return Err(Errno::ENOTTY),
    }
    Ok(())
}

/// SIOCGIFCONF: the interfaces that have an address, with it.
pub fn list(interfaces: &[InterfaceInfo]) -> Vec<Ifreq> {
    let entry = |interface: &InterfaceInfo| {
        let mut entry = Ifreq { ifr_name: name(interface.name), ..Ifreq::default() };
        put(&mut entry, &inet_bytes(interface.address?));
        Some(entry)
    };
    interfaces.iter().filter_map(entry).collect()
}

/// The name of an interface, with zeros behind it.
fn name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    bytes
}

/// A `struct sockaddr_in` without a port.
fn inet_bytes(address: Ipv4Addr) -> Vec<u8> {
    SockAddr::Inet(SocketAddrV4::new(address, 0).into()).encode()
}

/// Writes to the beginning of the answer's union; the rest stays, as in Linux.
fn put(to: &mut Ifreq, value: &[u8]) {
    to.ifr_ifru[..value.len()].copy_from_slice(value);
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn interfaces() -> Vec<InterfaceInfo> {
        let lo = InterfaceInfo {
            name: "lo",
            index: 1,
            flags: 0x49,
            mac: [0; 6],
            address: Some(Ipv4Addr::LOCALHOST),
            prefix: 8,
            ipv6: Vec::new(),
            mtu: 65536,
        };
        let mac = [2, 0, 0, 0, 0, 7];
        let eth0 = InterfaceInfo {
            name: "eth0",
            index: 2,
            flags: 0x1043,
            mac,
            address: None,
            prefix: 0,
            ipv6: Vec::new(),
            mtu: 1500,
        };
        let address = Some([10, 1, 18, 5].into());
        let eth1 = InterfaceInfo { name: "eth1", index: 3, address, prefix: 20, ..eth0.clone() };
        vec![lo, eth0, eth1]
    }

    /// The first bytes of the answer; what is behind them must still be as it was.
    fn ask<const N: usize>(request: u32, of: &str) -> Result<[u8; N], Errno> {
        let mut asked = Ifreq { ifr_name: name(of), ifr_ifru: [0xee; 24] };
        query(&interfaces(), IoctlRequest(request), true, &mut asked)?;
        assert!(asked.ifr_ifru[N..].iter().all(|&b| b == 0xee));
        Ok(asked.ifr_ifru[..N].try_into().unwrap())
    }

    fn inet(address: [u8; 4]) -> [u8; 16] {
        let [a, b, c, d] = address;
        [2, 0, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    #[test]
    fn interfaces_are_described() {
        assert_eq!(ask(0x8913, "eth0"), Ok([0x43, 0x10]));
        assert_eq!(ask(0x8921, "lo"), Ok(65536u32.to_le_bytes()));
        assert_eq!(ask(0x8933, "eth1"), Ok([3, 0, 0, 0]));
        assert_eq!(ask(0x8927, "eth0"), Ok([1, 0, 2, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(ask(0x8927, "lo"), Ok([4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(ask(0x8942, "eth0"), Ok([0; 4]));
        assert_eq!(ask(0x8970, "lo"), Ok([0; 21]));
        for request in [0x8933, 0x8942, 0x8970] {
            assert_eq!(ask::<4>(request, "eth"), Err(Errno::ENODEV));
        }
        assert_eq!(ask::<4>(0x8914, "lo"), Err(Errno::ENOTTY));
    }

    #[test]
    fn addresses_are_told() {
        assert_eq!(ask(0x8915, "lo"), Ok(inet([127, 0, 0, 1])));
        assert_eq!(ask(0x8915, "eth1"), Ok(inet([10, 1, 18, 5])));
        assert_eq!(ask(0x8917, "eth1"), Ok(inet([10, 1, 18, 5])));
        assert_eq!(ask(0x8919, "eth1"), Ok(inet([10, 1, 31, 255])));
        assert_eq!(ask(0x8919, "lo"), Ok(inet([0; 4])));
        assert_eq!(ask(0x891b, "eth1"), Ok(inet([255, 255, 240, 0])));
        assert_eq!(ask::<16>(0x8915, "eth0"), Err(Errno::EADDRNOTAVAIL));
        let mut asked = Ifreq { ifr_name: name("lo"), ..Ifreq::default() };
        assert_eq!(query(&interfaces(), IoctlRequest::SIOCGIFADDR, false, &mut asked), Err(Errno::ENOTTY));
    }

    #[test]
    fn an_index_has_a_name() {
        let mut asked = Ifreq::default();
        asked.ifr_ifru[0] = 2;
        assert_eq!(query(&interfaces(), IoctlRequest::SIOCGIFNAME, false, &mut asked), Ok(()));
        assert_eq!(asked.ifr_name, *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0");
        asked.ifr_ifru[0] = 4;
        assert_eq!(query(&interfaces(), IoctlRequest::SIOCGIFNAME, false, &mut asked), Err(Errno::ENODEV));
    }

    #[test]
    fn only_interfaces_with_an_address_are_listed() {
        let found = list(&interfaces());
        assert_eq!(found.iter().map(|entry| entry.ifr_name).collect::<Vec<_>>(), [name("lo"), name("eth1")]);
        assert_eq!(found[1].ifr_ifru[..16], inet([10, 1, 18, 5]));
    }
}
