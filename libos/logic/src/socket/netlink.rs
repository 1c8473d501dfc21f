//! Netlink sockets (netlink(7)), of the one protocol that programs ask for their network interfaces: NETLINK_ROUTE.
//!
//! There is no peer: sending a request makes its answer at once, which then waits to be received.

mod message;
mod route;
#[cfg(all(test, not(loom)))]
mod tests;

use super::options::{Limits, SOL_SOCKET, so};
use super::{Control, MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::data::{Sink, Source};
use crate::eventfd::anonymous_stat;
use crate::file::{File, OpenFile};
use crate::net::NetStack;
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::time::Duration;
use trapless_abi::flags::{NETLINK_ROUTE, NLM_F_ACK, NLM_F_REQUEST, NLMSG_MIN_TYPE};
use trapless_abi::structs::{Nlmsghdr, Stat};
use trapless_abi::{Errno, SysResult};

/// AF_NETLINK.
const AF_NETLINK: i32 = 16;
/// Bytes that may wait to be received or come in one message, as Linux's default `net.core.rmem_default`.
const CAPACITY: usize = 212_992;
/// The first port that a second socket gets; later ones are lower.
const FIRST_FREE_PORT: u32 = -4096i32 as u32;

/// One request.
struct Request<'a> {
    head: Nlmsghdr,
    payload: &'a [u8],
}

/// The messages that answer a request.
struct Reply {
    bytes: Vec<u8>,
    /// Of the request.
    seq: u32,
    /// Of the socket that asked.
    port: u32,
}

/// What all netlink sockets share.
pub struct Netlink<P: Platform> {
    stack: Arc<NetStack<P>>,
    /// The process, whose number is the first socket's port.
    pid: u32,
    ports: Lock<P, BTreeSet<u32>>,
}

impl<P: Platform> Netlink<P> {
    /// Tells process `pid` about the interfaces of `stack`.
    pub fn new(stack: Arc<NetStack<P>>, pid: u32) -> Arc<Self> {
        Arc::new(Self { stack, pid, ports: Lock::new(BTreeSet::new()) })
    }

    /// Takes `port`, or any free one for 0. EADDRINUSE.
    fn take(&self, port: u32) -> SysResult<u32> {
        let mut ports = self.ports.lock();
        let free = |port: &u32| !ports.contains(port);
        let port = match port {
            0 => [self.pid].into_iter().chain((1..=FIRST_FREE_PORT).rev()).find(free),
            port => Some(port).filter(free),
        };
        let port = port.ok_or(Errno::EADDRINUSE)?;
        ports.insert(port);
        Ok(port)
    }
}

struct State {
    /// From bind(2) or the first message.
    port: Option<u32>,
    /// Answers, each of which is received as one message.
    inbox: VecDeque<Vec<u8>>,
    bytes: usize,
    /// An answer was lost: there was no room for it.
    overrun: bool,
}

/// A netlink socket.
pub struct NetlinkSocket<P: Platform> {
    netlink: Arc<Netlink<P>>,
    /// SOCK_RAW or SOCK_DGRAM, which mean the same.
    kind: i32,
    state: Lock<P, State>,
    queue: WaitQueue<P>,
    limits: Limits<P>,
}

/// Whether an address is the kernel's, which alone can be talked to: EINVAL, ECONNREFUSED.
fn to_kernel(address: &SockAddr) -> SysResult<()> {
    match address {
        SockAddr::Netlink { port: 0, groups: 0 } => Ok(()),
        SockAddr::Netlink { .. } => Err(Errno::ECONNREFUSED),
        _ => Err(Errno::EINVAL),
    }
}

impl<P: Platform> NetlinkSocket<P> {
    /// socket(2): `kind` is SOCK_RAW or SOCK_DGRAM.
    pub fn new(netlink: Arc<Netlink<P>>, kind: i32) -> Arc<Self> {
        let state = State { port: None, inbox: VecDeque::new(), bytes: 0, overrun: false };
        Arc::new(Self { netlink, kind, state: Lock::new(state), queue: WaitQueue::new(), limits: Limits::new() })
    }

    /// The socket's port, found now if need be.
    fn ensure_port(&self) -> SysResult<u32> {
        let mut state = self.state.lock();
        if let Some(port) = state.port {
            return Ok(port);
        }
        let port = self.netlink.take(0)?;
        state.port = Some(port);
        Ok(port)
    }

    /// Makes the answer to one request.
    fn answer(&self, request: &Request<'_>, port: u32) -> Vec<u8> {
        let mut reply = Reply::new(&request.head, port);
        let flags = request.head.nlmsg_flags;
        let wanted = flags & NLM_F_REQUEST != 0 && request.head.nlmsg_type >= NLMSG_MIN_TYPE;
        let verdict = match wanted {
            true => route::answer(request, &self.netlink.stack.interfaces(), &mut reply),
            // What is not a request is not looked at, but acknowledged.
            false => Ok(()),
        };
        // A listing that ends well says so by itself.
        if verdict.is_err() || (flags & NLM_F_ACK != 0 && reply.bytes.is_empty()) {
            reply.verdict(request, verdict);
        }
        reply.bytes
    }

