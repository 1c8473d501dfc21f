//! What an AF_UNIX socket is to others.

use super::UnixSocket;
use super::names::Address;
use crate::platform::Platform;
use crate::wait::Ready;
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// What a socket has become.
pub(super) enum Role<P: Platform> {
    /// Neither listening nor connected.
    Idle,
    /// listen(2).
    Listening(Backlog<P>),
    /// It has a peer.
    Connected(Peer<P>),
}

impl<P: Platform> Role<P> {
    pub(super) fn peer(&self) -> Option<&Peer<P>> {
        if let Self::Connected(peer) = self { Some(peer) } else { None }
    }

    /// Whether `socket` is the peer.
    pub(super) fn is_with(&self, socket: &UnixSocket<P>) -> bool {
        self.peer().is_some_and(|peer| peer.socket.ptr_eq(&socket.this))
    }

    /// Whether a datagram of `socket` is welcome: whoever is connected hears its peer only.
    pub(super) fn hears(&self, socket: &UnixSocket<P>) -> bool {
        self.peer().is_none() || self.is_with(socket)
    }
}

/// The other end.
pub(super) struct Peer<P: Platform> {
    /// Nobody once it is closed.
    pub(super) socket: Weak<UnixSocket<P>>,
    /// Its name, which outlives it.
    pub(super) address: Arc<Address<P>>,
}

impl<P: Platform> Peer<P> {
    pub(super) fn of(socket: &UnixSocket<P>) -> Self {
        Self { socket: socket.this.clone(), address: socket.address.clone() }
    }

    pub(super) fn upgrade(&self) -> Option<Arc<UnixSocket<P>>> {
        self.socket.upgrade()
    }
}

/// Connections that wait to be accepted.
pub(super) struct Backlog<P: Platform> {
    /// As listen(2) was told; one more fits in.
    pub(super) limit: usize,
    pub(super) queue: VecDeque<Arc<UnixSocket<P>>>,
}

impl<P: Platform> Backlog<P> {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, queue: VecDeque::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.queue.len() > self.limit
    }
}

/// Sockets that found no room in another: whoever makes room tells them (INV-UNIX-1).
///
/// A thread that sleeps waits in the queue of the socket it called. So it is told there, and tries again.
pub(super) struct Waiting<P: Platform> {
    list: Vec<Weak<UnixSocket<P>>>,
}

impl<P: Platform> Waiting<P> {
    pub(super) const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Notes a socket, under the lock under which there was no room. ENOBUFS.
    pub(super) fn add(&mut self, socket: &UnixSocket<P>) -> SysResult<()> {
        // Nobody else clears up after those that were closed meanwhile.
        self.list.retain(|waiting| waiting.strong_count() > 0);
        if self.list.iter().any(|waiting| waiting.ptr_eq(&socket.this)) {
            return Ok(());
        }
        self.list.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        self.list.push(socket.this.clone());
        Ok(())
    }

    /// All of them, to be told without the lock.
    pub(super) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::new())
    }

    /// Tells them that there is room.
    pub(super) fn notify(self) {
        for socket in self.list.iter().filter_map(Weak::upgrade) {
            socket.queue.notify(Ready::WRITABLE);
        }
    }
}
