//! IP packets that come in fragments (RFC 791, 3.2; RFC 8200, 4.5), put together before anybody else looks at them.
//!
//! smoltcp would do it, with buffers of one size for every packet. Here a packet takes what it needs, up to the 64 KiB that IP allows, and
//! what comes out looks like any other frame.

use super::packet::{ETHERNET, Packet as Header, Part};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;
use smoltcp::wire::{IPV6_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet};

/// Packets that are put together at the same time, and the bytes that they may take; of more the oldest is forgotten.
const PACKETS: usize = 16;
const BYTES: usize = 256 * 1024;
/// How long the rest of a packet may take: net.ipv4.ipfrag_time.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest packet.
const LONGEST: usize = 65_535;

/// What a frame is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// No fragment.
    Whole,
    /// A fragment, which was kept or was no good.
    Taken,
    /// The last one of a packet: here it is, as one frame.
    Complete(Vec<u8>),
}

/// The fragments of one packet have this in common.
type Id = (IpAddress, IpAddress, u32, IpProtocol);

struct Packet {
    id: Id,
    since: Instant,
    /// The Ethernet and IP headers of the first fragment; empty until that comes.
    headers: Vec<u8>,
    data: Vec<u8>,
    /// What has come, in order, each from one byte to before another.
    parts: Vec<(usize, usize)>,
    /// Where the packet ends, once that is known.
    end: Option<usize>,
}

/// Packets that are not complete.
pub(super) struct Reassembly {
    packets: VecDeque<Packet>,
}

impl Reassembly {
    pub(super) fn new() -> Self {
        Self { packets: VecDeque::new() }
    }

    /// Looks at a frame with this packet in it.
    pub(super) fn take(&mut self, frame: &[u8], header: &Header, now: Instant) -> Piece {
        let Some(part) = header.part.filter(|_| header.is_header_right(frame)) else { return Piece::Whole };
        self.packets.retain(|packet| now.saturating_since(packet.since) < PATIENCE);
        let id = (header.from, header.to, part.ident, header.protocol);
        let at = match self.packets.iter().position(|packet| packet.id == id) {
            Some(at) => at,
            None => match self.begin(id, now) {
                Some(at) => at,
                None => return Piece::Taken,
            },
        };
        let headers = match header.from {
            IpAddress::Ipv4(_) => &frame[..header.payload.start],
            IpAddress::Ipv6(_) => &frame[..ETHERNET + IPV6_HEADER_LEN],
        };
        match self.packets[at].add(part, headers, &frame[header.payload.clone()]) {
            Ok(false) => {
                self.limit(id);
                Piece::Taken
            }
            Ok(true) => self.packets.remove(at).and_then(Packet::join).map_or(Piece::Taken, Piece::Complete),
            Err(Bad) => {
                self.packets.remove(at);
                Piece::Taken
            }
        }
    }

    fn begin(&mut self, id: Id, since: Instant) -> Option<usize> {
        if self.packets.len() == PACKETS {
            self.packets.pop_front();
        }
        self.packets.try_reserve(1).ok()?;
        let (headers, data, parts) = (Vec::new(), Vec::new(), Vec::new());
        self.packets.push_back(Packet { id, since, headers, data, parts, end: None });
        Some(self.packets.len() - 1)
    }

    /// Forgets the oldest packets, but not this one, until the rest is small enough.
    fn limit(&mut self, id: Id) {
        let bytes = |packets: &VecDeque<Packet>| packets.iter().map(|packet| packet.data.capacity()).sum::<usize>();
        while bytes(&self.packets) > BYTES && self.packets.front().is_some_and(|packet| packet.id != id) {
            self.packets.pop_front();
        }
    }
}

/// Fragments that contradict each other, or one that there is no memory for: the packet is lost.
struct Bad;

impl Packet {
    fn is_v6(&self) -> bool {
        matches!(self.id.0, IpAddress::Ipv6(_))
    }

