//! Datagrams through a UDP socket.

use super::outbox::{Letter, SEND};
use super::receivers::{Arrived, Header};
use super::{Bound, Core, Post, Posts, UdpSocket};
use crate::data::{Sink, Source};
use crate::net::address::{resolve, scope, source_v6};
use crate::net::link::{LOOPBACK, LinkId};
use crate::net::options::{Asked, BROADCAST, Known};
use crate::net::ports::Binding;
use crate::net::service::Service;
use crate::net::stack::Inner;
use crate::net::way::Wish;
use crate::platform::Platform;
use crate::socket::{Control, MsgFlags, Received, SockAddr};
use crate::time;
use crate::wait::Ready;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;
use smoltcp::phy::PacketMeta;
use smoltcp::socket::udp::{Socket as Engine, UdpMetadata};
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv6Address};
use trapless_abi::{Errno, SysResult};

/// The longest datagram (udp(7)): what IP's length can say, without the headers.
const MAX_DATAGRAM: usize = 65535 - 20 - 8;
/// Bytes for which there is room when poll(2) says that there is.
const ROOM: usize = SEND.0 / 2;
/// Some address of the link.
const LINK: Ipv6Address = Ipv6Address::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
/// How long datagrams of a closed socket may wait for the receiver's Ethernet address, about as long as Linux asks for it.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A closed socket that still has datagrams to send.
pub(in crate::net) struct UdpDying {
    posts: Posts,
    binding: Binding,
    pub(in crate::net) deadline: time::Instant,
}

impl<P: Platform> Inner<P> {
    /// The link and the source address for a datagram. ENETUNREACH, ENODEV, EACCES for a broadcast address without SO_BROADCAST.
    pub(super) fn route_datagram(
        &self,
        to: IpAddress,
        wish: Wish,
        may_broadcast: bool,
    ) -> SysResult<(LinkId, IpAddress)> {
        if self.is_broadcast(to) && !may_broadcast {
            return Err(Errno::EACCES);
        }
        let number = self.way(to, wish)?;
        let link = self.numbered(number);
        // They leave by the card, without a route.
        let source = match to {
            IpAddress::Ipv4(v4) if v4.is_multicast() || v4.is_broadcast() => {
                let own = link.wire.own().iter().find(|own| own.version() == to.version());
                own.copied().ok_or(Errno::ENETUNREACH)
            }
            IpAddress::Ipv6(v6) if v6.is_multicast() => {
                let source = source_v6(link, v6).or_else(|| source_v6(link, LINK));
                source.map(IpAddress::Ipv6).ok_or(Errno::ENETUNREACH)
            }
            _ => self.source_for(number, to),
        };
        Ok((number, source?))
    }

    /// Gives the datagram in the staged frame to the sockets it is for; false if there is none.
    pub(in crate::net) fn take_datagram(&mut self, mut header: Header, data: Range<usize>) -> bool {
        let to = header.to.addr;
        let all = self.is_broadcast(to) || self.is_joined(to);
        let ours = all || self.is_own(to);
        // No card brings what is from this host.
        header.interface = if self.is_own(header.from.addr) { LOOPBACK } else { self.link.index() };
        let data = self.link.wire.staged().0.get(data).unwrap_or_default();
        ours && self.receivers.deliver::<P>(header, data, all)
    }

    /// What is known of a datagram that came.
    fn known(&self, header: Header, at: u64) -> Known {
        let to = header.to.addr;
        let link = self.link_of_index(header.interface).unwrap_or(0);
        let mut own = self.numbered(link).wire.own().iter().filter(|own| own.version() == to.version());
        Known { header, own: if self.is_own(to) { to } else { own.next().copied().unwrap_or(to) }, at }
    }

    /// Closes a socket; what it has to send goes first.
    pub(super) fn bury_udp(&mut self, Bound { posts, receiver, binding }: Bound) {
        self.receivers.remove(receiver);
        self.udp_dying.push(UdpDying { posts, binding, deadline: P::now() + LAST_WORDS });
    }

