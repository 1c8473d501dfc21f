//! Datagrams through a UDP socket.

use super::{ANYWHERE, Core, UdpSocket};
use crate::data::{Sink, Source};
use crate::net::address::{endpoint, from_endpoint, inet, resolve, sock_addr};
use crate::net::ports::Binding;
use crate::net::stack::Inner;
use crate::platform::Platform;
use crate::socket::{MsgFlags, Received, SockAddr};
use crate::time;
use crate::wait::Ready;
use alloc::vec::Vec;
use core::net::SocketAddrV4;
use core::time::Duration;
use smoltcp::iface::SocketHandle;
use smoltcp::phy::PacketMeta;
use smoltcp::socket::udp::{Socket as Engine, UdpMetadata};
use smoltcp::wire::{IpAddress, Ipv4Address};
use trapless_abi::{Errno, SysResult};

/// The longest datagram: smoltcp's fragmentation buffer of 8192 bytes without the IP and UDP headers.
const MAX_DATAGRAM: usize = 8192 - 20 - 8;
/// How long datagrams of a closed socket may wait for the receiver's Ethernet address, about as long as Linux asks for it.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A closed socket that still has datagrams to send.
pub(in crate::net) struct UdpDying {
    handle: SocketHandle,
    binding: Binding,
    pub(in crate::net) deadline: time::Instant,
}

impl<P: Platform> Inner<P> {
    /// The source address for a datagram. ENETUNREACH, EACCES for a broadcast address without SO_BROADCAST.
    pub(super) fn route_datagram(&self, to: Ipv4Address, may_broadcast: bool) -> SysResult<Ipv4Address> {
        if self.is_broadcast(to) && !may_broadcast {
            return Err(Errno::EACCES);
        }
        if to.is_multicast() || to.is_broadcast() {
            // They leave by the card, without a route.
            return self.wire.own.ok_or(Errno::ENETUNREACH);
        }
        self.source_for(to)
    }

    /// Closes a socket; what it has to send goes first.
    pub(super) fn bury_udp(&mut self, handle: SocketHandle, binding: Binding) {
        self.udp_dying.push(UdpDying { handle, binding, deadline: P::now() + LAST_WORDS });
    }

    /// Removes closed sockets that have nothing to send.
    pub(in crate::net) fn reap_udp(&mut self, now: time::Instant) {
        let mut at = 0;
        while let Some(dying) = self.udp_dying.get(at) {
            if now >= dying.deadline || self.datagrams.set.get::<Engine>(dying.handle).send_queue() == 0 {
                let dying = self.udp_dying.swap_remove(at);
                self.datagrams.set.remove(dying.handle);
                self.udp_ports.give(dying.binding);
            } else {
                at += 1;
            }
        }
    }
}

/// Throws away what does not come from the peer; the length and sender of the first datagram that does.
fn next(engine: &mut Engine, peer: Option<SocketAddrV4>) -> Option<(usize, SocketAddrV4)> {
    loop {
        let (bytes, metadata) = engine.peek().ok()?;
        let found = (bytes.len(), from_endpoint(metadata.endpoint));
        if peer.is_none_or(|peer| peer == found.1) {
            return Some(found);
        }
        engine.recv().ok()?;
    }
}

impl<P: Platform> UdpSocket<P> {
    /// EDESTADDRREQ, EINVAL, EMSGSIZE, ENETUNREACH, EACCES, EPIPE, EAGAIN, ENOBUFS, EFAULT.
    pub(super) fn do_send(&self, from: &mut dyn Source, to: Option<&SockAddr>) -> SysResult<usize> {
        let mut core = self.core.lock();
        if core.shut_write {
            return Err(Errno::EPIPE);
        }
        let to = match to {
            Some(to) => resolve(inet(to)?),
            None => core.peer.ok_or(Errno::EDESTADDRREQ)?,
        };
        let len = from.remaining();
        if len > MAX_DATAGRAM {
            return Err(Errno::EMSGSIZE);
        }
        if to.port() == 0 {
            return Err(Errno::EINVAL);
        }
        self.stack.enter(|inner| {
            let sent = self.enqueue(&mut core, inner, from, len, to);
            (sent, sent.is_ok())
        })
    }

