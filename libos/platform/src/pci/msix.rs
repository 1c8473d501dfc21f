//! MSI-X: an interrupt as a memory write to a local APIC (PCI 3.0, 6.8.2; Intel SDM vol. 3, 11.11).

use super::config::Config;
use super::{ConfigurationAccess, DeviceFunction};

/// Capability id (PCI 3.0, appendix H).
const CAPABILITY: u8 = 0x11;
/// Message control, in the upper half of the capability's first word.
const ENABLE: u32 = 1 << 31;
const MASK_ALL: u32 = 1 << 30;
/// Bytes of a table entry: address low, address high, data, vector control.
const ENTRY_LEN: u64 = 16;

/// Message address of local APIC 0; the id goes to bits 12 to 19. Message data is the vector alone: fixed delivery, edge.
const MESSAGE_ADDRESS: u32 = 0xfee0_0000;
const DESTINATION_SHIFT: u32 = 12;
/// Highest local APIC id that a message can name.
const MAX_LAPIC_ID: u32 = 0xff;

/// A function's MSI-X capability, with entry 0 of its table at hand.
pub struct Msix {
    at: DeviceFunction,
    capability: u8,
    entry: *mut u32,
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
        let place = Config::get().read_word(at, capability + 4);
        let (bar, offset) = ((place & 0b111) as u8, u64::from(place & !0b111));
        let (base, size) = root.bar_info(at, bar).ok().flatten()?.memory_address_size()?;
        if base == 0 || offset + ENTRY_LEN > size {
            return None;
        }
        let entry = crate::paging::map_mmio(base + offset, ENTRY_LEN as usize).cast();
        Some(Msix { at, capability, entry })
    }

    /// Makes table entry 0 send `vector` to a local APIC that messages reach, and turns MSI-X on. The function's memory BARs are enabled. The
    /// other entries stay masked, as they are after reset.
    pub fn enable(self, vector: u8, lapic_id: u32) {
        let mut config = Config::get();
        let control = config.read_word(self.at, self.capability) | ENABLE;
        config.write_word(self.at, self.capability, control | MASK_ALL);
        let words = [MESSAGE_ADDRESS | lapic_id << DESTINATION_SHIFT, 0, vector.into(), 0];
        for (i, word) in words.into_iter().enumerate() {
            // SAFETY: the four words of table entry 0, within the BAR. The function is masked meanwhile, and the message can only
            // name a vector that irq has handed out.
            unsafe { self.entry.add(i).write_volatile(word) };
        }
        config.write_word(self.at, self.capability, control & !MASK_ALL);
    }
}
