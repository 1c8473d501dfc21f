//! What NETLINK_ROUTE answers (rtnetlink(7)): the interfaces, and their addresses.

use super::message::Attributes;
use super::{Reply, Request};
use crate::net::InterfaceInfo;
use crate::socket::addr::{AF_INET, AF_INET6, AF_UNSPEC};
use trapless_abi::flags::{
    IFA_ADDRESS, IFA_BROADCAST, IFA_F_PERMANENT, IFA_LABEL, IFA_LOCAL, IFF_LOWER_UP, IFLA_ADDRESS, IFLA_BROADCAST,
    IFLA_IFNAME, IFLA_MTU, NLM_F_DUMP, RT_SCOPE_HOST, RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RTM_GETADDR, RTM_GETLINK,
    RTM_NEWADDR, RTM_NEWLINK,
};
use trapless_abi::structs::{Ifaddrmsg, Ifinfomsg};
use trapless_abi::{Errno, SysResult};

/// Lists what `request` asks for. EOPNOTSUPP for all but the two listings there are; nothing at all, as in Linux, if it does not even
/// name an address family.
pub(super) fn answer(request: &Request<'_>, interfaces: &[InterfaceInfo], reply: &mut Reply) -> SysResult<()> {
    let Some(&family) = request.payload.first() else { return Ok(()) };
    let dump = request.head.nlmsg_flags & NLM_F_DUMP == NLM_F_DUMP;
    match request.head.nlmsg_type {
        RTM_GETLINK if dump => interfaces.iter().for_each(|interface| link(interface, reply)),
        RTM_GETADDR if dump => {
            if [AF_UNSPEC, AF_INET].contains(&family.into()) {
                interfaces.iter().for_each(|interface| address(interface, reply));
            }
            if [AF_UNSPEC, AF_INET6].contains(&family.into()) {
                interfaces.iter().for_each(|interface| addresses6(interface, reply));
            }
        }
        _ => return Err(Errno::EOPNOTSUPP),
    }
    reply.done();
    Ok(())
}

fn link(interface: &InterfaceInfo, reply: &mut Reply) {
    let fixed = Ifinfomsg {
        ifi_type: interface.hardware_type(),
        ifi_index: interface.index as i32,
        // Neither interface is ever without its link.
        ifi_flags: interface.flags | IFF_LOWER_UP,
        ..Ifinfomsg::default()
    };
    reply.part(RTM_NEWLINK, &fixed, |to: &mut Attributes<'_>| {
        to.add_text(IFLA_IFNAME, interface.name);
        to.add(IFLA_MTU, &interface.mtu.to_ne_bytes());
        to.add(IFLA_ADDRESS, &interface.mac);
        to.add(IFLA_BROADCAST, &interface.hardware_broadcast());
    });
}

fn address(interface: &InterfaceInfo, reply: &mut Reply) {
    let Some(address) = interface.address else { return };
    let fixed = Ifaddrmsg {
        ifa_family: AF_INET as u8,
        ifa_prefixlen: interface.prefix,
        ifa_flags: IFA_F_PERMANENT,
        ifa_scope: if address.is_loopback() { RT_SCOPE_HOST } else { RT_SCOPE_UNIVERSE },
        ifa_index: interface.index,
    };
    reply.part(RTM_NEWADDR, &fixed, |to: &mut Attributes<'_>| {
        to.add(IFA_ADDRESS, &address.octets());
        to.add(IFA_LOCAL, &address.octets());
        if let Some(broadcast) = interface.broadcast() {
            to.add(IFA_BROADCAST, &broadcast.octets());
        }
        to.add_text(IFA_LABEL, interface.name);
    });
}

fn addresses6(interface: &InterfaceInfo, reply: &mut Reply) {
    for cidr in &interface.ipv6 {
        let address = cidr.address();
        let scope = match address {
            _ if address.is_loopback() => RT_SCOPE_HOST,
            _ if address.is_unicast_link_local() => RT_SCOPE_LINK,
            _ => RT_SCOPE_UNIVERSE,
        };
        let fixed = Ifaddrmsg {
            ifa_family: AF_INET6 as u8,
            ifa_prefixlen: cidr.prefix_len(),
            ifa_flags: IFA_F_PERMANENT,
            ifa_scope: scope,
            ifa_index: interface.index,
        };
        reply.part(RTM_NEWADDR, &fixed, |to: &mut Attributes<'_>| to.add(IFA_ADDRESS, &address.octets()));
    }
}
