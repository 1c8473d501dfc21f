//! The TCP/IP stack: smoltcp's interface and sockets behind one lock, and the loop that moves frames.

use super::admission::{ListenKey, Listener, Verdict, reset_error};
use super::conn::Conn;
use super::device::{Counters, NetDevice};
use super::flow::{Content, Flow, Kind, Segment, classify};
use super::lease::{Addressing, Addressing6, LeaseHook};
use super::link::{Card, Link, LinkId, MOST};
use super::mss;
use super::ports::Ports;
use super::reassembly::Piece;
use super::relay::Relay;
use super::sack;
use super::table::{ConnId, Entry, Table};
use super::udp::{Receivers, UdpDying};
use super::wire::{MTU, Staged};
use crate::platform::{Platform, Supply, TimerId};
use crate::sync::Lock;
use crate::time;
use crate::wait::{Observer, Ready};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::time::Duration;
use smoltcp::iface::{PollResult, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::IpAddress;

/// Frames handled before others get their turn.
const BUDGET: usize = 128;
/// How often smoltcp is reminded of the host's own Ethernet address; it forgets after 60 s.
const ANNOUNCE: Duration = Duration::from_secs(30);
/// How long smoltcp waits for an answer before it asks for an Ethernet address again.
const NEIGHBOR_SILENCE: Duration = Duration::from_secs(1);
/// What is due at once but could not be sent waits for room in the ring, which the softirq announces; this is the net below.
const RETRY: Duration = Duration::from_millis(1);

/// Everything behind the stack's lock.
pub(super) struct Inner<P: Platform> {
    platform: PhantomData<fn() -> P>,
    /// The current link, and the others in no order.
    pub(super) link: Box<Link>,
    pub(super) others: Vec<Box<Link>>,
    /// TCP connections.
    pub(super) table: Table,
    /// What comes for UDP sockets.
    pub(super) receivers: Receivers,
    /// What smoltcp is shown for a segment of no connection.
    nobody: SocketSet<'static>,
    pub(super) listeners: BTreeMap<ListenKey, Listener>,
    /// Connections in TIME-WAIT that the program has closed, oldest first.
    pub(super) time_waits: VecDeque<ConnId>,
    pub(super) udp_dying: Vec<UdpDying>,
    pub(super) tcp_ports: Ports,
    pub(super) udp_ports: Ports,
    /// Multicast groups of each link, and how many sockets are in each.
    pub(super) groups: BTreeMap<(LinkId, IpAddress), usize>,
    /// There is a hook for changes of the lease.
    pub(super) hooked: bool,
    /// The lease has changed since the hook was last called.
    pub(super) news: bool,
    /// Somebody is calling the hook.
    pub(super) announcing: bool,
    /// A connection is to be served earlier than the timer knows.
    pub(super) hurried: bool,
    /// See [`Inner::economise`].
    pub(super) next_search: time::Instant,
    timer: Option<TimerId>,
}

/// The network stack.
pub struct NetStack<P: Platform> {
    inner: Relay<P, Inner<P>>,
    pub(super) hook: Lock<P, Option<LeaseHook>>,
    this: Weak<Self>,
}

/// UDP sockets and the DHCP client: smoltcp walks all of them.
pub(super) struct Datagrams {
    pub(super) set: SocketSet<'static>,
    /// They may have something to send.
    pub(super) touched: bool,
    /// When they want to be served again.
    pub(super) due: Option<time::Instant>,
}

impl Datagrams {
    pub(super) fn new() -> Self {
        Self { set: SocketSet::new(Vec::new()), touched: true, due: None }
    }
}

/// smoltcp's clock: microseconds since boot.
pub(super) fn smol(now: time::Instant) -> Instant {
    Instant::from_micros((now.as_nanos() / 1000) as i64)
}

pub(super) fn instant(at: Instant) -> time::Instant {
    time::Instant::from_nanos(at.total_micros().max(0) as u64 * 1000)
}

impl<P: Platform> NetStack<P> {
    /// A stack on `nic`, or with loopback only. The card's interrupts are turned on by the first [`NetStack::poll`].
    pub fn new(nic: Option<Box<dyn NetDevice>>, addressing: Addressing, addressing6: Addressing6) -> Arc<Self> {
        Self::on(Link::new::<P>(0, nic, addressing6), addressing, Vec::new())
    }

    /// As [`NetStack::new`], on several cards. Of more than there are [names](super::NAMES) for the rest is not used.
    pub fn on_cards(cards: Vec<Card>) -> Arc<Self> {
        let mut cards = cards.into_iter().take(MOST);
        let Some(Card { nic, addressing, addressing6 }) = cards.next() else {
            return Self::new(None, Addressing::None, Addressing6::None);
        };
        let others = cards.enumerate().map(|(before, Card { nic, addressing, addressing6 })| {
            (Link::new::<P>(before as LinkId + 1, Some(nic), addressing6), addressing)
        });
        Self::on(Link::new::<P>(0, Some(nic), addressing6), addressing, others.collect())
    }

    fn on(link: Box<Link>, addressing: Addressing, others: Vec<(Box<Link>, Addressing)>) -> Arc<Self> {
        let (others, of_others): (Vec<_>, Vec<_>) = others.into_iter().unzip();
        let mut inner = Inner {
            platform: PhantomData,
            link,
            others,
            table: Table::new::<P>(),
            nobody: SocketSet::new(Vec::new()),
            receivers: Receivers::new(),
            listeners: BTreeMap::new(),
            time_waits: VecDeque::new(),
            udp_dying: Vec::new(),
            tcp_ports: Ports::new::<P>(),
            udp_ports: Ports::new::<P>(),
            groups: BTreeMap::new(),
            hooked: false,
            news: false,
            announcing: false,
            hurried: false,
            next_search: time::Instant::ZERO,
            timer: None,
        };
        inner.configure(addressing);
        for (number, addressing) in (1..).zip(of_others) {
            inner.on(number, |inner| inner.configure(addressing));
        }
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
            inner.kick();
        } else {
            // Each is to be asked.
            more = inner.links_mut().map(|link| link.wire.rearm()).filter(|&more| more).count() > 0;
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
                inner.links_mut().for_each(|link| link.wire.speak_for(P::cpu));
                let (result, run) = f(inner);
                let later = run && inner.run(false);
                if run {
                    inner.kick();
                }
                if core::mem::take(&mut inner.hurried) || run {
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
        let blocked = inner.table.has_touched().then_some(now);
        let links = inner.links_mut().filter_map(|link| link.due()).min();
        let all = [inner.table.next_timer(), blocked, inner.next_death(), links];
        let Some(at) = all.into_iter().flatten().min() else { return };
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

    /// The first card's Ethernet address.
    pub fn mac(&self) -> [u8; 6] {
        self.look(|inner| inner.numbered(0).wire.mac.0)
    }

    /// What each card has done, by its pairs of queues, and how many of its frames the stack has refused before it looked at them.
    pub fn counters(&self) -> Vec<(Vec<Counters>, u64)> {
        self.look(|inner| inner.links().map(|link| link.wire.counters()).collect())
    }

    /// How often a call had to wait for the stack's lock, and how often an interrupt's work was left to who had it.
    pub fn contention(&self) -> (u64, u64) {
        self.inner.contention()
    }

    /// Sockets that exist, closed ones that are not finished included.
    pub fn sockets(&self) -> usize {
        self.look(|inner| inner.table.len() + inner.udp_sockets())
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
        for number in 0..self.count() {
            self.turn(number);
            self.maintain(time);
        }
        self.table.expire(time);
        self.economise(time);
        let mut left = BUDGET;
        let more = loop {
            // Each card has its turn, whatever comes by the others.
            let share = left.div_ceil(self.count().into());
            let (mut looped, mut more) = (false, false);
            for number in 0..self.count() {
                self.turn(number);
                let mut part = share.min(left);
                left -= part;
                self.ingress(now, from_nic, &mut part);
                more |= part == 0;
                left += part;
            }
            self.egress(now);
            for number in 0..self.count() {
                self.turn(number);
                looped |= self.link.wire.has_looped();
            }
            if left == 0 || !looped {
                break more;
            }
        };
        self.reap_udp(time);
        for number in 0..self.count() {
            self.turn(number);
            self.poll_dhcp();
        }
        more
    }

    /// What is due on the current link.
    fn maintain(&mut self, time: time::Instant) {
        if time >= self.link.next_announce {
            self.link.next_announce = time + ANNOUNCE;
            self.link.wire.announce();
        }
        self.link.iface.poll_maintenance(smol(time));
        self.discover(time);
        self.detect_duplicates(time);
        self.link.wire.paths().expire(time);
    }

    /// Tells the cards about what was sent.
    fn kick(&mut self) {
        self.links_mut().for_each(|link| link.wire.kick());
    }

    fn ingress(&mut self, now: Instant, from_nic: bool, left: &mut usize) {
        while *left > 0 {
            match self.link.wire.stage(from_nic) {
                Staged::Nothing => break,
                Staged::Dropped => {}
                Staged::Frame => {
                    self.take_staged(now);
                    self.link.wire.drop_staged();
                }
            }
            *left -= 1;
        }
    }

    /// Hands the staged frame to smoltcp, with the sockets that it may be for.
    fn take_staged(&mut self, now: Instant) {
        let (frame, packet) = self.link.wire.staged();
        let mut content = classify(frame, packet);
        if let Some(packet) = packet.filter(|packet| packet.part.is_some()) {
            match self.link.reassembly.take(frame, packet, P::now()) {
                Piece::Whole => {}
                Piece::Taken => return,
                Piece::Complete(whole) => {
                    if !self.link.wire.restage(whole) {
                        return;
                    }
                    let (frame, packet) = self.link.wire.staged();
                    content = classify(frame, packet);
                }
            }
        }
        match content {
            Content::Tcp(segment) => match self.judge(&segment) {
                Verdict::Drop => {}
                Verdict::Nobody => {
                    self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut self.nobody);
                }
                Verdict::To(id) => self.take_segment(now, id, &segment),
            },
            Content::Udp(header, data) if !self.is_for_dhcp(&header) => {
                if !self.take_datagram(header, data) {
                    // smoltcp tells the sender, where that is right.
                    self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut self.nobody);
                }
            }
            content => {
                if let Content::Unreachable { from, to, error } = content {
                    self.receivers.fail(from, to, error);
                }
                if let Content::TooBig(complaint) = content {
                    self.hear_too_big(complaint, P::now());
                }
                if content == Content::Neighbor {
                    self.hear_claim();
                }
                self.hear_router(&content, P::now());
                self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut self.link.datagrams.set);
                self.link.datagrams.touched = true;
                if content == Content::Neighbor {
                    // Who waits for an Ethernet address does so for a second, and then asks again.
                    self.table.expire(P::now() + NEIGHBOR_SILENCE);
                }
            }
        }
    }

    fn take_segment(&mut self, now: Instant, id: ConnId, segment: &Segment) {
        let &Segment { kind, span, ack, .. } = segment;
        // What acknowledges, ends or resets helps to get memory back; data would take it. It comes again.
        if kind == Kind::Data && P::memory() == Supply::Short {
            return;
        }
        let before = self.state(id);
        let held = |entry: &Entry| before == tcp::State::SynReceived && self.must_wait(&entry.conn);
        if kind != Kind::Reset && self.table.get(id).is_some_and(held) {
            return;
        }
        let queue = self.link.wire.queue();
        let Some(entry) = self.table.get_mut(id) else { return };
        let (socket, conn) = entry.both();
        if kind == Kind::Data && conn.buffers.is_excessive(socket, span) {
            return;
        }
        conn.sending.queue = queue;
        if let Some(ack) = ack {
            conn.sending.hear(ack);
        }
        let opens = matches!(before, tcp::State::Listen | tcp::State::SynSent);
        let Flow { local, remote } = segment.flow;
        let path = if opens { self.link.wire.paths().known(remote.addr) } else { None };
        let most = mss::of_packet(local.addr, path.map_or(MTU, |path| path.mtu.into()));
        let said = opens.then(|| self.link.wire.clamp_mss(most));
        // smoltcp listens to no other, and what is shown to it later must not say more than what it heard.
        let ack = ack.filter(|_| conn.buffers.expects(socket, span.start));
        if ack.is_some() && segment.options {
            let (frame, packet) = self.link.wire.staged();
            let bytes = packet.and_then(|packet| frame.get(packet.payload.clone())).unwrap_or_default();
            conn.recovery.selected(sack::blocks(bytes));
        }
        if kind == Kind::Data {
            Conn::set_ack_delay(socket, span.end.wrapping_sub(span.start));
        }
        self.link.wire.exchange(&mut conn.sending);
        self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut entry.set);
        self.link.wire.exchange(&mut entry.conn.sending);
        let (socket, conn) = entry.both();
        let time = P::now();
        conn.heard = time;
        match before {
            // Its SYN was taken. It may carry data.
            tcp::State::Listen | tcp::State::SynSent if socket.state() != before => {
                conn.buffers.begin(span.start);
                conn.sending.hear_syn(said.unwrap_or_default());
                conn.follow(path);
                conn.recovery.opened(time);
            }
            _ if kind == Kind::Data => conn.buffers.came(span),
            _ => {}
        }
        if kind == Kind::Reset && socket.state() == tcp::State::Closed {
            conn.reset.get_or_insert(reset_error(before));
        }
        let lost = ack.is_some_and(|ack| conn.recovery.heard(ack, time));
        if lost {
            self.send_again(id, now);
        }
        self.settle(id, time);
        self.attend(id, now, None);
    }

    /// Sends what is to be sent, as long as there is room: a packet each of those that have some.
    fn egress(&mut self, now: Instant) {
        for number in 0..self.count() {
            self.turn(number);
            self.send_datagrams(now);
        }
        // Connections in a row that wait for room in their queue; others may find some.
        let mut stuck = 0;
        while stuck < self.table.touched() && self.links_mut().any(|link| link.wire.has_room()) {
            let Some(id) = self.table.next_touched() else { break };
            let (link, queue) = self.table.get(id).map_or((0, 0), |entry| (entry.conn.link, entry.conn.sending.queue));
            self.turn(link);
            let room = self.others.is_empty() || self.link.wire.has_room();
            if room && self.link.wire.has_room_in(queue) {
                self.serve(now, id);
                stuck = 0;
            } else {
                self.table.touch(id);
                stuck += 1;
            }
        }
    }

    /// Lets smoltcp send one packet of a connection, and finds out when it wants to again.
    fn serve(&mut self, now: Instant, id: ConnId) {
        let time = P::now();
        self.settle(id, time);
        self.check_timeout(id, now);
        let Some(entry) = self.table.get_mut(id) else { return };
        let (socket, conn) = entry.both();
        if let Some(until) = conn.still_awaits_answer(socket, time) {
            self.table.arm(id, until);
            return;
        }
        conn.widen(time);
        let sent = self.link.wire.sent();
        // It may have answered a segment meanwhile.
        entry.conn.sending.last = None;
        self.link.wire.exchange(&mut entry.conn.sending);
        self.link.iface.poll_egress(now, &mut self.link.wire, &mut entry.set);
        self.link.wire.exchange(&mut entry.conn.sending);
        let (socket, conn) = entry.both();
        if let Some(span) = conn.sending.last.take() {
            if !matches!(socket.state(), tcp::State::SynSent | tcp::State::SynReceived) {
                conn.buffers.told_window(socket);
            }
            conn.recovery.sent(span, time);
            conn.answered();
        }
        self.attend(id, now, Some(sent));
        self.settle(id, time);
    }

    /// Finds out when a connection wants to be served, and sees to it. If that is now it soon is, unless it was served just now, when
    /// there were so many frames sent, and could not send.
    fn attend(&mut self, id: ConnId, now: Instant, served: Option<u64>) {
        let Some(entry) = self.table.get_mut(id) else { return };
        let due = self.link.iface.poll_at(now, &entry.set);
        let (socket, conn) = entry.both();
        // What smoltcp does not know of.
        let others = [conn.recovery.due(), conn.deadline()];
        let soonest = instant(now) + RETRY;
        let waits = match due {
            // It says so of what cannot wait.
            Some(Instant::ZERO) => {
                conn.answered();
                None
            }
            Some(at) => conn.awaits_answer(socket, instant(at), instant(now)),
            None => None,
        };
        match waits.map(smol).or(due) {
            Some(at) if at <= now && served != Some(self.link.wire.sent()) => self.table.touch(id),
            Some(at) => self.table.arm(id, instant(at).max(soonest)),
            None => self.table.disarm(id),
        }
        others.into_iter().flatten().for_each(|at| self.table.arm(id, at.max(soonest)));
    }

    fn send_datagrams(&mut self, now: Instant) {
        let due = self.link.datagrams.due.is_some_and(|at| at <= P::now());
        if !core::mem::take(&mut self.link.datagrams.touched) && !due {
            return;
        }
        loop {
            let sent = self.link.wire.sent();
            let result = self.link.iface.poll_egress(now, &mut self.link.wire, &mut self.link.datagrams.set);
            // smoltcp does not mention the fragments it sends.
            if result == PollResult::None && self.link.wire.sent() == sent {
                break;
            }
        }
        self.link.datagrams.due = self.link.iface.poll_at(now, &self.link.datagrams.set).map(instant);
    }
}
