//! What has come for a socket, and what it may still do.

use super::names::Address;
use super::{CAPACITY, Style};
use crate::data::{Sink, Source};
use crate::file::OpenFile;
use crate::platform::Platform;
use crate::socket::{MsgFlags, Received, SockAddr};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// What one send(2) gave.
pub(super) struct Message<P: Platform> {
    data: Vec<u8>,
    /// How much of it a stream reader has taken.
    taken: usize,
    rights: Vec<Arc<OpenFile<P>>>,
    sender: Arc<Address<P>>,
}

/// Bytes of the longest packet: Linux keeps something back.
const MAX_PACKET: usize = CAPACITY - 32;
/// Datagrams that may wait for a socket that is not their sender's peer; one more fits in (net.unix.max_dgram_qlen).
const MAX_QUEUE: usize = 10;

/// Messages on their way to a socket, and its state.
pub(super) struct Inbox<P: Platform> {
    messages: VecDeque<Message<P>>,
    bytes: usize,
    /// Nothing more will come: the owner reads no more, or its peer sends no more.
    pub(super) no_read: bool,
    /// The owner sends no more, or its peer reads no more.
    pub(super) no_write: bool,
    /// The owner has been closed.
    pub(super) closed: bool,
    /// What the next call that asks is told (SO_ERROR).
    pub(super) error: Option<Errno>,
}

impl<P: Platform> Inbox<P> {
    pub(super) fn new() -> Self {
        let messages = VecDeque::new();
        Self { messages, bytes: 0, no_read: false, no_write: false, closed: false, error: None }
    }

    pub(super) fn has_message(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Whether there is room for something; in a `short` queue the number of packets counts too.
    pub(super) fn has_room(&self, short: bool) -> bool {
        self.bytes < CAPACITY && !(short && self.messages.len() > MAX_QUEUE)
    }

    /// Whether the owner may send `len` bytes: EMSGSIZE, its own error, EPIPE.
    pub(super) fn may_send(&mut self, style: Style, len: usize) -> SysResult<()> {
        if style != Style::Stream {
            if len > MAX_PACKET {
                return Err(Errno::EMSGSIZE);
            }
            // A stream that cannot send any more says so, and keeps its error for who reads.
            if let Some(error) = self.error.take() {
                return Err(error);
            }
        }
        if self.no_write { Err(Errno::EPIPE) } else { Ok(()) }
    }

    /// FIONREAD: of packets those of the next one, but SOCK_SEQPACKET counts as a stream does.
    pub(super) fn bytes_waiting(&self, style: Style) -> usize {
        match style {
            Style::Datagram => self.messages.front().map_or(0, |message| message.data.len()),
            _ => self.bytes,
        }
    }

    /// Empties it; the messages hold descriptors in flight and are dropped without the lock.
    pub(super) fn clear(&mut self) -> VecDeque<Message<P>> {
        self.bytes = 0;
        core::mem::take(&mut self.messages)
    }

    /// Bytes it takes now: EPIPE if nobody will read them, EAGAIN if it is full.
    fn room(&self, style: Style, short: bool, wanted: usize) -> SysResult<usize> {
        if self.no_read {
            return Err(Errno::EPIPE);
        }
        let room = CAPACITY.saturating_sub(self.bytes);
        match style {
            Style::Stream if room == 0 => Err(Errno::EAGAIN),
            Style::Stream => Ok(wanted.min(room)),
            _ if short && self.messages.len() > MAX_QUEUE => Err(Errno::EAGAIN),
            // An empty inbox takes any packet; else it must fit.
            _ if wanted > room && self.has_message() => Err(Errno::EAGAIN),
            _ => Ok(wanted),
        }
    }

    /// Takes a message in, or as much of it as a stream has room for.
    pub(super) fn put(
        &mut self,
        style: Style,
        short: bool,
        sender: &Arc<Address<P>>,
        from: &mut dyn Source,
        rights: &mut Vec<Arc<OpenFile<P>>>,
    ) -> SysResult<usize> {
        let room = self.room(style, short, from.remaining())?;
        let mut data = Vec::new();
        data.try_reserve_exact(room).map_err(|_| Errno::ENOBUFS)?;
        data.resize(room, 0);
        self.messages.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        let n = from.pull(&mut data)?;
        data.truncate(n);
        self.bytes += n;
        self.messages.push_back(Message { data, taken: 0, rights: core::mem::take(rights), sender: sender.clone() });
        Ok(n)
    }

    /// recv(2). A stream gives what it has before it tells of an error; packets come after it, as on Linux.
    pub(super) fn get(&mut self, style: Style, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        if style == Style::Stream && to.remaining() == 0 {
            return Ok(Received::bytes(0));
        }
        let told_first = style != Style::Stream || !self.has_message();
        if let Some(error) = self.error.take_if(|_| told_first) {
            return Err(error);
        }
        match style {
            _ if !self.has_message() && self.no_read => Ok(Received::bytes(0)),
            _ if !self.has_message() => Err(Errno::EAGAIN),
            Style::Stream => self.get_bytes(to, flags.contains(MsgFlags::PEEK)),
            _ => self.get_packet(to, flags),
        }
    }

    /// Takes bytes across message borders, but not beyond a message with descriptors (unix(7)).
    fn get_bytes(&mut self, to: &mut dyn Sink, peek: bool) -> SysResult<Received<P>> {
        let mut received = Received::bytes(0);
        let mut at = 0;
        while to.remaining() > 0 {
            let Some(message) = self.messages.get_mut(at) else { break };
            let rest = &message.data[message.taken..];
            let n = match to.push(rest) {
                Ok(n) => n,
                Err(e) if received.len == 0 => return Err(e),
                Err(_) => break,
            };
            if received.from.is_none() {
                received.from = message.from();
            }
            received.len += n;
            let whole = n == rest.len();
            received.rights = message.take_rights(peek);
            if peek {
                at += 1;
            } else {
                message.taken += n;
                self.bytes -= n;
                if whole {
                    self.messages.pop_front();
                }
            }
            if !whole || !received.rights.is_empty() {
                break;
            }
        }
        Ok(received)
    }

    fn get_packet(&mut self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        let Some(message) = self.messages.front_mut() else { return Err(Errno::EAGAIN) };
        let room = to.remaining();
        let peek = flags.contains(MsgFlags::PEEK);
        let mut received = Received::bytes(to.push(&message.data)?);
        received.from = message.from();
        received.truncated = message.data.len() > room;
        if flags.contains(MsgFlags::TRUNC) {
            received.len = message.data.len();
        }
        received.rights = message.take_rights(peek);
        if !peek {
            self.bytes -= message.data.len();
            self.messages.pop_front();
        }
        Ok(received)
    }
}

impl<P: Platform> Message<P> {
    /// Who sent it, if that has a name.
    fn from(&self) -> Option<SockAddr> {
        self.sender.get().map(SockAddr::Unix)
    }

    /// The descriptors that came with it; who only looks gets them too, and leaves them.
    fn take_rights(&mut self, peek: bool) -> Vec<Arc<OpenFile<P>>> {
        if peek { self.rights.clone() } else { core::mem::take(&mut self.rights) }
    }
}
