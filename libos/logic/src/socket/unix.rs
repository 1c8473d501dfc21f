//! AF_UNIX sockets (unix(7)): streams, datagrams and sequenced packets, with names or as socketpair(2) makes them, and descriptors in
//! flight (SCM_RIGHTS).
//!
//! Locks: one for the state of each socket. Only connect(2) holds two, in the order of the sockets' numbers; elsewhere a thread lets go
//! of one before it takes the next, and of all before it looks a name up, notifies, or drops what may be the last of something. Names
//! have locks of their own, inside.
//!
//! INV-UNIX-1: whoever finds no room in another socket notes itself there, under the lock under which it looked; whoever makes room
//! takes the notes under the same lock, and notifies after it. So a sender, and a connect(2) that waits for the backlog, can sleep in
//! the queue of its own socket.

mod connection;
mod inbox;
mod names;
mod role;
mod transfer;

use super::options::{Kept, Limits, SOL_SOCKET, so};
use super::{Control, MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::data::{Sink, Source};
use crate::eventfd::anonymous_stat;
use crate::file::{File, IoctlArg, OpenFile, anonymous_inode};
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::time::Duration;
use inbox::Inbox;
use names::Address;
use role::{Peer, Role, Waiting};
use trapless_abi::flags::IoctlRequest;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

pub use names::Names;

/// AF_UNIX.
const AF_UNIX: i32 = 1;
/// Bytes that may wait in one direction, as Linux's default `net.core.wmem_default`.
const CAPACITY: usize = 212_992;

/// The type of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Style {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    SeqPacket,
}

/// An AF_UNIX socket.
pub struct UnixSocket<P: Platform> {
    style: Style,
    /// Its inode number, and its place in the order of locks.
    serial: u64,
    this: Weak<Self>,
    names: Arc<Names<P>>,
    address: Arc<Address<P>>,
    state: Lock<P, State<P>>,
    queue: WaitQueue<P>,
    limits: Limits<P>,
}

/// What changes.
struct State<P: Platform> {
    inbox: Inbox<P>,
    role: Role<P>,
    waiting: Waiting<P>,
    kept: Kept,
}

impl<P: Platform> UnixSocket<P> {
    /// socket(2).
    pub fn new(names: Arc<Names<P>>, style: Style) -> Arc<Self> {
        Self::make(names, style, Address::new(None), Role::Idle)
    }

    /// socketpair(2).
    pub fn pair(names: &Arc<Names<P>>, style: Style) -> (Arc<Self>, Arc<Self>) {
        let (first, second) = (Self::new(names.clone(), style), Self::new(names.clone(), style));
        for (one, other) in [(&first, &second), (&second, &first)] {
            one.state.lock().role = Role::Connected(Peer::of(other));
        }
        (first, second)
    }

    fn make(names: Arc<Names<P>>, style: Style, address: Arc<Address<P>>, role: Role<P>) -> Arc<Self> {
        let state = State { inbox: Inbox::new(), role, waiting: Waiting::new(), kept: Kept::default() };
        Arc::new_cyclic(|this| Self {
            style,
            serial: anonymous_inode(),
            this: this.clone(),
            names,
            address,
            state: Lock::new(state),
            queue: WaitQueue::new(),
            limits: Limits::new(),
        })
    }

    fn is_closed(&self) -> bool {
        self.state.lock().inbox.closed
    }
}

impl<P: Platform> Socket<P> for UnixSocket<P> {
    fn kind(&self) -> (i32, i32, i32) {
        let kind = match self.style {
            Style::Stream => 1,
            Style::Datagram => 2,
            Style::SeqPacket => 5,
        };
        (AF_UNIX, kind, 0)
    }

    fn bind(&self, address: &SockAddr) -> SysResult<()> {
        self.names.bind(self, address)
    }

    fn listen(&self, backlog: usize) -> SysResult<()> {
        self.do_listen(backlog)
    }

