//! A shard of the TCP/IP stack: smoltcp's interfaces and sockets, and the loop that moves frames.

use super::admission::{HalfOpen, Verdict, reset_error};
use super::conn::set_ack_delay;
use super::flow::{Content, Flow, Kind, Segment, classify};
use super::link::{Link, LinkId};
use super::mss;
use super::offer;
use super::ports::Ports;
use super::reassembly::Piece;
use super::shared::{Parcel, Shards, Shared};
use super::steering::{FIRST, ShardId};
use super::table::{ConnId, Entry, Table};
use super::udp::{Receivers, UdpDying};
use super::upkeep::Upkeep;
use super::wire::{Origin, Staged};
use crate::platform::{Platform, Supply, TimerId};
use crate::time;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::iface::{PollResult, SocketSet};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::IpAddress;

/// Frames handled before others get their turn.
const BUDGET: usize = 128;
/// How long smoltcp waits for an answer before it asks for an Ethernet address again.
const NEIGHBOR_SILENCE: Duration = Duration::from_secs(1);
/// What is due at once but could not be sent waits for room in the ring, which the softirq announces; this is the net below.
pub(super) const RETRY: Duration = Duration::from_millis(1);

/// Everything behind a shard's lock.
pub(super) struct Inner<P: Platform> {
    /// Which shard this is, and what it has in common with the others.
    pub(super) number: ShardId,
    pub(super) shared: Arc<Shared<P>>,
    /// How often what all shards know had changed when it looked, and what others have left for it that it has not looked at.
    pub(super) version: u64,
    pub(super) parcels: VecDeque<Parcel>,
    /// Shards for which it has left something, and which nobody has asked to look yet.
    pub(super) asked: Shards,
    /// The current link, and the others in no order.
    pub(super) link: Box<Link>,
    pub(super) others: Vec<Box<Link>>,
    /// TCP connections.
    pub(super) table: Table,
    /// What comes for UDP sockets: the first shard's.
    pub(super) receivers: Receivers,
    /// What smoltcp is shown for a segment of no connection.
    nobody: SocketSet<'static>,
    /// Connections that listeners wait for.
    pub(super) half_open: BTreeSet<HalfOpen>,
    /// Connections in TIME-WAIT that the program has closed, oldest first.
    pub(super) time_waits: VecDeque<ConnId>,
    pub(super) udp_dying: Vec<UdpDying>,
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
    pub(super) upkeep: Upkeep,
    pub(super) timer: Option<TimerId>,
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

impl<P: Platform> Inner<P> {
    /// A shard with its links, the first card's first, without addresses.
    pub(super) fn new(number: ShardId, shared: Arc<Shared<P>>, link: Box<Link>, others: Vec<Box<Link>>) -> Self {
        Self {
            number,
            shared,
            version: 0,
            parcels: VecDeque::new(),
            asked: 0,
            link,
            others,
            table: Table::new::<P>(),
            nobody: SocketSet::new(Vec::new()),
            receivers: Receivers::new(),
            half_open: BTreeSet::new(),
            time_waits: VecDeque::new(),
            udp_dying: Vec::new(),
            udp_ports: Ports::new::<P>(),
            groups: BTreeMap::new(),
            hooked: false,
            news: false,
            announcing: false,
            hurried: false,
            next_search: time::Instant::ZERO,
            upkeep: Upkeep::UNKNOWN,
            timer: None,
        }
    }

