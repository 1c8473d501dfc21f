//! Incoming connections before accept(2): listeners, their backlogs, and sockets made when a SYN comes.

use super::address::{Family, Local};
use super::conn::{Conn, Owner, new_tcp_socket};
use super::flow::{Flow, Kind, Segment};
use super::link::LOOPBACK;
use super::ports::{Binding, Sharing};
use super::stack::Inner;
use super::table::ConnId;
use crate::platform::{Platform, Supply};
use crate::time;
use alloc::collections::{BTreeSet, VecDeque};
use core::ops::RangeInclusive;
use core::task::Waker;
use smoltcp::socket::tcp;
use smoltcp::wire::{IpEndpoint, IpListenEndpoint};
use trapless_abi::{Errno, SysResult};

/// Half-open connections that a listener may have beside those that wait for accept(2), as in Linux (tcp(7), tcp_max_syn_backlog).
/// Of more the oldest is forgotten, so that SYNs whose senders never answer (RFC 4987) keep out nobody who answers sooner than so many
/// others come.
const MAX_HALF_OPEN: usize = 512;
/// Connections that may be complete at once, however short the backlog: it must not make clients wait that the program could serve.
const MAX_BURST: usize = 64;
/// Connections there may be, however scarce memory is.
const ALWAYS: usize = 64;

/// What a listener listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ListenKey {
    port: u16,
    local: Local,
    /// Its number among those that divide what comes between them (SO_REUSEPORT).
    member: u32,
}

impl ListenKey {
    /// All that listen on the port of these addresses.
    const fn all(port: u16, local: Local) -> RangeInclusive<Self> {
        Self { port, local, member: 0 }..=Self { port, local, member: u32::MAX }
    }
}

/// When a connection began to open, which tells its place among the half-open ones.
pub(super) type Opened = time::Instant;

/// A listening socket as the stack knows it.
pub(super) struct Listener {
    /// Complete connections that may wait for accept(2) before new ones are turned away.
    pub(super) backlog: usize,
    /// SO_BINDTODEVICE: the index of the only interface that connections come by; 0: all.
    pub(super) device: u32,
    /// Connections whose handshake goes on, oldest first.
    pub(super) half_open: BTreeSet<(Opened, ConnId)>,
    /// Complete connections, oldest first. INV-NET-3: whoever adds one wakes.
    pub(super) complete: VecDeque<ConnId>,
    /// With whom it shares the port; its connections do with the listener of a later start.
    pub(super) sharing: Sharing,
    pub(super) waker: Waker,
}

/// Where a segment goes.
pub(super) enum Verdict {
    /// To this connection.
    To(ConnId),
    /// To no connection: smoltcp answers with a reset.
    Nobody,
    /// Nowhere. A new connection that has no room in the backlog or in memory: the client will ask again.
    Drop,
}

/// What a reset means to a connection in this state.
pub(super) fn reset_error(state: tcp::State) -> Errno {
    match state {
        tcp::State::SynSent => Errno::ECONNREFUSED,
        tcp::State::CloseWait => Errno::EPIPE,
        _ => Errno::ECONNRESET,
    }
}

impl<P: Platform> Inner<P> {
    /// Where a segment goes; makes a socket for a connection that a listener waits for.
    pub(super) fn judge(&mut self, &Segment { flow, kind, .. }: &Segment) -> Verdict {
        match self.table.find(&flow) {
            // The client uses the port of a finished connection again.
            Some(old) if kind == Kind::Opening && self.forget_finished(old) => {}
            Some(id) => return Verdict::To(id),
            None => {}
        }
        if kind != Kind::Opening {
            return Verdict::Nobody;
        }
        let Some(key) = self.listener_for(&flow) else { return Verdict::Nobody };
        self.admit(key, flow).map_or(Verdict::Drop, Verdict::To)
    }

    /// What listens on a port of one of the host's addresses, for the connection with these ends.
    fn listener_for(&self, flow: &Flow) -> Option<ListenKey> {
        let IpEndpoint { addr, port } = flow.local;
        if !self.is_own(addr) {
            return None;
        }
        let all = [Family::Inet, Family::Inet6, Family::Inet6Only].into_iter().filter(|family| family.speaks(addr));
        let heard = |device: u32| match device {
            0 => true,
            LOOPBACK => self.is_own(flow.remote.addr),
            index => index == self.link.index() && !self.is_own(flow.remote.addr),
        };
        let mut locals = [Local::One(addr)].into_iter().chain(all.map(Local::All));
        locals.find_map(|local| {
            let all = || self.listeners.range(ListenKey::all(port, local));
            let members = || all().filter(|(_, listener)| heard(listener.device)).map(|(key, _)| *key);
            match members().count() {
                0 | 1 => members().next(),
                count => members().nth((self.table.spread(flow) % count as u64) as usize),
            }
        })
    }

