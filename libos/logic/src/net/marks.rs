//! What each peer says it has, so that acknowledgements to it are acceptable.
//!
//! After a retransmission timeout smoltcp starts again from the oldest unacknowledged byte, and until it has caught up it also sends
//! acknowledgements without data under that old sequence number. A peer that already has the bytes finds such a segment outside its
//! window and must ignore its acknowledgement (RFC 9293 3.10.7.4). When both ends do this at the same time, neither ever hears the
//! other. So a segment without data never gets a number below the highest that the peer has acknowledged: that one is acceptable
//! whatever the peer's window is.

use super::flow::Span;
use super::packet::Packet;
use alloc::vec::Vec;
use smoltcp::wire::{IpAddress, IpProtocol, TcpPacket, TcpSeqNumber};

/// Connections that can be remembered; a later one takes the place of an earlier one with the same hash.
const MARKS: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    us: IpAddress,
    peer: IpAddress,
    ports: (u16, u16),
}

impl Key {
    fn slot(&self) -> usize {
        let ports = u32::from(self.ports.0) << 16 | u32::from(self.ports.1);
        let bits = |address| match address {
            IpAddress::Ipv4(v4) => v4.to_bits(),
            IpAddress::Ipv6(v6) => v6.to_bits() as u32 ^ (v6.to_bits() >> 64) as u32,
        };
        let mixed = (bits(self.us).rotate_left(7) ^ bits(self.peer) ^ ports).wrapping_mul(0x9e37_79b1);
        (mixed >> 16) as usize % MARKS
    }
}

#[derive(Clone, Copy)]
struct Mark {
    key: Key,
    /// The end of the highest segment sent.
    sent: TcpSeqNumber,
    /// The highest number the peer has acknowledged, whether smoltcp listened or not.
    heard: TcpSeqNumber,
}

/// What connections have sent and heard. Losing a mark is harmless: nothing is changed then.
pub(super) struct Marks {
    slots: Vec<Option<Mark>>,
}

/// A TCP segment in one piece.
pub(super) fn segment<'a>(frame: &'a mut [u8], packet: &Packet) -> Option<TcpPacket<&'a mut [u8]>> {
    let whole = packet.protocol == IpProtocol::Tcp && packet.part.is_none();
    TcpPacket::new_checked(&mut frame[packet.payload.clone()]).ok().filter(|_| whole)
}

impl Marks {
    pub(super) fn new() -> Self {
        Self { slots: alloc::vec![None; MARKS] }
    }

    /// Looks at a frame that came undamaged.
    pub(super) fn hear(&mut self, frame: &mut [u8], packet: &Packet) {
        let Some(tcp) = segment(frame, packet) else { return };
        if !tcp.ack() || tcp.rst() || tcp.segment_len() > 0 {
            return;
        }
        let key = Key { us: packet.to, peer: packet.from, ports: (tcp.dst_port(), tcp.src_port()) };
        let Some(mark) = &mut self.slots[key.slot()] else { return };
        let number = tcp.ack_number();
        if mark.key == key && mark.heard < number && number <= mark.sent {
            mark.heard = number;
        }
    }

