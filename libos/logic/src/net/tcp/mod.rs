//! TCP sockets (tcp(7)).
//!
//! A [`TcpSocket`] is what a descriptor stands for. Its connection, once there is one, belongs to the stack and outlives it: what was
//! written before close(2) still arrives.

mod open;
mod status;
mod transfer;

use super::address::Family;
use super::admission::ListenKey;
use super::buffers::SEND;
use super::events::Events;
use super::link::LinkId;
use super::options::{IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, Options, SOL_SOCKET, ip, ipv6, so, tcp_opt};
use super::ports::Binding;
use super::shards::{Entrance, NetStack};
use super::steering::{FIRST, ShardId};
use super::table::ConnId;
use crate::data::{Sink, Source};
use crate::eventfd::anonymous_stat;
use crate::file::{File, IoctlArg, OpenFile};
use crate::platform::Platform;
use crate::socket::{Control, MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::task::Waker;
use core::time::Duration;
use smoltcp::wire::IpEndpoint;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// SOCK_STREAM.
const STREAM: i32 = 1;
/// TCP_MAXSEG with a connection, and without one (RFC 9293, 3.7.1).
const MSS: i32 = 1460;
const UNKNOWN_MSS: i32 = 536;

/// A connection, from connect(2) or accept(2) to close(2).
struct Open {
    shard: ShardId,
    id: ConnId,
    link: LinkId,
    local: IpEndpoint,
    peer: IpEndpoint,
    /// The handshake goes on.
    connecting: bool,
    /// connect(2) has reported success (the second success is EISCONN).
    reported: bool,
    /// The connection has ended, in whatever way.
    over: bool,
}

enum Phase {
    /// Neither listens nor has a connection.
    Idle,
    /// connect(2) failed: as idle, but with an end to report.
    Failed,
    Listening(ListenKey),
    Open(Open),
}

/// A socket's state. Locked before a shard.
struct Core {
    phase: Phase,
    /// The port while there is no connection, which takes it over.
    binding: Option<Binding>,
    options: Options,
    /// What SO_ERROR or the next call reports, once.
    error: Option<Errno>,
    shut_read: bool,
    shut_write: bool,
}

impl Core {
    const fn open(&self) -> Option<&Open> {
        match &self.phase {
            Phase::Open(open) => Some(open),
            _ => None,
        }
    }
}

/// A TCP socket.
pub struct TcpSocket<P: Platform> {
    stack: Arc<NetStack<P>>,
    core: Lock<P, Core>,
    events: Arc<Events<P>>,
    waker: Waker,
}

impl<P: Platform> TcpSocket<P> {
    /// socket(2).
    pub fn new(stack: Arc<NetStack<P>>, family: Family) -> Arc<Self> {
        Self::with(stack, Phase::Idle, Options::new(family, SEND).with_tcp())
    }

    fn with(stack: Arc<NetStack<P>>, phase: Phase, options: Options) -> Arc<Self> {
        let (events, waker) = Events::new();
        let core = Core { phase, binding: None, options, error: None, shut_read: false, shut_write: false };
        Arc::new(Self { stack, core: Lock::new(core), events, waker })
    }

    /// The shard of the connection, if there is one.
    fn shard(&self, core: &Core) -> Entrance<'_, P> {
        self.stack.on(core.open().map_or(FIRST, |open| open.shard))
    }
}

impl<P: Platform> Socket<P> for TcpSocket<P> {
    fn kind(&self) -> (i32, i32, i32) {
        (self.core.lock().options.family.number(), STREAM, IPPROTO_TCP)
    }

    fn bind(&self, address: &SockAddr) -> SysResult<()> {
        self.do_bind(address)
    }

    fn listen(&self, backlog: usize) -> SysResult<()> {
        self.do_listen(backlog)
    }

    fn accept(&self) -> SysResult<(Arc<dyn Socket<P>>, SockAddr)> {
        let (socket, peer) = self.do_accept()?;
        Ok((socket, peer))
    }

    fn connect(&self, address: &SockAddr) -> SysResult<()> {
        self.do_connect(address)
    }

