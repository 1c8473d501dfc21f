//! The TCP/IP stack: smoltcp's interface and sockets behind one lock, and the loop that moves frames.

use super::admission::{ListenKey, Listener, Verdict};
use super::conn::{Conn, Dying};
use super::device::NetDevice;
use super::lease::{Addressing, Lease, LeaseHook};
use super::ports::Ports;
use super::relay::Relay;
use super::udp::UdpDying;
use super::wire::{Staged, Wire};
use crate::platform::{Platform, TimerId};
use crate::sync::Lock;
use crate::time;
use crate::wait::{Observer, Ready};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::time::Duration;
use smoltcp::iface::{Config, Interface, PollResult, SocketHandle, SocketSet};
use smoltcp::socket::{dhcpv4, tcp};
use smoltcp::time::Instant;
use smoltcp::wire::HardwareAddress;

/// Frames handled before others get their turn.
const BUDGET: usize = 128;
/// How often smoltcp is reminded of the host's own Ethernet address; it forgets after 60 s.
const ANNOUNCE: Duration = Duration::from_secs(30);
/// What is due at once but could not be sent waits for room in the ring, which the softirq announces; this is the net below.
const RETRY: Duration = Duration::from_millis(1);

/// Everything behind the stack's lock.
pub(super) struct Inner<P: Platform> {
    platform: PhantomData<fn() -> P>,
    pub(super) iface: Interface,
    pub(super) sockets: SocketSet<'static>,
    pub(super) wire: Wire,
    pub(super) listeners: BTreeMap<ListenKey, Listener>,
    pub(super) conns: BTreeMap<SocketHandle, Conn>,
    /// Closed by the program, not yet finished: close(2) must lose neither data nor FIN.
    pub(super) dying: Vec<Dying>,
    pub(super) udp_dying: Vec<UdpDying>,
    pub(super) tcp_ports: Ports,
    pub(super) udp_ports: Ports,
    /// The largest number of sockets so far.
    pub(super) most_sockets: usize,
    pub(super) next_sweep: time::Instant,
    pub(super) dhcp: Option<SocketHandle>,
    pub(super) lease: Option<Lease>,
    /// There is a hook for changes of the lease.
    pub(super) hooked: bool,
    /// The lease has changed since the hook was last called.
    pub(super) news: bool,
    /// Somebody is calling the hook.
    pub(super) announcing: bool,
    next_announce: time::Instant,
    timer: Option<TimerId>,
}

/// The network stack.
pub struct NetStack<P: Platform> {
    inner: Relay<P, Inner<P>>,
    pub(super) hook: Lock<P, Option<LeaseHook>>,
    this: Weak<Self>,
}

/// smoltcp's clock: microseconds since boot.
fn smol(now: time::Instant) -> Instant {
    Instant::from_micros((now.as_nanos() / 1000) as i64)
}

impl<P: Platform> NetStack<P> {
    /// A stack on `nic`, or with loopback only. The card's interrupts are turned on by the first [`NetStack::poll`].
    pub fn new(nic: Option<Box<dyn NetDevice>>, addressing: Addressing) -> Arc<Self> {
        let mut wire = Wire::new(nic);
        let mut seed = [0; 8];
        P::random(&mut seed);
        let mut config = Config::new(HardwareAddress::Ethernet(wire.mac));
        config.random_seed = u64::from_ne_bytes(seed);
        let iface = Interface::new(config, &mut wire, smol(P::now()));
        let mut inner = Inner {
            platform: PhantomData,
            iface,
            sockets: SocketSet::new(Vec::new()),
            wire,
            listeners: BTreeMap::new(),
            conns: BTreeMap::new(),
            dying: Vec::new(),
            udp_dying: Vec::new(),
            tcp_ports: Ports::new::<P>(),
            udp_ports: Ports::new::<P>(),
            most_sockets: 0,
            next_sweep: time::Instant::ZERO,
            dhcp: None,
            lease: None,
            hooked: false,
            news: false,
            announcing: false,
            next_announce: time::Instant::ZERO,
            timer: None,
        };
        inner.configure(addressing);
        Arc::new_cyclic(|this| Self { inner: Relay::new(inner), hook: Lock::new(None), this: this.clone() })
    }

    /// Moves frames until there is nothing to do. Returns true when it stopped because others must have their turn: call again soon.
    /// Called, without any lock held, from the network softirq, and once at start; may be called at any time.
    pub fn poll(&self) -> bool {
        let mut more = false;
        self.inner.request(|inner| more = self.work(inner));
        self.announce_lease();
        more
    }

    /// What the card's interrupt and the timer ask for; true if there is more to do.
    fn work(&self, inner: &mut Inner<P>) -> bool {
        let mut more = inner.run(true);
        if more {
            inner.wire.kick();
        } else {
            more = inner.wire.rearm();
        }
        self.rearm_timer(inner);
        more
    }

