//! Virtio devices announced on the kernel command line, as QEMU's microvm does for Linux
//! (Documentation/admin-guide/kernel-parameters.txt: `virtio_mmio.device=<size>@<baseaddr>:<irq>[:<id>]`).

use super::madt::{Polarity, Trigger};

/// A memory-mapped virtio device: where it is and how it interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Physical address of its registers.
    pub base: u64,
    /// Length of its register window in bytes.
    pub len: u64,
    /// Global system interrupt.
    pub gsi: u32,
    /// Polarity of the interrupt line.
    pub polarity: Polarity,
    /// Trigger mode of the interrupt line.
    pub trigger: Trigger,
}

/// The key on the command line.
pub const KEY: &str = "virtio_mmio.device=";

/// The devices on a command line, in order. A word that starts like one but does not parse is skipped.
pub fn devices(command_line: &[u8]) -> impl Iterator<Item = Device> + '_ {
    let words = command_line.split(u8::is_ascii_whitespace);
    words.filter_map(|word| device(core::str::from_utf8(word).ok()?.strip_prefix(KEY)?))
}

/// Parses `<size>@<base>:<irq>[:<id>]`.
fn device(text: &str) -> Option<Device> {
    let (size, rest) = text.split_once('@')?;
    let mut fields = rest.split(':');
    let base = number(fields.next()?)?;
    let gsi = u32::try_from(number(fields.next()?)?).ok()?;
    let len = number(size).filter(|&len| len > 0)?;
    base.checked_add(len)?;
    // The virtio interrupt status register holds the line until it is acknowledged (virtio 1.2, 4.2.2).
    Some(Device { base, len, gsi, polarity: Polarity::High, trigger: Trigger::Level })
}

/// A number as Linux's memparse() reads it: decimal or 0x-prefixed, with an optional K, M or G.
fn number(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 10),
        b'm' | b'M' => (&text[..text.len() - 1], 20),
        b'g' | b'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    value.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_qemu_appends() {
        let line = b"log=debug \xff -- +S 4  virtio_mmio.device=512@0xfeb02e00:23 virtio_mmio.device=512@0xfeb02c00:22";
        let found: Vec<_> = devices(line).map(|d| (d.base, d.len, d.gsi)).collect();
        assert_eq!(found, [(0xfeb0_2e00, 512, 23), (0xfeb0_2c00, 512, 22)]);
    }

    #[test]
    fn sizes_and_ids_as_linux_takes_them() {
        let d = device("4K@0x100000:5:7").unwrap();
        assert_eq!((d.base, d.len, d.gsi), (0x10_0000, 4096, 5));
    }

    #[test]
    fn nonsense_is_skipped() {
        for bad in [
            "",
            "512",
            "512@",
            "512@0x",
            "512@0x1000",
            "512@0x1000:",
            "0@0x1000:5",
            "1@0xffffffffffffffff:5",
            "é@1:2",
            "99999999999G@1:2",
        ] {
            assert_eq!(device(bad), None, "{bad}");
        }
    }
}
