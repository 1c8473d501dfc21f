//! TCP connections as the stack keeps them: what smoltcp does not know about its sockets, and their end after close(2).

use super::ports::Binding;
use super::stack::Inner;
use crate::platform::Platform;
use crate::time;
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::iface::{SocketHandle, SocketStorage};
use smoltcp::socket::tcp;
use trapless_abi::{Errno, SysResult};

/// Bytes of a TCP socket's receive and send buffers.
pub(super) const TCP_BUFFER: usize = 64 * 1024;
/// How long a received segment may wait for data to carry its acknowledgement. A peer with Nagle's algorithm may wait for it: Linux
/// delays for 40 ms at least, smoltcp for 10; 1 ms still lets a quick answer carry the acknowledgement of its request.
const ACK_DELAY: smoltcp::time::Duration = smoltcp::time::Duration::from_millis(1);
/// How long a closed connection may go without progress: tcp(7), tcp_fin_timeout.
const ORPHAN: Duration = Duration::from_secs(60);
/// How long a reset may wait for room in the ring or for the peer's Ethernet address.
const RESET: Duration = Duration::from_secs(3);
/// How long a finished connection stays to acknowledge the peer's last segment again. RFC 9293 asks for minutes; the buffers are
/// worth more. It is longer than Linux's shortest retransmission timeout (200 ms).
const TIME_WAIT: Duration = Duration::from_millis(500);
/// Connections that may do so at once; more are forgotten at once.
const MAX_TIME_WAIT: usize = 64;
/// How often the time limits of all connections are adapted, at most.
const SWEEP: Duration = Duration::from_millis(100);
/// The shortest time limit: it must be longer than [`SWEEP`], or a limit for data in flight could hit an idle connection.
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
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(127), data: Duration::from_secs(924), idle: None }
    }
}

impl Limits {
    fn of(&self, socket: &tcp::Socket) -> Option<smoltcp::time::Duration> {
        use tcp::State::{Closing, FinWait1, LastAck, SynReceived, SynSent};
        let limit = match socket.state() {
            SynSent => Some(self.connect),
            // tcp(7), tcp_synack_retries.
            SynReceived => Some(Duration::from_secs(63)),
            FinWait1 | LastAck | Closing => Some(self.data),
            _ if socket.send_queue() > 0 => Some(self.data),
            _ => self.idle,
        };
        limit.map(|limit| limit.max(MIN_LIMIT).into())
    }
}

/// What the stack knows about a TCP socket of smoltcp's.
pub(super) struct Conn {
    pub(super) binding: Binding,
    pub(super) limits: Limits,
    /// The peer reset the connection: what that means.
    pub(super) reset: Option<Errno>,
    /// The peer's data and FIN were all received, and the data nobody has read yet is in `leftover`, because smoltcp forgets both when
    /// it leaves TIME-WAIT.
    pub(super) finished: bool,
    pub(super) leftover: Vec<u8>,
}

/// A connection that the program has closed.
pub(super) struct Dying {
    handle: SocketHandle,
    deadline: time::Instant,
    /// State and bytes to send when the deadline was set: it moves as long as these change.
    seen: (tcp::State, usize),
}

/// A TCP socket with its buffers. ENOBUFS.
pub(super) fn new_tcp_socket() -> SysResult<tcp::Socket<'static>> {
    let buffer = || {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(TCP_BUFFER).map_err(|_| Errno::ENOBUFS)?;
        bytes.resize(TCP_BUFFER, 0);
        Ok(tcp::SocketBuffer::new(bytes))
    };
    let mut socket = tcp::Socket::new(buffer()?, buffer()?);
    socket.set_congestion_control(tcp::CongestionControl::Reno);
    socket.set_ack_delay(Some(ACK_DELAY));
    Ok(socket)
}

impl<P: Platform> Inner<P> {
    pub(super) fn tcp(&mut self, handle: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(handle)
    }

    pub(super) fn state(&self, handle: SocketHandle) -> tcp::State {
        self.sockets.get::<tcp::Socket>(handle).state()
    }

    /// Makes sure that one more socket can be added: the tables that grow by it cannot report a failure. ENOBUFS.
    pub(super) fn room_for_one(&mut self) -> SysResult<()> {
        let live = self.sockets.iter().count();
        let growth = if live < self.most_sockets { 0 } else { 2 * live * size_of::<SocketStorage>() };
        let mut probe = Vec::<u8>::new();
        probe.try_reserve_exact(growth + HEADROOM).map_err(|_| Errno::ENOBUFS)?;
        // Later every connection may have to move there.
        self.dying.try_reserve(self.conns.len() + 1).map_err(|_| Errno::ENOBUFS)?;
        self.most_sockets = self.most_sockets.max(live + 1);
        Ok(())
    }

