//! TCP connections as the stack keeps them: what smoltcp does not know about its sockets, and their end after close(2).

use super::admission::{ListenKey, Opened};
use super::buffers::Buffers;
use super::flow::Flow;
use super::link::LinkId;
use super::nagle::Nagle;
use super::ports::Binding;
use super::recovery::{Recovery, SEGMENT};
use super::sending::Sending;
use super::stack::Inner;
use super::table::{ConnId, Entry};
use crate::platform::Platform;
use crate::time;
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::socket::tcp;
use trapless_abi::{Errno, SysResult};

/// How long a received segment may wait for data to carry its acknowledgement. A peer with Nagle's algorithm may wait for it: Linux
/// delays for 40 ms at least, smoltcp for 10; 1 ms still lets a quick answer carry the acknowledgement of its request.
const ACK_DELAY: Duration = Duration::from_millis(1);
/// How long it may wait when the program has not read it yet, and so cannot have answered: Linux's shortest delay.
const UNREAD_DELAY: Duration = Duration::from_millis(40);
/// Bytes of a full segment in the shortest packets of IPv6. The acknowledgement of fewer waits for the program to read: who sends more may
/// have been told by his congestion window to stop there.
const SHORT: usize = 1220;
/// How long a closed connection may go without progress: tcp(7), tcp_fin_timeout.
pub(super) const ORPHAN: Duration = Duration::from_secs(60);
/// How long a reset may wait for room in the ring or for the peer's Ethernet address.
const RESET: Duration = Duration::from_secs(3);
/// How long a finished connection stays to acknowledge the peer's last segment again. RFC 9293 asks for minutes; the buffers are
/// worth more. It is longer than Linux's shortest retransmission timeout (200 ms).
const TIME_WAIT: Duration = Duration::from_millis(500);
/// Connections that may do so at once, on all shards; more are forgotten at once.
const MAX_TIME_WAIT: usize = 64;
/// The shortest time limit: an acknowledgement may take a while.
const MIN_LIMIT: Duration = Duration::from_millis(250);
/// Bytes that must be free beside a new connection's buffers, for the small allocations that cannot fail.
const HEADROOM: usize = 16 * 1024;

/// How long a peer may be silent before a connection ends with ETIMEDOUT.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// In answer to connect(2): tcp(7), tcp_syn_retries.
    pub(super) connect: Duration,
    /// While it has something to acknowledge: tcp(7), tcp_retries2 or TCP_USER_TIMEOUT.
    pub(super) data: Duration,
    /// While the connection is idle: None without SO_KEEPALIVE.
    pub(super) idle: Option<Duration>,
    /// When the program has closed its side, and the peer knows: TCP_LINGER2.
    pub(super) finish: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(127), data: Duration::from_secs(924), idle: None, finish: ORPHAN }
    }
}

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A socket of the program's.
    Program,
    /// A listener, until accept(2).
    Listener(ListenKey, Opened),
    /// Nobody: the program has closed it.
    Nobody(Dying),
}

/// What the stack knows about a TCP socket of smoltcp's.
pub(super) struct Conn {
    pub(super) binding: Binding,
    /// The card that it leaves by: that to the peer, or that by which the peer has come.
    pub(super) link: LinkId,
    pub(super) limits: Limits,
    pub(super) sending: Sending,
    pub(super) owner: Owner,
    pub(super) buffers: Buffers,
    pub(super) recovery: Recovery,
    pub(super) nagle: Nagle,
    /// Until when the path to the peer is taken for narrower than the wire.
    pub(super) narrow_until: Option<time::Instant>,
    /// When the peer was heard last.
    pub(super) heard: time::Instant,
    /// Until when the acknowledgement of what the program has not read waits for its answer.
    answer_due: Option<time::Instant>,
    /// How long it was silent before this side ended the connection.
    idle_before_end: Duration,
    /// The peer reset the connection: what that means.
    pub(super) reset: Option<Errno>,
    /// The peer's data and FIN were all received, and the data nobody has read yet is in `leftover`, because smoltcp forgets both when
    /// it leaves TIME-WAIT.
    pub(super) finished: bool,
    pub(super) leftover: Vec<u8>,
}

impl Conn {
    /// A new connection that holds `binding`.
    pub(super) fn new(binding: Binding, owner: Owner, buffers: Buffers, now: time::Instant) -> Self {
        Self {
            binding,
            link: 0,
            limits: Limits::default(),
            sending: Sending::default(),
            owner,
            buffers,
            recovery: Recovery::default(),
            nagle: Nagle::default(),
            narrow_until: None,
            heard: now,
            answer_due: None,
            idle_before_end: Duration::ZERO,
            reset: None,
            finished: false,
            leftover: Vec::new(),
        }
    }

    /// When the stack gives up a connection that the program has closed.
    pub(super) const fn deadline(&self) -> Option<time::Instant> {
        match self.owner {
            Owner::Nobody(dying) => Some(dying.deadline),
            _ => None,
        }
    }