    fn local(&self) -> SysResult<SockAddr> {
        let core = self.core.lock();
        let family = core.options.family;
        let local = match (&core.phase, core.binding) {
            (Phase::Open(open), _) => open.local,
            (_, Some(b)) => IpEndpoint::new(b.local.named(family), b.port),
            (_, None) => family.anywhere(),
        };
        let link = match core.open() {
            Some(open) => open.link,
            None => self.stack.look(|inner| inner.link_of(local.addr)).unwrap_or(0),
        };
        Ok(family.encode(local, link))
    }

    fn peer(&self) -> SysResult<SockAddr> {
        self.settled(|core, _| match &core.phase {
            Phase::Open(open) if !open.connecting && !open.over => Ok(core.options.family.encode(open.peer, open.link)),
            _ => Err(Errno::ENOTCONN),
        })
    }

    fn send(
        &self,
        from: &mut dyn Source,
        _: Option<&SockAddr>,
        _: &mut Vec<Arc<OpenFile<P>>>,
        _: &[Control],
        flags: MsgFlags,
    ) -> SysResult<usize> {
        // As in Linux, an address is ignored, and so is ancillary data for other families.
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.do_send(from)
    }

    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EINVAL);
        }
        if flags.contains(MsgFlags::ERRQUEUE) {
            return Err(Errno::EAGAIN);
        }
        self.do_recv(to, flags.contains(MsgFlags::PEEK)).map(Received::bytes)
    }

    fn shutdown(&self, how: Shutdown) -> SysResult<()> {
        self.do_shutdown(how)
    }

    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        let mut core = self.core.lock();
        if (level, name) == (IPPROTO_IPV6, ipv6::V6ONLY)
            && core.options.family != Family::Inet
            && (core.binding.is_some() || !matches!(core.phase, Phase::Idle))
        {
            return Err(Errno::EINVAL);
        }
        if (level, name) == (SOL_SOCKET, so::BINDTODEVICE) {
            core.options.device = self.stack.look(|inner| inner.index_of_name(value))?;
            if let Phase::Listening(key) = core.phase
                && let Some(listener) = self.stack.shared.names.lock().listeners.get_mut(&key)
            {
                listener.device = core.options.device;
            }
            return Ok(());
        }
        let before = core.options.get(level, name);
        core.options.set(level, name, value)?;
        // Erlang sets again what a connection has from its listener.
        if let Phase::Open(open) = &core.phase
            && core.options.get(level, name) != before
        {
            self.stack.on(open.shard).with(|inner| inner.apply(open.id, &core.options));
        }
        Ok(())
    }

    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let value = match (level, name) {
            (SOL_SOCKET, so::DOMAIN) => self.kind().0,
            (SOL_SOCKET, so::TYPE) => STREAM,
            (SOL_SOCKET, so::PROTOCOL) => IPPROTO_TCP,
            (SOL_SOCKET, so::ERROR) => {
                self.settled(|core, _| core.error.take()).map_or(0, |error| i32::from(error.code()))
            }
            (SOL_SOCKET, so::ACCEPTCONN) => matches!(self.core.lock().phase, Phase::Listening(_)).into(),
            (IPPROTO_IP, ip::MTU) | (IPPROTO_IPV6, ipv6::MTU) => {
                let core = self.core.lock();
                core.options.mtu(level, core.open().map(|open| open.peer))?
            }
            (IPPROTO_TCP, tcp_opt::MAXSEG) => self.core.lock().open().map_or(UNKNOWN_MSS, |_| MSS),
            _ => return self.core.lock().options.get(level, name),
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    fn receive_timeout(&self) -> Option<Duration> {
        self.core.lock().options.rcvtimeo
    }

    fn send_timeout(&self) -> Option<Duration> {
        self.core.lock().options.sndtimeo
    }
}

impl<P: Platform> File<P> for TcpSocket<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        self.do_recv(to, false)
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        self.do_send(from)
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat { st_mode: 0o140_777, ..anonymous_stat() })
    }

    fn ready(&self) -> Ready {
        self.readiness()
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.events.queue)
    }

    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        let bytes = self.queued(request)?;
        arg.put(&i32::try_from(bytes).unwrap_or(i32::MAX).to_ne_bytes())?;
        Ok(0)
    }

    fn close(&self) {
        self.do_close();
    }

    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<P: Platform> Drop for TcpSocket<P> {
    /// A socket that never became a descriptor (accept(2) without a free number) is not closed by anybody else.
    fn drop(&mut self) {
        self.do_close();
    }
}
