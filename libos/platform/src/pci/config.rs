//! The two ways to PCI configuration space: memory windows announced by ACPI's MCFG table, else I/O ports.

use super::{ConfigurationAccess, DeviceFunction};
use crate::acpi;
use crate::port::{inl, outl};
use spin::{Mutex, Once};
use trapless_logic::firmware::acpi::Ecam;
use x86_64::instructions::interrupts::without_interrupts;

/// Configuration mechanism 1 (PCI 3.0, 3.2.2.3.2): address port, data port.
const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ADDRESS_ENABLE: u32 = 1 << 31;

/// Orders the address/data pairs of all CPUs.
static PORTS: Mutex<()> = Mutex::new(());

/// Bytes of configuration space per bus in a memory window: 4 KiB for each of 32 x 8 functions (PCI Express Base, 7.2.2).
const BUS_LEN: usize = 1 << 20;

/// Address of each bus in the memory window, mapped when first used: all 256 of them would take half a megabyte of page tables.
static BUSES: [Once<usize>; 256] = [const { Once::new() }; 256];

/// Access to configuration space; a copyable handle, as there is one such space.
#[derive(Clone, Copy)]
pub struct Config {
    /// The memory window; `None`: ports.
    window: Option<Ecam>,
}

impl Config {
    /// The machine's configuration space, by the memory window where ACPI names one.
    pub fn get() -> Config {
        Config { window: acpi::get().ecam.iter().copied().find(|w| w.segment == 0) }
    }

    /// Whether there is PCI at all: every host bridge sits at 00:00.0.
    pub fn present(&self) -> bool {
        let host_bridge = DeviceFunction { bus: 0, device: 0, function: 0 };
        self.read_word(host_bridge, 0) != u32::MAX
    }

    /// Where a register is in the memory window, if it is in there.
    fn address(&self, at: DeviceFunction, offset: u8) -> Option<*mut u32> {
        let window = self.window.filter(|w| at.valid() && (w.first_bus..=w.last_bus).contains(&at.bus))?;
        let bus = BUSES[usize::from(at.bus)].call_once(|| {
            let start = window.base + u64::from(at.bus) * BUS_LEN as u64;
            crate::paging::map_mmio(start, BUS_LEN).expose_provenance()
        });
        let function = usize::from(at.device) << 15 | usize::from(at.function) << 12;
        Some(core::ptr::with_exposed_provenance_mut(bus + function + usize::from(offset & !3)))
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
