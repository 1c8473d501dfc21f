//! What the options of a SYN say, and how long a segment may be: what both ends say, the wire, and the path (RFC 9293, 3.7.1).
//!
//! smoltcp is told of a wire that carries the longest packets there are, so that it may hand over segments that are cut later. So what it
//! says and hears of its own limits is corrected here.

use super::wire::MTU;
use core::num::NonZeroU16;
use smoltcp::wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpAddress, TCP_HEADER_LEN};

/// What is assumed of a peer that does not say (RFC 9293, 3.7.1), and the least that smoltcp takes.
const UNSAID: u16 = 536;
const LEAST: u16 = 48;
/// The option, its length, and those of no length (RFC 9293, 3.1).
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
/// RFC 7323, 2.2.
const WINDOW_SCALE: u8 = 3;
/// RFC 2018, 2.
const SELECTS: u8 = 4;
const END: u8 = 0;
const NOTHING: u8 = 1;

/// Limits of a connection's segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// What the peer has said. Zero: nothing yet.
    peer: u16,
    /// Bytes of a packet that the path carries. Zero: what the wire does.
    path: u16,
}

impl Limits {
    /// The peer has said this in its SYN, or nothing.
    pub(super) fn hear(&mut self, said: Option<u16>) {
        self.peer = said.filter(|&said| said > 0).map_or(UNSAID, |said| said.max(LEAST));
    }

    /// The path carries packets of so many bytes; `None` for those of the wire.
    pub(super) fn set_path(&mut self, mtu: Option<u16>) {
        self.path = mtu.unwrap_or(0);
    }

    /// Bytes of a packet that the path carries.
    pub(super) const fn path(&self) -> usize {
        if self.path == 0 { MTU } else { self.path as usize }
    }

    /// The most payload of a segment to this peer.
    pub(super) fn payload(&self, to: IpAddress) -> NonZeroU16 {
        let path = of_packet(to, self.path());
        let most = if self.peer == 0 { path } else { path.min(self.peer) };
        NonZeroU16::new(most).unwrap_or(NonZeroU16::MIN)
    }
}

/// The payload of a segment that fills a packet of `len` bytes.
pub(super) fn of_packet(end: IpAddress, len: usize) -> u16 {
    let ip = match end {
        IpAddress::Ipv4(_) => IPV4_HEADER_LEN,
        IpAddress::Ipv6(_) => IPV6_HEADER_LEN,
    };
    len.saturating_sub(ip + TCP_HEADER_LEN).min(u16::MAX.into()) as u16
}

/// What a SYN says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The most payload of a segment.
    pub(super) mss: Option<u16>,
    /// Windows may be scaled, and its sender's are, by so many bits.
    pub(super) scale: Option<u8>,
    /// Its sender's window, which is not.
    pub(super) window: u16,
    /// Its sender says what it has behind a hole.
    pub(super) selects: bool,
}

