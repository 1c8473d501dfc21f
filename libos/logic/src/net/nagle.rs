//! Nagle's algorithm (RFC 9293, 3.7.4) as Linux has it: a short segment waits for the acknowledgement of another short one only, not of
//! everything.
//!
//! smoltcp's waits for that of everything, so that the end of an answer of several segments would wait for a peer who delays the
//! acknowledgement of its beginning. So smoltcp's is switched off while there is only such an end to send, and no short segment is under way.

use super::conn::Conn;
use super::flow::Span;
use smoltcp::socket::tcp;
use smoltcp::wire::IpAddress;

/// What a connection holds back.
#[derive(Default)]
pub(super) struct Nagle {
    /// It does hold back short segments.
    on: bool,
    /// The last byte of the last short segment, by its number.
    short: Option<u32>,
}

impl Conn {
    /// Has short segments held back, or not (TCP_NODELAY).
    pub(super) fn set_nagle(&mut self, socket: &mut tcp::Socket, on: bool) {
        self.nagle.on = on;
        socket.set_nagle_enabled(on);
    }

    /// Tells smoltcp whether to hold back what it could send now.
    pub(super) fn hold_back(&self, socket: &mut tcp::Socket) {
        if !self.nagle.on {
            return;
        }
        let Some(peer) = socket.remote_endpoint() else { return };
        // Else the window may be what makes a segment short.
        let end = self.unsent(socket) < self.full(peer.addr) as usize;
        let alone = self.nagle.short.is_none_or(|last| !self.recovery.is_under_way(last));
        socket.set_nagle_enabled(!(end && alone));
    }

    /// A segment was sent to the peer. One that is cut later ends in a short one unless it is a multiple.
    pub(super) fn note_short(&mut self, Span { start, end }: Span, to: IpAddress) {
        if !end.wrapping_sub(start).is_multiple_of(self.full(to)) {
            self.nagle.short = Some(end.wrapping_sub(1));
        }
    }

    /// Bytes of a full segment to the peer.
    pub(super) fn full(&self, to: IpAddress) -> u32 {
        u32::from(self.sending.limits.payload(to).get())
    }
}