    /// Puts a fragment in its place; true once the packet is complete.
    fn add(&mut self, Part { offset: start, more, .. }: Part, headers: &[u8], payload: &[u8]) -> Result<bool, Bad> {
        let end = start + payload.len();
        // The length of IPv6 does not count its own header.
        let counted = if self.is_v6() { end } else { headers.len() - ETHERNET + end };
        if counted > LONGEST || self.end.is_some_and(|known| end > known) {
            return Err(Bad);
        }
        if !more {
            if self.end.is_some_and(|known| end != known) || self.parts.last().is_some_and(|last| last.1 > end) {
                return Err(Bad);
            }
            self.end = Some(end);
        } else if payload.is_empty() || !payload.len().is_multiple_of(8) {
            return Err(Bad);
        }
        if self.parts.contains(&(start, end)) {
            return Ok(false);
        }
        // As in Linux, and as RFC 5722 has it for IPv6: what overlaps is an attack.
        if self.parts.iter().any(|&(from, to)| from < end && start < to) {
            return Err(Bad);
        }
        if self.data.len() < end {
            self.data.try_reserve(end - self.data.len()).map_err(|_| Bad)?;
            self.data.resize(end, 0);
        }
        self.parts.try_reserve(1).map_err(|_| Bad)?;
        self.data[start..end].copy_from_slice(payload);
        if start == 0 {
            self.headers.try_reserve(headers.len()).map_err(|_| Bad)?;
            self.headers.extend_from_slice(headers);
        }
        let at = self.parts.partition_point(|&(from, _)| from < start);
        self.parts.insert(at, (start, end));
        let gapless = self.parts.windows(2).all(|pair| pair[0].1 == pair[1].0) && self.parts[0].0 == 0;
        Ok(gapless && self.end == self.parts.last().map(|last| last.1))
    }

