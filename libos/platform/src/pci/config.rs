//! The two ways to PCI configuration space: memory windows announced by ACPI's MCFG table, else I/O ports.

use super::{ConfigurationAccess, DeviceFunction};
use crate::port::{inl, outl};
use spin::{Mutex, Once};
use x86_64::instructions::interrupts::without_interrupts;

/// Configuration mechanism 1 (PCI 3.0, 3.2.2.3.2): address port, data port.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ADDRESS_ENABLE: u32 = 1 << 31;

/// Orders the address/data pairs of all CPUs.
static PORTS: Mutex<()> = Mutex::new(());

/// Bytes of configuration space per bus in a memory window: 4 KiB for each of 32 x 8 functions (PCI Express Base, 7.2.2).
const BUS_LEN: usize = 1 << 20;

/// Access to configuration space; a copyable handle, as there is one such space.
#[derive(Clone, Copy)]
pub struct Config {
    /// First and last bus in the memory window, and its address; `None`: ports.
    window: Option<Window>,
}

#[derive(Clone, Copy)]
struct Window {
    first_bus: u8,
    last_bus: u8,
    base: *mut u8,
}

// SAFETY: configuration space is device memory that any CPU may access; single words are read and written whole.
unsafe impl Send for Config {}
// SAFETY: as above.
unsafe impl Sync for Config {}

static CONFIG: Once<Config> = Once::new();

impl Config {
    /// The machine's configuration space, by the memory window where ACPI names one.
    pub fn get() -> Config {
        *CONFIG.call_once(|| {
            let listed = crate::acpi::get().ecam.iter().find(|w| w.segment == 0 && w.first_bus <= w.last_bus);
            let window = listed.map(|w| {
                let start = w.base + w.first_bus as u64 * BUS_LEN as u64;
                let len = (w.last_bus as usize - w.first_bus as usize + 1) * BUS_LEN;
                Window { first_bus: w.first_bus, last_bus: w.last_bus, base: crate::paging::map_mmio(start, len) }
            });
            Config { window }
        })
    }

    /// Whether there is PCI at all: mechanism 1 reads its address back, and a host bridge sits at 00:00.0.
    pub fn present(&self) -> bool {
        let host_bridge = DeviceFunction { bus: 0, device: 0, function: 0 };
        self.read_word(host_bridge, 0) != u32::MAX
    }

    /// Where a register is in the memory window, if it is in there.
    fn address(&self, at: DeviceFunction, offset: u8) -> Option<*mut u32> {
        let window = self.window.filter(|w| at.valid() && (w.first_bus..=w.last_bus).contains(&at.bus))?;
        let function = usize::from(at.device) << 15 | usize::from(at.function) << 12;
        let byte = usize::from(at.bus - window.first_bus) * BUS_LEN + function + usize::from(offset & !3);
        Some(window.base.wrapping_add(byte).cast())
    }
}

/// Selects a register through mechanism 1 and runs `access` on the data port.
fn through_ports<R>(at: DeviceFunction, offset: u8, access: impl FnOnce() -> R) -> R {
    let function = u32::from(at.bus) << 16 | u32::from(at.device) << 11 | u32::from(at.function) << 8;
    without_interrupts(|| {
        let _pair = PORTS.lock();
        // SAFETY: the address port only selects; `access` is one access to the data port.
        unsafe { outl(ADDRESS, ADDRESS_ENABLE | function | u32::from(offset & !3)) };
        access()
    })
}

impl ConfigurationAccess for Config {
    fn read_word(&self, at: DeviceFunction, offset: u8) -> u32 {
        match self.address(at, offset) {
            // SAFETY: within the mapped window; PCI configuration reads have no side effects on the registers we name.
            Some(register) => unsafe { register.read_volatile() },
            // SAFETY: as above, through the data port.
            None => through_ports(at, offset, || unsafe { inl(DATA) }),
        }
    }

    fn write_word(&mut self, at: DeviceFunction, offset: u8, data: u32) {
        match self.address(at, offset) {
            // SAFETY: within the mapped window; callers own the function they configure.
            Some(register) => unsafe { register.write_volatile(data) },
            // SAFETY: as above, through the data port.
            None => through_ports(at, offset, || unsafe { outl(DATA, data) }),
        }
    }

    unsafe fn unsafe_clone(&self) -> Self {
        *self
    }
}
