//! Connected AF_UNIX sockets (unix(7)), as socketpair(2) makes them: streams, datagrams and sequenced packets, with descriptors in
//! flight (SCM_RIGHTS).

use super::{Control, MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::data::{Sink, Source};
use crate::eventfd::anonymous_stat;
use crate::file::{File, OpenFile};
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;
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

struct Message<P: Platform> {
    data: Vec<u8>,
    /// How much of it a stream reader has taken.
    taken: usize,
    rights: Vec<Arc<OpenFile<P>>>,
}

struct Inbox<P: Platform> {
    messages: VecDeque<Message<P>>,
    bytes: usize,
    /// The peer sends no more.
    ended: bool,
    /// The owner reads no more.
    shut: bool,
}

/// One end of a connected pair.
pub struct UnixSocket<P: Platform> {
    style: Style,
    inbox: Lock<P, Inbox<P>>,
    queue: WaitQueue<P>,
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

    fn new(style: Style, peer: Weak<Self>) -> Self {
        let inbox = Inbox { messages: VecDeque::new(), bytes: 0, ended: false, shut: false };
        Self { style, inbox: Lock::new(inbox), queue: WaitQueue::new(), peer }
    }

    /// Bytes the peer takes now: EPIPE if nobody reads there, EAGAIN if it is full, EMSGSIZE for a packet that can never fit.
    fn room(&self, inbox: &Inbox<P>, wanted: usize) -> SysResult<usize> {
        if inbox.shut {
            return Err(Errno::EPIPE);
        }
        let room = CAPACITY.saturating_sub(inbox.bytes);
        match self.style {
            Style::Stream if room == 0 => Err(Errno::EAGAIN),
            Style::Stream => Ok(wanted.min(room)),
            _ if wanted > CAPACITY => Err(Errno::EMSGSIZE),
            // An empty inbox takes any packet; else it must fit.
            _ if wanted > room && !inbox.messages.is_empty() => Err(Errno::EAGAIN),
            _ => Ok(wanted),
        }
    }

    fn end(&self, read: bool, write: bool) {
        if read {
            let gone = {
                let mut inbox = self.inbox.lock();
                inbox.shut = true;
                inbox.bytes = 0;
                core::mem::take(&mut inbox.messages)
            };
            drop(gone); // descriptors in flight are closed outside the lock
        }
        if let Some(peer) = self.peer.upgrade() {
            if write {
                peer.inbox.lock().ended = true;
            }
            peer.queue.notify(Ready::all());
        }
        self.queue.notify(Ready::all());
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

    fn connect(&self, _: &SockAddr) -> SysResult<()> {
        Err(Errno::EISCONN)
    }

    fn local(&self) -> SysResult<SockAddr> {
        Ok(SockAddr::Unix(Vec::new()))
    }

    fn peer(&self) -> SysResult<SockAddr> {
        Ok(SockAddr::Unix(Vec::new()))
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
            return Err(Errno::EISCONN);
        }
        if rights.len() > MAX_RIGHTS {
            return Err(Errno::ETOOMANYREFS);
        }
        if from.remaining() == 0 && self.style == Style::Stream {
            return Ok(0);
        }
        let gone = if self.style == Style::Datagram { Errno::ECONNREFUSED } else { Errno::EPIPE };
        let peer = self.peer.upgrade().ok_or(gone)?;
        let n = {
            let mut inbox = peer.inbox.lock();
            if inbox.ended {
                return Err(Errno::EPIPE);
            }
            let n = self.room(&inbox, from.remaining())?;
            let mut data = Vec::new();
            data.try_reserve_exact(n).map_err(|_| Errno::ENOBUFS)?;
            data.resize(n, 0);
            inbox.messages.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
            let n = from.pull(&mut data)?;
            data.truncate(n);
            inbox.bytes += n;
            inbox.messages.push_back(Message { data, taken: 0, rights: core::mem::take(rights) });
            n
        };
        peer.queue.notify(Ready::READABLE);
        Ok(n)
    }

    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        let peek = flags.contains(MsgFlags::PEEK);
        let received = {
            let mut inbox = self.inbox.lock();
            if inbox.messages.is_empty() {
                return if inbox.ended || inbox.shut { Ok(Received::bytes(0)) } else { Err(Errno::EAGAIN) };
            }
            if self.style == Style::Stream {
                recv_stream(&mut inbox, to, peek)?
            } else {
                recv_packet(&mut inbox, to, flags)?
            }
        };
        if let (false, Some(peer)) = (peek, self.peer.upgrade()) {
            peer.queue.notify(Ready::WRITABLE);
        }
        Ok(received)
    }

    fn shutdown(&self, how: Shutdown) -> SysResult<()> {
        self.end(how != Shutdown::Write, how != Shutdown::Read);
        Ok(())
    }

    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        // SO_SNDBUF, SO_RCVBUF and SO_PASSCRED are hints here.
        match (level, name) {
            (1, 7 | 8 | 16) if value.len() >= 4 => Ok(()),
            (1, 7 | 8 | 16) => Err(Errno::EINVAL),
            _ => Err(Errno::ENOPROTOOPT),
        }
    }

    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let (domain, kind, protocol) = self.kind();
        let value = match (level, name) {
            (1, 3) => kind,
            (1, 4) => 0,
            (1, 7 | 8) => CAPACITY as i32,
            (1, 30) => 0,
            (1, 38) => protocol,
            (1, 39) => domain,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(value.to_ne_bytes().to_vec())
    }
}