    /// Takes and sends frames. True when the budget ran out.
    pub(super) fn run(&mut self, from_nic: bool) -> bool {
        let time = P::now();
        let now = smol(time);
        self.maintain(time);
        self.table.expire(time);
        let mut left = BUDGET;
        let more = loop {
            // Each card has its turn, whatever comes by the others.
            let share = left.div_ceil(self.count().into());
            let (mut looped, mut more) = (false, false);
            if from_nic {
                more |= self.ingress_left(now, &mut left);
            }
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
        more
    }

    /// Tells the cards about what was sent.
    pub(super) fn kick(&mut self) {
        self.links_mut().for_each(|link| link.wire.kick());
    }

    /// Takes what other shards have left; true if there may be more.
    fn ingress_left(&mut self, now: Instant, left: &mut usize) -> bool {
        if self.shared.shards == 1 {
            return false;
        }
        while *left > 0 && self.stage_left() {
            self.take_staged(now);
            self.link.wire.drop_staged();
            *left -= 1;
        }
        *left == 0
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
        // What another shard has left is for this one, but for what fragments turn out to be.
        let mut movable = self.link.wire.origin() == Origin::Card;
        let (frame, packet) = self.link.wire.staged();
        let mut content = classify(frame, packet);
        if let Some(packet) = packet.filter(|packet| packet.part.is_some()) {
            if movable && self.number != FIRST {
                return self.hand_over(FIRST);
            }
            movable = true;
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
        if movable {
            let home = self.home(&content);
            if home != self.number {
                return self.hand_over(home);
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
                    self.share_neighbor();
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
        let Some(entry) = self.table.get_mut(id) else { return };
        let (socket, conn) = entry.both();
        if kind == Kind::Data && conn.buffers.is_excessive(socket, span) {
            return;
        }
        if let Some(ack) = ack {
            conn.sending.hear(ack);
        }
        let opens = matches!(before, tcp::State::Listen | tcp::State::SynSent);
        let Flow { local, remote } = segment.flow;
        let path = if opens { self.link.wire.paths().known(remote.addr) } else { None };
        let most = mss::of_packet(local.addr, path.map_or(conn.sending.mtu(), |path| path.mtu.into()));
        if opens {
            let said = mss::clamp(self.link.wire.payload(), most, Some(offer::SHIFT));
            conn.sending.hear_syn(said);
            conn.follow(path);
            conn.recovery.begin(said, conn.full(remote.addr));
        }
        // smoltcp listens to no other, and what is shown to it later must not say more than what it heard.
        let ack = ack.filter(|_| conn.buffers.expects(socket, span.start));
        let time = P::now();
        let lost = conn.hear(socket, &Segment { ack, ..*segment }, self.link.wire.payload(), time);
        if kind == Kind::Data {
            set_ack_delay(socket, span.end.wrapping_sub(span.start));
        }
        self.link.wire.exchange(&mut conn.sending);
        self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut entry.set);
        self.link.wire.exchange(&mut entry.conn.sending);
        let (socket, conn) = entry.both();
        conn.heard = time;
        match before {
            // Its SYN was taken. It may carry data.
            tcp::State::Listen | tcp::State::SynSent if socket.state() != before => {
                conn.buffers.begin(span.start);
                conn.recovery.opened(time);
            }
            _ if kind == Kind::Data => conn.buffers.came(span),
            _ => {}
        }
        if kind == Kind::Reset && socket.state() == tcp::State::Closed {
            conn.reset.get_or_insert(reset_error(before));
        }
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
        // Connections in a row that wait for room on their link; others may find some.
        let mut stuck = 0;
        while stuck < self.table.touched() && self.links_mut().any(|link| link.wire.has_room()) {
            let Some(id) = self.table.next_touched() else { break };
            let link = self.table.get(id).map_or(0, |entry| entry.conn.link);
            self.turn(link);
            if self.others.is_empty() || self.link.wire.has_room() {
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
            self.table.hasten(id, until);
            return;
        }
        conn.widen(time);
        conn.hold_back(socket);
        let sent = self.link.wire.sent();
        // It may have answered a segment meanwhile.
        entry.conn.sending.last = None;
        self.link.wire.exchange(&mut entry.conn.sending);
        self.link.iface.poll_egress(now, &mut self.link.wire, &mut entry.set);
        self.link.wire.exchange(&mut entry.conn.sending);
        let (socket, conn) = entry.both();
        let mut restarted = false;
        if let Some(span) = conn.sending.last.take() {
            if !matches!(socket.state(), tcp::State::SynSent | tcp::State::SynReceived) {
                conn.buffers.told_window(socket);
            }
            restarted = conn.recovery.sent(span, time);
            if let Some(peer) = socket.remote_endpoint() {
                conn.note_short(span, peer.addr);
            }
            conn.answered();
        }
        if restarted {
            self.show_window(id, now);
        }
        self.attend(id, now, Some(sent));
        self.settle(id, time);
    }

    /// Finds out when a connection wants to be served, and sees to it. If that is now it soon is, unless it was served just now, when
    /// there were so many frames sent, and could not send.
    fn attend(&mut self, id: ConnId, now: Instant, served: Option<u64>) {
        let Some(entry) = self.table.get_mut(id) else { return };
        let (socket, conn) = entry.both();
        conn.hold_back(socket);
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
        let own = match waits.map(smol).or(due) {
            Some(at) if at <= now && served != Some(self.link.wire.sent()) => {
                self.table.touch(id);
                None
            }
            due => due.map(instant),
        };
        let all = others.into_iter().chain([own]).flatten().min();
        self.table.schedule(id, all.map(|at| at.max(soonest)));
    }

    fn send_datagrams(&mut self, now: Instant) {
        let due = self.link.datagrams.due.is_some_and(|at| at <= instant(now));
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
        self.poll_dhcp();
    }
}
