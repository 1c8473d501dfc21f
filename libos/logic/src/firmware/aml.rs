//! The few facts we need from ACPI machine language, found by pattern instead of by interpreting it (ACPI 6.5, chapter 20).
//!
//! That is enough because firmware writes these objects as constants: the `_S5_` package (needed to power off), and the `_CRS` of
//! devices known by their `_HID`. Anything that is not such a constant is reported as absent.

use super::bytes;
use super::madt::{Polarity, Trigger};

const NAME_OP: u8 = 0x08;
const BYTE_PREFIX: u8 = 0x0a;
const WORD_PREFIX: u8 = 0x0b;
const DWORD_PREFIX: u8 = 0x0c;
const QWORD_PREFIX: u8 = 0x0e;
const PACKAGE_OP: u8 = 0x12;
const DEVICE_OP: [u8; 2] = [0x5b, 0x82];
const REGION_OP: [u8; 2] = [0x5b, 0x80];

/// Positions at which `needle` starts.
fn positions<'a>(haystack: &'a [u8], needle: &'a [u8]) -> impl DoubleEndedIterator<Item = usize> + 'a {
    haystack.windows(needle.len()).enumerate().filter(move |(_, w)| *w == needle).map(|(i, _)| i)
}

/// A package length (20.2.4): its value, counted from its own first byte, and how many bytes it takes.
fn package_len(aml: &[u8]) -> Option<(usize, usize)> {
    let lead = bytes::u8(aml, 0)?;
    let more = usize::from(lead >> 6);
    if more == 0 {
        return Some((usize::from(lead & 0x3f), 1));
    }
    let mut len = usize::from(lead & 0x0f);
    for i in 0..more {
        len |= usize::from(bytes::u8(aml, 1 + i)?) << (4 + 8 * i);
    }
    Some((len, 1 + more))
}

/// A constant integer (20.2.3): its value and how many bytes it takes.
fn integer(aml: &[u8]) -> Option<(u64, usize)> {
    match bytes::u8(aml, 0)? {
        small @ 0..=1 => Some((small.into(), 1)),
        BYTE_PREFIX => Some((bytes::u8(aml, 1)?.into(), 2)),
        WORD_PREFIX => Some((bytes::u16(aml, 1)?.into(), 3)),
        DWORD_PREFIX => Some((bytes::u32(aml, 1)?.into(), 5)),
        QWORD_PREFIX => Some((bytes::u64(aml, 1)?, 9)),
        _ => None,
    }
}

/// The sleep types of `\_S5_`, soft off: for the PM1a and the PM1b control register (7.4.2, 16.1.6).
pub fn s5(aml: &[u8]) -> Option<(u8, u8)> {
    positions(aml, b"_S5_").find_map(|at| {
        let named = aml[..at].ends_with(&[NAME_OP]) || aml[..at].ends_with(&[NAME_OP, b'\\']);
        let package = aml.get(at + 4..)?.strip_prefix(&[PACKAGE_OP]).filter(|_| named)?;
        let (_, skip) = package_len(package)?;
        let elements = package.get(skip + 1..)?;
        let (a, used) = integer(elements)?;
        let b = integer(elements.get(used..)?).map_or(0, |(b, _)| b);
        Some((a as u8, b as u8))
    })
}

/// What a device's constant `_CRS` says (6.4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// Physical base and length in bytes of its first fixed memory window.
    pub memory: Option<(u64, u64)>,
    /// Its first interrupt: global system interrupt, polarity, trigger.
    pub interrupt: Option<(u32, Polarity, Trigger)>,
}

/// The bodies of all devices whose `_HID` is the string `hid`.
pub fn devices<'a>(aml: &'a [u8], hid: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
    positions(aml, hid).filter_map(|at| {
        // The innermost enclosing device is the one that starts last.
        positions(&aml[..at], &DEVICE_OP).rev().find_map(|start| {
            let (len, _) = package_len(&aml[start + 2..])?;
            let end = start + 2 + len;
            aml.get(start..end).filter(|_| at < end)
        })
    })
}

/// The resources in a device body: 32-bit fixed memory (6.4.3.4) and extended interrupt (6.4.3.6) descriptors.
pub fn resources(body: &[u8]) -> Resources {
    let memory = positions(body, &[0x86, 0x09, 0x00]).find_map(|at| {
        let (base, len) = (bytes::u32(body, at + 4)?, bytes::u32(body, at + 8)?);
        (len != 0).then_some((base.into(), len.into()))
    });
    let interrupt = positions(body, &[0x89, 0x06, 0x00]).find_map(|at| {
        let (flags, count) = (bytes::u8(body, at + 3)?, bytes::u8(body, at + 4)?);
        let trigger = if flags & 0b10 != 0 { Trigger::Edge } else { Trigger::Level };
        let polarity = if flags & 0b100 != 0 { Polarity::Low } else { Polarity::High };
        let gsi = bytes::u32(body, at + 5).filter(|_| count == 1)?;
        Some((gsi, polarity, trigger))
    });
    Resources { memory, interrupt }
}

