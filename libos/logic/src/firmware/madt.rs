//! The multiple APIC description table (ACPI 6.5, 5.2.12): processors, I/O APICs, and how ISA interrupts are wired to them.

use super::bytes;
use alloc::vec::Vec;

/// When an interrupt line counts as asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// High voltage.
    High,
    /// Low voltage.
    Low,
}

/// What about the line makes an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Its becoming asserted.
    Edge,
    /// Its being asserted.
    Level,
}

/// A processor that can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    /// Local APIC id.
    pub apic_id: u32,
}

/// An I/O APIC (5.2.12.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Physical address of its registers.
    pub address: u64,
    /// Global system interrupt of its pin 0.
    pub gsi_base: u32,
}

/// Where an ISA interrupt goes when not to the global system interrupt of the same number (5.2.12.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Override {
    /// ISA interrupt, 0..16.
    pub irq: u8,
    /// Global system interrupt.
    pub gsi: u32,
    /// Polarity of the line.
    pub polarity: Polarity,
    /// Trigger mode of the line.
    pub trigger: Trigger,
}

/// A decoded table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Madt {
    /// Physical address of every processor's local APIC.
    pub local_apic: u64,
    /// Enabled processors, in table order: the first is the one that booted.
    pub processors: Vec<Processor>,
    /// I/O APICs.
    pub io_apics: Vec<IoApic>,
    /// ISA interrupts that are wired differently.
    pub overrides: Vec<Override>,
}

/// Decodes a MADT. Entries with a length that leads nowhere end it.
pub fn madt(table: &[u8]) -> Madt {
    let mut out = Madt { local_apic: bytes::u32(table, 36).unwrap_or(0).into(), ..Madt::default() };
    let mut rest = table.get(44..).unwrap_or(&[]);
    while let (Some(kind), Some(len)) = (bytes::u8(rest, 0), bytes::u8(rest, 1)) {
        let Some(entry) = rest.get(..len.into()).filter(|_| len >= 2) else { break };
        // A short entry of a known kind is skipped, as one of an unknown kind is.
        let _ = add(&mut out, kind, entry);
        rest = &rest[len.into()..];
    }
    out
}

/// Adds one interrupt controller structure (5.2.12, table 5.21). `None` when it says nothing for us.
fn add(out: &mut Madt, kind: u8, e: &[u8]) -> Option<()> {
    const ENABLED: u32 = 1;
    match kind {
        0 if bytes::u32(e, 4)? & ENABLED != 0 => out.processors.push(Processor { apic_id: bytes::u8(e, 3)?.into() }),
        9 if bytes::u32(e, 8)? & ENABLED != 0 => out.processors.push(Processor { apic_id: bytes::u32(e, 4)? }),
        1 => out.io_apics.push(IoApic { address: bytes::u32(e, 4)?.into(), gsi_base: bytes::u32(e, 8)? }),
        2 => {
            let flags = bytes::u16(e, 8)?;
            out.overrides.push(Override {
                irq: bytes::u8(e, 3)?,
                gsi: bytes::u32(e, 4)?,
                // "Conforms to the bus" means high and edge on ISA (table 5.26).
                polarity: if flags & 0b11 == 0b11 { Polarity::Low } else { Polarity::High },
                trigger: if (flags >> 2) & 0b11 == 0b11 { Trigger::Level } else { Trigger::Edge },
            });
        }
        5 => out.local_apic = bytes::u64(e, 4)?,
        _ => return None,
    }
    Some(())
}

impl Madt {
    /// The wiring of an ISA interrupt: its override, else pin of the same number, active high, edge-triggered.
    pub fn isa(&self, irq: u8) -> Override {
        let plain = Override { irq, gsi: irq.into(), polarity: Polarity::High, trigger: Trigger::Edge };
        self.overrides.iter().copied().find(|o| o.irq == irq).unwrap_or(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[&[u8]]) -> Vec<u8> {
        let mut t = alloc::vec![0u8; 44];
        t[36..40].copy_from_slice(&0xfee0_0000u32.to_le_bytes());
        entries.iter().for_each(|e| t.extend_from_slice(e));
        t
    }

    const CPU0: &[u8] = &[0, 8, 0, 0, 1, 0, 0, 0];
    const CPU5_DISABLED: &[u8] = &[0, 8, 1, 5, 0, 0, 0, 0];
    const X2_CPU300: &[u8] = &[9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    const IOAPIC: &[u8] = &[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0];
    const TIMER_TO_2: &[u8] = &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0];
    const IRQ9_LEVEL: &[u8] = &[2, 10, 0, 9, 9, 0, 0, 0, 0b1101, 0];

    #[test]
    fn all_kinds() {
        let m = madt(&table(&[CPU0, CPU5_DISABLED, &[0x7f, 3, 9], X2_CPU300, IOAPIC, TIMER_TO_2, IRQ9_LEVEL]));
        assert_eq!(m.local_apic, 0xfee0_0000);
        assert_eq!(m.processors.iter().map(|p| p.apic_id).collect::<Vec<_>>(), [0, 300]);
        assert_eq!(m.io_apics, [IoApic { address: 0xfec0_0000, gsi_base: 24 }]);
        assert_eq!(m.isa(0).gsi, 2);
        assert_eq!((m.isa(9).gsi, m.isa(9).polarity, m.isa(9).trigger), (9, Polarity::High, Trigger::Level));
        assert_eq!((m.isa(4).gsi, m.isa(4).trigger), (4, Trigger::Edge));
    }

    #[test]
    fn local_apic_address_override() {
        assert_eq!(madt(&table(&[&[5, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]])).local_apic, 1 << 32);
    }

    #[test]
    fn entries_of_length_zero_or_beyond_the_end_stop_the_walk() {
        assert_eq!(madt(&table(&[CPU0, &[0, 0], CPU0])).processors.len(), 1);
        assert_eq!(madt(&table(&[CPU0, &[0, 200], CPU0])).processors.len(), 1);
        assert_eq!(madt(&table(&[CPU0, &[0, 3, 0], X2_CPU300])).processors.len(), 2, "too short for its kind: skipped");
        assert_eq!(madt(&[]), Madt::default());
    }
}