    /// Adds a socket that holds `binding`.
    pub(super) fn add_tcp(&mut self, socket: tcp::Socket<'static>, binding: Binding, limits: Limits) -> SocketHandle {
        let handle = self.sockets.add(socket);
        let conn = Conn { binding, limits, reset: None, finished: false, leftover: Vec::new() };
        self.conns.insert(handle, conn);
        self.limit(handle);
        handle
    }

    /// Forgets a socket at once and gives its port back.
    pub(super) fn remove_tcp(&mut self, handle: SocketHandle) {
        self.sockets.remove(handle);
        if let Some(conn) = self.conns.remove(&handle) {
            self.tcp_ports.give(conn.binding);
        }
    }

    /// Applies the time limit for the state a connection is in.
    pub(super) fn limit(&mut self, handle: SocketHandle) {
        if let Some(conn) = self.conns.get(&handle) {
            let socket = self.sockets.get_mut::<tcp::Socket>(handle);
            socket.set_timeout(conn.limits.of(socket));
        }
    }

    /// Adapts the time limits of all connections, and rescues what TIME-WAIT would lose. Runs before anything that ends by a timer.
    pub(super) fn sweep(&mut self, now: time::Instant) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now + SWEEP;
        for (&handle, conn) in &mut self.conns {
            let socket = self.sockets.get_mut::<tcp::Socket>(handle);
            socket.set_timeout(conn.limits.of(socket));
            if socket.state() == tcp::State::TimeWait && !conn.finished {
                conn.finished = rescue(socket, &mut conn.leftover);
            }
        }
    }

    /// Leaves a closed connection to the stack until the peer has everything and agrees.
    pub(super) fn bury(&mut self, handle: SocketHandle) {
        let socket = self.sockets.get::<tcp::Socket>(handle);
        let seen = (socket.state(), socket.send_queue());
        self.dying.push(Dying { handle, deadline: P::now() + patience(seen.0), seen });
    }

    /// Ends a connection with a reset.
    pub(super) fn abandon(&mut self, handle: SocketHandle) {
        self.tcp(handle).abort();
        self.bury(handle);
    }

    /// Forgets a connection in TIME-WAIT that the program has closed; false for any other.
    pub(super) fn forget_finished(&mut self, handle: SocketHandle) -> bool {
        if self.state(handle) != tcp::State::TimeWait {
            return false;
        }
        let Some(at) = self.dying.iter().position(|dying| dying.handle == handle) else { return false };
        self.dying.swap_remove(at);
        self.remove_tcp(handle);
        true
    }

    /// Removes closed connections that are finished, and resets those that do not finish; true if there are resets to send.
    pub(super) fn reap(&mut self, now: time::Instant) -> bool {
        let mut aborted = false;
        let mut time_waits = 0;
        let mut at = 0;
        while let Some(dying) = self.dying.get_mut(at) {
            let socket = self.sockets.get_mut::<tcp::Socket>(dying.handle);
            let progress = dying.seen != (socket.state(), socket.send_queue());
            let late = now >= dying.deadline && !progress;
            let done = match socket.state() {
                // The reset, if there was one to send, is out.
                tcp::State::Closed => late || socket.remote_endpoint().is_none(),
                tcp::State::TimeWait => {
                    time_waits += 1;
                    late || time_waits > MAX_TIME_WAIT
                }
                _ => false,
            };
            if done {
                let handle = self.dying.swap_remove(at).handle;
                self.remove_tcp(handle);
                continue;
            }
            // Data that nobody will ever read: the peer must know (RFC 9293 3.10.4, RFC 2525 2.17).
            if socket.state() != tcp::State::Closed && (late || socket.recv_queue() > 0) {
                socket.abort();
                aborted = true;
            }
            let seen = (socket.state(), socket.send_queue());
            if seen != dying.seen {
                dying.seen = seen;
                dying.deadline = now + patience(seen.0);
            }
            at += 1;
        }
        aborted
    }

    /// When the reaper has something to do next.
    pub(super) fn next_death(&self) -> Option<time::Instant> {
        let tcp = self.dying.iter().map(|dying| dying.deadline);
        tcp.chain(self.udp_dying.iter().map(|dying| dying.deadline)).min()
    }
}

/// How long a closed connection may stay in a state without progress.
fn patience(state: tcp::State) -> Duration {
    match state {
        tcp::State::Closed => RESET,
        tcp::State::TimeWait => TIME_WAIT,
        _ => ORPHAN,
    }
}

/// Takes the unread data out of a socket; false if there is no memory for it.
fn rescue(socket: &mut tcp::Socket, to: &mut Vec<u8>) -> bool {
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
    true
}