    /// A segment was sent, or must be at once.
    pub(super) fn answered(&mut self) {
        self.answer_due = None;
    }

    /// Until when nothing is to be sent, since there is only the acknowledgement of what the program has not read; smoltcp would send it
    /// at `due`.
    pub(super) fn awaits_answer(
        &mut self,
        socket: &tcp::Socket,
        due: time::Instant,
        now: time::Instant,
    ) -> Option<time::Instant> {
        let unread = (1..SHORT).contains(&socket.recv_queue()) && socket.state() == tcp::State::Established;
        if !unread || socket.send_queue() > 0 || due > now + ACK_DELAY {
            return None;
        }
        Some(*self.answer_due.get_or_insert(now + UNREAD_DELAY)).filter(|&until| until > now)
    }

    /// As [`Conn::awaits_answer`], when that was found out before.
    pub(super) fn still_awaits_answer(&mut self, socket: &tcp::Socket, now: time::Instant) -> Option<time::Instant> {
        self.answer_due.and_then(|_| self.awaits_answer(socket, now, now))
    }

    /// The time limit for the state a connection is in. smoltcp counts from the peer's last word, so what ends the connection after it
    /// has been idle begins with the time of its idleness.
    fn limit(&self, socket: &tcp::Socket) -> Option<smoltcp::time::Duration> {
        use tcp::State::{Closing, FinWait1, LastAck, SynReceived, SynSent};
        let limits = &self.limits;
        let limit = match socket.state() {
            SynSent => Some(limits.connect),
            // tcp(7), tcp_synack_retries.
            SynReceived => Some(Duration::from_secs(63)),
            FinWait1 | LastAck | Closing => Some(self.idle_before_end + limits.data),
            _ if socket.send_queue() > 0 => Some(limits.data),
            _ => limits.idle,
        };
        limit.map(|limit| limit.max(MIN_LIMIT).into())
    }
}

/// The end of a connection that the program has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dying {
    deadline: time::Instant,
    /// State and bytes to send when the deadline was set: it moves as long as these change.
    seen: (tcp::State, usize),
}

/// Tells smoltcp how long the acknowledgement of so much data may wait: of more than a full segment not at all (RFC 9293, 3.8.6.3). Several
/// may come in one piece, which smoltcp takes for one.
pub(super) fn set_ack_delay(socket: &mut tcp::Socket, bytes: u32) {
    let delay = if bytes > SEGMENT { Duration::ZERO } else { ACK_DELAY };
    socket.set_ack_delay(Some(delay.into()));
}

/// A TCP socket, and what is known of its buffers. ENOBUFS.
pub(super) fn new_tcp_socket<P: Platform>() -> SysResult<(tcp::Socket<'static>, Buffers)> {
    let (receive, send, buffers) = Buffers::new::<P>()?;
    let mut socket = tcp::Socket::new(receive, send);
    socket.set_ack_delay(Some(ACK_DELAY.into()));
    Ok((socket, buffers))
}

impl<P: Platform> Inner<P> {
    /// The two views of a connection.
    pub(super) fn both(&mut self, id: ConnId) -> Option<(&mut tcp::Socket<'static>, &mut Conn)> {
        self.table.get_mut(id).map(Entry::both)
    }

    pub(super) fn state(&self, id: ConnId) -> tcp::State {
        self.table.get(id).map_or(tcp::State::Closed, |entry| entry.socket().state())
    }

    /// Makes sure that one more socket can be added: the tables that grow by it cannot all report a failure. ENOBUFS.
    pub(super) fn room_for_one(&mut self) -> SysResult<()> {
        self.table.reserve()?;
        let mut probe = Vec::<u8>::new();
        probe.try_reserve_exact(HEADROOM).map_err(|_| Errno::ENOBUFS)
    }