/// Makes a SYN say no more than `most`, and another scale than its own, if there is one: what it said. `segment` begins with the TCP header.
/// Its checksum is wrong then.
pub(super) fn clamp(segment: &mut [u8], most: u16, scale: Option<u8>) -> Said {
    let mut all = Said::default();
    if let Some(&[high, low]) = segment.get(14..16) {
        all.window = u16::from_be_bytes([high, low]);
    }
    let len = segment.get(12).map_or(0, |offset| usize::from(offset >> 4) * 4);
    let mut rest = segment.get_mut(TCP_HEADER_LEN..len);
    while let Some(options) = rest {
        let step = match *options {
            [] | [END, ..] => break,
            [NOTHING, ..] => 1,
            [MAXIMUM_SEGMENT_SIZE, 4, ref mut high, ref mut low, ..] => {
                let said = u16::from_be_bytes([*high, *low]).min(most);
                [*high, *low] = said.to_be_bytes();
                all.mss.get_or_insert(said);
                4
            }
            [WINDOW_SCALE, 3, ref mut said, ..] => {
                all.scale.get_or_insert(*said);
                *said = scale.unwrap_or(*said);
                3
            }
            [SELECTS, 2, ..] => {
                all.selects = true;
                2
            }
            // The length counts both bytes before it.
            [_, len, ..] if len >= 2 => len.into(),
            _ => break,
        };
        rest = options.get_mut(step..);
    }
    all
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use smoltcp::wire::{Ipv4Address, Ipv6Address};

    fn syn(options: &[u8]) -> Vec<u8> {
        let mut bytes = [&[0; 20][..], options].concat();
        bytes[12] = (bytes.len() / 4) as u8 * 16;
        bytes
    }

    fn said(options: &[u8], most: u16) -> (Option<u16>, Vec<u8>) {
        let mut bytes = syn(options);
        (clamp(&mut bytes, most, None).mss, bytes[20..].to_vec())
    }

    #[test]
    fn nobody_says_more_than_there_is() {
        assert_eq!(said(&[2, 4, 0x05, 0xb4], 1460), (Some(1460), vec![2, 4, 0x05, 0xb4]));
        assert_eq!(said(&[2, 4, 0xff, 0xd7], 1440), (Some(1440), vec![2, 4, 0x05, 0xa0]));
        let late = [1, 3, 3, 7, 4, 2, 2, 4, 0x22, 0xc4, 1, 1];
        assert_eq!(said(&late, 1400).0, Some(1400));
        assert_eq!(said(&[3, 3, 7, 1], 1400), (None, vec![3, 3, 7, 1]));
        assert_eq!(said(&[], 1400).0, None);
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        let bad: [&[u8]; 7] =
            [&[0, 2, 4, 9], &[2, 3, 9, 9], &[1, 1, 2, 4], &[8, 0, 2, 4], &[8, 1, 2, 4], &[8, 200, 2, 4], &[1, 1, 1, 2]];
        for options in bad {
            assert_eq!(said(options, 1), (None, options.to_vec()), "{options:?}");
        }
        let mut long = syn(&[2, 4, 9, 9]);
        long[12] = 0xf0;
        assert_eq!(clamp(&mut long, 1, None), Said::default());
        (0..13).for_each(|len| assert_eq!(clamp(&mut [0x60; 30][..len], 1, None), Said::default()));
        assert_eq!(
            clamp(&mut [0x10; 40], 1, None),
            Said { window: 0x1010, ..Said::default() },
            "a header of four bytes"
        );
    }

    #[test]
    fn windows_are_scaled_if_the_option_is_there() {
        let scale = |options: &[u8]| clamp(&mut syn(options), 1400, None).scale;
        assert_eq!([scale(&[2, 4, 5, 180, 1, 3, 3, 7]), scale(&[3, 3, 0, 0])], [Some(7), Some(0)]);
        assert_eq!([scale(&[]), scale(&[2, 4, 3, 3]), scale(&[0, 3, 3, 7]), scale(&[1, 1, 3, 4])], [None; 4]);
    }

    #[test]
    fn the_window_is_read_and_who_selects() {
        let mut bytes = syn(&[4, 2, 3, 3, 7, 0, 0, 0]);
        (bytes[14], bytes[15]) = (0x12, 0x34);
        let said = clamp(&mut bytes, 1400, Some(1));
        assert_eq!((said.window, said.selects, said.scale), (0x1234, true, Some(7)));
        assert_eq!((bytes[24], clamp(&mut bytes, 1400, None).scale), (1, Some(1)));
        assert!(!clamp(&mut syn(&[1, 4, 3, 0]), 1400, None).selects);
    }

    #[test]
    fn the_shortest_limit_counts() {
        let (v4, v6) = (Ipv4Address::LOCALHOST.into(), Ipv6Address::LOCALHOST.into());
        let mut limits = Limits::default();
        assert_eq!((limits.payload(v4).get(), limits.payload(v6).get(), limits.path()), (1460, 1440, 1500));
        limits.hear(Some(9000));
        assert_eq!(limits.payload(v4).get(), 1460);
        limits.hear(Some(1200));
        limits.set_path(Some(1280));
        assert_eq!((limits.payload(v4).get(), limits.payload(v6).get()), (1200, 1200));
        limits.hear(Some(1300));
        assert_eq!((limits.payload(v4).get(), limits.payload(v6).get()), (1240, 1220));
        limits.set_path(None);
        limits.hear(None);
        assert_eq!(limits.payload(v4).get(), 536);
        limits.hear(Some(1));
        assert_eq!(limits.payload(v4).get(), 48);
    }
}
