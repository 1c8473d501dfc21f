//! Incoming connections before accept(2): listeners, their backlogs, and sockets made when a SYN comes.

use super::address::{Family, Local};
use super::conn::{Conn, Owner, new_tcp_socket};
use super::flow::{Flow, Kind, Segment};
use super::link::LOOPBACK;
use super::ports::{Binding, Ports, Sharing};
use super::shards::NetStack;
use super::stack::Inner;
use super::steering::ShardId;
use super::table::{ConnId, Entry};
use crate::platform::{Platform, Supply};
use crate::time;
use alloc::collections::{BTreeMap, VecDeque};
use core::ops::RangeInclusive;
use core::task::Waker;
use smoltcp::socket::tcp;
use smoltcp::wire::{IpAddress, IpEndpoint, IpListenEndpoint};
use trapless_abi::{Errno, SysResult};

/// Half-open connections that a listener may have beside those that wait for accept(2), as in Linux (tcp(7), tcp_max_syn_backlog).
/// Of more the oldest is forgotten, so that SYNs whose senders never answer (RFC 4987) keep out nobody who answers sooner than so many
/// others come.
const MAX_HALF_OPEN: usize = 512;
/// Connections that may be complete at once, however short the backlog: it must not make clients wait that the program could serve.
const MAX_BURST: usize = 64;
/// Connections there may be, on all shards, however scarce memory is.
const ALWAYS: usize = 64;

/// What a listener listens on. No two have the same one, even one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ListenKey {
    port: u16,
    local: Local,
    /// Its number among those that divide what comes between them (SO_REUSEPORT).
    member: u64,
}

impl ListenKey {
    /// All that listen on the port of these addresses.
    const fn all(port: u16, local: Local) -> RangeInclusive<Self> {
        Self { port, local, member: 0 }..=Self { port, local, member: u64::MAX }
    }
}

/// When a connection began to open, which tells its place among the half-open ones.
pub(super) type Opened = time::Instant;

/// A half-open connection: whose it is, since when, and which.
pub(super) type HalfOpen = (ListenKey, Opened, ConnId);

/// A listening socket as the stack knows it.
pub(super) struct Listener {
    /// Complete connections that may wait for accept(2) before new ones are turned away.
    pub(super) backlog: usize,
    /// SO_BINDTODEVICE: the index of the only interface that connections come by; 0: all.
    pub(super) device: u32,
    /// Connections whose handshake goes on.
    pub(super) half_open: usize,
    /// Complete connections, oldest first. INV-NET-3: whoever adds one wakes.
    pub(super) complete: VecDeque<(ShardId, ConnId)>,
    /// With whom it shares the port; its connections do with the listener of a later start.
    pub(super) sharing: Sharing,
    pub(super) waker: Waker,
}

impl Listener {
    /// One without connections.
    pub(super) const fn new(backlog: usize, device: u32, sharing: Sharing, waker: Waker) -> Self {
        Self { backlog, device, half_open: 0, complete: VecDeque::new(), sharing, waker }
    }
}

/// Who has which port of TCP, and what comes to it.
pub(super) struct Names {
    pub(super) ports: Ports,
    pub(super) listeners: BTreeMap<ListenKey, Listener>,
    /// Listeners so far.
    started: u64,
}

impl Names {
    /// Nothing is taken.
    pub(super) fn new<P: Platform>() -> Self {
        Self { ports: Ports::new::<P>(), listeners: BTreeMap::new(), started: 0 }
    }

    /// bind(2). EADDRINUSE, ENOBUFS.
    pub(super) fn bind(&mut self, port: u16, local: Local, sharing: Sharing) -> SysResult<Binding> {
        if self.listened(port, local, sharing) {
            return Err(Errno::EADDRINUSE);
        }
        self.ports.take(port, local, sharing)
    }

    /// listen(2) on a bound port. EADDRINUSE.
    pub(super) fn listen(&mut self, Binding { port, local, .. }: Binding, listener: Listener) -> SysResult<ListenKey> {
        if self.listened(port, local, listener.sharing) {
            return Err(Errno::EADDRINUSE);
        }
        self.started += 1;
        let key = ListenKey { port, local, member: self.started };
        self.listeners.insert(key, listener);
        Ok(key)
    }

