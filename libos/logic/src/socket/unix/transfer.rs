//! send(2), recv(2) and their relatives.

use super::role::{Peer, Role, Waiting};
use super::{State, Style, UnixSocket};
use crate::data::{Sink, Source};
use crate::file::OpenFile;
use crate::platform::Platform;
use crate::socket::{MsgFlags, Received, SockAddr};
use crate::wait::Ready;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Descriptors that one message may carry (unix(7), SCM_MAX_FD).
const MAX_RIGHTS: usize = 253;

impl<P: Platform> UnixSocket<P> {
    /// EAGAIN, EPIPE, EMSGSIZE, ENOTCONN, EISCONN, EOPNOTSUPP, ECONNREFUSED, EPERM for a receiver that hears another, ETOOMANYREFS,
    /// ENOBUFS, for a name what a look-up gives, and once what ended the connection.
    pub(super) fn do_send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        rights: &mut Vec<Arc<OpenFile<P>>>,
        flags: MsgFlags,
    ) -> SysResult<usize> {
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        if rights.len() > MAX_RIGHTS {
            return Err(Errno::ETOOMANYREFS);
        }
        let peer = self.may_send(to.is_some(), from.remaining())?;
        if from.remaining() == 0 && self.style == Style::Stream {
            return Ok(0);
        }
        let other = match (to, peer) {
            (Some(to), None) => self.names.find(to, self.style)?,
            (_, Some(Ok(peer))) => peer,
            (_, Some(Err(gone))) => return Err(self.lost(&gone)),
            (None, None) => return Err(Errno::ENOTCONN),
        };
        let n = {
            let mut theirs = other.state.lock();
            let State { inbox, role, waiting, .. } = &mut *theirs;
            let datagram = self.style == Style::Datagram;
            if datagram && !role.hears(self) {
                return Err(Errno::EPERM);
            }
            if inbox.closed {
                drop(theirs);
                return Err(self.lost(&other.this));
            }
            // Who is the peer of its peer, and who sends to itself, has no more limit than a stream.
            let short = datagram && !role.is_with(self) && self.serial != other.serial;
            match inbox.put(self.style, short, &self.address, from, rights) {
                Err(Errno::EAGAIN) if datagram => {
                    waiting.add(self)?;
                    return Err(Errno::EAGAIN);
                }
                put => put?,
            }
        };
        other.queue.notify(Ready::READABLE);
        Ok(n)
    }

    /// Whether the socket may send `len` bytes, and to whom if the message has no address of its own: the peer, or what is left of it.
    fn may_send(&self, addressed: bool, len: usize) -> SysResult<Option<Result<Arc<Self>, Weak<Self>>>> {
        let mut own = self.state.lock();
        // As on Linux, SOCK_SEQPACKET does not look at an address.
        let elsewhere = addressed && self.style == Style::Datagram;
        match own.role.peer() {
            Some(_) if addressed && self.style == Style::Stream => return Err(Errno::EISCONN),
            None if addressed && self.style == Style::Stream => return Err(Errno::EOPNOTSUPP),
            None if !elsewhere => return Err(Errno::ENOTCONN),
            _ => {}
        }
        own.inbox.may_send(self.style, len)?;
        let peer = own.role.peer().filter(|_| !elsewhere);
        Ok(peer.map(|peer| peer.socket.upgrade().ok_or_else(|| peer.socket.clone())))
    }

    /// The error for a peer that is closed. A datagram socket is connected to it no more.
    fn lost(&self, peer: &Weak<Self>) -> Errno {
        if self.style != Style::Datagram {
            return Errno::EPIPE;
        }
        let old = {
            let mut own = self.state.lock();
            let is_it = own.role.peer().is_some_and(|own| own.socket.ptr_eq(peer));
            if is_it { core::mem::replace(&mut own.role, Role::Idle) } else { Role::Idle }
        };
        if let Role::Connected(old) = old {
            self.forget(&old);
        }
        Errno::ECONNREFUSED
    }

    /// EAGAIN; EINVAL (ENOTCONN for packets) for a connection that is none; once what ended the connection.
    pub(super) fn do_recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        let peek = flags.contains(MsgFlags::PEEK);
        let (received, waiting, peer): (_, _, Option<Arc<Self>>) = {
            let mut own = self.state.lock();
            let State { inbox, role, waiting, .. } = &mut *own;
            match (self.style, role.peer()) {
                (Style::Datagram, _) | (_, Some(_)) => {}
                (Style::Stream, None) => return Err(Errno::EINVAL),
                (Style::SeqPacket, None) => return Err(Errno::ENOTCONN),
            }
            let received = inbox.get(self.style, to, flags)?;
            let waiting = if peek { Waiting::new() } else { waiting.take() };
            (received, waiting, role.peer().filter(|_| !peek).and_then(Peer::upgrade))
        };
        if let Some(peer) = peer {
            peer.queue.notify(Ready::WRITABLE);
        }
        waiting.notify();
        Ok(received)
    }

    /// Whether a send without an address would find room; if not, who makes room tells it.
    pub(super) fn has_room(&self, peer: Option<Arc<Self>>) -> bool {
        let Some(peer) = peer else { return true };
        let mut theirs = peer.state.lock();
        let State { inbox, role, waiting, .. } = &mut *theirs;
        let datagram = self.style == Style::Datagram;
        let short = datagram && !role.is_with(self) && self.serial != peer.serial;
        let room = inbox.no_read || inbox.has_room(short);
        // Without memory for the note, better a writer that is sent away than one that is forgotten.
        room || (datagram && waiting.add(self).is_err())
    }
}
