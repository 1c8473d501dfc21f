//! What smoltcp sends for one connection, and what has to be put right with it.
//!
//! After a retransmission timeout smoltcp starts again from the oldest unacknowledged byte, and until it has caught up it also sends
//! acknowledgements without data under that old sequence number. A peer that already has the bytes finds such a segment outside its
//! window and must ignore its acknowledgement (RFC 9293 3.10.7.4). When both ends do this at the same time, neither ever hears the
//! other. So a segment without data never gets a number below the highest that the peer has acknowledged: that one is acceptable
//! whatever the peer's window is.

use super::flow::Span;
use super::mss::{Limits, Said};
use super::recovery::Acknowledgement;
use super::window::Window;
use super::wire::{LONGEST, MTU};
use smoltcp::wire::{TcpPacket, TcpSeqNumber};

/// What a connection has sent and heard.
#[derive(Clone, Copy)]
struct Mark {
    /// The end of the highest segment sent.
    sent: TcpSeqNumber,
    /// The highest number the peer has acknowledged, whether smoltcp listened or not.
    heard: TcpSeqNumber,
}

/// A connection's part in what is sent. While smoltcp sends for it, the wire has it.
#[derive(Clone, Copy, Default)]
pub(super) struct Sending {
    /// The type of service or traffic class of its packets (RFC 2474).
    pub(super) service_class: u8,
    /// Its last segment, until somebody takes it.
    pub(super) last: Option<Span>,
    /// The peer is this host: no card need have a buffer for what is sent.
    pub(super) local: bool,
    /// How long its segments may be.
    pub(super) limits: Limits,
    window: Window,
    mark: Option<Mark>,
}

impl Sending {
    /// The peer has said this in its SYN.
    pub(super) fn hear_syn(&mut self, said: Said) {
        self.limits.hear(said.mss);
        self.window.open(said.scale.is_some());
    }

    /// Bytes of the longest packet to the peer. Within this host none is cut.
    pub(super) const fn mtu(&self) -> usize {
        if self.local { LONGEST } else { MTU }
    }

    /// The peer has acknowledged something.
    pub(super) fn hear(&mut self, ack: Acknowledgement) {
        let Some(mark) = self.mark.as_mut().filter(|_| ack.alone) else { return };
        let number = TcpSeqNumber(ack.number as i32);
        if mark.heard < number && number <= mark.sent {
            mark.heard = number;
        }
    }

    /// Looks at a segment that is about to be sent, and corrects it if it is an acknowledgement with an old number, or tells of little room.
    /// Its checksum must come later.
    pub(super) fn correct(&mut self, tcp: &mut TcpPacket<&mut [u8]>) {
        let seq = tcp.seq_number();
        let end = seq + tcp.segment_len();
        match &mut self.mark {
            Some(mark) if !tcp.syn() => {
                if end > mark.sent {
                    mark.sent = end;
                }
                // The answer to a stray segment is a RST without ACK and must keep the number the segment asks for.
                if end == seq && tcp.ack() && seq < mark.heard {
                    tcp.set_seq_number(mark.heard);
                }
            }
            mark if end != seq => *mark = Some(Mark { sent: end, heard: seq }),
            _ => {}
        }
        if tcp.ack() && !tcp.syn() && !tcp.rst() {
            tcp.set_window_len(self.window.tell(tcp.ack_number().0 as u32, tcp.window_len()));
        }
        self.last = Some(Span { start: seq.0 as u32, end: end.0 as u32 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::TCP_HEADER_LEN;

    /// The number that a segment leaves with.
    fn leaves(sending: &mut Sending, seq: i32, syn: bool, payload: &[u8]) -> i32 {
        let mut bytes = [&[0; TCP_HEADER_LEN][..], payload].concat();
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[..]);
        tcp.set_header_len(TCP_HEADER_LEN as u8);
        tcp.set_seq_number(TcpSeqNumber(seq));
        tcp.set_ack(true);
        tcp.set_syn(syn);
        sending.correct(&mut tcp);
        tcp.seq_number().0
    }

    fn acknowledge(sending: &mut Sending, number: u32) {
        sending.hear(Acknowledgement { number, window: 100, alone: true });
    }

    #[test]
    fn acknowledgements_do_not_fall_behind_what_the_peer_has() {
        let mut sending = Sending::default();
        assert_eq!(leaves(&mut sending, 100, false, b"0123456789"), 100);
        assert_eq!(leaves(&mut sending, 100, false, b""), 100);
        acknowledge(&mut sending, 110);
        assert_eq!(leaves(&mut sending, 100, false, b""), 110);
        assert_eq!(leaves(&mut sending, 100, false, b"01234"), 100);
        assert_eq!(sending.last, Some(Span { start: 100, end: 105 }));
    }

    #[test]
    fn impossible_acknowledgements_are_ignored() {
        let mut sending = Sending::default();
        leaves(&mut sending, 100, false, b"0123456789");
        acknowledge(&mut sending, 111);
        assert_eq!(leaves(&mut sending, 100, false, b""), 100);
    }

    #[test]
    fn a_new_connection_starts_over() {
        let mut sending = Sending::default();
        leaves(&mut sending, 1000, false, b"0123456789");
        acknowledge(&mut sending, 1010);
        assert_eq!(leaves(&mut sending, 5, true, b""), 5);
        assert_eq!(leaves(&mut sending, 6, false, b""), 6);
    }
}
