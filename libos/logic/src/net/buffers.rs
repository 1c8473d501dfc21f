//! The buffers of a connection, and giving back the memory of those that are empty.
//!
//! A buffer takes memory where it was ever filled, and smoltcp's receive buffer goes round and round. So a connection that has nothing
//! in its buffers may still hold all of their memory; when there is little left, it is taken back.

use super::flow::Span;
use super::stack::Inner;
use super::table::Entry;
use super::window::WORTH_TELLING;
use crate::platform::{Platform, SPARSE_MAX, SparseName, Supply};
use crate::time::Instant;
use core::time::Duration;
use smoltcp::socket::tcp;
use trapless_abi::{Errno, SysResult};

/// Bytes of a TCP socket's receive buffer: two segments as long as a card can put them together.
pub(super) const RECEIVE: usize = SPARSE_MAX;
/// Bytes of its send buffer.
pub(super) const SEND: usize = 64 * 1024;
/// The longest window without scale (RFC 7323, 2).
const UNSCALED: u32 = u16::MAX as u32;
/// How long after one look for scarce memory, and empty buffers, the next may follow.
const SEARCH: Duration = Duration::from_millis(100);

/// What the stack knows about the buffers of a connection that smoltcp does not tell: whether there is data behind a hole.
pub(super) struct Buffers {
    names: [SparseName; 2],
    /// The sequence number of the stream's first byte.
    start: Option<u32>,
    /// Bytes that were taken out, modulo 2^32.
    taken: u32,
    /// The end of the window of the last segment that was no SYN, as smoltcp told it.
    told: Option<u32>,
    /// The end of all data that came. What smoltcp did not take counts as well: then too much is kept, never too little.
    edge: Option<u32>,
}

impl Buffers {
    /// A pair of them, for receiving and sending. ENOBUFS.
    pub(super) fn new<P: Platform>() -> SysResult<(tcp::SocketBuffer<'static>, tcp::SocketBuffer<'static>, Self)> {
        let buffer = |len| P::sparse_bytes(len).ok_or(Errno::ENOBUFS);
        let (receive, send) = (buffer(RECEIVE)?, buffer(SEND)?);
        let names = [SparseName::of(&receive), SparseName::of(&send)];
        let known = Self { names, start: None, taken: 0, told: None, edge: None };
        Ok((tcp::SocketBuffer::new(receive), tcp::SocketBuffer::new(send), known))
    }

    /// The peer's SYN had this sequence number.
    pub(super) fn begin(&mut self, syn: u32) {
        self.start = Some(syn.wrapping_add(1));
    }

    /// Data came.
    pub(super) fn came(&mut self, span: Span) {
        if self.edge.is_none_or(|edge| is_behind(span.end, edge)) {
            self.edge = Some(span.end);
        }
    }

    /// The program took bytes out of the receive buffer.
    pub(super) fn took(&mut self, bytes: usize) {
        self.taken = self.taken.wrapping_add(bytes as u32);
    }

    /// The sequence number of the first byte that has not come.
    pub(super) fn next(&self, socket: &tcp::Socket) -> Option<u32> {
        Some(self.start?.wrapping_add(self.taken).wrapping_add(socket.recv_queue() as u32))
    }

    /// Whether a segment that begins there lies in the receive window, as large as that can be (RFC 9293, 3.10.7.4).
    pub(super) fn expects(&self, socket: &tcp::Socket, start: u32) -> bool {
        self.next(socket).is_some_and(|next| start.wrapping_sub(next) <= RECEIVE as u32)
    }

    /// A segment was sent that was no SYN.
    pub(super) fn told_window(&mut self, socket: &tcp::Socket) {
        self.told = self.next(socket).map(|next| next.wrapping_add(room(socket) as u32));
    }

    /// Whether the peer should hear how much room there is: much, and twice of what smoltcp believes that it knows. What the SYN said is
    /// enough until something else was said.
    pub(super) fn is_news(&self, socket: &tcp::Socket) -> bool {
        let Some((told, next)) = self.told.zip(self.next(socket)) else { return false };
        // smoltcp may have told more, in an answer to a segment.
        let known = if is_behind(told, next) { told.wrapping_sub(next) as usize } else { 0 };
        let room = room(socket);
        room >= WORTH_TELLING as usize && room / 2 >= known
    }

    /// Whether data lies beyond the window that the peer was told in the SYN. smoltcp 0.14 takes that one for scaled, and so would take
    /// data behind the buffer's end, and believe to have it.
    pub(super) fn is_excessive(&self, socket: &tcp::Socket, span: Span) -> bool {
        let beyond = |next| is_behind(span.end, next) && span.end.wrapping_sub(next) > UNSCALED;
        self.told.is_none() && self.next(socket).is_some_and(beyond)
    }

    /// Whether there is nothing in either that anybody needs.
    fn are_empty(&self, socket: &tcp::Socket) -> bool {
        let queues = socket.recv_queue() == 0 && socket.send_queue() == 0;
        let complete = |edge| self.next(socket).is_some_and(|next| !is_behind(edge, next));
        queues && self.edge.is_none_or(complete)
    }
}

/// Bytes that the receive buffer can still take.
fn room(socket: &tcp::Socket) -> usize {
    socket.recv_capacity() - socket.recv_queue()
}

/// Whether a sequence number comes after another (RFC 9293, 3.4).
pub(super) fn is_behind(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) > 0
}

impl<P: Platform> Inner<P> {
    /// When memory is scarce, gives back that of empty buffers.
    pub(super) fn economise(&mut self, now: Instant) {
        if now < self.next_search {
            return;
        }
        self.next_search = now + SEARCH;
        if P::memory() == Supply::Ample {
            return;
        }
        let empty = |entry: &&Entry| entry.conn.buffers.are_empty(entry.socket());
        P::sparse_discard(&mut self.table.iter().filter(empty).flat_map(|entry| entry.conn.buffers.names));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn span(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    #[test]
    fn what_waits_behind_a_hole_is_kept() {
        let (receive, send, mut buffers) = Buffers::new::<Fake>().unwrap();
        let socket = tcp::Socket::new(receive, send);
        assert!(buffers.are_empty(&socket));
        let first = u32::MAX - 10;
        buffers.begin(first - 1);
        buffers.came(span(first, 100));
        assert!(!buffers.are_empty(&socket), "it came, and was not taken");
        buffers.took(111);
        assert!(buffers.are_empty(&socket));
        buffers.came(span(200, 300));
        buffers.came(span(100, 150));
        buffers.took(50);
        assert!(!buffers.are_empty(&socket), "there is a hole");
        buffers.came(span(150, 200));
        buffers.took(150);
        assert!(buffers.are_empty(&socket));
        buffers.came(span(0, 100));
        assert!(buffers.are_empty(&socket), "an old segment again");
    }

    #[test]
    fn a_segment_is_expected_within_the_window_only() {
        let (receive, send, mut buffers) = Buffers::new::<Fake>().unwrap();
        let socket = tcp::Socket::new(receive, send);
        assert!(!buffers.expects(&socket, 0));
        buffers.begin(u32::MAX);
        buffers.took(100);
        let expected = |start: u32| buffers.expects(&socket, start);
        assert!(expected(100) && expected(100 + RECEIVE as u32));
        assert!(!expected(99) && !expected(101 + RECEIVE as u32));
    }

    #[test]
    fn data_before_the_beginning_is_known_is_kept() {
        let (receive, send, mut buffers) = Buffers::new::<Fake>().unwrap();
        buffers.came(span(5, 6));
        assert!(!buffers.are_empty(&tcp::Socket::new(receive, send)));
    }
}