    fn enqueue(
        &self,
        core: &mut Core,
        inner: &mut Inner<P>,
        from: &mut dyn Source,
        len: usize,
        to: SocketAddrV4,
    ) -> SysResult<usize> {
        let source = inner.route_datagram(*to.ip(), core.options.broadcast)?;
        let handle = self.ensure(core, inner, ANYWHERE)?;
        let source = core.bound.and_then(|(_, binding)| binding.address).unwrap_or(source);
        let engine = inner.datagrams.set.get_mut::<Engine>(handle);
        // The source can be read only once, so the room must be certain: free bytes lie in two pieces at most.
        let free = engine.payload_send_capacity() - engine.send_queue();
        if !engine.can_send() || (engine.send_queue() > 0 && free < 2 * len) {
            engine.register_send_waker(&self.waker);
            return Err(Errno::EAGAIN);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
        bytes.resize(len, 0);
        if from.pull(&mut bytes)? < len {
            return Err(Errno::EFAULT);
        }
        let local_address = Some(IpAddress::Ipv4(source));
        let metadata = UdpMetadata { endpoint: endpoint(to), local_address, meta: PacketMeta::default() };
        // A full queue loses datagrams (the slots for them can run out before the bytes).
        let _ = engine.send_slice(&bytes, metadata);
        inner.datagrams.touched = true;
        Ok(len)
    }

    /// EAGAIN, EFAULT; an empty datagram after shutdown(2).
    pub(super) fn do_recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        let core = self.core.lock();
        let nothing = || if core.shut_read { Ok(Received::bytes(0)) } else { Err(Errno::EAGAIN) };
        let Some((handle, _)) = core.bound else { return nothing() };
        self.stack.look(|inner| {
            let engine = inner.datagrams.set.get_mut::<Engine>(handle);
            engine.register_recv_waker(&self.waker);
            let Some((len, sender)) = next(engine, core.peer) else { return nothing() };
            let room = to.remaining();
            let (bytes, _) = engine.peek().map_err(|_| Errno::EAGAIN)?;
            let pushed = if len > 0 && room > 0 { to.push(bytes)? } else { 0 };
            if !flags.contains(MsgFlags::PEEK) {
                // Just looked at: it is there.
                let _ = engine.recv();
            }
            let mut received = Received::bytes(if flags.contains(MsgFlags::TRUNC) { len } else { pushed });
            received.from = Some(sock_addr(sender));
            received.truncated = len > room;
            Ok(received)
        })
    }

    /// Bytes of the next datagram.
    pub(super) fn next_len(&self) -> Option<usize> {
        let core = self.core.lock();
        let (handle, _) = core.bound?;
        self.stack.look(|inner| next(inner.datagrams.set.get_mut(handle), core.peer).map(|(len, _)| len))
    }

    /// poll(2).
    pub(super) fn readiness(&self) -> Ready {
        let core = self.core.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE | Ready::RDHUP, core.shut_read);
        ready.set(Ready::HUP, core.shut_read && core.shut_write);
        let Some((handle, _)) = core.bound else { return ready | Ready::WRITABLE };
        self.stack.look(|inner| {
            let engine = inner.datagrams.set.get_mut::<Engine>(handle);
            engine.register_recv_waker(&self.waker);
            let room = engine.can_send() && engine.send_queue() <= engine.payload_send_capacity() / 2;
            if !room {
                engine.register_send_waker(&self.waker);
            }
            if next(engine, core.peer).is_some() {
                ready |= Ready::READABLE;
            }
            ready.set(Ready::WRITABLE, room || core.shut_write);
            ready
        })
    }
}