    /// The packet as one frame. None if there is no memory, or if its headers make it too long.
    fn join(self) -> Option<Vec<u8>> {
        let len = self.headers.len() - ETHERNET + self.data.len();
        let mut frame = self.headers;
        frame.try_reserve_exact(self.data.len()).ok()?;
        frame.extend_from_slice(&self.data);
        match self.id {
            (IpAddress::Ipv4(_), ..) => {
                let mut ip = Ipv4Packet::new_unchecked(&mut frame[ETHERNET..]);
                ip.set_total_len(u16::try_from(len).ok()?);
                ip.set_more_frags(false);
                ip.set_frag_offset(0);
                ip.fill_checksum();
            }
            (IpAddress::Ipv6(_), .., protocol) => {
                let mut ip = Ipv6Packet::new_unchecked(&mut frame[ETHERNET..]);
                ip.set_payload_len(u16::try_from(len - IPV6_HEADER_LEN).ok()?);
                ip.set_next_header(protocol);
            }
        }
        Some(frame)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec;
    use smoltcp::wire::{EthernetFrame, EthernetProtocol, Ipv4Address};

    const AT: Instant = Instant::ZERO;

    fn frame(ident: u16, offset: usize, more: bool, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; ETHERNET + 20 + payload.len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
        frame.set_ethertype(EthernetProtocol::Ipv4);
        let mut ip = Ipv4Packet::new_unchecked(frame.payload_mut());
        ip.set_version(4);
        ip.set_header_len(20);
        ip.set_total_len(20 + payload.len() as u16);
        ip.set_ident(ident);
        ip.set_more_frags(more);
        ip.set_frag_offset(offset as u16);
        ip.set_hop_limit(64);
        ip.set_next_header(IpProtocol::Udp);
        ip.set_src_addr(Ipv4Address::new(10, 0, 0, 1));
        ip.set_dst_addr(Ipv4Address::new(10, 0, 0, 2));
        ip.payload_mut().copy_from_slice(payload);
        ip.fill_checksum();
        bytes
    }

    fn take(reassembly: &mut Reassembly, frame: &[u8], now: Instant) -> Piece {
        reassembly.take(frame, &Header::of(frame).unwrap(), now)
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i ^ (i >> 8)) as u8).collect()
    }

    /// Fragments of a packet with this payload.
    fn cut(ident: u16, data: &[u8], size: usize) -> Vec<Vec<u8>> {
        let parts = data.chunks(size).enumerate();
        parts.map(|(i, part)| frame(ident, i * size, (i + 1) * size < data.len(), part)).collect()
    }

    #[test]
    fn fragments_in_any_order_become_the_packet() {
        let data = bytes(60_000);
        let whole = frame(7, 0, false, &data);
        let mut order = cut(7, &data, 1480);
        for turn in 0..3 {
            let mut reassembly = Reassembly::new();
            let (last, others) = order.split_last().unwrap();
            for one in others {
                assert_eq!(take(&mut reassembly, one, AT), Piece::Taken);
                assert_eq!(take(&mut reassembly, one, AT), Piece::Taken, "the same again");
            }
            assert_eq!(take(&mut reassembly, last, AT), Piece::Complete(whole.clone()));
            assert!(reassembly.packets.is_empty());
            if turn == 0 { order.reverse() } else { order.rotate_left(13) }
        }
        assert_eq!(take(&mut Reassembly::new(), &whole, AT), Piece::Whole);
    }

    #[test]
    fn packets_do_not_mix() {
        let (one, two) = (bytes(3000), vec![9; 3000]);
        let mut reassembly = Reassembly::new();
        let (first, second) = (cut(1, &one, 1480), cut(2, &two, 1480));
        for (a, b) in first.iter().zip(&second).take(2) {
            assert_eq!((take(&mut reassembly, a, AT), take(&mut reassembly, b, AT)), (Piece::Taken, Piece::Taken));
        }
        assert_eq!(take(&mut reassembly, &second[2], AT), Piece::Complete(frame(2, 0, false, &two)));
        assert_eq!(take(&mut reassembly, &first[2], AT), Piece::Complete(frame(1, 0, false, &one)));
    }

    #[test]
    fn what_overlaps_or_contradicts_is_lost() {
        let bad = [
            frame(1, 8, true, &[0; 16]),
            frame(1, 0, true, &[0; 24]),
            frame(1, 16, true, &[0; 12]),
            frame(1, 16, true, &[]),
            frame(1, 65_528, false, &[0; 8]),
            frame(1, 8, false, &[0; 4]),
        ];
        for piece in bad {
            let mut reassembly = Reassembly::new();
            take(&mut reassembly, &frame(1, 0, true, &[0; 16]), AT);
            assert_eq!(take(&mut reassembly, &piece, AT), Piece::Taken);
            assert!(reassembly.packets.is_empty(), "{piece:x?}");
        }
    }

    #[test]
    fn what_is_not_completed_does_not_stay() {
        let mut reassembly = Reassembly::new();
        for ident in 0..100 {
            take(&mut reassembly, &frame(ident, 0, true, &[0; 40_000]), AT);
        }
        assert!(reassembly.packets.len() <= BYTES / 40_000, "{}", reassembly.packets.len());
        for ident in 100..200 {
            take(&mut reassembly, &frame(ident, 0, true, &[0; 8]), AT);
        }
        assert_eq!(reassembly.packets.len(), PACKETS);
        let late = AT + PATIENCE;
        take(&mut reassembly, &frame(999, 0, true, &[0; 8]), late);
        assert_eq!(reassembly.packets.len(), 1);
    }

    #[test]
    fn a_wrong_checksum_is_left_to_who_counts_them() {
        let mut broken = frame(1, 8, true, &[0; 8]);
        broken[ETHERNET + 8] ^= 1;
        assert_eq!(take(&mut Reassembly::new(), &broken, AT), Piece::Whole);
    }
}
