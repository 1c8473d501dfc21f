//! Sockets.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __net_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__process_rows! {
            [$($view)*] $($rows)*
            41 socket net::socket(domain: AddressFamily, kind: SockType, protocol: Protocol)
                partial "AF_INET and AF_INET6, streams and datagrams; AF_UNIX; AF_NETLINK: lists of interfaces and addresses";
            42 connect net::connect(sockfd: Fd, addr: In<Sockaddr>, addrlen: U32) full;
            43 accept net::accept(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>) full;
            44 sendto net::sendto(sockfd: Fd, buf: In<u8>, len: Len, flags: MsgFlags, dest_addr: In<Sockaddr>,
                addrlen: U32)
                partial "no out-of-band data";
            45 recvfrom net::recvfrom(sockfd: Fd, buf: Out<u8>, len: Len, flags: MsgFlags, src_addr: Out<Sockaddr>,
                addrlen: InOut<u32>)
                partial "no out-of-band data, no error queue";
            46 sendmsg net::sendmsg(sockfd: Fd, msg: In<Msghdr>, flags: MsgFlags)
                partial "ancillary data: SCM_RIGHTS, IP_TOS, IP_TTL, IPV6_TCLASS and IPV6_HOPLIMIT";
            47 recvmsg net::recvmsg(sockfd: Fd, msg: InOut<Msghdr>, flags: MsgFlags)
                partial "ancillary data: SCM_RIGHTS and what was asked for of IP headers";
            48 shutdown net::shutdown(sockfd: Fd, how: ShutdownHow) full;
            49 bind net::bind(sockfd: Fd, addr: In<Sockaddr>, addrlen: U32) full;
            50 listen net::listen(sockfd: Fd, backlog: I32) full;
            51 getsockname net::getsockname(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>) full;
            52 getpeername net::getpeername(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>) full;
            53 socketpair net::socketpair(domain: AddressFamily, kind: SockType, protocol: Protocol, sv: Out<[i32; 2]>)
                full;
            54 setsockopt net::setsockopt(sockfd: Fd, level: SockLevel, optname: I32, optval: In<u8>, optlen: U32)
                partial "the options ERTS sets; others are ENOPROTOOPT";
            55 getsockopt net::getsockopt(sockfd: Fd, level: SockLevel, optname: I32, optval: Out<u8>,
                optlen: InOut<u32>)
                partial "the options ERTS gets; others are ENOPROTOOPT";
            288 accept4 net::accept4(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>, flags: SockFlags) full;
            299 recvmmsg net::recvmmsg(sockfd: Fd, msgvec: InOut<MmsgHdr>, vlen: U32, flags: MsgFlags,
                timeout: InOut<Timespec>)
                partial "ancillary data as in recvmsg";
            307 sendmmsg net::sendmmsg(sockfd: Fd, msgvec: InOut<MmsgHdr>, vlen: U32, flags: MsgFlags)
                partial "ancillary data as in sendmsg";
        }
    };
}
