//! The header before each frame, `struct virtio_net_hdr` (virtio 1.2, 5.1.6).

use super::features::Features;
use crate::net::device::{Integrity, Orders, PartialChecksum};

/// Flags: the checksum is to be completed; it was verified.
const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
/// How the frame is to be cut, or was put together.
const GSO_NONE: u8 = 0;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;
const GSO_ECN: u8 = 0x80;

/// Bytes of the whole header.
pub const HEADER_LEN: usize = 12;

/// A received frame's header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    integrity: Integrity,
    long: bool,
    /// Buffers that the frame fills, from 1 on.
    pub buffers: u16,
}

impl Header {
    /// Decodes a header of a device with these features; `None` when it makes no sense.
    pub fn parse(bytes: &[u8], agreed: Features) -> Option<Self> {
        let field = |at: usize| Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (&flags, &kind) = (bytes.first()?, bytes.get(1)?);
        let (start, offset) = (field(6)?, field(8)?);
        let merged = agreed.contains(Features::MRG_RXBUF);
        let buffers = if merged { field(10)? } else { 1 };
        let long = match kind & !GSO_ECN {
            GSO_NONE => false,
            GSO_TCPV4 if agreed.contains(Features::GUEST_TSO4) => true,
            GSO_TCPV6 if agreed.contains(Features::GUEST_TSO6) => true,
            _ => return None,
        };
        // Without the feature the device must not set the flags (5.1.6.4.1): then it is not believed.
        let integrity = match flags {
            _ if !agreed.contains(Features::GUEST_CSUM) => Integrity::Unknown,
            _ if flags & NEEDS_CSUM != 0 => Integrity::Partial(PartialChecksum { start, offset }),
            _ if flags & DATA_VALID != 0 => Integrity::Verified,
            _ => Integrity::Unknown,
        };
        (buffers > 0).then_some(Self { integrity, long, buffers })
    }

    /// What the device says about a frame of `len` bytes; `None` when that makes no sense for it.
    pub fn integrity(&self, len: usize) -> Option<Integrity> {
        // Ethernet, a VLAN tag, and a packet; or the longest packet of IPv6.
        let longest = if self.long { 14 + 40 + 65535 } else { 18 + 1500 };
        let sound = len > 0
            && len <= longest
            && match self.integrity {
                Integrity::Partial(checksum) => checksum.fits(len),
                _ => true,
            };
        sound.then_some(self.integrity)
    }
}

/// The header of a frame to send; of it go out as many bytes as the device expects.
pub fn emit(orders: Orders) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    let mut field = |at: usize, value: u16| bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    if let Some(PartialChecksum { start, offset }) = orders.checksum {
        field(0, u16::from_le_bytes([NEEDS_CSUM, GSO_NONE]));
        field(6, start);
        field(8, offset);
        if let Some(cut) = orders.segmentation {
            field(0, u16::from_le_bytes([NEEDS_CSUM, if cut.v6 { GSO_TCPV6 } else { GSO_TCPV4 }]));
            field(2, cut.headers);
            field(4, cut.size.get());
        }
    }
    bytes
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::net::device::Segmentation;
    use core::num::NonZeroU16;

    const PARTIAL: PartialChecksum = PartialChecksum { start: 34, offset: 16 };

    fn header(flags: u8, kind: u8, buffers: u16) -> [u8; 12] {
        let mut bytes = [flags, kind, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0, 0];
        bytes[10..].copy_from_slice(&buffers.to_le_bytes());
        bytes
    }

    fn told(flags: u8, kind: u8, agreed: Features, len: usize) -> Option<Integrity> {
        Header::parse(&header(flags, kind, 1), agreed)?.integrity(len)
    }

    #[test]
    fn flags_say_what_the_device_knows() {
        let all = Features::all();
        assert_eq!(told(0, 0, all, 60), Some(Integrity::Unknown));
        assert_eq!(told(2, 0, all, 60), Some(Integrity::Verified));
        assert_eq!(told(1, 0, all, 60), Some(Integrity::Partial(PARTIAL)));
        assert_eq!(told(3, 0, all, 60), Some(Integrity::Partial(PARTIAL)));
        assert_eq!(told(1, 1, all, 65_000), Some(Integrity::Partial(PARTIAL)));
        assert_eq!(told(1, 4, all, 65_000), Some(Integrity::Partial(PARTIAL)));
        assert_eq!(told(1, 0x81, all, 65_000), Some(Integrity::Partial(PARTIAL)));
    }

    #[test]
    fn a_device_is_not_believed_what_was_not_agreed() {
        let none = Features::VERSION_1;
        assert_eq!(told(1, 0, none, 60), Some(Integrity::Unknown));
        assert_eq!(told(2, 0, none, 60), Some(Integrity::Unknown));
        assert_eq!((told(1, 1, none, 60), told(1, 4, none, 60)), (None, None));
        assert_eq!(Header::parse(&header(0, 0, 9), none).unwrap().buffers, 1);
        assert_eq!(Header::parse(&header(0, 0, 9), Features::all()).unwrap().buffers, 9);
    }

    #[test]
    fn nonsense_is_noticed() {
        let all = Features::all();
        // UDP, and kinds that do not exist.
        assert!([2, 3, 5, 0x7f, 0x83].into_iter().all(|kind| told(1, kind, all, 60).is_none()));
        assert_eq!(told(0, 0, all, 0), None);
        assert_eq!(told(0, 0, all, 1518), Some(Integrity::Unknown));
        assert_eq!(told(0, 0, all, 1519), None);
        assert_eq!(told(0, 1, all, 65_590), None);
        assert_eq!(told(1, 0, all, 51), None);
        assert_eq!(told(1, 0, all, 52), Some(Integrity::Partial(PARTIAL)));
        assert_eq!(Header::parse(&header(0, 0, 0), all), None);
        let whole = header(0, 0, 1);
        assert!((0..12).all(|len| Header::parse(&whole[..len], all).is_none()));
        assert!(Header::parse(&whole[..10], Features::empty()).is_some());
    }

    #[test]
    fn orders_are_spelled_as_the_specification_has_them() {
        assert_eq!(emit(Orders::default()), [0; 12]);
        let checksum = Some(PARTIAL);
        assert_eq!(emit(Orders { checksum, segmentation: None }), [1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0]);
        let size = NonZeroU16::new(1460).unwrap();
        for (v6, kind) in [(false, 1), (true, 4)] {
            let segmentation = Some(Segmentation { headers: 54, size, v6 });
            assert_eq!(emit(Orders { checksum, segmentation }), [1, kind, 54, 0, 0xb4, 5, 34, 0, 16, 0, 0, 0]);
        }
    }
}
