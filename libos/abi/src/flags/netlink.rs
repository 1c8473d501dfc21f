//! Netlink sockets, and the routing messages among theirs.

use super::consts;

consts! { i32 {
    NETLINK_ROUTE = 0, "Protocol of a netlink socket: interfaces, addresses and routes, rtnetlink(7).";
} }

consts! { u16 {
    NLM_F_REQUEST = 0x1, "Flag of a message, netlink(7): a request.";
    NLM_F_MULTI = 0x2, "One of several, ended by `NLMSG_DONE`.";
    NLM_F_ACK = 0x4, "Wants an answer also when it succeeds.";
    NLM_F_CAPPED = 0x100, "Of an acknowledgement: the request's payload was left out.";
    NLM_F_ROOT = 0x100, "Of a request: the whole table.";
    NLM_F_MATCH = 0x200, "Of a request: all that match.";
    NLM_F_DUMP = 0x300, "Of a request: list everything.";
    NLMSG_ERROR = 2, "Kind of a message: a `Nlmsgerr`.";
    NLMSG_DONE = 3, "The end of several messages.";
    NLMSG_MIN_TYPE = 16, "Lower kinds are netlink's own.";
    RTM_NEWLINK = 16, "An interface, rtnetlink(7).";
    RTM_GETLINK = 18, "Asks for interfaces.";
    RTM_NEWADDR = 20, "An address.";
    RTM_GETADDR = 22, "Asks for addresses.";
    IFLA_ADDRESS = 1, "Attribute of an interface: its hardware address.";
    IFLA_BROADCAST = 2, "Its hardware broadcast address.";
    IFLA_IFNAME = 3, "Its name, ended by a NUL.";
    IFLA_MTU = 4, "Its MTU in bytes.";
    IFA_ADDRESS = 1, "Attribute of an address: the address, or that of the peer.";
    IFA_LOCAL = 2, "The address on this side.";
    IFA_LABEL = 3, "Name of the interface, ended by a NUL.";
    IFA_BROADCAST = 4, "Broadcast address.";
} }

consts! { u8 {
    IFA_F_PERMANENT = 0x80, "Flag of an address: it has no lifetime.";
    RT_SCOPE_UNIVERSE = 0, "Scope of an address: everywhere.";
    RT_SCOPE_LINK = 253, "The link.";
    RT_SCOPE_HOST = 254, "This host.";
} }
