//! PCI: configuration space, the functions on it, and their interrupts (PCI Local Bus 3.0; PCI Express Base, chapter 7).
//!
//! Buses and BARs are used as the firmware has left them. The register-level types ([`DeviceFunction`], capability walk, BAR sizing) are
//! those of `virtio-drivers`, whose PCI transport works on the same root.

pub mod config;
pub mod msix;

pub use virtio_drivers::transport::pci::bus::{
    CapabilityInfo, Command, ConfigurationAccess, DeviceFunction, DeviceFunctionInfo, HeaderType, PciRoot,
};

use crate::ioapic::{self, NoPin};
use alloc::vec::Vec;
use config::Config;
use trapless_logic::firmware::madt::Trigger;

/// Offset of the interrupt line register: for the OS to find what the firmware has routed (6.2.4).
const INTERRUPT_LINE: u8 = 0x3c;
/// Offset of the bus numbers of a bridge: primary, secondary, subordinate (PCI-to-PCI Bridge 1.2, 3.2.5).
const BRIDGE_BUSES: u8 = 0x18;

/// A function that answered.
pub struct Function {
    /// Where it is.
    pub at: DeviceFunction,
    /// What it says it is.
    pub info: DeviceFunctionInfo,
}

/// A root over all of configuration space. Cheap; make one where it is needed.
pub fn root() -> PciRoot<Config> {
    PciRoot::new(Config::get())
}

/// All functions on bus 0 and on the buses behind its bridges, in bus order. Empty on a machine without PCI.
pub fn scan() -> Vec<Function> {
    let mut found = Vec::new();
    if Config::get().present() {
        scan_bus(0, &mut found);
    }
    found
}

fn scan_bus(bus: u8, found: &mut Vec<Function>) {
    for (at, info) in root().enumerate_bus(bus) {
        let behind = (info.header_type == HeaderType::PciPciBridge)
            .then(|| (Config::get().read_word(at, BRIDGE_BUSES) >> 8) as u8)
            // Numbers grow away from the root: anything else is a bridge not set up, and would loop.
            .filter(|&secondary| secondary > bus);
        found.push(Function { at, info });
        if let Some(secondary) = behind {
            scan_bus(secondary, found);
        }
    }
}

/// The ISA interrupt that the firmware has routed the function's INTx pin to, if any.
pub fn interrupt_line(at: DeviceFunction) -> Option<u8> {
    let line = Config::get().read_word(at, INTERRUPT_LINE) as u8;
    // 255 means unknown, 0 is the timer's: no firmware routes PCI there.
    (1..16).contains(&line).then_some(line)
}

/// Keeps the function from answering on its BARs until [`enable`].
///
/// Its BARs are best sized meanwhile: while it answers, each sizing turns that off and on again, and each time the machine below
/// builds its map of memory anew for every CPU.
pub fn silence(at: DeviceFunction) {
    let mut root = root();
    let (_, before) = root.get_status_command(at);
    root.set_command(at, before & !(Command::IO_SPACE | Command::MEMORY_SPACE));
}

/// Lets the function answer on its memory BARs and master the bus; `intx` says whether it may use its interrupt pin.
pub fn enable(at: DeviceFunction, intx: bool) {
    let mut root = root();
    let (_, before) = root.get_status_command(at);
    let mut command = before | Command::MEMORY_SPACE | Command::BUS_MASTER;
    command.set(Command::INTERRUPT_DISABLE, !intx);
    root.set_command(at, command);
}

/// Delivers the ISA interrupt `line`, to which the firmware has routed a pin, as `vector` to a CPU. PCI pins are level-triggered;
/// the polarity is what the MADT says of the line.
///
/// # Errors
/// [`NoPin`] when no I/O APIC has that interrupt.
pub fn route_intx(line: u8, vector: u8, lapic_id: u32) -> Result<(), NoPin> {
    let wiring = crate::acpi::get().madt.isa(line);
    ioapic::route(wiring.gsi, vector, lapic_id, wiring.polarity, Trigger::Level)
}