    /// Runs `f` on the stack and then, if its second result says so, moves the frames it caused. What comes from the card waits for
    /// the softirq, so that a call is not charged with everybody's frames.
    pub(super) fn enter<R>(&self, f: impl FnOnce(&mut Inner<P>) -> (R, bool)) -> R {
        let mut more = false;
        let (result, later) = self.inner.with(
            |inner| {
                let (result, run) = f(inner);
                let later = run && inner.run(false);
                if run {
                    inner.wire.kick();
                    self.rearm_timer(inner);
                }
                (result, later || inner.news)
            },
            |inner| more = self.work(inner),
        );
        if more || later {
            self.poll_later();
        }
        result
    }

    /// Runs `f` on the stack, then moves the frames it caused.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Inner<P>) -> R) -> R {
        self.enter(|inner| (f(inner), true))
    }

    /// Runs `f` on the stack when it causes no frames.
    pub(super) fn look<R>(&self, f: impl FnOnce(&mut Inner<P>) -> R) -> R {
        self.enter(|inner| (f(inner), false))
    }

    /// Has [`NetStack::poll`] called from softirq context.
    fn poll_later(&self) {
        if let Some(this) = self.this.upgrade() {
            P::timer_arm(P::now(), this);
        }
    }

    fn rearm_timer(&self, inner: &mut Inner<P>) {
        let now = P::now();
        let engine = inner.iface.poll_at(smol(now), &inner.sockets);
        let engine = engine.map(|at| time::Instant::from_nanos(at.total_micros().max(0) as u64 * 1000));
        let Some(at) = engine.into_iter().chain(inner.next_death()).min() else { return };
        let at = at.max(now + RETRY);
        match inner.timer {
            // It fires early and is armed again then.
            Some(armed) if armed.at <= at && armed.at > now => {}
            armed => {
                if let Some(armed) = armed {
                    P::timer_cancel(armed);
                }
                inner.timer = self.this.upgrade().map(|this| P::timer_arm(at, this));
            }
        }
    }

    /// The card's Ethernet address.
    pub fn mac(&self) -> [u8; 6] {
        self.look(|inner| inner.wire.mac.0)
    }

    /// Sockets that exist, closed ones that are not finished included.
    pub fn sockets(&self) -> usize {
        self.look(|inner| inner.sockets.iter().count())
    }
}

impl<P: Platform> Observer for NetStack<P> {
    fn notify(&self, _: Ready) {
        if self.poll() {
            self.poll_later();
        }
    }
}

impl<P: Platform> Inner<P> {
    /// Takes and sends frames. True when the budget ran out.
    fn run(&mut self, from_nic: bool) -> bool {
        let time = P::now();
        let now = smol(time);
        if time >= self.next_announce {
            self.next_announce = time + ANNOUNCE;
            self.wire.announce();
        }
        self.sweep(time);
        self.iface.poll_maintenance(now);
        let mut left = BUDGET;
        loop {
            self.ingress(now, from_nic, &mut left);
            self.egress(now);
            let aborted = self.reap(time);
            if left == 0 || !(aborted || self.wire.has_looped()) {
                break;
            }
        }
        self.reap_udp(time);
        self.poll_dhcp();
        left == 0
    }

    fn ingress(&mut self, now: Instant, from_nic: bool, left: &mut usize) {
        while *left > 0 {
            match self.wire.stage(from_nic) {
                Staged::Nothing => break,
                Staged::Dropped => {}
                Staged::Frame => self.take_staged(now),
            }
            *left -= 1;
        }
    }

    /// Hands the staged frame to smoltcp.
    fn take_staged(&mut self, now: Instant) {
        let verdict = self.judge();
        if let Verdict::Drop = verdict {
            self.wire.drop_staged();
            return;
        }
        self.wire.hear_staged();
        self.iface.poll_ingress_single(now, &mut self.wire, &mut self.sockets);
        match verdict {
            Verdict::Admitted(handle, waker) => self.admitted(handle, &waker),
            Verdict::Reset(handle, error) if self.state(handle) == tcp::State::Closed => {
                if let Some(conn) = self.conns.get_mut(&handle) {
                    conn.reset = Some(error);
                }
            }
            _ => {}
        }
    }

    fn egress(&mut self, now: Instant) {
        loop {
            let sent = self.wire.sent;
            let result = self.iface.poll_egress(now, &mut self.wire, &mut self.sockets);
            // smoltcp does not mention the fragments it sends.
            if result == PollResult::None && self.wire.sent == sent {
                break;
            }
        }
    }

    /// Lets smoltcp find this host at its new addresses.
    pub(super) fn announce_soon(&mut self) {
        self.next_announce = time::Instant::ZERO;
    }

    fn poll_dhcp(&mut self) {
        let Some(handle) = self.dhcp else { return };
        match self.sockets.get_mut::<dhcpv4::Socket>(handle).poll() {
            None => {}
            Some(dhcpv4::Event::Deconfigured) => self.set_lease(None),
            Some(dhcpv4::Event::Configured(config)) => {
                let lease = Lease {
                    address: config.address,
                    router: config.router,
                    dns: config.dns_servers.iter().copied().collect(),
                };
                self.set_lease(Some(lease));
            }
        }
    }
}