    /// Whether a datagram of `len` bytes can be sent now by each link that the socket sends by; if not, the socket is told when that may
    /// be different.
    fn has_room(&mut self, bound: &Bound, len: usize) -> bool {
        let mut room = true;
        for link in self.links_mut() {
            let Some(Post { engine, outbox }) = bound.posts[usize::from(link.number)] else { continue };
            if link.datagrams.set.get::<Engine>(engine).send_queue() == 0 {
                link.wire.outbox().forget(outbox);
            }
            room &= link.wire.outbox().has_room(outbox, len);
        }
        room
    }

    /// Whether a closed socket has sent everything.
    fn is_silent(&self, posts: &Posts) -> bool {
        self.links().all(|link| {
            let post = posts[usize::from(link.number)];
            post.is_none_or(|post| link.datagrams.set.get::<Engine>(post.engine).send_queue() == 0)
        })
    }

    /// Removes closed sockets that have nothing to send.
    pub(in crate::net) fn reap_udp(&mut self, now: time::Instant) {
        let mut at = 0;
        while let Some(dying) = self.udp_dying.get(at) {
            if now < dying.deadline && !self.is_silent(&dying.posts) {
                at += 1;
                continue;
            }
            let UdpDying { posts, binding, .. } = self.udp_dying.swap_remove(at);
            for link in self.links_mut() {
                if let Some(Post { engine, outbox }) = posts[usize::from(link.number)] {
                    link.datagrams.set.remove(engine);
                    link.wire.outbox().close(outbox);
                }
            }
            self.udp_ports.give(binding);
        }
    }
}

impl<P: Platform> UdpSocket<P> {
    /// connect(2) and its undoing.
    pub(super) fn set_peer(&self, core: &mut Core, inner: &mut Inner<P>, bound: Bound, peer: Option<IpEndpoint>) {
        core.peer = peer;
        if let Some(receiver) = inner.receivers.get_mut(bound.receiver) {
            receiver.peer = peer;
            receiver.error = None;
        }
    }

