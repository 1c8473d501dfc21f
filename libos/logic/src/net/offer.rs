//! What smoltcp is shown of a peer's window: no more than the congestion window lets go ([`super::congestion`]), and never longer than it is.
//! And frames that are shown to it as from the peer, which has not sent them: it has no other call for what is known here.

use super::buffers::SEND;
use super::stack::Inner;
use super::table::ConnId;
use crate::platform::Platform;
use alloc::vec::Vec;
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpAddress, IpProtocol, IpRepr, TcpControl,
    TcpPacket, TcpRepr, TcpSeqNumber,
};

/// The scale of the windows that smoltcp is shown: the least that lets the whole send buffer go.
pub(super) const SHIFT: u8 = (SEND.ilog2() + 1 - u16::BITS) as u8;
/// The largest scale there is (RFC 7323, 2.3).
const MOST_SHIFT: u8 = 14;
/// Acknowledgements that have smoltcp send its oldest segment again: one with another window, one that is no duplicate therefore, and three
/// that are.
const DUPLICATES: usize = 5;

/// The window that the peer offers.
#[derive(Default)]
pub(super) struct Offer {
    /// By how many bits it shifts what it says. None: by none, and smoltcp knows.
    shift: Option<u8>,
    /// Bytes from the last one that it acknowledges.
    bytes: u32,
    /// The last acknowledgement that smoltcp was shown: its number and window.
    shown: (u32, u16),
}

impl Offer {
    /// What the peer's SYN says.
    pub(super) fn begin(&mut self, shift: Option<u8>, window: u16) {
        *self = Self { shift: shift.map(|shift| shift.min(MOST_SHIFT)), bytes: window.into(), shown: (0, 0) };
    }

    /// The peer says this in a segment that is no SYN.
    pub(super) fn hear(&mut self, window: u16) {
        self.bytes = self.scaled(window);
    }

    /// The bytes that it means by that.
    pub(super) fn scaled(&self, window: u16) -> u32 {
        u32::from(window) << self.shift.unwrap_or(0)
    }

    /// Whether the peer takes anything.
    pub(super) const fn is_open(&self) -> bool {
        self.bytes > 0
    }

    /// As [`Offer::show_of`], when nothing new was heard.
    pub(super) fn show(&mut self, number: u32, most: u32) -> u16 {
        self.show_of(self.bytes, number, most, false)
    }

    /// What smoltcp is shown of a window of so many bytes in an acknowledgement of everything up to `number`, where it may send no more
    /// than `most` from there. It counts acknowledgements as duplicates if all of them say the same, and sends its oldest segment again
    /// after the third. Whether that is lost is found out elsewhere, so one that would count says something else.
    pub(super) fn show_of(&mut self, bytes: u32, number: u32, most: u32, counts: bool) -> u16 {
        let field = bytes.min(most) >> self.shift.map_or(0, |_| SHIFT);
        // A peer that takes something is not to be taken for one that takes nothing.
        let window = field.max(u32::from(bytes > 0)).min(u16::MAX.into()) as u16;
        let same = counts && self.shown == (number, window);
        self.shown = (number, window - u16::from(same && window > 1));
        self.shown.1
    }
}

impl<P: Platform> Inner<P> {
    /// Has smoltcp send the oldest segment of a connection again: shows it duplicate acknowledgements.
    pub(super) fn send_again(&mut self, id: ConnId, now: Instant) {
        self.show(id, now, DUPLICATES);
    }

    /// Lets smoltcp know of another congestion window.
    pub(super) fn show_window(&mut self, id: ConnId, now: Instant) {
        self.show(id, now, 1);
    }

