//! How a TCP socket gets a name and a connection: bind(2), listen(2), accept(2), connect(2).

use super::{Core, Open, Phase, TcpSocket};
use crate::net::address::{Local, resolve, scope};
use crate::net::admission::Listener;
use crate::net::conn::{Owner, new_tcp_socket};
use crate::net::flow::Flow;
use crate::net::link::LinkId;
use crate::net::options::Options;
use crate::net::ports::{Binding, Sharing};
use crate::net::shards::NetStack;
use crate::net::stack::Inner;
use crate::net::table::ConnId;
use crate::net::way::Wish;
use crate::platform::{Platform, Supply};
use crate::socket::SockAddr;
use crate::wait::Ready;
use alloc::sync::Arc;
use smoltcp::wire::{IpAddress, IpEndpoint, IpListenEndpoint};
use trapless_abi::{Errno, SysResult};

/// Connections that may wait for accept(2), at most (listen(2), somaxconn).
const MAX_BACKLOG: usize = 4096;

impl<P: Platform> Inner<P> {
    /// By which link a connection goes to a peer, and its address here unless the socket has one. ENETUNREACH, ENODEV.
    fn way_to(&self, peer: IpEndpoint, wish: Wish) -> SysResult<(LinkId, IpAddress)> {
        let link = self.way(peer.addr, wish)?;
        let source = self.source_for(link, peer.addr)?;
        if peer.addr.is_multicast() || self.is_broadcast(peer.addr) {
            return Err(Errno::ENETUNREACH);
        }
        Ok((link, source))
    }

    /// Starts a connection of this shard's, which takes the binding over. ENOBUFS, EADDRNOTAVAIL.
    fn begin_tcp(&mut self, link: LinkId, flow: Flow, binding: Binding, options: &Options) -> SysResult<ConnId> {
        self.room_for_one()?;
        if P::memory() == Supply::Short {
            return Err(Errno::ENOBUFS);
        }
        self.turn(link);
        let (mut socket, buffers) = new_tcp_socket::<P>()?;
        let from = IpListenEndpoint { addr: Some(flow.local.addr), port: flow.local.port };
        let fresh = self.table.find(&flow).is_none();
        if !fresh || socket.connect(self.link.iface.context(), flow.remote, from).is_err() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let id = self.add_tcp((socket, buffers), flow, binding, Owner::Program);
        self.apply(id, options);
        Ok(id)
    }
}

impl<P: Platform> NetStack<P> {
    /// Starts a connection from the binding, which it takes over, or from a free port.
    fn connect_tcp(
        &self,
        (to, interface): (IpEndpoint, u32),
        bound: &mut Option<Binding>,
        options: &Options,
    ) -> SysResult<Open> {
        let peer = resolve(to);
        let own = bound.and_then(|binding| binding.local.one());
        let (link, source) = self.look(|inner| inner.way_to(peer, Wish { interface, source: own }))?;
        if peer.port == 0 {
            return Err(Errno::ECONNREFUSED);
        }
        let address = own.unwrap_or(source);
        if address.version() != peer.addr.version() {
            return Err(Errno::EINVAL);
        }
        let binding = match *bound {
            Some(binding) => binding,
            None => self.shared.names.lock().ports.take(0, Local::All(options.family), options.sharing())?,
        };
        let local = IpEndpoint::new(address, binding.port);
        let flow = Flow { local, remote: peer };
        let shard = self.shared.shard_of(&flow);
        let begun = self.on(shard).with(|inner| inner.begin_tcp(link, flow, binding, options));
        if begun.is_err() && bound.is_none() {
            self.shared.names.lock().ports.give(binding);
        }
        let id = begun?;
        *bound = None;
        Ok(Open { shard, id, link, local, peer: to, connecting: true, reported: false, over: false })
    }
}

impl<P: Platform> TcpSocket<P> {
    /// EINVAL if it has a port already, EADDRNOTAVAIL, EADDRINUSE, EAFNOSUPPORT.
    pub(super) fn do_bind(&self, address: &SockAddr) -> SysResult<()> {
        let mut core = self.core.lock();
        let at = core.options.family.decode_own(address)?;
        if core.binding.is_some() || !matches!(core.phase, Phase::Idle | Phase::Failed) {
            return Err(Errno::EINVAL);
        }
        let (family, sharing) = (core.options.family, core.options.sharing());
        let local = self.stack.look(|inner| inner.bindable(family, at.addr))?;
        core.binding = Some(self.stack.shared.names.lock().bind(at.port, local, sharing)?);
        Ok(())
    }

