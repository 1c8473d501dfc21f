//! UDP sockets (udp(7)).

mod envelope;
mod outbox;
mod receivers;
mod transfer;

pub(super) use envelope::Envelope;
pub(super) use outbox::Outbox;
pub(super) use receivers::{Header, Receivers};
pub(super) use transfer::UdpDying;

use super::address::{Family, Local, resolve, scope};
use super::events::Events;
use super::link::{LinkId, MOST};
use super::multicast::{Membership, Request};
use super::options::{BROADCAST, IPPROTO_IP, IPPROTO_IPV6, Options, SOL_SOCKET, ip, ipv6, so};
use super::ports::Binding;
use super::shards::NetStack;
use super::stack::Inner;
use super::way::Wish;
use crate::data::{Sink, Source};
use crate::eventfd::anonymous_stat;
use crate::file::{File, IoctlArg, OpenFile};
use crate::platform::Platform;
use crate::socket::{Control, MsgFlags, Received, Shutdown, SockAddr, Socket};
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::task::Waker;
use core::time::Duration;
use outbox::{ENVELOPE, SEND};
use receivers::{RECEIVE, UdpId};
use smoltcp::iface::{SocketHandle, SocketStorage};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket as Engine};
use smoltcp::wire::{IpAddress, IpEndpoint, IpListenEndpoint};
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// SOCK_DGRAM and IPPROTO_UDP.
const KIND: (i32, i32) = (2, 17);
/// ioctl: bytes of the next datagram (udp(7)).
const FIONREAD: u32 = 0x541b;

/// The engine's socket, for envelopes of what is sent by a link, and the box with that.
#[derive(Clone, Copy)]
struct Post {
    engine: SocketHandle,
    outbox: usize,
}

/// By the links' numbers.
type Posts = [Option<Post>; MOST];

/// What a socket has in the stack once it has a port.
#[derive(Clone, Copy)]
struct Bound {
    /// What it sends by each link that it has sent by.
    posts: Posts,
    receiver: UdpId,
    binding: Binding,
}

struct Core {
    /// None until bind(2), connect(2) or the first datagram.
    bound: Option<Bound>,
    /// From connect(2): where datagrams go.
    peer: Option<IpEndpoint>,
    /// The source address of datagrams to the peer, and the link that they leave by.
    source: IpAddress,
    link: LinkId,
    options: Options,
    /// Multicast groups that it is in.
    groups: Vec<Membership>,
    shut_read: bool,
    shut_write: bool,
}

/// A UDP socket.
pub struct UdpSocket<P: Platform> {
    stack: Arc<NetStack<P>>,
    core: Lock<P, Core>,
    events: Arc<Events<P>>,
    waker: Waker,
}

/// An engine's socket with its buffers, for envelopes only. ENOBUFS.
fn new_engine() -> SysResult<Engine<'static>> {
    let (mut payload, mut metadata) = (Vec::new(), Vec::new());
    payload.try_reserve_exact(SEND.1 * ENVELOPE).map_err(|_| Errno::ENOBUFS)?;
    metadata.try_reserve_exact(SEND.1).map_err(|_| Errno::ENOBUFS)?;
    payload.resize(SEND.1 * ENVELOPE, 0);
    metadata.resize(SEND.1, PacketMetadata::EMPTY);
    // What comes does not reach it.
    let nothing = PacketBuffer::new(Vec::new(), Vec::new());
    Ok(Engine::new(nothing, PacketBuffer::new(metadata, payload)))
}

impl<P: Platform> Inner<P> {
    /// What a socket sends by the current link, made now if need be. ENOBUFS, EINVAL.
    fn post(&mut self, bound: &mut Bound, waker: &Waker) -> SysResult<Post> {
        let place = &mut bound.posts[usize::from(self.link.number)];
        if let Some(post) = *place {
            return Ok(post);
        }
        let set = &mut self.link.datagrams.set;
        let mut probe = Vec::<SocketStorage>::new();
        probe.try_reserve_exact(2 * (set.iter().count() + 1)).map_err(|_| Errno::ENOBUFS)?;
        let mut engine = new_engine()?;
        let Binding { local, port, .. } = bound.binding;
        engine.bind(IpListenEndpoint { addr: local.one(), port }).map_err(|_| Errno::EINVAL)?;
        let post = Post { engine: set.add(engine), outbox: self.link.wire.outbox().open(waker.clone()) };
        Ok(*place.insert(post))
    }

