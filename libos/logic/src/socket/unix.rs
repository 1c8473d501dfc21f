//! AF_UNIX sockets (unix(7)) as socketpair(2) makes them: streams, datagrams and sequenced packets, with descriptors in flight
//! (SCM_RIGHTS). No socket has a name, so one that was not made with a peer never gets any.

mod inbox;

use super::options::{Limits, SOL_SOCKET, so};
use super::{Control, MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::data::{Sink, Source};
use crate::eventfd::anonymous_stat;
use crate::file::{File, IoctlArg, OpenFile};
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
use core::time::Duration;
use inbox::Inbox;
use trapless_abi::flags::IoctlRequest;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// AF_UNIX.
const AF_UNIX: i32 = 1;
/// Bytes that may wait in one direction, as Linux's default `net.core.wmem_default`.
const CAPACITY: usize = 212_992;
/// Descriptors that one message may carry (unix(7), SCM_MAX_FD).
const MAX_RIGHTS: usize = 253;

/// The type of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    SeqPacket,
}

/// One end of a connected pair.
pub struct UnixSocket<P: Platform> {
    style: Style,
    inbox: Lock<P, Inbox<P>>,
    queue: WaitQueue<P>,
    limits: Limits<P>,
    peer: Weak<Self>,
}

impl<P: Platform> UnixSocket<P> {
    /// socketpair(2).
    pub fn pair(style: Style) -> (Arc<Self>, Arc<Self>) {
        let mut second = None;
        let first = Arc::new_cyclic(|first| {
            let other = Arc::new(Self::new(style, first.clone()));
            let this = Self::new(style, Arc::downgrade(&other));
            second = Some(other);
            this
        });
        let second = second.unwrap_or_else(|| unreachable!("the closure has run"));
        (first, second)
    }

    /// socket(2): a datagram socket without a peer.
    pub fn lone_datagram() -> Arc<Self> {
        Arc::new(Self::new(Style::Datagram, Weak::new()))
    }

    /// It was made without a peer.
    fn is_lone(&self) -> bool {
        self.peer.ptr_eq(&Weak::new())
    }

    fn new(style: Style, peer: Weak<Self>) -> Self {
        Self { style, inbox: Lock::new(Inbox::new()), queue: WaitQueue::new(), limits: Limits::new(), peer }
    }

    /// The peer, if its side of the connection is any of this side's business: datagram sockets live alone.
    fn connected(&self) -> Option<Arc<Self>> {
        self.peer.upgrade().filter(|_| self.style != Style::Datagram)
    }

    /// Tells both sides that something has ended.
    fn notify_both(&self) {
        if let Some(peer) = self.peer.upgrade() {
            peer.queue.notify(Ready::all());
        }
        self.queue.notify(Ready::all());
    }

