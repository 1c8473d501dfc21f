//! What a TCP socket is up to: its connection's state, readiness, pending errors, and options in force.

use super::{Core, Phase, TcpSocket};
use crate::net::conn::{Conn, Limits};
use crate::net::options::{
    KEEP_ALIVE, KEEP_COUNT, KEEP_IDLE, KEEP_INTERVAL, LINGER2, NO_DELAY, Options, RECEIVE_LOW_WATER, SYN_COUNT,
    USER_TIMEOUT,
};
use crate::net::stack::Inner;
use crate::net::table::ConnId;
use crate::platform::Platform;
use crate::wait::Ready;
use core::time::Duration;
use smoltcp::socket::tcp::{RecvError, Socket as Engine, State};
use trapless_abi::{Errno, SysResult};

/// ioctl: bytes that can be read now (ioctl_tty(2)).
const FIONREAD: u32 = 0x541b;
/// ioctl: bytes that the peer has not acknowledged (tcp(7), SIOCOUTQ).
const SIOCOUTQ: u32 = 0x5411;
/// What a connection that is over is ready for.
const DEAD: Ready = Ready::READABLE.union(Ready::WRITABLE).union(Ready::RDHUP).union(Ready::HUP);
/// Seconds that a retransmission waits at most (TCP_RTO_MAX of Linux).
const LONGEST_WAIT: u64 = 120;

impl Options {
    /// The time limits these options ask for.
    pub(in crate::net) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        // After the SYN Linux waits for a second, and after each that is sent again for twice as long as before, up to the longest wait.
        let doublings = self.number(&SYN_COUNT).clamp(1, 127) as u32;
        let waits = (0..=doublings).map(|nth| (1 << nth.min(7)).min(LONGEST_WAIT));
        limits.connect = Duration::from_secs(waits.sum());
        // Less than nothing is not at all (tcp(7)).
        limits.finish = Duration::from_secs(self.number(&LINGER2).max(0) as u64);
        let user_timeout = self.number(&USER_TIMEOUT);
        if user_timeout > 0 {
            let limit = Duration::from_millis(user_timeout as u64);
            (limits.connect, limits.data) = (limit, limit);
        }
        if self.on(&KEEP_ALIVE) {
            let [idle, interval, count] =
                [&KEEP_IDLE, &KEEP_INTERVAL, &KEEP_COUNT].map(|n| self.number(n).max(1) as u64);
            let silence = Duration::from_secs(idle + interval * count);
            limits.idle = Some(if user_timeout > 0 { limits.data } else { silence });
        }
        limits
    }
}

impl<P: Platform> Inner<P> {
    /// Puts a socket's options in force.
    pub(in crate::net) fn apply(&mut self, id: ConnId, options: &Options) {
        let Some((socket, conn)) = self.both(id) else { return };
        // Small segments cost nothing where there is no wire, and waiting for an acknowledgement does.
        conn.set_nagle(socket, !options.on(&NO_DELAY) && !conn.sending.local);
        let peer = socket.remote_endpoint().map_or(options.family.anywhere().addr, |peer| peer.addr);
        socket.set_hop_limit(Some(options.hop_limit(peer)));
        // smoltcp has one interval for the first probe and those that follow. The shorter one finds a dead peer in the time that the
        // options ask for, at the cost of some probes to a living one.
        let interval = options.number(&KEEP_IDLE).min(options.number(&KEEP_INTERVAL)) as u64;
        let probes = options.on(&KEEP_ALIVE).then(|| smoltcp::time::Duration::from_secs(interval));
        socket.set_keep_alive(probes);
        conn.limits = options.limits();
        if !conn.sending.local {
            conn.recovery.congestion.choose(options.congestion);
        }
        conn.sending.service_class = options.service_class(peer);
        self.table.touch(id);
    }
}

/// Whether the peer's FIN has come, after all its data.
pub(super) fn peer_finished(socket: &mut Engine, conn: &Conn) -> bool {
    match socket.state() {
        State::CloseWait | State::LastAck | State::Closing | State::TimeWait => true,
        State::Closed => conn.finished || matches!(socket.peek(1), Err(RecvError::Finished)),
        _ => false,
    }
}

impl<P: Platform> TcpSocket<P> {
    /// Runs `f` on the socket's state, brought up to date.
    pub(super) fn settled<R>(&self, f: impl FnOnce(&mut Core, &mut Inner<P>) -> R) -> R {
        let mut core = self.core.lock();
        self.shard(&core).look(|inner| {
            self.settle_in(&mut core, inner);
            f(&mut core, inner)
        })
    }