    /// Whether somebody listens where a socket with this port and these addresses would, who does not share the port with it.
    fn listened(&self, port: u16, local: Local, sharing: Sharing) -> bool {
        let from = self.listeners.range(ListenKey { port, local: Local::All(Family::Inet), member: 0 }..);
        let mut others = from.take_while(|(key, _)| key.port == port).filter(|(key, _)| key.local.overlaps(local));
        others.any(|(_, other)| !(other.sharing.port && sharing.port))
    }

    /// Whether accept(2) would find a connection.
    pub(super) fn acceptable(&self, key: ListenKey) -> bool {
        self.listeners.get(&key).is_some_and(|listener| !listener.complete.is_empty())
    }

    /// The shard of the connection that has been complete for longest. EAGAIN, EINVAL if nobody listens there.
    pub(super) fn first(&self, key: ListenKey) -> SysResult<ShardId> {
        let listener = self.listeners.get(&key).ok_or(Errno::EINVAL)?;
        listener.complete.front().map(|&(shard, _)| shard).ok_or(Errno::EAGAIN)
    }

    /// Takes that connection, if it is of this shard.
    fn take_first(&mut self, key: ListenKey, shard: ShardId) -> Option<ConnId> {
        let complete = &mut self.listeners.get_mut(&key)?.complete;
        let &(_, id) = complete.front().filter(|(of, _)| *of == shard)?;
        complete.pop_front();
        Some(id)
    }

    /// Whether a listener has as many half-open connections as it may have. EINVAL if nobody listens there, ENOBUFS if as many wait for
    /// accept(2) as may.
    fn is_crowded(&self, key: ListenKey) -> SysResult<bool> {
        let listener = self.listeners.get(&key).ok_or(Errno::EINVAL)?;
        if listener.complete.len() >= listener.backlog {
            return Err(Errno::ENOBUFS);
        }
        Ok(listener.half_open >= listener.backlog.max(MAX_HALF_OPEN))
    }