    fn accept(&self) -> SysResult<(Arc<dyn Socket<P>>, SockAddr)> {
        let connection = self.do_accept()?;
        let peer = connection.peer()?;
        Ok((connection, peer))
    }

    fn connect(&self, address: &SockAddr) -> SysResult<()> {
        match self.style {
            Style::Datagram => self.connect_by_default(address),
            _ => self.connect_for_good(address),
        }
    }

    fn local(&self) -> SysResult<SockAddr> {
        Ok(self.address.told())
    }

    fn peer(&self) -> SysResult<SockAddr> {
        let address = self.state.lock().role.peer().map(|peer| peer.address.clone());
        Ok(address.ok_or(Errno::ENOTCONN)?.told())
    }

    fn send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        rights: &mut Vec<Arc<OpenFile<P>>>,
        _: &[Control],
        flags: MsgFlags,
    ) -> SysResult<usize> {
        self.do_send(from, to, rights, flags)
    }

    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        self.do_recv(to, flags)
    }

    fn shutdown(&self, how: Shutdown) -> SysResult<()> {
        self.do_shutdown(how);
        Ok(())
    }

    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO | so::SNDTIMEO) => self.limits.set(name, value)?,
            // Hints here.
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) if value.len() >= 4 => {}
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => return Err(Errno::EINVAL),
            (SOL_SOCKET, _) => self.state.lock().kept.set(name, value)?,
            // There are no other levels.
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok(())
    }

    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let (domain, kind, protocol) = self.kind();
        let value = match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO | so::SNDTIMEO) => return Ok(self.limits.get(name)),
            (SOL_SOCKET, so::TYPE) => kind,
            (SOL_SOCKET, so::ERROR) => self.state.lock().inbox.error.take().map_or(0, |error| error as i32),
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => CAPACITY as i32,
            (SOL_SOCKET, so::ACCEPTCONN) => i32::from(matches!(self.state.lock().role, Role::Listening(_))),
            (SOL_SOCKET, so::PROTOCOL) => protocol,
            (SOL_SOCKET, so::DOMAIN) => domain,
            (SOL_SOCKET, _) => {
                let kept = self.state.lock().kept;
                return kept.get(name);
            }
            _ => return Err(Errno::EOPNOTSUPP),
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

impl<P: Platform> File<P> for UnixSocket<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        self.recv(to, MsgFlags::empty()).map(|received| received.len)
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        self.send(from, None, &mut Vec::new(), &[], MsgFlags::empty())
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat { st_mode: 0o140_777, st_ino: self.serial, ..anonymous_stat() })
    }

    fn ready(&self) -> Ready {
        let mut ready = Ready::empty();
        let peer = {
            let own = self.state.lock();
            let (inbox, role) = (&own.inbox, &own.role);
            let waits = matches!(role, Role::Listening(backlog) if !backlog.queue.is_empty());
            ready.set(Ready::READABLE, inbox.has_message() || waits || inbox.no_read);
            ready.set(Ready::RDHUP, inbox.no_read);
            // As on Linux, what is to be connected and is not, is over.
            let unconnected = self.style != Style::Datagram && matches!(role, Role::Idle);
            ready.set(Ready::HUP, unconnected || (inbox.no_read && inbox.no_write));
            ready.set(Ready::ERR, inbox.error.is_some());
            match role {
                Role::Listening(_) => return ready,
                role => role.peer().and_then(Peer::upgrade),
            }
        };
        ready.set(Ready::WRITABLE, self.has_room(peer));
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        if IoctlRequest(request) != IoctlRequest::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = {
            let own = self.state.lock();
            if matches!(own.role, Role::Listening(_)) {
                return Err(Errno::EINVAL);
            }
            own.inbox.bytes_waiting(self.style)
        };
        arg.put(&i32::try_from(bytes).unwrap_or(i32::MAX).to_ne_bytes())?;
        Ok(0)
    }

    fn close(&self) {
        self.names.release(self);
        self.end(false);
    }

    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
