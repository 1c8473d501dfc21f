//! ACPI tables as byte slices (ACPI 6.5, chapter 5): the root pointers, MCFG and the fixed description table (FADT).

use super::bytes;
use alloc::vec::Vec;

/// Bytes of a table header (5.2.6); the length field within it counts the whole table.
pub const HEADER_LEN: usize = 36;

/// Bytes of the root pointer structure that must be readable at its address, whatever its revision (5.2.5.3).
pub const RSDP_LEN: usize = 36;

/// Whether the bytes add up to 0 modulo 256, as those of every ACPI structure do (5.2.5.3, 5.2.6).
pub fn checksum_ok(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, &b| sum.wrapping_add(b)) == 0
}

/// Where the root table is and how wide its entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Physical address of the XSDT or RSDT.
    pub address: u64,
    /// Bytes per entry: 8 in an XSDT, 4 in an RSDT.
    pub entry_len: usize,
}

/// Decodes the root system description pointer (5.2.5.3); `None` when it is not one.
pub fn root(rsdp: &[u8]) -> Option<Root> {
    if rsdp.get(..8)? != b"RSD PTR " || !checksum_ok(rsdp.get(..20)?) {
        return None;
    }
    let xsdt = bytes::u64(rsdp, 24).unwrap_or(0);
    if bytes::u8(rsdp, 15)? >= 2 && xsdt != 0 {
        return Some(Root { address: xsdt, entry_len: 8 });
    }
    Some(Root { address: bytes::u32(rsdp, 16)?.into(), entry_len: 4 })
}

/// The signature and total length, in bytes, of the table that starts with `header`.
pub fn header(header: &[u8]) -> Option<([u8; 4], usize)> {
    let signature = header.get(..4)?.try_into().ok()?;
    let len = bytes::u32(header, 4)? as usize;
    (len >= HEADER_LEN).then_some((signature, len))
}

/// Physical addresses of the tables that an XSDT or RSDT lists (5.2.7, 5.2.8).
pub fn entries(table: &[u8], entry_len: usize) -> impl Iterator<Item = u64> + '_ {
    table.get(HEADER_LEN..).unwrap_or(&[]).chunks_exact(entry_len).map(move |entry| match entry_len {
        8 => bytes::u64(entry, 0).unwrap_or(0),
        _ => bytes::u32(entry, 0).unwrap_or(0).into(),
    })
}

/// One memory-mapped window onto PCI configuration space (PCI Firmware 3.2, table 4-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ecam {
    /// Physical address of bus 0's configuration space, whether or not bus 0 is in the window.
    pub base: u64,
    /// PCI segment group.
    pub segment: u16,
    /// First bus number decoded.
    pub first_bus: u8,
    /// Last bus number decoded.
    pub last_bus: u8,
}

/// The windows listed in an MCFG table.
pub fn mcfg(table: &[u8]) -> Vec<Ecam> {
    let entry = |e: &[u8]| {
        Some(Ecam {
            base: bytes::u64(e, 0)?,
            segment: bytes::u16(e, 8)?,
            first_bus: bytes::u8(e, 10)?,
            last_bus: bytes::u8(e, 11)?,
        })
    };
    table.get(44..).unwrap_or(&[]).chunks_exact(16).filter_map(entry).collect()
}

/// A register as ACPI names it (5.2.3.2, generic address structure).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// Physical memory address.
    Memory(u64),
    /// I/O port.
    Port(u16),
    /// PCI configuration space, bus 0: device, function, offset.
    PciConfig(u8, u8, u8),
}

impl Register {
    /// Decodes the 12-byte structure at `offset`; `None` when the register does not exist or sits in a space we do not know.
    fn decode(table: &[u8], offset: usize) -> Option<Register> {
        let address = bytes::u64(table, offset + 4)?;
        match bytes::u8(table, offset)? {
            _ if address == 0 => None,
            0 => Some(Register::Memory(address)),
            1 => Some(Register::Port(u16::try_from(address).ok()?)),
            2 => Some(Register::PciConfig((address >> 32) as u8, (address >> 16) as u8, address as u8)),
            _ => None,
        }
    }