    /// EDESTADDRREQ, EINVAL, EMSGSIZE, ENETUNREACH, EACCES, EPIPE, EAGAIN, ENOBUFS, EFAULT, and once what ICMP said.
    pub(super) fn do_send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        control: &[Control],
    ) -> SysResult<usize> {
        let mut core = self.core.lock();
        if core.shut_write {
            return Err(Errno::EPIPE);
        }
        let (to, scope) = match to {
            Some(to) => (resolve(core.options.family.decode_to(to)?), scope(to)),
            None => (core.peer.ok_or(Errno::EDESTADDRREQ)?, 0),
        };
        let mut asked = core.options.asked(control, to.addr)?;
        if asked.interface == 0 {
            asked.interface = core.options.interface(scope, to.addr);
        }
        let len = from.remaining();
        if len > MAX_DATAGRAM {
            return Err(Errno::EMSGSIZE);
        }
        if to.port == 0 {
            return Err(Errno::EINVAL);
        }
        self.stack.enter(|inner| {
            let sent = self.enqueue(&mut core, inner, from, len, (to, asked));
            (sent, sent.is_ok())
        })
    }

    fn enqueue(
        &self,
        core: &mut Core,
        inner: &mut Inner<P>,
        from: &mut dyn Source,
        len: usize,
        (to, Asked { service, source: asked, interface }): (IpEndpoint, Asked),
    ) -> SysResult<usize> {
        let own = core.bound.as_ref().and_then(|bound| bound.binding.local.one()).filter(|own| !own.is_multicast());
        // Of a connected socket the way was found then, from that address.
        let found = Some(core.source).filter(|_| core.peer == Some(to));
        let likely = || found.or_else(|| core.options.group_source(to.addr));
        let wish = Wish { interface, source: asked.or(own).or_else(likely) };
        let (link, source) = inner.route_datagram(to.addr, wish, core.options.on(&BROADCAST))?;
        let mut bound = self.ensure(core, inner, core.options.family.anywhere())?;
        if let Some(error) = inner.receivers.get_mut(bound.receiver).and_then(|receiver| receiver.error.take()) {
            return Err(error);
        }
        let source = asked.or(own).unwrap_or(source);
        if source.version() != to.addr.version() || asked.is_some_and(|own| !inner.is_own(own)) {
            return Err(Errno::EINVAL);
        }
        inner.turn(link);
        let post = inner.post(&mut bound, &self.waker)?;
        core.bound = Some(bound);
        // The source can be read only once, so the room must be certain.
        if !inner.has_room(&bound, len) {
            return Err(Errno::EAGAIN);
        }
        let mut data = Vec::new();
        data.try_reserve_exact(len).map_err(|_| Errno::ENOBUFS)?;
        data.resize(len, 0);
        if from.pull(&mut data)? < len {
            return Err(Errno::EFAULT);
        }
        if inner.is_joined(to.addr) && core.options.loops(to.addr) {
            let from = IpEndpoint::new(source, bound.binding.port);
            let Service { tos, ttl } = service;
            let header = Header { from, to, ttl: ttl.unwrap_or(1), tos, interface: LOOPBACK };
            inner.receivers.deliver::<P>(header, &data, true);
        }
        let envelope = inner.link.wire.outbox().put(post.outbox, Letter { data, service })?;
        let metadata = UdpMetadata { endpoint: to, local_address: Some(source), meta: PacketMeta::default() };
        // There is room for as many as the box holds.
        let _ = inner.link.datagrams.set.get_mut::<Engine>(post.engine).send_slice(&envelope, metadata);
        inner.link.datagrams.touched = true;
        Ok(len)
    }

    /// EAGAIN, EFAULT, and once what ICMP said; an empty datagram after shutdown(2).
    pub(super) fn do_recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        let core = self.core.lock();
        let nothing = || if core.shut_read { Ok(Received::bytes(0)) } else { Err(Errno::EAGAIN) };
        let Some(bound) = &core.bound else { return nothing() };
        self.stack.look(|inner| {
            let Some(receiver) = inner.receivers.get_mut(bound.receiver) else { return nothing() };
            if let Some(error) = receiver.error.take() {
                return Err(error);
            }
            let Some(Arrived { header, at, data }) = receiver.first() else { return nothing() };
            let (header, at) = (*header, *at);
            let (len, room) = (data.len(), to.remaining());
            let pushed = if len > 0 && room > 0 { to.push(data)? } else { 0 };
            let mut received = Received::bytes(if flags.contains(MsgFlags::TRUNC) { len } else { pushed });
            received.truncated = len > room;
            if !flags.contains(MsgFlags::PEEK) {
                receiver.drop_first();
            }
            let link = match header.interface {
                LOOPBACK => inner.link_of(header.from.addr),
                index => inner.link_of_index(index).ok(),
            };
            received.from = Some(core.options.family.encode(header.from, link.unwrap_or(0)));
            received.control = core.options.told(|| inner.known(header, at));
            Ok(received)
        })
    }

    /// Bytes of the next datagram.
    pub(super) fn next_len(&self) -> Option<usize> {
        let receiver = self.core.lock().bound.as_ref()?.receiver;
        self.stack.look(|inner| Some(inner.receivers.get(receiver)?.first()?.data.len()))
    }

    /// SO_ERROR.
    pub(super) fn take_error(&self) -> Option<Errno> {
        let receiver = self.core.lock().bound.as_ref()?.receiver;
        self.stack.look(|inner| inner.receivers.get_mut(receiver)?.error.take())
    }

    /// poll(2).
    pub(super) fn readiness(&self) -> Ready {
        let core = self.core.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE | Ready::RDHUP, core.shut_read);
        ready.set(Ready::HUP, core.shut_read && core.shut_write);
        let Some(bound) = &core.bound else { return ready | Ready::WRITABLE };
        self.stack.look(|inner| {
            let room = inner.has_room(bound, ROOM);
            ready.set(Ready::WRITABLE, room || core.shut_write);
            if let Some(receiver) = inner.receivers.get(bound.receiver) {
                ready.set(Ready::ERR, receiver.error.is_some());
                if receiver.first().is_some() {
                    ready |= Ready::READABLE;
                }
            }
            ready
        })
    }
}