    fn admit(&mut self, key: ListenKey, flow: Flow) -> SysResult<ConnId> {
        self.room_for_one()?;
        if P::memory() > Supply::Ample && self.table.len() >= ALWAYS {
            return Err(Errno::ENOBUFS);
        }
        let listener = self.listeners.get_mut(&key).ok_or(Errno::EINVAL)?;
        if listener.complete.len() >= listener.backlog {
            return Err(Errno::ENOBUFS);
        }
        let crowd = listener.backlog.max(MAX_HALF_OPEN);
        let oldest = if listener.half_open.len() >= crowd { listener.half_open.pop_first() } else { None };
        if let Some((_, oldest)) = oldest {
            self.remove_tcp(oldest);
        }
        let listener = self.listeners.get_mut(&key).ok_or(Errno::EINVAL)?;
        // Each half-open one may come to wait there.
        listener.complete.try_reserve(listener.half_open.len() + 1).map_err(|_| Errno::ENOBUFS)?;
        let (mut socket, buffers) = new_tcp_socket::<P>()?;
        let local = IpListenEndpoint { addr: Some(flow.local.addr), port: flow.local.port };
        socket.listen(local).map_err(|_| Errno::EINVAL)?;
        let binding = Binding { port: key.port, local: Local::One(flow.local.addr), sharing: listener.sharing };
        let binding = self.tcp_ports.share(binding)?;
        let opened = P::now();
        let id = self.add_tcp((socket, buffers), flow, binding, Owner::Listener(key, opened));
        if let Some(listener) = self.listeners.get_mut(&key) {
            listener.half_open.insert((opened, id));
        }
        Ok(id)
    }

    /// Whether a half-open connection must not become complete yet. As in Linux the client's ACK is not heard then; the SYN/ACK is sent
    /// again, and the client acknowledges it again.
    pub(super) fn must_wait(&self, conn: &Conn) -> bool {
        let Owner::Listener(key, _) = conn.owner else { return false };
        let full = |listener: &Listener| listener.complete.len() >= listener.backlog.max(MAX_BURST);
        self.listeners.get(&key).is_some_and(full)
    }

    /// Draws the consequences of what has become of a connection that waits for accept(2).
    pub(super) fn settle_waiting(&mut self, id: ConnId, key: ListenKey, opened: Opened, state: tcp::State) {
        let Some(listener) = self.listeners.get_mut(&key) else { return };
        match state {
            tcp::State::SynReceived => {}
            // It was reset, it never completed, or smoltcp did not take the SYN (a bad checksum, say). That socket must not stay: it
            // would take any other SYN.
            tcp::State::Closed | tcp::State::Listen => {
                if !listener.half_open.remove(&(opened, id)) {
                    listener.complete.retain(|&other| other != id);
                }
                self.remove_tcp(id);
            }
            _ => {
                if listener.half_open.remove(&(opened, id)) {
                    listener.complete.push_back(id);
                    listener.waker.wake_by_ref();
                }
            }
        }
    }

    /// listen(2) on a bound port. EADDRINUSE.
    pub(super) fn listen(&mut self, Binding { port, local, .. }: Binding, listener: Listener) -> SysResult<ListenKey> {
        if self.listened(port, local, listener.sharing) {
            return Err(Errno::EADDRINUSE);
        }
        let mut keys = (0..).map(|member| ListenKey { port, local, member });
        let key = keys.find(|key| !self.listeners.contains_key(key)).ok_or(Errno::EADDRINUSE)?;
        self.listeners.insert(key, listener);
        Ok(key)
    }

    /// Whether somebody listens where a socket with this port and these addresses would, who does not share the port with it.
    pub(super) fn listened(&self, port: u16, local: Local, sharing: Sharing) -> bool {
        let from = self.listeners.range(ListenKey { port, local: Local::All(Family::Inet), member: 0 }..);
        let mut others = from.take_while(|(key, _)| key.port == port).filter(|(key, _)| key.local.overlaps(local));
        others.any(|(_, other)| !(other.sharing.port && sharing.port))
    }

    /// A connection that is complete, for accept(2). EAGAIN, EINVAL if nobody listens there.
    pub(super) fn accept(&mut self, key: ListenKey) -> SysResult<ConnId> {
        let listener = self.listeners.get_mut(&key).ok_or(Errno::EINVAL)?;
        let id = listener.complete.pop_front().ok_or(Errno::EAGAIN)?;
        if let Some((_, conn)) = self.both(id) {
            conn.owner = Owner::Program;
        }
        Ok(id)
    }

    /// Whether [`Inner::accept`] would find a connection.
    pub(super) fn acceptable(&self, key: ListenKey) -> bool {
        self.listeners.get(&key).is_some_and(|listener| !listener.complete.is_empty())
    }

    /// Ends a listener: connections nobody accepted are reset.
    pub(super) fn unlisten(&mut self, key: ListenKey) {
        let Some(listener) = self.listeners.remove(&key) else { return };
        let half_open = listener.half_open.into_iter().map(|(_, id)| id);
        for id in half_open.chain(listener.complete) {
            self.abort(id);
            self.bury(id);
        }
    }
}