    /// EADDRINUSE, EINVAL if it is connected.
    pub(super) fn do_listen(&self, backlog: usize) -> SysResult<()> {
        let backlog = backlog.clamp(1, MAX_BACKLOG);
        let mut core = self.core.lock();
        let mut names = self.stack.shared.names.lock();
        if let Phase::Listening(key) = core.phase {
            names.listeners.get_mut(&key).ok_or(Errno::EINVAL)?.backlog = backlog;
            return Ok(());
        }
        if !matches!(core.phase, Phase::Idle | Phase::Failed) {
            return Err(Errno::EINVAL);
        }
        let (bound, family, sharing) = (core.binding, core.options.family, core.options.sharing());
        let device = core.options.device;
        let binding = match bound {
            Some(binding) => binding,
            None => names.bind(0, Local::All(family), sharing)?,
        };
        // Only before it has a port a socket can ask to divide it.
        let sharing = Sharing { port: binding.sharing.port, ..sharing };
        let listening = names.listen(binding, Listener::new(backlog, device, sharing, self.waker.clone()));
        if listening.is_err() && bound.is_none() {
            names.ports.give(binding);
        }
        let key = listening?;
        drop(names);
        core.binding = Some(binding);
        core.error = None;
        core.phase = Phase::Listening(key);
        drop(core);
        self.events.queue.notify(Ready::all());
        Ok(())
    }

    /// EAGAIN, EINVAL unless it listens.
    pub(super) fn do_accept(&self) -> SysResult<(Arc<Self>, SockAddr)> {
        let core = self.core.lock();
        let Phase::Listening(key) = core.phase else { return Err(Errno::EINVAL) };
        let mut options = core.options.clone();
        // A receive timeout bounds accept(2) itself; Linux does not hand it on (socket(7)).
        (options.rcvtimeo, options.sndtimeo) = (None, None);
        let open = self.stack.accept(key, |inner, id| {
            inner.apply(id, &options);
            let entry = inner.table.get(id).ok_or(Errno::ECONNABORTED)?;
            let (link, socket) = (entry.conn.link, entry.socket());
            // A complete connection has both ends.
            let local = socket.local_endpoint().ok_or(Errno::ECONNABORTED)?;
            let peer = socket.remote_endpoint().ok_or(Errno::ECONNABORTED)?;
            let shard = inner.number;
            Ok(Open { shard, id, link, local, peer, connecting: false, reported: true, over: false })
        })?;
        let peer = options.family.encode(open.peer, open.link);
        Ok((Self::with(self.stack.clone(), Phase::Open(open), options), peer))
    }

    /// Ok, EINPROGRESS, EALREADY, EISCONN, and what went wrong: ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EADDRNOTAVAIL, ENOBUFS.
    pub(super) fn do_connect(&self, address: &SockAddr) -> SysResult<()> {
        if let SockAddr::Unspecified = address {
            return self.dissolve();
        }
        let mut core = self.core.lock();
        let to = core.options.family.decode_peer(address, core.binding.map(|binding| binding.local))?;
        if let Phase::Idle | Phase::Failed = core.phase {
            if let Some(error) = core.error.take() {
                return Err(error);
            }
            let interface = core.options.interface(scope(address), to.addr);
            let Core { binding, options, .. } = &mut *core;
            let open = self.stack.connect_tcp((to, interface), binding, options)?;
            core.phase = Phase::Open(open);
            (core.shut_read, core.shut_write, core.error) = (false, false, None);
            self.settle(&mut core);
            return match &mut core.phase {
                Phase::Open(open) if open.connecting => Err(Errno::EINPROGRESS),
                Phase::Open(open) => {
                    open.reported = true;
                    Ok(())
                }
                _ => Err(core.error.take().unwrap_or(Errno::ECONNREFUSED)),
            };
        }
        self.settle(&mut core);
        match &mut core.phase {
            Phase::Open(open) if open.connecting => Err(Errno::EALREADY),
            Phase::Open(open) if !open.reported => {
                open.reported = true;
                core.error.take().map_or(Ok(()), Err)
            }
            Phase::Failed => Err(core.error.take().unwrap_or(Errno::ECONNABORTED)),
            _ => Err(Errno::EISCONN),
        }
    }

    /// connect(2) to AF_UNSPEC: the socket is as new.
    fn dissolve(&self) -> SysResult<()> {
        self.leave(&mut self.core.lock(), true);
        self.events.queue.notify(Ready::all());
        Ok(())
    }
}