/// Takes bytes across message borders, but stops where descriptors were attached (unix(7)).
fn recv_stream<P: Platform>(inbox: &mut Inbox<P>, to: &mut dyn Sink, peek: bool) -> SysResult<Received<P>> {
    let mut received = Received::bytes(0);
    let mut at = 0;
    while to.remaining() > 0 {
        let Some(message) = inbox.messages.get_mut(at) else { break };
        if !message.rights.is_empty() {
            if received.len > 0 {
                break;
            }
            if !peek {
                received.rights = core::mem::take(&mut message.rights);
            }
        }
        let rest = &message.data[message.taken..];
        let n = match to.push(rest) {
            Ok(n) => n,
            Err(e) if received.len == 0 => return Err(e),
            Err(_) => break,
        };
        received.len += n;
        let whole = n == rest.len();
        if peek {
            at += 1;
        } else {
            message.taken += n;
            inbox.bytes -= n;
            if whole {
                inbox.messages.pop_front();
            }
        }
        if !whole || !received.rights.is_empty() {
            break;
        }
    }
    Ok(received)
}

fn recv_packet<P: Platform>(inbox: &mut Inbox<P>, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
    let Some(message) = inbox.messages.front_mut() else { return Err(Errno::EAGAIN) };
    let room = to.remaining();
    let mut received = Received::bytes(to.push(&message.data)?);
    received.truncated = message.data.len() > room;
    if flags.contains(MsgFlags::TRUNC) {
        received.len = message.data.len();
    }
    if !flags.contains(MsgFlags::PEEK) {
        received.rights = core::mem::take(&mut message.rights);
        inbox.bytes -= message.data.len();
        inbox.messages.pop_front();
    }
    Ok(received)
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
        let mut ready = Ready::empty();
        let peer = self.peer.upgrade();
        let peer_reads = peer.as_ref().is_some_and(|p| !p.inbox.lock().shut);
        let room = peer.as_ref().is_some_and(|p| p.inbox.lock().bytes < CAPACITY);
        let inbox = self.inbox.lock();
        ready.set(Ready::READABLE, !inbox.messages.is_empty() || inbox.ended || inbox.shut);
        ready.set(Ready::RDHUP, inbox.ended);
        ready.set(Ready::HUP, inbox.ended && !peer_reads);
        ready.set(Ready::WRITABLE, room || !peer_reads);
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn close(&self) {
        self.end(true, true);
    }

    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
