//! The Internet checksum (RFC 1071), wherever a card does not take it off the stack.
//!
//! Sums are of 16-bit words in network order, folded and not complemented. A packet is right when the sum of all of it, checksum and
//! pseudo header included, is [`RIGHT`].

use super::device::PartialChecksum;
use smoltcp::wire::{IpAddress, IpProtocol};

/// The sum of what includes its own checksum.
pub(super) const RIGHT: u16 = 0xffff;

/// The sum of bytes; an odd one at the end counts as the upper half of a word.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    // Words may be added in any byte order (RFC 1071, 2(B)), and eight bytes at a time: carries are folded in the end.
    let mut total = 0u128;
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        for word in block.as_chunks().0 {
            total += u128::from(u64::from_ne_bytes(*word));
        }
    }
    let (words, rest) = rest.as_chunks();
    for word in words {
        total += u128::from(u64::from_ne_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    total += u128::from(u64::from_ne_bytes(last));
    let (total, carry) = (total as u64).overflowing_add((total >> 64) as u64);
    u16::from_be(fold(total + u64::from(carry)))
}

/// The sum of two sums.
pub(super) fn add(a: u16, b: u16) -> u16 {
    fold(u64::from(a) + u64::from(b))
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The sum of the pseudo header of a TCP segment or UDP datagram (RFC 9293, 3.1; RFC 8200, 8.1).
pub(super) fn pseudo(from: IpAddress, to: IpAddress, protocol: IpProtocol, len: usize) -> u16 {
    let of = |address| match address {
        IpAddress::Ipv4(v4) => sum(&v4.octets()),
        IpAddress::Ipv6(v6) => sum(&v6.octets()),
    };
    let addresses = add(of(from), of(to));
    let rest = fold(u64::from(u8::from(protocol)) + len as u64);
    add(addresses, rest)
}

/// Completes a checksum; false when it is not within the frame.
pub(super) fn complete(frame: &mut [u8], checksum: PartialChecksum) -> bool {
    if !checksum.fits(frame.len()) {
        return false;
    }
    let covered = &mut frame[usize::from(checksum.start)..];
    // The part that is there counts, too.
    let total = sum(covered);
    let at = usize::from(checksum.offset);
    // To UDP a checksum of zero is none at all (RFC 768), and the other zero means the same number.
    let value = if total == RIGHT { RIGHT } else { !total };
    covered[at..at + 2].copy_from_slice(&value.to_be_bytes());
    true
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use smoltcp::wire::Ipv4Address;

    #[test]
    fn sums_are_those_of_the_rfc() {
        // RFC 1071, 3.
        assert_eq!(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), 0xddf2);
        assert_eq!(sum(&[]), 0);
        assert_eq!(sum(&[0x12]), 0x1200);
        assert_eq!(sum(&[0, 1, 2]), 0x0201);
        assert_eq!(sum(&[0xff; 65535]), 0xff00);
        assert_eq!(sum(&[0xff; 65536]), RIGHT);
        assert_eq!(sum(&[0; 100]), 0);
        assert_eq!(add(0xffff, 1), 1);
    }

    #[test]
    fn long_sums_are_those_of_short_steps() {
        let bytes: alloc::vec::Vec<u8> = (0..300u32).map(|i| (i * i + 7) as u8).collect();
        for len in 0..bytes.len() {
            let words = bytes[..len].chunks(2).map(|word| u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
            assert_eq!(sum(&bytes[..len]), words.fold(0, add));
        }
    }

    #[test]
    fn a_sum_can_be_taken_in_pieces() {
        let bytes: alloc::vec::Vec<u8> = (0..999u32).map(|i| (i * i) as u8).collect();
        for cut in (0..999).step_by(2) {
            assert_eq!(add(sum(&bytes[..cut]), sum(&bytes[cut..])), sum(&bytes));
        }
    }

    #[test]
    fn a_completed_checksum_is_right() {
        let [from, to] = [1, 2].map(|host| IpAddress::Ipv4(Ipv4Address::new(10, 0, 0, host)));
        for len in [8, 9, 100] {
            let mut frame: alloc::vec::Vec<u8> = (0..len + 34).map(|i| i as u8 ^ 0x5a).collect();
            let pseudo = pseudo(from, to, IpProtocol::Udp, len);
            frame[40..42].copy_from_slice(&pseudo.to_be_bytes());
            assert!(complete(&mut frame, PartialChecksum { start: 34, offset: 6 }));
            assert_eq!(add(pseudo, sum(&frame[34..])), RIGHT);
        }
    }

    #[test]
    fn a_datagram_is_never_left_without_checksum() {
        let mut frame = [0xff, 0xff, 0, 0];
        assert!(complete(&mut frame, PartialChecksum { start: 0, offset: 2 }));
        assert_eq!(frame, [0xff; 4]);
    }

    #[test]
    fn a_checksum_outside_the_frame_is_refused() {
        let mut frame = [1; 40];
        for (start, offset) in [(40, 0), (38, 1), (0, 39), (u16::MAX, u16::MAX), (41, 0)] {
            assert!(!complete(&mut frame, PartialChecksum { start, offset }));
        }
        assert_eq!(frame, [1; 40]);
        assert!(complete(&mut frame, PartialChecksum { start: 38, offset: 0 }));
    }
}
