//! Incoming connections before accept(2): listeners, their backlogs, and sockets made when a SYN comes.

use super::conn::{Limits, new_tcp_socket};
use super::ports::Binding;
use super::stack::Inner;
use crate::platform::Platform;
use alloc::collections::VecDeque;
use core::task::Waker;
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpAddress, IpEndpoint, IpListenEndpoint, IpProtocol, Ipv4Address, Ipv4Packet,
    TcpPacket,
};
use trapless_abi::{Errno, SysResult};

/// Half-open connections that a listener may have beside those that wait for accept(2), as in Linux (tcp(7), tcp_max_syn_backlog):
/// a short backlog must not make clients wait that the program could serve at once.
const MAX_HALF_OPEN: usize = 64;

/// What a listener listens on.
pub(super) type ListenKey = (u16, Option<Ipv4Address>);

/// A listening socket as the stack knows it.
pub(super) struct Listener {
    /// Complete connections that may wait for accept(2) before new ones are turned away.
    pub(super) backlog: usize,
    /// Half-open and complete connections, oldest first.
    pub(super) waiting: VecDeque<SocketHandle>,
    /// SO_REUSEADDR: its connections share the port with the listener of a later start.
    pub(super) shareable: bool,
    pub(super) waker: Waker,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) local: IpEndpoint,
    pub(super) remote: IpEndpoint,
}

/// What to do with a frame before smoltcp sees it.
pub(super) enum Verdict {
    /// Nothing special.
    Pass,
    /// A new connection: this socket waits for it.
    Admitted(SocketHandle, Waker),
    /// A new connection that has no room in the backlog or in memory: the client will ask again.
    Drop,
    /// A reset for this connection, and what it means if it is genuine.
    Reset(SocketHandle, Errno),
}

enum Segment {
    /// SYN without ACK and RST.
    Opening(Flow),
    /// RST.
    Reset(Flow),
    Other,
}

fn classify(frame: &[u8]) -> Segment {
    fn parse(frame: &[u8]) -> Option<Segment> {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        if frame.ethertype() != EthernetProtocol::Ipv4 {
            return None;
        }
        let ip = Ipv4Packet::new_checked(frame.payload()).ok()?;
        if ip.next_header() != IpProtocol::Tcp || ip.frag_offset() != 0 || ip.more_frags() {
            return None;
        }
        let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
        let flow = Flow {
            local: IpEndpoint::new(ip.dst_addr().into(), tcp.dst_port()),
            remote: IpEndpoint::new(ip.src_addr().into(), tcp.src_port()),
        };
        match (tcp.rst(), tcp.syn(), tcp.ack()) {
            (true, ..) => Some(Segment::Reset(flow)),
            (_, true, false) => Some(Segment::Opening(flow)),
            _ => None,
        }
    }
    parse(frame).unwrap_or(Segment::Other)
}

/// What a reset means to a connection in this state.
fn reset_error(state: tcp::State) -> Errno {
    match state {
        tcp::State::SynSent => Errno::ECONNREFUSED,
        tcp::State::CloseWait => Errno::EPIPE,
        _ => Errno::ECONNRESET,
    }
}

impl<P: Platform> Inner<P> {
    /// Looks at the staged frame; makes a socket for a connection that a listener waits for.
    pub(super) fn judge(&mut self) -> Verdict {
        let flow = match classify(self.wire.staged()) {
            Segment::Opening(flow) => flow,
            Segment::Reset(flow) => {
                let known = self.find(flow);
                return known.map_or(Verdict::Pass, |handle| Verdict::Reset(handle, reset_error(self.state(handle))));
            }
            Segment::Other => return Verdict::Pass,
        };
        match self.find(flow) {
            // The client uses the port of a finished connection again.
            Some(old) if self.forget_finished(old) => {}
            Some(_) => return Verdict::Pass,
            None => {}
        }
        let IpAddress::Ipv4(address) = flow.local.addr;
        let Some(key) = self.listener_for(flow.local.port, address) else { return Verdict::Pass };
        self.prune(key);
        match self.admit(key, flow) {
            Ok((handle, waker)) => Verdict::Admitted(handle, waker),
            Err(_) => Verdict::Drop,
        }
    }

    /// The connection between two ends, if it exists.
    fn find(&self, flow: Flow) -> Option<SocketHandle> {
        let ends = |handle: SocketHandle| {
            let socket = self.sockets.get::<tcp::Socket>(handle);
            socket.local_endpoint() == Some(flow.local) && socket.remote_endpoint() == Some(flow.remote)
        };
        self.conns.keys().copied().find(|&handle| ends(handle))
    }

    /// What listens on a port of one of the host's addresses.
    fn listener_for(&self, port: u16, address: Ipv4Address) -> Option<ListenKey> {
        let keys = [(port, Some(address)), (port, None)];
        keys.into_iter().find(|key| self.listeners.contains_key(key)).filter(|_| self.is_own(address))
    }

