//! MSI-X: an interrupt as a memory write to a local APIC (PCI 3.0, 6.8.2; Intel SDM vol. 3, 11.11).

use super::config::Config;
use super::{ConfigurationAccess, DeviceFunction};

/// Capability id (PCI 3.0, appendix H).
const CAPABILITY: u8 = 0x11;
/// Message control, in the upper half of the capability's first word.
const ENABLE: u32 = 1 << 31;
const MASK_ALL: u32 = 1 << 30;
/// There, too: entries of the table, less one.
const LAST: u32 = 0x7ff << 16;
/// Bytes of a table entry: address low, address high, data, vector control.
const ENTRY_LEN: u64 = 16;
/// Words of one.
const ENTRY_WORDS: usize = 4;

/// Message address of local APIC 0; the id goes to bits 12 to 19. Message data is the vector alone: fixed delivery, edge.
const MESSAGE_ADDRESS: u32 = 0xfee0_0000;
const DESTINATION_SHIFT: u32 = 12;
/// Highest local APIC id that a message can name.
const MAX_LAPIC_ID: u32 = 0xff;

/// A function's MSI-X capability, with its table at hand.
pub struct Msix {
    at: DeviceFunction,
    capability: u8,
    table: *mut u32,
    len: u16,
}

impl Msix {
    /// Whether a message can be sent to this local APIC.
    pub fn reaches(lapic_id: u32) -> bool {
        lapic_id <= MAX_LAPIC_ID
    }

    /// The MSI-X of a function, `None` when it has none.
    pub fn find(at: DeviceFunction) -> Option<Msix> {
        let mut root = super::root();
        let capability = root.capabilities(at).find(|c| c.id == CAPABILITY)?.offset;
        let (control, place) = (Config::get().read_word(at, capability), Config::get().read_word(at, capability + 4));
        let len = ((control & LAST) >> 16) as u16 + 1;
        let (bar, offset) = ((place & 0b111) as u8, u64::from(place & !0b111));
        let (base, size) = root.bar_info(at, bar).ok().flatten()?.memory_address_size()?;
        let bytes = ENTRY_LEN * u64::from(len);
        if base == 0 || offset + bytes > size {
            return None;
        }
        let table = crate::paging::map_mmio(base + offset, bytes as usize).cast();
        Some(Msix { at, capability, table, len })
    }

    /// Entries of the table: from 1 on.
    pub fn entries(&self) -> u16 {
        self.len
    }

    /// Turns MSI-X on, with all entries masked, to be [`Msix::set`]. The function's memory BARs are enabled.
    pub fn begin(&mut self) {
        self.control(ENABLE | MASK_ALL);
    }

    /// Makes an entry of the table, before its end, send `vector` to a local APIC that messages reach.
    pub fn set(&mut self, entry: u16, vector: u8, lapic_id: u32) {
        assert!(entry < self.len);
        let words: [u32; ENTRY_WORDS] = [MESSAGE_ADDRESS | lapic_id << DESTINATION_SHIFT, 0, vector.into(), 0];
        for (i, word) in words.into_iter().enumerate() {
            // SAFETY: the four words of a table entry, within the BAR. The function is masked meanwhile, and the message can only
            // name a vector that irq has handed out.
            unsafe { self.table.add(usize::from(entry) * ENTRY_WORDS + i).write_volatile(word) };
        }
    }

    /// Lets the function send. Entries that were not set stay masked, as they are after reset.
    pub fn finish(self) {
        self.control(ENABLE);
    }

    fn control(&self, bits: u32) {
        let mut config = Config::get();
        let rest = config.read_word(self.at, self.capability) & !(ENABLE | MASK_ALL);
        config.write_word(self.at, self.capability, rest | bits);
    }
}