    /// A port from a legacy 32-bit field, where 0 means absent.
    fn legacy(table: &[u8], offset: usize) -> Option<Register> {
        match bytes::u32(table, offset)? {
            0 => None,
            port => Some(Register::Port(u16::try_from(port).ok()?)),
        }
    }
}

/// What the fixed ACPI description table says about power (5.2.9).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fadt {
    /// Physical address of the DSDT.
    pub dsdt: u64,
    /// ISA interrupt of the system control interrupt.
    pub sci_irq: u16,
    /// Port that takes [`Fadt::acpi_enable`] to hand power management over to the OS.
    pub smi_command: Option<u16>,
    /// Value for [`Fadt::smi_command`].
    pub acpi_enable: u8,
    /// PM1a event block: status register, then enable register half of [`Fadt::pm1_event_len`] further on.
    pub pm1a_event: Option<Register>,
    /// Length of an event block in bytes.
    pub pm1_event_len: u8,
    /// PM1a control register.
    pub pm1a_control: Option<Register>,
    /// PM1b control register.
    pub pm1b_control: Option<Register>,
    /// Where to write [`Fadt::reset_value`] for a reset, when the table says that it works.
    pub reset: Option<Register>,
    /// Value for [`Fadt::reset`].
    pub reset_value: u8,
    /// Sleep control register of hardware-reduced ACPI.
    pub sleep_control: Option<Register>,
    /// Offset of the century in CMOS memory, 0 when there is none.
    pub century: u8,
}

/// FADT flag: the reset register may be used (5.2.9.3, table 5.10).
const RESET_REG_SUP: u32 = 1 << 10;