/// The physical address of the first operation region in system memory that a device body declares (20.2.5.2).
pub fn memory_region(body: &[u8]) -> Option<u64> {
    positions(body, &REGION_OP).find_map(|at| {
        let space = at + 6; // past the two-byte opcode and a four-letter name
        let (address, _) = integer(body.get(space + 1..)?)?;
        (bytes::u8(body, space)? == 0).then_some(address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn s5_of_constants_of_any_width() {
        assert_eq!(s5(b"\x08_S5_\x12\x08\x04\x0a\x05\x0a\x07\x00\x00"), Some((5, 7)));
        assert_eq!(s5(b"junk_S5_\x08\\_S5_\x12\x06\x04\x00\x01\x00\x00"), Some((0, 1)));
        assert_eq!(s5(b"\x08_S5_\x12\x03\x01\x0a\x05"), Some((5, 0)), "no second element");
    }

    #[test]
    fn s5_absent_truncated_or_computed() {
        assert_eq!(s5(b""), None);
        assert_eq!(s5(b"_S5_\x12\x08\x04\x0a\x05"), None, "a use, not a definition");
        assert_eq!(s5(b"\x08_S5_"), None);
        assert_eq!(s5(b"\x08_S5_\x12"), None);
        assert_eq!(s5(b"\x08_S5_\x12\x08\x04FOO_"), None);
    }

    /// Device(`name`) { Name(_HID, `hid`), then `tail` }
    fn device(name: &str, hid: &str, tail: &[u8]) -> Vec<u8> {
        let mut inner = name.as_bytes().to_vec();
        inner.extend_from_slice(b"\x08_HID\x0d");
        inner.extend_from_slice(hid.as_bytes());
        inner.push(0);
        inner.extend_from_slice(tail);
        // Always the two-byte length form.
        let len = inner.len() + 2;
        let mut out = DEVICE_OP.to_vec();
        out.extend_from_slice(&[0x40 | (len & 0xf) as u8, (len >> 4) as u8]);
        out.extend_from_slice(&inner);
        out
    }

    const MEMORY: &[u8] = &[0x86, 9, 0, 1, 0, 0x2e, 0xb0, 0xfe, 0, 2, 0, 0];
    const LEVEL_23: &[u8] = &[0x89, 6, 0, 1, 1, 23, 0, 0, 0];

    #[test]
    fn devices_by_hid_even_when_nested() {
        let crs = [MEMORY, LEVEL_23].concat();
        let inner = [device("VR00", "LNRO0005", &crs), device("VR01", "LNRO0005", &[])].concat();
        let aml = device("_SB_", "PNP0A05", &inner);
        let bodies: Vec<_> = devices(&aml, b"LNRO0005").collect();
        assert_eq!(bodies.len(), 2);
        let r = resources(bodies[0]);
        assert_eq!(r.memory, Some((0xfeb0_2e00, 512)));
        assert_eq!(r.interrupt, Some((23, Polarity::High, Trigger::Level)));
        assert_eq!(resources(bodies[1]), Resources::default(), "not its sibling's");
        assert_eq!(devices(&aml, b"ACPI0013").count(), 0);
    }

    #[test]
    fn a_device_longer_than_the_table_is_no_device() {
        let aml = device("VR00", "LNRO0005", MEMORY);
        assert_eq!(devices(&aml[..aml.len() - 1], b"LNRO0005").count(), 0);
    }

    #[test]
    fn operation_region_in_memory() {
        assert_eq!(memory_region(b"\x5b\x80EREG\x00\x0c\x00\x00\xa0\xfe\x0a\x04"), Some(0xfea0_0000));
        assert_eq!(memory_region(b"\x5b\x80EREG\x01\x0c\x00\x00\xa0\xfe\x0a\x04"), None, "a port region");
        assert_eq!(memory_region(b"\x5b\x80ER"), None);
    }

    #[test]
    fn package_lengths() {
        assert_eq!(package_len(&[0x3f]), Some((0x3f, 1)));
        assert_eq!(package_len(&[0x45, 0x12]), Some((0x125, 2)));
        assert_eq!(package_len(&[0xc1, 2, 3, 4]), Some((0x040_3021, 4)));
        assert_eq!(package_len(&[0x80, 0]), None);
    }
}