    /// Brings the socket's state up to date with its connection.
    pub(super) fn settle(&self, core: &mut Core) {
        self.shard(core).look(|inner| self.settle_in(core, inner));
    }

    /// As [`TcpSocket::settle`]; also sees to it that the next change is announced (INV-NET-1).
    pub(super) fn settle_in(&self, core: &mut Core, inner: &mut Inner<P>) {
        let Phase::Open(open) = &mut core.phase else { return };
        let Some((socket, conn)) = inner.both(open.id) else { return };
        socket.register_recv_waker(&self.waker);
        match socket.state() {
            State::SynSent | State::SynReceived => socket.register_send_waker(&self.waker),
            State::Closed => {
                let (id, reset) = (open.id, conn.reset);
                if open.connecting && reset != Some(Errno::ECONNRESET) {
                    core.error = Some(reset.unwrap_or(Errno::ETIMEDOUT));
                    core.phase = Phase::Failed;
                    inner.bury(id);
                } else if !open.over && (reset.is_some() || socket.recv_queue() == 0) {
                    // Data to read comes first; only then is it known whether a FIN followed.
                    open.connecting = false;
                    open.over = true;
                    let clean = core.shut_write && peer_finished(socket, conn);
                    if reset.is_some() || !clean {
                        core.error = Some(reset.unwrap_or(Errno::ETIMEDOUT));
                    }
                }
            }
            _ => open.connecting = false,
        }
    }

    /// poll(2).
    pub(super) fn readiness(&self) -> Ready {
        let mut core = self.core.lock();
        if core.open().is_none() {
            return self.readiness_alone(&core);
        }
        self.shard(&core).look(|inner| {
            self.settle_in(&mut core, inner);
            let Some(open) = core.open() else { return self.readiness_alone(&core) };
            let mut ready = Ready::empty();
            ready.set(Ready::ERR, core.error.is_some());
            if open.connecting {
                return ready;
            }
            if open.over {
                return ready | DEAD;
            }
            let Some((socket, conn)) = inner.both(open.id) else { return ready };
            let ended = core.shut_read || peer_finished(socket, conn);
            let room = has_room(socket) || !socket.may_send();
            if !room {
                socket.register_send_waker(&self.waker);
            }
            let waiting = socket.recv_queue() + conn.leftover.len();
            // A program that waits for more than the buffer holds would wait for ever.
            let enough = (core.options.number(&RECEIVE_LOW_WATER) as usize).min(socket.recv_capacity() / 2);
            ready.set(Ready::READABLE, ended || waiting >= enough);
            ready.set(Ready::RDHUP, ended);
            ready.set(Ready::WRITABLE, room || core.shut_write);
            ready.set(Ready::HUP, ended && core.shut_write);
            if waiting == 0 {
                inner.acknowledge_soon(open.id);
            }
            ready
        })
    }

    /// That of a socket without a connection. It hangs up but takes writes, as in Linux.
    fn readiness_alone(&self, core: &Core) -> Ready {
        let mut ready = Ready::empty();
        ready.set(Ready::ERR, core.error.is_some());
        match &core.phase {
            Phase::Idle => ready |= Ready::WRITABLE | Ready::HUP,
            Phase::Failed => ready |= DEAD,
            Phase::Listening(key) => {
                ready.set(Ready::READABLE, self.stack.shared.names.lock().acceptable(*key));
            }
            Phase::Open(_) => {}
        }
        ready
    }

    /// The number an ioctl(2) asks for. EINVAL for a listening socket, ENOTTY for other requests.
    pub(super) fn queued(&self, request: u32) -> SysResult<usize> {
        if request != FIONREAD && request != SIOCOUTQ {
            return Err(Errno::ENOTTY);
        }
        self.settled(|core, inner| match &core.phase {
            Phase::Listening(_) => Err(Errno::EINVAL),
            Phase::Open(open) => Ok(match inner.both(open.id) {
                Some((socket, conn)) if request == FIONREAD => socket.recv_queue() + conn.leftover.len(),
                Some((socket, _)) => socket.send_queue(),
                None => 0,
            }),
            _ => Ok(0),
        })
    }
}

/// Whether poll(2) says that a write would not block: with a third of the buffer free, so that a writer does not wake for every
/// acknowledgement (as Linux's sk_stream_is_writeable).
fn has_room(socket: &Engine) -> bool {
    socket.can_send() && socket.send_queue() <= socket.send_capacity() / 3 * 2
}
