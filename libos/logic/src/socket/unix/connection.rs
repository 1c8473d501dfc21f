//! listen(2), accept(2), connect(2), and the end of it all.

use super::names::Address;
use super::role::{Backlog, Peer, Role};
use super::{State, Style, UnixSocket};
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::socket::{Shutdown, SockAddr};
use crate::sync::Guard;
use crate::wait::Ready;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use trapless_abi::{Errno, SysResult};

impl<P: Platform> UnixSocket<P> {
    /// The states of two sockets, always locked in the same order.
    fn lock_both<'a>(&'a self, other: &'a Self) -> (Guard<'a, P, State<P>>, Guard<'a, P, State<P>>) {
        if self.serial < other.serial || mutant("unix_locks_own_first") {
            let own = self.state.lock();
            (own, other.state.lock())
        } else {
            let theirs = other.state.lock();
            (self.state.lock(), theirs)
        }
    }

    /// EOPNOTSUPP for datagrams; EINVAL without a name, and once connected.
    pub(super) fn do_listen(&self, limit: usize) -> SysResult<()> {
        if self.style == Style::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        if self.address.get().is_none() {
            return Err(Errno::EINVAL);
        }
        let waiting = {
            let mut own = self.state.lock();
            match &mut own.role {
                Role::Idle => own.role = Role::Listening(Backlog::new(limit)),
                Role::Listening(backlog) => backlog.limit = limit,
                Role::Connected(_) => return Err(Errno::EINVAL),
            }
            own.waiting.take()
        };
        // The new limit may be higher.
        waiting.notify();
        Ok(())
    }

    /// EAGAIN; EINVAL unless it listens, and after shutdown(2); EOPNOTSUPP for datagrams.
    pub(super) fn do_accept(&self) -> SysResult<Arc<Self>> {
        if self.style == Style::Datagram {
            return Err(Errno::EOPNOTSUPP);
        }
        let (connection, waiting) = {
            let mut own = self.state.lock();
            let State { inbox, role, waiting, .. } = &mut *own;
            let Role::Listening(backlog) = role else { return Err(Errno::EINVAL) };
            let none = if inbox.no_read { Errno::EINVAL } else { Errno::EAGAIN };
            (backlog.queue.pop_front().ok_or(none)?, waiting.take())
        };
        waiting.notify();
        Ok(connection)
    }

    /// Ok once connected, which needs nobody to accept; EAGAIN if the backlog is full. ECONNREFUSED, EPROTOTYPE, EISCONN, EINVAL for
    /// a socket that listens, ENOBUFS, and the errors of a walk.
    pub(super) fn connect_for_good(&self, to: &SockAddr) -> SysResult<()> {
        let listener = self.names.find(to, self.style)?;
        if listener.serial == self.serial {
            let listens = matches!(self.state.lock().role, Role::Listening(_));
            return Err(if listens { Errno::EINVAL } else { Errno::ECONNREFUSED });
        }
        let address = Address::new(listener.address.get());
        let connection = Self::make(self.names.clone(), self.style, address, Role::Connected(Peer::of(self)));
        {
            let (mut own, mut theirs) = self.lock_both(&listener);
            let State { inbox, role, waiting, .. } = &mut *theirs;
            let backlog = match role {
                Role::Listening(backlog) if !inbox.no_read => backlog,
                _ => return Err(Errno::ECONNREFUSED),
            };
            if backlog.is_full() {
                if mutant("unix_connect_notes_late") {
                    drop((own, theirs));
                    listener.state.lock().waiting.add(self)?;
                } else {
                    waiting.add(self)?;
                }
                return Err(Errno::EAGAIN);
            }
            match own.role {
                Role::Idle => {}
                Role::Connected(_) => return Err(Errno::EISCONN),
                Role::Listening(_) => return Err(Errno::EINVAL),
            }
            backlog.queue.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
            own.role = Role::Connected(Peer::of(&connection));
            backlog.queue.push_back(connection);
        }
        listener.queue.notify(Ready::READABLE);
        Ok(())
    }

    /// Where the datagrams of this socket go by default, and whose it takes; [`SockAddr::Unspecified`] dissolves that. EPERM for one
    /// that is connected elsewhere, ECONNREFUSED, EPROTOTYPE, EINVAL, and the errors of a walk.
    pub(super) fn connect_by_default(&self, to: &SockAddr) -> SysResult<()> {
        let new = match to {
            SockAddr::Unspecified => Role::Idle,
            to => {
                let other = self.names.find(to, self.style)?;
                if !other.state.lock().role.hears(self) {
                    return Err(Errno::EPERM);
                }
                Role::Connected(Peer::of(&other))
            }
        };
        let kept = new.peer().map(|peer| peer.socket.clone());
        let old = core::mem::replace(&mut self.state.lock().role, new);
        if let Role::Connected(old) = old
            && !kept.is_some_and(|kept| kept.ptr_eq(&old.socket))
        {
            self.forget(&old);
        }
        self.queue.notify(Ready::WRITABLE);
        Ok(())
    }

    /// What follows when a datagram socket has left its peer: what came and was not read is lost, and a peer that still is connected
    /// to it is told so.
    pub(super) fn forget(&self, old: &Peer<P>) {
        let (unread, waiting) = {
            let mut own = self.state.lock();
            (own.inbox.clear(), own.waiting.take())
        };
        waiting.notify();
        if unread.is_empty() {
            return;
        }
        drop(unread);
        let Some(old) = old.socket.upgrade() else { return };
        {
            let mut theirs = old.state.lock();
            if theirs.inbox.closed || !theirs.role.is_with(self) {
                return;
            }
            theirs.inbox.error = Some(Errno::ECONNRESET);
        }
        old.queue.notify(Ready::all());
    }

    /// shutdown(2): the peer of a connection finds the other half ended.
    pub(super) fn do_shutdown(&self, how: Shutdown) {
        let (read, write) = (how != Shutdown::Write, how != Shutdown::Read);
        let (peer, waiting) = {
            let mut own = self.state.lock();
            own.inbox.no_read |= read;
            own.inbox.no_write |= write;
            (own.role.peer().and_then(Peer::upgrade), own.waiting.take())
        };
        if let Some(peer) = peer {
            if self.style != Style::Datagram {
                let inbox = &mut peer.state.lock().inbox;
                inbox.no_read |= write;
                inbox.no_write |= read;
            }
            peer.queue.notify(Ready::all());
        }
        self.queue.notify(Ready::all());
        waiting.notify();
    }

    /// Ends it, for its peer too if they are a connection: the peer finds that reset if something was left unread, or if `reset`.
    pub(super) fn end(&self, reset: bool) {
        let (unread, connections, waiting, peer) = {
            let mut own = self.state.lock();
            (own.inbox.no_read, own.inbox.no_write, own.inbox.closed) = (true, true, true);
            let connections = match &mut own.role {
                Role::Listening(backlog) => core::mem::take(&mut backlog.queue),
                _ => VecDeque::new(),
            };
            let peer = own.role.peer().and_then(Peer::upgrade);
            (own.inbox.clear(), connections, own.waiting.take(), peer)
        };
        let reset = reset || !unread.is_empty();
        drop(unread);
        if let Some(peer) = peer {
            if self.style != Style::Datagram {
                let inbox = &mut peer.state.lock().inbox;
                (inbox.no_read, inbox.no_write) = (true, true);
                if reset {
                    inbox.error = Some(Errno::ECONNRESET);
                }
            }
            peer.queue.notify(Ready::all());
        }
        self.queue.notify(Ready::all());
        // They look again, and find nobody.
        waiting.notify();
        for connection in connections {
            connection.end(true);
        }
    }
}
