//! Sockets: socket(2), connect(2), sendmsg(2) and relatives. What a socket does is in `trapless-logic`; here are the argument
//! structures of C and the decision to block.

use super::io::{as_result, publish_pair};
use crate::chart;
use crate::kernel::{Open, kernel, open_file};
use crate::signals;
use crate::user::{self, Get, Put};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use trapless_abi::flags::{NETLINK_ROUTE, SO_BINDTODEVICE};
use trapless_abi::structs::{Cmsghdr, MmsgHdr, Msghdr, Sockaddr, SockaddrStorage, Timespec};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::data::{Sink, Source};
use trapless_logic::file::{File, O_NONBLOCK, O_RDWR};
use trapless_logic::net::Family;
use trapless_logic::net::tcp::TcpSocket;
use trapless_logic::net::udp::UdpSocket;
use trapless_logic::platform::Platform;
use trapless_logic::socket::netlink::NetlinkSocket;
use trapless_logic::socket::unix::{Style, UnixSocket};
use trapless_logic::socket::{Control, MsgFlags as ObjectFlags, Received, Shutdown, SockAddr, Socket};
use trapless_logic::time::Instant;
use trapless_logic::wait::{Ready, block_on};
use trapless_platform::x86::X86;

/// Most bytes of a socket option or of ancillary data that are copied in (net.core.optmem_max).
const OPTMEM_MAX: usize = 20_480;
/// Bytes of the longest name of an interface, with the NUL behind it (netdevice(7)).
const IFNAMSIZ: usize = 16;

/// Runs `f` on the socket behind a descriptor. EBADF, ENOTSOCK.
fn with_socket<R>(fd: Fd, f: impl FnOnce(&Open, &dyn Socket<X86>) -> SysResult<R>) -> SysResult<R> {
    let file = open_file(fd)?;
    let socket = file.file.as_socket().ok_or(Errno::ENOTSOCK)?;
    f(&file, socket)
}

/// Whether a call may sleep.
fn may_wait(file: &Open, flags: MsgFlags) -> bool {
    !file.nonblocking() && !flags.contains(MsgFlags::MSG_DONTWAIT)
}

/// When a call that begins now gives up (SO_RCVTIMEO, SO_SNDTIMEO), if it may sleep at all.
fn deadline(file: &Open, flags: MsgFlags, limit: impl FnOnce() -> Option<Duration>) -> Option<Instant> {
    if may_wait(file, flags) { limit().map(|limit| X86::now() + limit) } else { None }
}

/// Runs `attempt`, sleeping while it says EAGAIN unless the socket or the call is non-blocking.
fn blocking<R>(
    file: &Open,
    flags: MsgFlags,
    interest: Ready,
    deadline: Option<Instant>,
    mut attempt: impl FnMut() -> SysResult<R>,
) -> SysResult<R> {
    match file.file.queue().filter(|_| may_wait(file, flags)) {
        Some(queue) => block_on(queue, interest, deadline, attempt),
        None => attempt(),
    }
}

/// The descriptor of a new socket object.
fn publish(socket: Arc<dyn File<X86>>, flags: SockFlags) -> SysResult {
    let status = O_RDWR | (flags.bits() & O_NONBLOCK);
    kernel().fds.insert(Open::new(socket, status), flags.contains(SockFlags::SOCK_CLOEXEC)).map(as_result)
}