    /// Whether the socket may send: its own error, EPIPE.
    fn may_send(&self) -> SysResult<()> {
        let mut own = self.inbox.lock();
        // A stream that cannot send any more says so, and keeps its error for who reads.
        if let Some(error) = own.error.take_if(|_| self.style != Style::Stream) {
            return Err(error);
        }
        if own.no_write { Err(Errno::EPIPE) } else { Ok(()) }
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

    fn listen(&self, _: usize) -> SysResult<()> {
        // It has no name to be found by.
        Err(if self.style == Style::Datagram { Errno::EOPNOTSUPP } else { Errno::EINVAL })
    }

    fn connect(&self, _: &SockAddr) -> SysResult<()> {
        Err(if self.is_lone() { Errno::ECONNREFUSED } else { Errno::EISCONN })
    }

    fn local(&self) -> SysResult<SockAddr> {
        Ok(SockAddr::Unix(Vec::new()))
    }

    fn peer(&self) -> SysResult<SockAddr> {
        if self.is_lone() { Err(Errno::ENOTCONN) } else { Ok(SockAddr::Unix(Vec::new())) }
    }

    fn send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        rights: &mut Vec<Arc<OpenFile<P>>>,
        _: &[Control],
        flags: MsgFlags,
    ) -> SysResult<usize> {
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        if to.is_some() {
            return Err(if self.is_lone() { Errno::ECONNREFUSED } else { Errno::EISCONN });
        }
        if self.is_lone() {
            return Err(Errno::ENOTCONN);
        }
        if rights.len() > MAX_RIGHTS {
            return Err(Errno::ETOOMANYREFS);
        }
        self.may_send()?;
        if from.remaining() == 0 && self.style == Style::Stream {
            return Ok(0);
        }
        let gone = if self.style == Style::Datagram { Errno::ECONNREFUSED } else { Errno::EPIPE };
        let peer = self.peer.upgrade().ok_or(gone)?;
        let n = {
            let mut inbox = peer.inbox.lock();
            if inbox.closed {
                return Err(gone);
            }
            inbox.put(self.style, from, rights)?
        };
        peer.queue.notify(Ready::READABLE);
        Ok(n)
    }

    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        let received = self.inbox.lock().get(self.style, to, flags)?;
        if let (false, Some(peer)) = (flags.contains(MsgFlags::PEEK), self.peer.upgrade()) {
            peer.queue.notify(Ready::WRITABLE);
        }
        Ok(received)
    }

    fn shutdown(&self, how: Shutdown) -> SysResult<()> {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        {
            let mut own = self.inbox.lock();
            own.no_read |= read;
            own.no_write |= write;
        }
        if let Some(peer) = self.connected() {
            let mut peer = peer.inbox.lock();
            peer.no_read |= write;
            peer.no_write |= read;
        }
        self.notify_both();
        Ok(())
    }

    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO | so::SNDTIMEO) => self.limits.set(name, value)?,
            // Hints here.
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF | so::PASSCRED) if value.len() >= 4 => {}
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF | so::PASSCRED) => return Err(Errno::EINVAL),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let (domain, kind, protocol) = self.kind();
        let value = match (level, name) {
            (SOL_SOCKET, so::RCVTIMEO | so::SNDTIMEO) => return Ok(self.limits.get(name)),
            (SOL_SOCKET, so::TYPE) => kind,
            (SOL_SOCKET, so::ERROR) => self.inbox.lock().error.take().map_or(0, |error| error as i32),
            (SOL_SOCKET, so::SNDBUF | so::RCVBUF) => CAPACITY as i32,
            (SOL_SOCKET, so::ACCEPTCONN) => 0,
            (SOL_SOCKET, so::PROTOCOL) => protocol,
            (SOL_SOCKET, so::DOMAIN) => domain,
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

impl<P: Platform> File<P> for UnixSocket<P> {
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
        let writable = self.peer.upgrade().is_none_or(|peer| {
            let inbox = peer.inbox.lock();
            inbox.has_room() || inbox.no_read
        });
        let own = self.inbox.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, own.has_message() || own.no_read);
        ready.set(Ready::RDHUP, own.no_read);
        ready.set(Ready::HUP, own.no_read && own.no_write);
        ready.set(Ready::ERR, own.error.is_some());
        ready.set(Ready::WRITABLE, writable);
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        if IoctlRequest(request) != IoctlRequest::FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = self.inbox.lock().bytes_waiting(self.style);
        arg.put(&i32::try_from(bytes).unwrap_or(i32::MAX).to_ne_bytes())?;
        Ok(0)
    }

    fn close(&self) {
        let (unread, gone) = {
            let mut own = self.inbox.lock();
            let unread = own.has_message();
            (own.no_read, own.no_write, own.closed) = (true, true, true);
            (unread, own.clear())
        };
        drop(gone);
        if let Some(peer) = self.connected() {
            let mut peer = peer.inbox.lock();
            (peer.no_read, peer.no_write) = (true, true);
            if unread {
                peer.error = Some(Errno::ECONNRESET);
            }
        }
        self.notify_both();
    }

    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