    /// Shows smoltcp an acknowledgement that acknowledges nothing new, so many times, the first of several with another window.
    fn show(&mut self, id: ConnId, now: Instant, times: usize) {
        let Some(bytes) = self.acknowledgement(id) else { return };
        for left in (0..times).rev() {
            let staged = self.link.wire.restage(bytes.clone());
            if left > 0 && left == times - 1 {
                let mut tcp = TcpPacket::new_unchecked(self.link.wire.payload());
                tcp.set_window_len(tcp.window_len() ^ 1);
            }
            if let Some(entry) = self.table.get_mut(id).filter(|_| staged) {
                self.link.iface.poll_ingress_single(now, &mut self.link.wire, &mut entry.set);
            }
        }
        self.table.touch(id);
    }

    /// An acknowledgement as from the peer, unless there is nothing to send that it could change.
    fn acknowledgement(&mut self, id: ConnId) -> Option<Vec<u8>> {
        use tcp::State::{CloseWait, Closing, LastAck, TimeWait};
        let mac = self.link.wire.mac;
        let entry = self.table.get_mut(id)?;
        let flow = entry.flow()?;
        let (socket, conn) = entry.both();
        if socket.send_queue() == 0 {
            // A FIN alone: smoltcp would give up its own timer for it, and send nothing.
            return None;
        }
        let finished = matches!(socket.state(), CloseWait | Closing | LastAck | TimeWait);
        let seq = conn.buffers.next(socket)?.wrapping_add(finished.into());
        let unsent = conn.unsent(socket);
        let (number, window) = conn.recovery.acknowledgement(unsent)?;
        let tcp = TcpRepr {
            src_port: flow.remote.port,
            dst_port: flow.local.port,
            control: TcpControl::None,
            seq_number: TcpSeqNumber(seq as i32),
            ack_number: Some(TcpSeqNumber(number as i32)),
            window_len: window,
            window_scale: None,
            max_seg_size: None,
            sack_permitted: false,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        Some(frame(mac, &flow.remote.addr, &flow.local.addr, &tcp))
    }
}

fn frame(mac: EthernetAddress, from: &IpAddress, to: &IpAddress, tcp: &TcpRepr<'_>) -> Vec<u8> {
    let ip = IpRepr::new(*from, *to, IpProtocol::Tcp, tcp.buffer_len(), 64);
    let ethertype = match ip {
        IpRepr::Ipv4(_) => EthernetProtocol::Ipv4,
        IpRepr::Ipv6(_) => EthernetProtocol::Ipv6,
    };
    let header = EthernetRepr { src_addr: mac, dst_addr: mac, ethertype };
    let mut bytes = alloc::vec![0; header.buffer_len() + ip.buffer_len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    ip.emit(frame.payload_mut(), &ChecksumCapabilities::default());
    let mut packet = TcpPacket::new_unchecked(&mut frame.payload_mut()[ip.header_len()..]);
    tcp.emit(&mut packet, from, to, &ChecksumCapabilities::default());
    bytes
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_window_is_shown() {
        let mut offer = Offer::default();
        offer.begin(Some(7), 1000);
        assert_eq!(offer.show(1, 14_600), 1000 >> SHIFT, "a SYN's has no scale");
        let mut shown = |field, most| offer.show_of(offer.scaled(field), 1, most, false);
        assert_eq!([shown(1000, 14_600), shown(100, 14_600)], [14_600, 12_800].map(|bytes: u16| bytes >> SHIFT));
        assert_eq!([shown(60_000, u32::MAX), shown(0, 14_600), shown(1, 0)], [u16::MAX, 0, 1]);
        offer.begin(None, 500);
        assert_eq!([600, 800].map(|most| offer.show_of(700, 1, most, false)), [600, 700]);
        offer.begin(Some(200), 0);
        assert_eq!((offer.is_open(), offer.scaled(1)), (false, 1 << 14));
    }

    #[test]
    fn what_smoltcp_would_count_says_something_else() {
        let mut offer = Offer::default();
        offer.begin(None, 500);
        let mut show = |number, counts| offer.show_of(500, number, 1000, counts);
        assert_eq!([show(1, true), show(1, true), show(1, true), show(1, true)], [500, 499, 500, 499]);
        assert_eq!([show(2, true), show(2, false), show(2, false)], [500; 3]);
    }
}