    /// A listener gets another half-open connection to this address: its port. EINVAL, ENOBUFS.
    fn begin(&mut self, key: ListenKey, own: IpAddress) -> SysResult<Binding> {
        let listener = self.listeners.get_mut(&key).ok_or(Errno::EINVAL)?;
        // Each half-open one may come to wait there.
        listener.complete.try_reserve(listener.half_open + 1).map_err(|_| Errno::ENOBUFS)?;
        let binding = Binding { port: key.port, local: Local::One(own), sharing: listener.sharing };
        let binding = self.ports.share(binding)?;
        listener.half_open += 1;
        Ok(binding)
    }
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
        let names = self.shared.names.lock();
        locals.find_map(|local| {
            let all = || names.listeners.range(ListenKey::all(port, local));
            let members = || all().filter(|(_, listener)| heard(listener.device)).map(|(key, _)| *key);
            match members().count() {
                0 | 1 => members().next(),
                count => members().nth((self.table.spread(flow) % count as u64) as usize),
            }
        })
    }

    fn admit(&mut self, key: ListenKey, flow: Flow) -> SysResult<ConnId> {
        self.room_for_one()?;
        if P::memory() > Supply::Ample && self.table.len() >= self.shared.part(ALWAYS) {
            return Err(Errno::ENOBUFS);
        }
        let crowded = self.shared.names.lock().is_crowded(key)?;
        if crowded {
            // When all of them are other shards' the client asks again.
            let oldest = self.oldest_half_open(key).ok_or(Errno::ENOBUFS)?;
            self.remove_waiting(oldest);
        }
        let (mut socket, buffers) = new_tcp_socket::<P>()?;
        let local = IpListenEndpoint { addr: Some(flow.local.addr), port: flow.local.port };
        socket.listen(local).map_err(|_| Errno::EINVAL)?;
        let binding = self.shared.names.lock().begin(key, flow.local.addr)?;
        let opened = P::now();
        let id = self.add_tcp((socket, buffers), flow, binding, Owner::Listener(key, opened));
        self.half_open.insert((key, opened, id));
        Ok(id)
    }

    /// The oldest of a listener's half-open connections on this shard.
    fn oldest_half_open(&self, key: ListenKey) -> Option<HalfOpen> {
        self.half_open.range((key, Opened::ZERO, 0)..).next().copied().filter(|(of, ..)| *of == key)
    }

    /// Forgets a connection that waits for the end of the handshake or for accept(2).
    fn remove_waiting(&mut self, waiting: HalfOpen) {
        let (key, _, id) = waiting;
        let (own, half_open) = ((self.number, id), self.half_open.remove(&waiting));
        match self.shared.names.lock().listeners.get_mut(&key) {
            Some(listener) if half_open => listener.half_open -= 1,
            Some(listener) => listener.complete.retain(|&other| other != own),
            None => {}
        }
        self.remove_tcp(id);
    }

    /// Whether a half-open connection must not become complete yet. As in Linux the client's ACK is not heard then; the SYN/ACK is sent
    /// again, and the client acknowledges it again.
    pub(super) fn must_wait(&self, conn: &Conn) -> bool {
        let Owner::Listener(key, _) = conn.owner else { return false };
        let full = |listener: &Listener| listener.complete.len() >= listener.backlog.max(MAX_BURST);
        self.shared.names.lock().listeners.get(&key).is_some_and(full)
    }

    /// Draws the consequences of what has become of a connection that waits for accept(2).
    pub(super) fn settle_waiting(&mut self, id: ConnId, key: ListenKey, opened: Opened, state: tcp::State) {
        match state {
            tcp::State::SynReceived => {}
            // It was reset, it never completed, or smoltcp did not take the SYN (a bad checksum, say). That socket must not stay: it
            // would take any other SYN.
            tcp::State::Closed | tcp::State::Listen => {
                self.remove_waiting((key, opened, id));
            }
            _ if self.half_open.contains(&(key, opened, id)) => {
                // Else who has closed the listener is about to end it.
                if let Some(listener) = self.shared.names.lock().listeners.get_mut(&key) {
                    self.half_open.remove(&(key, opened, id));
                    listener.half_open -= 1;
                    listener.complete.push_back((self.number, id));
                    listener.waker.wake_by_ref();
                }
            }
            _ => {}
        }
    }

    /// Takes the connection that has been complete for longest, for accept(2), if it is of this shard.
    pub(super) fn accept(&mut self, key: ListenKey) -> Option<ConnId> {
        let id = self.shared.names.lock().take_first(key, self.number)?;
        if let Some((_, conn)) = self.both(id) {
            conn.owner = Owner::Program;
        }
        Some(id)
    }

    /// Resets connections of a listener that is gone: the half-open ones, and of those that were complete then this shard's.
    pub(super) fn forsake(&mut self, key: ListenKey, complete: &VecDeque<(ShardId, ConnId)>) {
        let number = self.number;
        while let Some(half_open) = self.oldest_half_open(key) {
            self.half_open.remove(&half_open);
            self.abort(half_open.2);
            self.bury(half_open.2);
        }
        for &(_, id) in complete.iter().filter(|(shard, _)| *shard == number) {
            // It may have ended meanwhile.
            let waits = |entry: &Entry| matches!(entry.conn.owner, Owner::Listener(of, _) if of == key);
            if self.table.get(id).is_some_and(waits) {
                self.abort(id);
                self.bury(id);
            }
        }
    }
}

impl<P: Platform> NetStack<P> {
    /// Has `f` take the connection that has been complete for longest, for accept(2). EAGAIN, EINVAL if nobody listens there.
    pub(super) fn accept<R>(&self, key: ListenKey, f: impl Fn(&mut Inner<P>, ConnId) -> SysResult<R>) -> SysResult<R> {
        loop {
            let shard = self.shared.names.lock().first(key)?;
            // Another thread may have been quicker.
            let accepted = self.on(shard).look(|inner| inner.accept(key).map(|id| f(inner, id)));
            if let Some(result) = accepted {
                return result;
            }
        }
    }

    /// Ends a listener: connections nobody accepted are reset.
    pub(super) fn unlisten(&self, key: ListenKey) {
        let Some(listener) = self.shared.names.lock().listeners.remove(&key) else { return };
        (0..self.shared.shards).for_each(|shard| self.on(shard).with(|inner| inner.forsake(key, &listener.complete)));
    }
}