    /// Makes sure that one more socket can be there, and later be a closed one. ENOBUFS.
    fn room_for_udp(&mut self) -> SysResult<()> {
        self.room_for_one()?;
        let count = self.receivers.len() + 1;
        self.udp_dying.try_reserve(count).map_err(|_| Errno::ENOBUFS)
    }

    /// Sockets that have a port, closed ones that are not finished included.
    pub(super) fn udp_sockets(&self) -> usize {
        self.receivers.len() + self.udp_dying.len()
    }
}

impl<P: Platform> UdpSocket<P> {
    /// socket(2).
    pub fn new(stack: Arc<NetStack<P>>, family: Family) -> Arc<Self> {
        let (events, waker) = Events::new();
        let core = Core {
            bound: None,
            peer: None,
            source: family.anywhere().addr,
            link: 0,
            options: Options::new(family, RECEIVE.0),
            groups: Vec::new(),
            shut_read: false,
            shut_write: false,
        };
        Arc::new(Self { stack, core: Lock::new(core), events, waker })
    }

    /// What the socket has in the stack, made now if need be, with the port `at` asks for. EADDRINUSE, EADDRNOTAVAIL, ENOBUFS.
    fn ensure(&self, core: &mut Core, inner: &mut Inner<P>, at: IpEndpoint) -> SysResult<Bound> {
        if let Some(bound) = core.bound {
            return Ok(bound);
        }
        let local = match at.addr {
            // It hears the group alone.
            group if group.is_multicast() => Local::One(group),
            own => inner.bindable(core.options.family, own)?,
        };
        let binding = inner.udp_ports.take(at.port, local, core.options.sharing())?;
        let opened = inner.receivers.add(binding, core.options.device, self.waker.clone()).and_then(|receiver| {
            inner.room_for_udp().inspect_err(|_| inner.receivers.remove(receiver))?;
            Ok(Bound { posts: Posts::default(), receiver, binding })
        });
        core.bound = Some(opened.inspect_err(|_| inner.udp_ports.give(binding))?);
        opened
    }
}

impl<P: Platform> Socket<P> for UdpSocket<P> {
    fn kind(&self) -> (i32, i32, i32) {
        (self.core.lock().options.family.number(), KIND.0, KIND.1)
    }

    fn bind(&self, address: &SockAddr) -> SysResult<()> {
        let mut core = self.core.lock();
        let at = core.options.family.decode_own(address)?;
        if core.bound.is_some() {
            return Err(Errno::EINVAL);
        }
        self.stack.look(|inner| self.ensure(&mut core, inner, at)).map(drop)
    }

    fn connect(&self, address: &SockAddr) -> SysResult<()> {
        let mut core = self.core.lock();
        if let SockAddr::Unspecified = address {
            match core.bound {
                Some(bound) => self.stack.look(|inner| self.set_peer(&mut core, inner, bound, None)),
                None => core.peer = None,
            }
            return Ok(());
        }
        let own = core.bound.map(|bound| bound.binding.local);
        let peer = resolve(core.options.family.decode_peer(address, own)?);
        let broadcast = core.options.on(&BROADCAST);
        let interface = core.options.interface(scope(address), peer.addr);
        self.stack.look(|inner| {
            let wish = Wish { interface, source: own.and_then(Local::one) };
            let (link, source) = inner.route_datagram(peer.addr, wish, broadcast)?;
            let anywhere = core.options.family.anywhere();
            let bound = self.ensure(&mut core, inner, anywhere)?;
            (core.source, core.link) = (source, link);
            self.set_peer(&mut core, inner, bound, Some(peer));
            Ok(())
        })
    }

    fn local(&self) -> SysResult<SockAddr> {
        let core = self.core.lock();
        let family = core.options.family;
        let Some(Bound { binding, .. }) = core.bound else { return Ok(family.encode(family.anywhere(), 0)) };
        let unbound = if core.peer.is_some() { core.source } else { binding.local.named(family) };
        let own = binding.local.one().unwrap_or(unbound);
        let link = self.stack.look(|inner| inner.link_of(own)).unwrap_or(core.link);
        Ok(family.encode(IpEndpoint::new(own, binding.port), link))
    }

    fn peer(&self) -> SysResult<SockAddr> {
        let core = self.core.lock();
        core.peer.map(|peer| core.options.family.encode(peer, core.link)).ok_or(Errno::ENOTCONN)
    }

