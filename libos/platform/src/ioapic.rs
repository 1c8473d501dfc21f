//! I/O APICs: from an interrupt line to a vector on a CPU (Intel 82093AA data sheet, chapter 3).

use crate::acpi;
use crate::port::outb;
use alloc::vec::Vec;
use spin::{Mutex, Once};
use trapless_logic::firmware::madt::{IoApic, Polarity, Trigger};
use x86_64::instructions::interrupts::without_interrupts;

/// Register window: an index at 0x00 selects what the data word at 0x10 shows (3.1).
const INDEX: usize = 0x00;
const DATA: usize = 0x10;
const WINDOW_LEN: usize = 0x20;

/// Version register; bits 16 to 23 hold the number of the last pin (3.2.2).
const REG_VERSION: u8 = 0x01;
/// Low word of pin 0's redirection entry; each pin has two words (3.2.4).
const REG_REDIRECTION: u8 = 0x10;

const ACTIVE_LOW: u32 = 1 << 13;
const LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;
/// Shift of the destination local APIC id in the high word.
const DESTINATION_SHIFT: u32 = 24;

/// Pins whose redirection registers an 8-bit index can reach.
const MAX_PINS: u32 = (0x100 - REG_REDIRECTION as u32) / 2;

/// Where QEMU and every PC put the first I/O APIC: used when there is no ACPI to ask.
const DEFAULT: IoApic = IoApic { address: 0xfec0_0000, gsi_base: 0 };

/// Data ports of the two 8259 interrupt controllers.
const PIC_DATA: [u16; 2] = [0x21, 0xa1];

/// Nothing routes that interrupt line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPin;

struct Unit {
    window: *mut u8,
    gsi_base: u32,
    pins: u32,
}

// SAFETY: the window is device memory that any CPU may access; the lock around all units orders the index/data pairs.
unsafe impl Send for Unit {}

impl Unit {
    fn new(at: &IoApic) -> Unit {
        let window = crate::paging::map_mmio(at.address, WINDOW_LEN);
        let mut unit = Unit { window, gsi_base: at.gsi_base, pins: 0 };
        let version = unit.read(REG_VERSION);
        // All ones: nobody there.
        unit.pins = if version == u32::MAX { 0 } else { ((version >> 16 & 0xff) + 1).min(MAX_PINS) };
        unit
    }

    fn read(&mut self, register: u8) -> u32 {
        // SAFETY: both words are within the mapped window.
        unsafe {
            self.window.add(INDEX).cast::<u32>().write_volatile(register.into());
            self.window.add(DATA).cast::<u32>().read_volatile()
        }
    }

    fn write(&mut self, register: u8, value: u32) {
        // SAFETY: both words are within the mapped window; a redirection entry only ever names vectors handed out by irq.
        unsafe {
            self.window.add(INDEX).cast::<u32>().write_volatile(register.into());
            self.window.add(DATA).cast::<u32>().write_volatile(value);
        }
    }

    /// Programs a pin, masked while it changes.
    fn redirect(&mut self, pin: u32, low: u32, high: u32) {
        let register = REG_REDIRECTION + 2 * pin as u8;
        self.write(register, MASKED);
        self.write(register + 1, high);
        self.write(register, low);
    }
}

static UNITS: Once<Mutex<Vec<Unit>>> = Once::new();

/// Masks all lines of the two 8259s, which nothing uses. Must come before the boot CPU's LINT0 is masked: QEMU (7.2) leaves an 8259
/// interrupt that was pending then, such as the firmware's timer tick, asserted for ever, and the first `sti` ends in a general
/// protection fault with error code -14.
pub fn silence_8259() {
    for port in PIC_DATA {
        // SAFETY: the interrupt mask register (OCW1) of a device that belongs to this module.
        unsafe { outb(port, 0xff) };
    }
}

/// Finds the I/O APICs and masks all their pins. Call once on the boot CPU, after [`acpi::init`].
pub fn init() {
    UNITS.call_once(|| {
        let listed = &acpi::get().madt.io_apics;
        let found = if listed.is_empty() { core::slice::from_ref(&DEFAULT) } else { listed };
        let mut units: Vec<Unit> = found.iter().map(Unit::new).collect();
        for unit in &mut units {
            (0..unit.pins).for_each(|pin| unit.redirect(pin, MASKED, 0));
        }
        Mutex::new(units)
    });
}

/// Delivers global system interrupt `gsi` as `vector` to the CPU with local APIC id `lapic_id` (fixed delivery, physical
/// destination), from now on.
///
/// # Errors
/// [`NoPin`] when no I/O APIC has that interrupt.
pub fn route(gsi: u32, vector: u8, lapic_id: u32, polarity: Polarity, trigger: Trigger) -> Result<(), NoPin> {
    let mut low = u32::from(vector);
    if polarity == Polarity::Low {
        low |= ACTIVE_LOW;
    }
    if trigger == Trigger::Level {
        low |= LEVEL;
    }
    let units = UNITS.get().ok_or(NoPin)?;
    without_interrupts(|| {
        let mut units = units.lock();
        let holds = |u: &&mut Unit| gsi.checked_sub(u.gsi_base).is_some_and(|pin| pin < u.pins);
        let unit = units.iter_mut().find(holds).ok_or(NoPin)?;
        unit.redirect(gsi - unit.gsi_base, low, lapic_id << DESTINATION_SHIFT);
        Ok(())
    })
}

/// As [`route`], for an ISA interrupt as the MADT says it is wired.
///
/// # Errors
/// As for [`route`].
pub fn route_isa(irq: u8, vector: u8, lapic_id: u32) -> Result<(), NoPin> {
    let wiring = acpi::get().madt.isa(irq);
    route(wiring.gsi, vector, lapic_id, wiring.polarity, wiring.trigger)
}