    /// Adds a socket that holds `binding`, on the current link.
    pub(super) fn add_tcp(
        &mut self,
        (socket, buffers): (tcp::Socket<'static>, Buffers),
        flow: Flow,
        binding: Binding,
        owner: Owner,
    ) -> ConnId {
        let mut conn = Conn::new(binding, owner, buffers, P::now());
        conn.link = self.link.number;
        conn.sending.local = self.is_own(flow.remote.addr);
        if conn.sending.local {
            // There is nothing between the two ends that could be congested.
            conn.recovery.congestion.lift();
        }
        self.table.insert(socket, conn, flow)
    }

    /// Forgets a socket at once and gives its port back.
    pub(super) fn remove_tcp(&mut self, id: ConnId) {
        if let Some(conn) = self.table.remove(id) {
            self.shared.names.lock().ports.give(conn.binding);
        }
        self.time_waits.retain(|&other| other != id);
    }

    /// Sends the FIN, after what is to be sent before it.
    pub(super) fn finish(&mut self, id: ConnId) {
        if let Some((socket, conn)) = self.both(id) {
            conn.idle_before_end = P::now().saturating_since(conn.heard);
            socket.close();
            self.table.touch(id);
        }
    }

    /// The program has read all, and waits for more: what waited for its answer is acknowledged soon.
    pub(super) fn acknowledge_soon(&mut self, id: ConnId) {
        let waits = |entry: &mut Entry| entry.socket().recv_queue() == 0 && entry.conn.answer_due.take().is_some();
        if self.table.get_mut(id).is_some_and(waits) {
            self.table.hasten(id, P::now() + ACK_DELAY);
            self.hurried = true;
        }
    }

    /// Ends a connection with a reset.
    pub(super) fn abort(&mut self, id: ConnId) {
        if let Some((socket, _)) = self.both(id) {
            socket.abort();
            self.table.touch(id);
        }
    }

    /// Leaves a closed connection to the stack until the peer has everything and agrees.
    pub(super) fn bury(&mut self, id: ConnId) {
        if let Some((socket, conn)) = self.both(id) {
            let seen = (socket.state(), socket.send_queue());
            conn.owner = Owner::Nobody(Dying { deadline: P::now() + patience(seen.0, &conn.limits), seen });
            self.table.touch(id);
        }
    }

    /// Forgets a connection in TIME-WAIT that the program has closed; false for any other.
    pub(super) fn forget_finished(&mut self, id: ConnId) -> bool {
        let dead = self.table.get(id).is_some_and(|entry| matches!(entry.conn.owner, Owner::Nobody(_)));
        if !dead || self.state(id) != tcp::State::TimeWait {
            return false;
        }
        self.remove_tcp(id);
        true
    }

    /// Draws the consequences of what has become of a connection. Follows everything that may change its state.
    pub(super) fn settle(&mut self, id: ConnId, now: time::Instant) {
        let Some((socket, conn)) = self.both(id) else { return };
        let state = socket.state();
        if state == tcp::State::TimeWait && !conn.finished {
            conn.finished = rescue(socket, conn);
        }
        socket.set_timeout(conn.limit(socket));
        // The reset, if there was one to send, is out.
        let over = state == tcp::State::Closed && socket.remote_endpoint().is_none();
        // So it is nearly always.
        if !over && conn.owner == Owner::Program {
            return;
        }
        let owner = conn.owner;
        if over {
            self.table.release_flow(id);
        }
        match owner {
            Owner::Program => {}
            Owner::Listener(key, opened) => self.settle_waiting(id, key, opened, state),
            Owner::Nobody(_) if over => self.remove_tcp(id),
            Owner::Nobody(dying) => self.settle_dying(id, dying, now),
        }
    }

    /// Removes a closed connection that is finished, and resets one that does not finish.
    fn settle_dying(&mut self, id: ConnId, mut dying: Dying, now: time::Instant) {
        use tcp::State::{Closed, TimeWait};
        let Some((socket, conn)) = self.both(id) else { return };
        let state = socket.state();
        let late = now >= dying.deadline && dying.seen == (state, socket.send_queue());
        if late && matches!(state, Closed | TimeWait) {
            self.remove_tcp(id);
            return;
        }
        // Data that nobody will ever read: the peer must know (RFC 9293 3.10.4, RFC 2525 2.17).
        let abort = state != Closed && (late || socket.recv_queue() > 0);
        if abort {
            socket.abort();
        }
        let seen = (socket.state(), socket.send_queue());
        if seen != dying.seen {
            dying = Dying { deadline: now + patience(seen.0, &conn.limits), seen };
            conn.owner = Owner::Nobody(dying);
        }
        if abort {
            self.table.touch(id);
        }
        self.table.hasten(id, dying.deadline);
        if state == TimeWait && !self.time_waits.contains(&id) {
            self.time_waits.push_back(id);
            if self.time_waits.len() > self.shared.part(MAX_TIME_WAIT)
                && let Some(oldest) = self.time_waits.pop_front()
            {
                self.remove_tcp(oldest);
            }
        }
    }

    /// When a closed UDP socket gives up what it has to send.
    pub(super) fn next_death(&self) -> Option<time::Instant> {
        self.udp_dying.iter().map(|dying| dying.deadline).min()
    }
}

/// How long a closed connection may stay in a state without progress.
fn patience(state: tcp::State, limits: &Limits) -> Duration {
    match state {
        tcp::State::Closed => RESET,
        tcp::State::TimeWait => TIME_WAIT,
        tcp::State::FinWait2 => limits.finish,
        _ => ORPHAN,
    }
}

/// Takes the unread data out of a socket; false if there is no memory for it.
fn rescue(socket: &mut tcp::Socket, conn: &mut Conn) -> bool {
    let to = &mut conn.leftover;
    if to.try_reserve_exact(socket.recv_queue()).is_err() {
        return false;
    }
    for _ in 0..2 {
        let taken = socket.recv(|bytes| {
            to.extend_from_slice(bytes);
            (bytes.len(), ())
        });
        if taken.is_err() {
            break;
        }
    }
    conn.buffers.took(conn.leftover.len());
    true
}