    fn send(
        &self,
        from: &mut dyn Source,
        to: Option<&SockAddr>,
        _: &mut Vec<Arc<OpenFile<P>>>,
        control: &[Control],
        flags: MsgFlags,
    ) -> SysResult<usize> {
        if flags.contains(MsgFlags::OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        self.do_send(from, to, control)
    }

    fn recv(&self, to: &mut dyn Sink, flags: MsgFlags) -> SysResult<Received<P>> {
        if flags.contains(MsgFlags::ERRQUEUE) {
            return Err(Errno::EAGAIN);
        }
        self.do_recv(to, flags)
    }

    fn shutdown(&self, how: Shutdown) -> SysResult<()> {
        {
            let mut core = self.core.lock();
            if core.peer.is_none() {
                return Err(Errno::ENOTCONN);
            }
            core.shut_read |= how != Shutdown::Write;
            core.shut_write |= how != Shutdown::Read;
        }
        self.events.queue.notify(Ready::all());
        Ok(())
    }

    fn set_option(&self, level: i32, name: i32, value: &[u8]) -> SysResult<()> {
        let mut core = self.core.lock();
        let family = core.options.family;
        if let Some(request) = Request::of(level, name, value)? {
            if level == IPPROTO_IPV6 && core.options.family == Family::Inet {
                return Err(Errno::ENOPROTOOPT);
            }
            return self.stack.with(|inner| inner.change_groups(&mut core.groups, request));
        }
        if (level, name) == (IPPROTO_IPV6, ipv6::V6ONLY) && family != Family::Inet && core.bound.is_some() {
            return Err(Errno::EINVAL);
        }
        if (level, name) == (SOL_SOCKET, so::BINDTODEVICE) {
            return self.stack.look(|inner| {
                core.options.device = inner.index_of_name(value)?;
                if let Some(receiver) = core.bound.and_then(|bound| inner.receivers.get_mut(bound.receiver)) {
                    receiver.device = core.options.device;
                }
                Ok(())
            });
        }
        core.options.set(level, name, value)
    }

    fn option(&self, level: i32, name: i32) -> SysResult<Vec<u8>> {
        let value = match (level, name) {
            (SOL_SOCKET, so::DOMAIN) => self.kind().0,
            (SOL_SOCKET, so::TYPE) => KIND.0,
            (SOL_SOCKET, so::PROTOCOL) => KIND.1,
            (SOL_SOCKET, so::ERROR) => self.take_error().map_or(0, |error| error as i32),
            (SOL_SOCKET, so::ACCEPTCONN) => 0,
            (IPPROTO_IP, ip::MTU) | (IPPROTO_IPV6, ipv6::MTU) => {
                let core = self.core.lock();
                core.options.mtu(level, core.peer)?
            }
            _ => return self.core.lock().options.get(level, name),
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    fn receive_timeout(&self) -> Option<Duration> {
        self.core.lock().options.rcvtimeo
    }

    fn send_timeout(&self) -> Option<Duration> {
        self.core.lock().options.sndtimeo
    }
}

impl<P: Platform> File<P> for UdpSocket<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        self.do_recv(to, MsgFlags::empty()).map(|received| received.len)
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        self.do_send(from, None, &[])
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat { st_mode: 0o140_777, ..anonymous_stat() })
    }

    fn ready(&self) -> Ready {
        self.readiness()
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.events.queue)
    }

    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        if request != FIONREAD {
            return Err(Errno::ENOTTY);
        }
        let bytes = self.next_len().unwrap_or(0);
        arg.put(&i32::try_from(bytes).unwrap_or(i32::MAX).to_ne_bytes())?;
        Ok(0)
    }

    fn close(&self) {
        let mut core = self.core.lock();
        core.peer = None;
        let groups = core::mem::take(&mut core.groups);
        if !groups.is_empty() {
            self.stack.with(|inner| groups.into_iter().for_each(|member| inner.leave(member)));
        }
        if let Some(bound) = core.bound.take() {
            self.stack.with(|inner| inner.bury_udp(bound));
        }
        drop(core);
        self.events.queue.notify(Ready::all());
    }

    fn as_socket(&self) -> Option<&dyn Socket<P>> {
        Some(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

impl<P: Platform> Drop for UdpSocket<P> {
    /// A socket that never became a descriptor is not closed by anybody else.
    fn drop(&mut self) {
        File::close(self);
    }
}