    fn deliver(&self, answer: Vec<u8>) {
        {
            let mut state = self.state.lock();
            if state.bytes + answer.len() > CAPACITY || state.inbox.try_reserve(1).is_err() {
                state.overrun = true;
            } else {
                state.bytes += answer.len();
                state.inbox.push_back(answer);
            }
        }
        self.queue.notify(Ready::READABLE | Ready::ERR);
    }
}

impl<P: Platform> Socket<P> for NetlinkSocket<P> {
    fn kind(&self) -> (i32, i32, i32) {
        (AF_NETLINK, self.kind, NETLINK_ROUTE)
    }

    fn bind(&self, address: &SockAddr) -> SysResult<()> {
        let SockAddr::Netlink { port, groups } = *address else { return Err(Errno::EINVAL) };
        // Nobody tells a group anything.
        if groups != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut state = self.state.lock();
        match state.port {
            Some(own) if own == port || port == 0 => {}
            Some(_) => return Err(Errno::EINVAL),
            None => state.port = Some(self.netlink.take(port)?),
        }
        Ok(())
    }

    fn connect(&self, address: &SockAddr) -> SysResult<()> {
        if *address == SockAddr::Unspecified {
            return Ok(());
        }
        to_kernel(address)?;
        self.ensure_port().map(|_| ())
    }

    fn local(&self) -> SysResult<SockAddr> {
        Ok(SockAddr::Netlink { port: self.state.lock().port.unwrap_or(0), groups: 0 })
    }

    fn peer(&self) -> SysResult<SockAddr> {
        Ok(SockAddr::Netlink { port: 0, groups: 0 })
    }

    fn send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        _: &mut Vec<Arc<OpenFile<P>>>,
        _: &[Control],
        flags: MsgFlags,
    ) -> SysResult<usize> {
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        to.map_or(Ok(()), to_kernel)?;
        let port = self.ensure_port()?;
        let len = from.remaining();
        if len > CAPACITY {
            return Err(Errno::EMSGSIZE);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
        bytes.resize(len, 0);
        if from.pull(&mut bytes)? < len {
            return Err(Errno::EFAULT);
        }
        let mut rest = &bytes[..];
        while let Some(request) = message::next(&mut rest) {
            let answer = self.answer(&request, port);
            if !answer.is_empty() {
                self.deliver(answer);
            }
        }
        Ok(len)
    }

    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut state = self.state.lock();
        if core::mem::take(&mut state.overrun) {
            return Err(Errno::ENOBUFS);
        }
        let answer = state.inbox.front().ok_or(Errno::EAGAIN)?;
        let (whole, taken) = (answer.len(), to.push(answer)?);
        if !flags.contains(MsgFlags::PEEK) {
            state.inbox.pop_front();
            state.bytes -= whole;
        }
        let len = if flags.contains(MsgFlags::TRUNC) { whole } else { taken };
        let from = Some(SockAddr::Netlink { port: 0, groups: 0 });
        Ok(Received { from, truncated: taken < whole, ..Received::bytes(len) })
    }

    fn shutdown(&self, _: Shutdown) -> SysResult<()> {
        Err(Errno::EOPNOTSUPP)
    }

    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO | so::SNDTIMEO) => self.limits.set(name, value),
            // Hints here.
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) if value.len() >= 4 => Ok(()),
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => Err(Errno::EINVAL),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let value = match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO | so::SNDTIMEO) => return Ok(self.limits.get(name)),
            (SOL_SOCKET, so::TYPE) => self.kind,
            (SOL_SOCKET, so::ERROR) if core::mem::take(&mut self.state.lock().overrun) => Errno::ENOBUFS as i32,
            (SOL_SOCKET, so::ERROR | so::ACCEPTCONN) => 0,
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => CAPACITY as i32,
            (SOL_SOCKET, so::PROTOCOL) => NETLINK_ROUTE,
            (SOL_SOCKET, so::DOMAIN) => AF_NETLINK,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    fn receive_timeout(&self) -> Option<Duration> {
        self.limits.receive()
    }

    fn send_timeout(&self) -> Option<Duration> {
        self.limits.send()
    }
}

impl<P: Platform> File<P> for NetlinkSocket<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        self.recv(to, MsgFlags::empty()).map(|received| received.len)
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        self.send(from, None, &mut Vec::new(), &[], MsgFlags::empty())
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat { st_mode: 0o140_777, ..anonymous_stat() })
    }

    fn ready(&self) -> Ready {
        let state = self.state.lock();
        let mut ready = Ready::WRITABLE;
        ready.set(Ready::READABLE, !state.inbox.is_empty());
        ready.set(Ready::ERR, state.overrun);
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<P: Platform> Drop for NetlinkSocket<P> {
    fn drop(&mut self) {
        if let Some(port) = self.state.lock().port {
            self.netlink.ports.lock().remove(&port);
        }
    }
}