    fn admit(&mut self, key: ListenKey, flow: Flow) -> SysResult<(SocketHandle, Waker)> {
        self.room_for_one()?;
        let listener = self.listeners.get_mut(&key).ok_or(Errno::EINVAL)?;
        let sockets = &self.sockets;
        let complete = |&&handle: &&SocketHandle| is_complete(sockets.get::<tcp::Socket>(handle).state());
        let complete = listener.waiting.iter().filter(complete).count();
        let half_open = listener.waiting.len() - complete;
        if complete >= listener.backlog || half_open >= listener.backlog.max(MAX_HALF_OPEN) {
            return Err(Errno::ENOBUFS);
        }
        listener.waiting.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        let mut socket = new_tcp_socket()?;
        let local = IpListenEndpoint { addr: Some(flow.local.addr), port: flow.local.port };
        socket.listen(local).map_err(|_| Errno::EINVAL)?;
        let IpAddress::Ipv4(address) = flow.local.addr;
        let binding = Binding { port: key.0, address: Some(address), shareable: listener.shareable };
        let binding = self.tcp_ports.share(binding)?;
        let waker = listener.waker.clone();
        let handle = self.add_tcp(socket, binding, Limits::default());
        if let Some(listener) = self.listeners.get_mut(&key) {
            listener.waiting.push_back(handle);
        }
        Ok((handle, waker))
    }

    /// After smoltcp saw the SYN: a socket that did not take it (a bad checksum, say) must not stay, it would take any other.
    pub(super) fn admitted(&mut self, handle: SocketHandle, waker: &Waker) {
        if self.state(handle) != tcp::State::Listen {
            // Every change so far has used the waker up.
            self.sockets.get_mut::<tcp::Socket>(handle).register_recv_waker(waker);
            return;
        }
        for listener in self.listeners.values_mut() {
            listener.waiting.retain(|&of| of != handle);
        }
        self.remove_tcp(handle);
    }

    /// Forgets half-open connections of a listener that ended (reset, or never completed).
    fn prune(&mut self, key: ListenKey) {
        let Some(listener) = self.listeners.get_mut(&key) else { return };
        let mut at = 0;
        while let Some(&handle) = listener.waiting.get(at) {
            let state = self.sockets.get::<tcp::Socket>(handle).state();
            if matches!(state, tcp::State::Closed | tcp::State::Listen) {
                listener.waiting.remove(at);
                self.sockets.remove(handle);
                if let Some(conn) = self.conns.remove(&handle) {
                    self.tcp_ports.give(conn.binding);
                }
            } else {
                at += 1;
            }
        }
    }

    /// listen(2) on a bound port. EADDRINUSE, EINVAL.
    pub(super) fn listen(&mut self, binding: Binding, listener: Listener) -> SysResult<()> {
        if self.listened(binding.port, binding.address) {
            return Err(Errno::EADDRINUSE);
        }
        self.listeners.insert((binding.port, binding.address), listener);
        Ok(())
    }

    /// Whether somebody listens where a socket with this port and address would.
    pub(super) fn listened(&self, port: u16, address: Option<Ipv4Address>) -> bool {
        let mut same_port = self.listeners.range((port, None)..=(port, Some(Ipv4Address::BROADCAST)));
        same_port.any(|(key, _)| key.1.is_none() || address.is_none() || key.1 == address)
    }

    /// A connection that is complete, for accept(2). EAGAIN, EINVAL if nobody listens there.
    pub(super) fn accept(&mut self, key: ListenKey) -> SysResult<SocketHandle> {
        self.prune(key);
        let listener = self.listeners.get_mut(&key).ok_or(Errno::EINVAL)?;
        let sockets = &self.sockets;
        let ready = listener.waiting.iter().position(|&handle| is_complete(sockets.get::<tcp::Socket>(handle).state()));
        ready.and_then(|at| listener.waiting.remove(at)).ok_or(Errno::EAGAIN)
    }

    /// Whether [`Inner::accept`] would find a connection. The next one to complete is announced in any case: each has its own waker.
    pub(super) fn acceptable(&self, key: ListenKey) -> bool {
        let waiting = self.listeners.get(&key).into_iter().flat_map(|listener| &listener.waiting);
        waiting.copied().any(|handle| is_complete(self.state(handle)))
    }

    /// Ends a listener: connections nobody accepted are reset.
    pub(super) fn unlisten(&mut self, key: ListenKey) {
        if let Some(listener) = self.listeners.remove(&key) {
            for handle in listener.waiting {
                self.abandon(handle);
            }
        }
    }
}

fn is_complete(state: tcp::State) -> bool {
    !matches!(state, tcp::State::SynReceived | tcp::State::Listen | tcp::State::Closed)
}