/// Decodes a FADT of any revision; fields beyond its end are absent.
pub fn fadt(table: &[u8]) -> Fadt {
    let flags = bytes::u32(table, 112).unwrap_or(0);
    let dsdt = match bytes::u64(table, 140) {
        Some(wide) if wide != 0 => wide,
        _ => bytes::u32(table, 40).unwrap_or(0).into(),
    };
    Fadt {
        dsdt,
        sci_irq: bytes::u16(table, 46).unwrap_or(0),
        smi_command: bytes::u32(table, 48).and_then(|port| u16::try_from(port).ok()).filter(|&port| port != 0),
        acpi_enable: bytes::u8(table, 52).unwrap_or(0),
        pm1a_event: Register::decode(table, 148).or_else(|| Register::legacy(table, 56)),
        pm1_event_len: bytes::u8(table, 88).unwrap_or(0),
        pm1a_control: Register::decode(table, 172).or_else(|| Register::legacy(table, 64)),
        pm1b_control: Register::decode(table, 184).or_else(|| Register::legacy(table, 68)),
        reset: Register::decode(table, 116).filter(|_| flags & RESET_REG_SUP != 0),
        reset_value: bytes::u8(table, 128).unwrap_or(0),
        sleep_control: Register::decode(table, 244),
        century: bytes::u8(table, 108).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(table: &mut [u8], offset: usize, bytes: &[u8]) {
        table[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn rsdp(revision: u8, rsdt: u32, xsdt: u64) -> Vec<u8> {
        let mut p = alloc::vec![0u8; RSDP_LEN];
        put(&mut p, 0, b"RSD PTR ");
        p[15] = revision;
        put(&mut p, 16, &rsdt.to_le_bytes());
        put(&mut p, 24, &xsdt.to_le_bytes());
        p[8] = 0u8.wrapping_sub(p[..20].iter().fold(0, |s: u8, &b| s.wrapping_add(b)));
        p
    }

    #[test]
    fn root_prefers_the_wide_table() {
        assert_eq!(root(&rsdp(0, 0x1000, 0x2000)), Some(Root { address: 0x1000, entry_len: 4 }));
        assert_eq!(root(&rsdp(2, 0x1000, 0x2000)), Some(Root { address: 0x2000, entry_len: 8 }));
        assert_eq!(root(&rsdp(2, 0x1000, 0)), Some(Root { address: 0x1000, entry_len: 4 }));
    }

    #[test]
    fn root_rejects_damage() {
        let good = rsdp(2, 0x1000, 0x2000);
        for i in 0..20 {
            let mut bad = good.clone();
            bad[i] ^= 0x40;
            assert_eq!(root(&bad), None, "byte {i}");
        }
        assert_eq!(root(&good[..19]), None);
    }

    #[test]
    fn entries_of_both_widths() {
        let mut table = alloc::vec![0u8; HEADER_LEN + 17];
        put(&mut table, HEADER_LEN, &0x11u64.to_le_bytes());
        put(&mut table, HEADER_LEN + 8, &0x2200000000u64.to_le_bytes());
        assert_eq!(entries(&table, 8).collect::<Vec<_>>(), [0x11, 0x22_0000_0000]);
        assert_eq!(entries(&table, 4).collect::<Vec<_>>(), [0x11, 0, 0, 0x22]);
        assert_eq!(entries(&table[..10], 8).count(), 0);
    }

    #[test]
    fn header_length_covers_the_header() {
        let mut h = [0u8; 8];
        put(&mut h, 0, b"APIC");
        put(&mut h, 4, &35u32.to_le_bytes());
        assert_eq!(header(&h), None);
        put(&mut h, 4, &44u32.to_le_bytes());
        assert_eq!(header(&h), Some((*b"APIC", 44)));
    }

    #[test]
    fn mcfg_windows() {
        let mut table = alloc::vec![0u8; 44 + 16 + 3];
        put(&mut table, 44, &0xb000_0000u64.to_le_bytes());
        table[44 + 11] = 0xff;
        assert_eq!(mcfg(&table), [Ecam { base: 0xb000_0000, segment: 0, first_bus: 0, last_bus: 255 }]);
    }

    #[test]
    fn fadt_of_revision_one_has_ports_only() {
        let mut table = alloc::vec![0u8; 116];
        put(&mut table, 40, &0xe0000u32.to_le_bytes());
        put(&mut table, 46, &9u16.to_le_bytes());
        put(&mut table, 48, &0xb2u32.to_le_bytes());
        table[52] = 0xf1;
        put(&mut table, 56, &0x600u32.to_le_bytes());
        put(&mut table, 64, &0x604u32.to_le_bytes());
        table[88] = 4;
        let f = fadt(&table);
        assert_eq!(f.dsdt, 0xe0000);
        assert_eq!((f.sci_irq, f.smi_command, f.acpi_enable), (9, Some(0xb2), 0xf1));
        assert_eq!(f.pm1a_event, Some(Register::Port(0x600)));
        assert_eq!(f.pm1a_control, Some(Register::Port(0x604)));
        assert_eq!((f.pm1b_control, f.reset, f.sleep_control), (None, None, None));
    }

    #[test]
    fn fadt_registers_of_reduced_hardware() {
        let mut table = alloc::vec![0u8; 276];
        table[116] = 0; // system memory
        put(&mut table, 120, &0xfea0_0202u64.to_le_bytes());
        table[128] = 0x42;
        put(&mut table, 248, &0xfea0_0200u64.to_le_bytes());
        assert_eq!(fadt(&table).reset, None, "not without its flag");
        put(&mut table, 112, &RESET_REG_SUP.to_le_bytes());
        let f = fadt(&table);
        assert_eq!((f.reset, f.reset_value), (Some(Register::Memory(0xfea0_0202)), 0x42));
        assert_eq!(f.sleep_control, Some(Register::Memory(0xfea0_0200)));
    }

    #[test]
    fn any_truncation_of_a_fadt_is_survived() {
        let table = alloc::vec![0xffu8; 276];
        for len in 0..table.len() {
            fadt(&table[..len]);
        }
    }
}