    /// Looks at a frame that is about to be sent, and corrects it if it is an acknowledgement with an old number. Its checksum must
    /// come later. Says what it is, if it is a segment.
    pub(super) fn correct(&mut self, frame: &mut [u8], packet: &Packet) -> Option<Span> {
        let mut tcp = segment(frame, packet)?;
        let key = Key { us: packet.from, peer: packet.to, ports: (tcp.src_port(), tcp.dst_port()) };
        let seq = tcp.seq_number();
        let end = seq + tcp.segment_len();
        let slot = &mut self.slots[key.slot()];
        match slot {
            Some(mark) if mark.key == key && !tcp.syn() => {
                if end > mark.sent {
                    mark.sent = end;
                }
                // The answer to a stray segment is a RST without ACK and must keep the number the segment asks for.
                if end == seq && tcp.ack() && seq < mark.heard {
                    tcp.set_seq_number(mark.heard);
                }
            }
            // Acknowledgements alone do not displace the mark of a connection that sends.
            _ if end != seq => *slot = Some(Mark { key, sent: end, heard: seq }),
            _ => {}
        }
        Some(Span { start: seq.0 as u32, end: end.0 as u32 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpRepr, Ipv4Address, TcpControl, TcpRepr,
    };

    const ENDS: (Ipv4Address, Ipv4Address) = (Ipv4Address::new(10, 0, 0, 1), Ipv4Address::new(10, 0, 0, 2));

    /// A segment from one end to the other, or back.
    fn frame(back: bool, seq: i32, ack: i32, control: TcpControl, payload: &[u8]) -> Vec<u8> {
        let (from, to, ports) = if back { (ENDS.1, ENDS.0, (80, 1000)) } else { (ENDS.0, ENDS.1, (1000, 80)) };
        let tcp = TcpRepr {
            src_port: ports.0,
            dst_port: ports.1,
            control,
            seq_number: TcpSeqNumber(seq),
            ack_number: Some(TcpSeqNumber(ack)),
            window_len: 100,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload,
        };
        let (from, to) = (IpAddress::Ipv4(from), IpAddress::Ipv4(to));
        let ip = IpRepr::new(from, to, IpProtocol::Tcp, tcp.buffer_len(), 64);
        let mac = EthernetAddress([2; 6]);
        let header = EthernetRepr { src_addr: mac, dst_addr: mac, ethertype: EthernetProtocol::Ipv4 };
        let mut bytes = alloc::vec![0; header.buffer_len() + ip.buffer_len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        header.emit(&mut frame);
        ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
        let mut packet = TcpPacket::new_unchecked(&mut frame.payload_mut()[ip.header_len()..]);
        tcp.emit(&mut packet, &from, &to, &ChecksumCapabilities::default());
        bytes
    }

    /// The number that a segment of ours leaves with.
    fn leaves(marks: &mut Marks, seq: i32, control: TcpControl, payload: &[u8]) -> i32 {
        let mut bytes = frame(false, seq, 7, control, payload);
        let packet = Packet::of(&bytes).unwrap();
        marks.correct(&mut bytes, &packet);
        TcpPacket::new_checked(&bytes[34..]).unwrap().seq_number().0
    }

    fn acknowledge(marks: &mut Marks, number: i32) {
        let mut bytes = frame(true, 7, number, TcpControl::None, b"");
        let packet = Packet::of(&bytes).unwrap();
        marks.hear(&mut bytes, &packet);
    }

    #[test]
    fn acknowledgements_do_not_fall_behind_what_the_peer_has() {
        let mut marks = Marks::new();
        assert_eq!(leaves(&mut marks, 100, TcpControl::Psh, b"0123456789"), 100);
        assert_eq!(leaves(&mut marks, 100, TcpControl::None, b""), 100);
        acknowledge(&mut marks, 110);
        assert_eq!(leaves(&mut marks, 100, TcpControl::None, b""), 110);
        assert_eq!(leaves(&mut marks, 100, TcpControl::Psh, b"01234"), 100);
    }

    #[test]
    fn impossible_acknowledgements_are_ignored() {
        let mut marks = Marks::new();
        leaves(&mut marks, 100, TcpControl::Psh, b"0123456789");
        acknowledge(&mut marks, 111);
        assert_eq!(leaves(&mut marks, 100, TcpControl::None, b""), 100);
    }

    #[test]
    fn a_new_connection_starts_over() {
        let mut marks = Marks::new();
        leaves(&mut marks, 1000, TcpControl::Psh, b"0123456789");
        acknowledge(&mut marks, 1010);
        assert_eq!(leaves(&mut marks, 5, TcpControl::Syn, b""), 5);
        assert_eq!(leaves(&mut marks, 6, TcpControl::None, b""), 6);
    }
}
