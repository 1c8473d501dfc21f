//! Finds the firmware's ACPI tables in memory and keeps what the rest of the platform needs (ACPI 6.5, chapter 5).
//!
//! [`init`] reads everything once, early; nothing here is looked at in physical memory later. The decoding itself is in
//! [`trapless_logic::firmware`].

use alloc::vec::Vec;
use spin::Once;
use trapless_logic::firmware::acpi::{self as tables, Ecam, Fadt, HEADER_LEN, RSDP_LEN, Root};
use trapless_logic::firmware::aml;
use trapless_logic::firmware::madt::{Madt, Polarity, Trigger, madt};
use trapless_logic::firmware::virtio_mmio;

/// The BIOS area that holds the root pointer when the loader did not pass it (5.2.5.1).
const BIOS_AREA: (u64, usize) = (0xe_0000, 0x2_0000);

/// No table of a sane machine is longer, in bytes: a length beyond this is damage.
const MAX_TABLE: usize = 1 << 20;

/// The generic event device of hardware-reduced machines (5.6.9): how a power button reaches us there.
#[derive(Clone, Copy, Debug)]
pub struct EventDevice {
    /// Physical address of its 32-bit event selector register.
    pub selector: u64,
    /// Global system interrupt, polarity and trigger mode.
    pub interrupt: (u32, Polarity, Trigger),
}

/// What the tables say.
#[derive(Debug, Default)]
pub struct Acpi {
    /// Processors and interrupt controllers; empty without a MADT.
    pub madt: Madt,
    /// Windows onto PCI configuration space.
    pub ecam: Vec<Ecam>,
    /// Power management; `None` without a FADT.
    pub fadt: Option<Fadt>,
    /// Sleep types of soft-off for PM1a and PM1b; on hardware-reduced machines the first is the one that counts.
    pub s5: Option<(u8, u8)>,
    /// Virtio devices that are not on PCI.
    pub virtio_mmio: Vec<virtio_mmio::Device>,
    /// The generic event device.
    pub event_device: Option<EventDevice>,
}

static ACPI: Once<Acpi> = Once::new();

/// Reads the tables, from the root pointer at physical address `rsdp` if the loader has passed it, else by searching for it. The first
/// call counts. Needs the heap and paging.
pub fn init(rsdp: Option<u64>) -> &'static Acpi {
    ACPI.call_once(|| rsdp.and_then(root_at).or_else(search_root).map(read_all).unwrap_or_default())
}

/// What [`init`] has found; nothing at all before it ran.
pub fn get() -> &'static Acpi {
    static NOTHING: Once<Acpi> = Once::new();
    ACPI.get().unwrap_or_else(|| NOTHING.call_once(Acpi::default))
}

/// `len` bytes of firmware memory at `address`.
fn firmware_bytes(address: u64, len: usize) -> &'static [u8] {
    let base = crate::paging::map_mmio(address, len);
    // SAFETY: map_mmio has just made the range readable; firmware tables stay put and nobody writes them.
    unsafe { core::slice::from_raw_parts(base, len) }
}

/// The root pointer at a known address.
fn root_at(rsdp: u64) -> Option<Root> {
    tables::root(firmware_bytes(rsdp, RSDP_LEN))
}

/// The root pointer somewhere in the BIOS area, on a 16-byte boundary.
fn search_root() -> Option<Root> {
    let area = firmware_bytes(BIOS_AREA.0, BIOS_AREA.1);
    (0..area.len() - RSDP_LEN).step_by(16).find_map(|at| tables::root(&area[at..at + RSDP_LEN]))
}

/// The table at `address`, if its header and checksum make sense.
fn table_at(address: u64) -> Option<([u8; 4], &'static [u8])> {
    if address == 0 {
        return None;
    }
    let (signature, len) = tables::header(firmware_bytes(address, HEADER_LEN))?;
    let table = firmware_bytes(address, Some(len).filter(|&len| len <= MAX_TABLE)?);
    tables::checksum_ok(table).then_some((signature, table))
}

fn read_all(root: Root) -> Acpi {
    let mut out = Acpi::default();
    let Some((_, list)) = table_at(root.address) else { return out };
    for (signature, table) in tables::entries(list, root.entry_len).filter_map(table_at) {
        match &signature {
            b"APIC" => out.madt = madt(table),
            b"MCFG" => out.ecam = tables::mcfg(table),
            b"FACP" => out.fadt = Some(tables::fadt(table)),
            _ => {}
        }
    }
    if let Some((_, dsdt)) = out.fadt.as_ref().and_then(|fadt| table_at(fadt.dsdt)) {
        read_dsdt(&mut out, dsdt);
    }
    out
}

fn read_dsdt(out: &mut Acpi, dsdt: &[u8]) {
    out.s5 = aml::s5(dsdt);
    out.virtio_mmio = aml::devices(dsdt, b"LNRO0005")
        .map(aml::resources)
        .filter_map(|found| {
            let ((base, len), (gsi, polarity, trigger)) = (found.memory?, found.interrupt?);
            Some(virtio_mmio::Device { base, len, gsi, polarity, trigger })
        })
        .collect();
    out.event_device = aml::devices(dsdt, b"ACPI0013").find_map(|body| {
        Some(EventDevice { selector: aml::memory_region(body)?, interrupt: aml::resources(body).interrupt? })
    });
}