fn style(kind: SockKind) -> SysResult<Style> {
    match kind {
        SockKind::SOCK_STREAM => Ok(Style::Stream),
        // SOCK_RAW: as on Linux.
        SockKind::SOCK_DGRAM | SockKind::SOCK_RAW => Ok(Style::Datagram),
        SockKind::SOCK_SEQPACKET => Ok(Style::SeqPacket),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

/// A socket of AF_INET or AF_INET6.
fn internet(family: Family, kind: SockKind, protocol: Protocol) -> SysResult<Arc<dyn File<X86>>> {
    let net = kernel().net.clone();
    match (kind, protocol) {
        (SockKind::SOCK_STREAM, Protocol::IPPROTO_IP | Protocol::IPPROTO_TCP) => Ok(TcpSocket::new(net, family)),
        (SockKind::SOCK_DGRAM, Protocol::IPPROTO_IP | Protocol::IPPROTO_UDP) => Ok(UdpSocket::new(net, family)),
        (SockKind::SOCK_STREAM | SockKind::SOCK_DGRAM, _) => Err(Errno::EPROTONOSUPPORT),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

pub fn socket(domain: AddressFamily, kind: SockType, protocol: Protocol) -> SysResult {
    let socket: Arc<dyn File<X86>> = match (domain, kind.kind, protocol) {
        (AddressFamily::AF_INET, kind, protocol) => internet(Family::Inet, kind, protocol)?,
        (AddressFamily::AF_INET6, kind, protocol) => internet(Family::Inet6, kind, protocol)?,
        (AddressFamily::AF_NETLINK, kind @ (SockKind::SOCK_RAW | SockKind::SOCK_DGRAM), Protocol(NETLINK_ROUTE)) => {
            NetlinkSocket::new(kernel().netlink.clone(), kind as i32)
        }
        (AddressFamily::AF_UNIX, kind, Protocol(0..=1)) => UnixSocket::new(kernel().unix.clone(), style(kind)?),
        (AddressFamily::AF_UNIX, ..) => return Err(Errno::EPROTONOSUPPORT),
        (AddressFamily::AF_NETLINK, SockKind::SOCK_RAW | SockKind::SOCK_DGRAM, _) => {
            return Err(Errno::EPROTONOSUPPORT);
        }
        (AddressFamily::AF_NETLINK, ..) => return Err(Errno::ESOCKTNOSUPPORT),
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    publish(socket, kind.flags)
}

pub fn socketpair(domain: AddressFamily, kind: SockType, protocol: Protocol, sv: Out<[i32; 2]>) -> SysResult {
    match domain {
        AddressFamily::AF_UNIX if protocol.0 <= 1 => {}
        AddressFamily::AF_UNIX => return Err(Errno::EPROTONOSUPPORT),
        AddressFamily::AF_INET | AddressFamily::AF_INET6 => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    let (a, b) = UnixSocket::pair(&kernel().unix, style(kind.kind)?);
    let status = O_RDWR | (kind.flags.bits() & O_NONBLOCK);
    let files = [Open::new(a, status), Open::new(b, status)];
    crate::forker::remember(&files[1]);
    publish_pair(files, kind.flags.contains(SockFlags::SOCK_CLOEXEC), sv)
}

/// A socket address in C memory. EFAULT, EINVAL, EAFNOSUPPORT.
fn address(addr: usize, len: u32) -> SysResult<SockAddr> {
    if len as usize > size_of::<SockaddrStorage>() {
        return Err(Errno::EINVAL);
    }
    SockAddr::decode(&user::bytes(addr, len as usize)?)
}

/// Writes an address, cut to the room there is, and its real length (accept(2)).
fn put_address(address: &SockAddr, addr: usize, room: usize) -> SysResult<u32> {
    let bytes = address.encode();
    trapless_platform::user::copy_out(addr, &bytes[..bytes.len().min(room)])?;
    Ok(bytes.len() as u32)
}

/// As [`put_address`] with the value-result length of accept(2); nothing for NULL.
fn return_address(address: &SockAddr, addr: Out<Sockaddr>, addrlen: InOut<u32>) -> SysResult {
    if !addr.is_null() {
        let room = i32::try_from(addrlen.get()?).map_err(|_| Errno::EINVAL)?;
        addrlen.put(&put_address(address, addr.addr(), room as usize)?)?;
    }
    Ok(0)
}

pub fn bind(sockfd: Fd, addr: In<Sockaddr>, addrlen: U32) -> SysResult {
    with_socket(sockfd, |_, socket| socket.bind(&address(addr.addr(), addrlen.0)?)).map(|()| 0)
}

pub fn listen(sockfd: Fd, backlog: I32) -> SysResult {
    with_socket(sockfd, |_, socket| socket.listen((backlog.0 as u32).min(SOMAXCONN as u32) as usize))?;
    chart::listening();
    Ok(0)
}

pub fn accept(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>) -> SysResult {
    accept4(sockfd, addr, addrlen, SockFlags::empty())
}

pub fn accept4(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>, flags: SockFlags) -> SysResult {
    with_socket(sockfd, |file, socket| {
        // The number comes first: without one the connection stays in the backlog.
        let number = kernel().fds.reserve()?;
        let until = deadline(file, MsgFlags::empty(), || socket.receive_timeout());
        let (connection, peer) = blocking(file, MsgFlags::empty(), Ready::READABLE, until, || socket.accept())?;
        let status = O_RDWR | (flags.bits() & O_NONBLOCK);
        // Closed with what follows, if that fails.
        let open = Open::new(connection, status);
        return_address(&peer, addr, addrlen)?;
        Ok(as_result(number.fill(open, flags.contains(SockFlags::SOCK_CLOEXEC))))
    })
}

pub fn connect(sockfd: Fd, addr: In<Sockaddr>, addrlen: U32) -> SysResult {
    with_socket(sockfd, |file, socket| {
        let to = address(addr.addr(), addrlen.0)?;
        let until = deadline(file, MsgFlags::empty(), || socket.send_timeout());
        // EAGAIN is a full backlog of AF_UNIX, EINPROGRESS a handshake.
        let first = blocking(file, MsgFlags::empty(), Ready::WRITABLE, until, || socket.connect(&to));
        if first != Err(Errno::EINPROGRESS) || file.nonblocking() {
            return first;
        }
        let done = blocking(file, MsgFlags::empty(), Ready::WRITABLE, until, || match socket.connect(&to) {
            Err(Errno::EALREADY | Errno::EINPROGRESS) => Err(Errno::EAGAIN),
            Err(Errno::EISCONN) => Ok(()),
            done => done,
        });
        // The handshake goes on when the call gives up (connect(2), SO_SNDTIMEO).
        done.map_err(|e| if e == Errno::EAGAIN { Errno::EINPROGRESS } else { e })
    })
    .map(|()| 0)
}

pub fn getsockname(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>) -> SysResult {
    with_socket(sockfd, |_, socket| return_address(&socket.local()?, addr, addrlen))
}

pub fn getpeername(sockfd: Fd, addr: Out<Sockaddr>, addrlen: InOut<u32>) -> SysResult {
    with_socket(sockfd, |_, socket| return_address(&socket.peer()?, addr, addrlen))
}

pub fn shutdown(sockfd: Fd, how: ShutdownHow) -> SysResult {
    let how = match how {
        ShutdownHow::SHUT_RD => Shutdown::Read,
        ShutdownHow::SHUT_WR => Shutdown::Write,
        ShutdownHow::SHUT_RDWR => Shutdown::Both,
    };
    with_socket(sockfd, |_, socket| socket.shutdown(how)).map(|()| 0)
}

pub fn setsockopt(sockfd: Fd, level: SockLevel, optname: I32, optval: In<u8>, optlen: U32) -> SysResult {
    let len = optlen.0 as usize;
    if len > OPTMEM_MAX {
        return Err(Errno::EINVAL);
    }
    with_socket(sockfd, |_, socket| {
        let value = user::bytes(optval.addr(), len)?;
        socket.set_option(level.0, optname.0, &value)
    })
    .map(|()| 0)
}

pub fn getsockopt(sockfd: Fd, level: SockLevel, optname: I32, optval: Out<u8>, optlen: InOut<u32>) -> SysResult {
    with_socket(sockfd, |_, socket| {
        let room = usize::try_from(optlen.get()? as i32).map_err(|_| Errno::EINVAL)?;
        let value = socket.option(level.0, optname.0)?;
        let named = (level, optname.0) == (SockLevel::SOL_SOCKET, SO_BINDTODEVICE) && !value.is_empty();
        if named && room < IFNAMSIZ {
            return Err(Errno::EINVAL);
        }
        let n = value.len().min(room);
        trapless_platform::user::copy_out(optval.addr(), &value[..n])?;
        optlen.put(&(n as u32))
    })
    .map(|()| 0)
}

/// One outgoing message, whatever call it came by.
struct Outgoing<'a> {
    from: &'a mut dyn Source,
    to: Option<SockAddr>,
    rights: Vec<Arc<Open>>,
    control: Vec<Control>,
}

/// Sends; a stream takes everything unless it must not block. SIGPIPE as write(2) does, but for MSG_NOSIGNAL.
fn send(file: &Open, socket: &dyn Socket<X86>, message: &mut Outgoing<'_>, flags: MsgFlags) -> SysResult {
    let stream = socket.kind().1 == 1;
    let object_flags = ObjectFlags::from_bits_truncate(flags.bits());
    let mut sent = 0;
    let until = deadline(file, flags, || socket.send_timeout());
    let result = loop {
        let Outgoing { from, to, rights, control } = message;
        let one = blocking(file, flags, Ready::WRITABLE, until, || {
            socket.send(&mut **from, to.as_ref(), rights, control, object_flags)
        });
        match one {
            Ok(n) => sent += n,
            Err(_) if sent > 0 => break Ok(sent),
            Err(e) => break Err(e),
        }
        if !stream || message.from.remaining() == 0 || file.nonblocking() || flags.contains(MsgFlags::MSG_DONTWAIT) {
            break Ok(sent);
        }
    };
    if result == Err(Errno::EPIPE) && !flags.contains(MsgFlags::MSG_NOSIGNAL) {
        signals::raise(Signal::SIGPIPE.number().into());
    }
    result
}

pub fn sendto(sockfd: Fd, buf: In<u8>, len: Len, flags: MsgFlags, dest_addr: In<Sockaddr>, addrlen: U32) -> SysResult {
    with_socket(sockfd, |file, socket| {
        let to = dest_addr.non_null().map(|a| address(a.addr(), addrlen.0)).transpose()?;
        let mut from = user::buffer(buf.addr(), len);
        send(file, socket, &mut Outgoing { from: &mut from, to, rights: Vec::new(), control: Vec::new() }, flags)
    })
}

pub fn sendmsg(sockfd: Fd, msg: In<Msghdr>, flags: MsgFlags) -> SysResult {
    with_socket(sockfd, |file, socket| {
        let head = msg.get()?;
        let named = head.msg_name != 0 && head.msg_namelen != 0;
        let to = if named { Some(address(head.msg_name, head.msg_namelen as u32)?) } else { None };
        let mut from = user::iovec(In::new(head.msg_iov), Len(head.msg_iovlen))?;
        let (rights, control) = read_control(&head)?;
        send(file, socket, &mut Outgoing { from: &mut from, to, rights, control }, flags)
    })
}

/// Ancillary data that a program sends (cmsg(3)): descriptors, and the rest. EINVAL, EBADF.
fn read_control(head: &Msghdr) -> SysResult<(Vec<Arc<Open>>, Vec<Control>)> {
    let (mut rights, mut control) = (Vec::new(), Vec::new());
    if head.msg_control == 0 || head.msg_controllen == 0 {
        return Ok((rights, control));
    }
    if head.msg_controllen > OPTMEM_MAX {
        return Err(Errno::ENOBUFS);
    }
    let bytes = user::bytes(head.msg_control, head.msg_controllen)?;
    let mut rest = &bytes[..];
    const HEAD: usize = size_of::<Cmsghdr>();
    while rest.len() >= HEAD {
        let (c, _) = <Cmsghdr as zerocopy::FromBytes>::read_from_prefix(rest).map_err(|_| Errno::EINVAL)?;
        let data = rest.get(HEAD..c.cmsg_len).ok_or(Errno::EINVAL)?;
        if c.cmsg_level == 1 && c.cmsg_type == SCM_RIGHTS {
            for fd in data.chunks_exact(4) {
                rights.push(kernel().fds.get(i32::from_ne_bytes([fd[0], fd[1], fd[2], fd[3]]))?);
            }
        } else {
            control.push(Control { level: c.cmsg_level, kind: c.cmsg_type, data: data.to_vec() });
        }
        rest = rest.get(c.cmsg_len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok((rights, control))
}

/// Receives; with MSG_WAITALL a stream waits until the buffer is full.
fn receive(file: &Open, socket: &dyn Socket<X86>, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<X86>> {
    let object_flags = ObjectFlags::from_bits_truncate(flags.bits());
    if flags.contains(MsgFlags::MSG_ERRQUEUE) {
        return Err(Errno::EAGAIN);
    }
    let all = flags.contains(MsgFlags::MSG_WAITALL) && !flags.contains(MsgFlags::MSG_PEEK) && socket.kind().1 == 1;
    let until = deadline(file, flags, || socket.receive_timeout());
    let once = |to: &mut dyn Sink| blocking(file, flags, Ready::READABLE, until, || socket.recv(to, object_flags));
    let mut received = once(to)?;
    // Descriptors end a message (unix(7)).
    while all && received.len > 0 && to.remaining() > 0 && received.rights.is_empty() {
        match once(to) {
            Ok(next) if next.len > 0 => {
                received.len += next.len;
                received.rights = next.rights;
            }
            _ => break,
        }
    }
    Ok(received)
}

pub fn recvfrom(
    sockfd: Fd,
    buf: Out<u8>,
    len: Len,
    flags: MsgFlags,
    src_addr: Out<Sockaddr>,
    addrlen: InOut<u32>,
) -> SysResult {
    with_socket(sockfd, |file, socket| {
        let received = receive(file, socket, &mut user::buffer(buf.addr(), len), flags)?;
        match &received.from {
            Some(from) => return_address(from, src_addr, addrlen)?,
            None if src_addr.is_null() => 0,
            None => addrlen.put(&0).map(|()| 0)?,
        };
        Ok(received.len)
    })
}

pub fn recvmsg(sockfd: Fd, msg: InOut<Msghdr>, flags: MsgFlags) -> SysResult {
    with_socket(sockfd, |file, socket| {
        let mut head = msg.get()?;
        let mut to = user::iovec(In::new(head.msg_iov), Len(head.msg_iovlen))?;
        let received = receive(file, socket, &mut to, flags)?;
        let mut result_flags = MsgFlags::empty();
        result_flags.set(MsgFlags::MSG_TRUNC, received.truncated);
        head.msg_namelen = match &received.from {
            Some(from) if head.msg_name != 0 => put_address(from, head.msg_name, head.msg_namelen as usize)? as i32,
            _ => 0,
        };
        let cloexec = flags.contains(MsgFlags::MSG_CMSG_CLOEXEC);
        let len = received.len;
        write_control(&mut head, received, cloexec, &mut result_flags)?;
        head.msg_flags = result_flags.bits();
        msg.put(&head)?;
        Ok(len)
    })
}

/// Hands received ancillary data to the program; what does not fit is dropped and told by MSG_CTRUNC.
fn write_control(head: &mut Msghdr, received: Received<X86>, cloexec: bool, flags: &mut MsgFlags) -> SysResult<()> {
    const HEAD: usize = size_of::<Cmsghdr>();
    let room = if head.msg_control == 0 { 0 } else { head.msg_controllen };
    let mut out: Vec<u8> = Vec::new();
    let mut emit = |level: i32, kind: i32, data: &[u8]| {
        out.extend_from_slice(&(HEAD + data.len()).to_ne_bytes());
        out.extend_from_slice(&level.to_ne_bytes());
        out.extend_from_slice(&kind.to_ne_bytes());
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(8), 0);
    };
    if !received.rights.is_empty() {
        let fit = room.saturating_sub(HEAD) / 4;
        flags.set(MsgFlags::MSG_CTRUNC, received.rights.len() > fit);
        let mut numbers = Vec::new();
        for file in received.rights.into_iter().take(fit) {
            match kernel().fds.insert(file, cloexec) {
                Ok(fd) => numbers.extend_from_slice(&fd.to_ne_bytes()),
                Err(_) => flags.insert(MsgFlags::MSG_CTRUNC),
            }
        }
        if !numbers.is_empty() {
            emit(1, SCM_RIGHTS, &numbers);
        }
    }
    for control in &received.control {
        emit(control.level, control.kind, &control.data);
    }
    if out.len().saturating_sub(7) > room {
        flags.insert(MsgFlags::MSG_CTRUNC);
    }
    out.truncate(room);
    trapless_platform::user::copy_out(head.msg_control, &out)?;
    head.msg_controllen = out.len();
    Ok(())
}

/// The limit of messages in one sendmmsg(2) or recvmmsg(2).
const UIO_MAXIOV: u32 = 1024;

pub fn sendmmsg(sockfd: Fd, msgvec: InOut<MmsgHdr>, vlen: U32, flags: MsgFlags) -> SysResult {
    for i in 0..vlen.0.min(UIO_MAXIOV) as usize {
        let slot = msgvec.at(i);
        match sendmsg(sockfd, In::new(slot.addr()), flags) {
            Ok(n) => slot.put(&MmsgHdr { msg_len: n as u32, ..slot.get()? })?,
            Err(e) if i == 0 => return Err(e),
            Err(_) => return Ok(i),
        }
    }
    Ok(vlen.0.min(UIO_MAXIOV) as usize)
}

pub fn recvmmsg(sockfd: Fd, msgvec: InOut<MmsgHdr>, vlen: U32, flags: MsgFlags, timeout: InOut<Timespec>) -> SysResult {
    let limit = timeout.get_opt()?;
    let limit = limit.map(|t| trapless_logic::time::duration_from_timespec(t.tv_sec, t.tv_nsec)).transpose()?;
    let deadline = limit.map(|d| X86::now() + d);
    let mut each = flags;
    for i in 0..vlen.0.min(UIO_MAXIOV) as usize {
        let slot = msgvec.at(i);
        match recvmsg(sockfd, InOut::new(slot.addr()), each) {
            Ok(n) => slot.put(&MmsgHdr { msg_len: n as u32, ..slot.get()? })?,
            Err(e) if i == 0 => return Err(e),
            Err(_) => return Ok(i),
        }
        each.set(
            MsgFlags::MSG_DONTWAIT,
            each.contains(MsgFlags::MSG_DONTWAIT) || flags.contains(MsgFlags::MSG_WAITFORONE),
        );
        // As in Linux the limit is looked at between messages only (recvmmsg(2), BUGS).
        if deadline.is_some_and(|d| X86::now() >= d) {
            return Ok(i + 1);
        }
    }
    Ok(vlen.0.min(UIO_MAXIOV) as usize)
}
