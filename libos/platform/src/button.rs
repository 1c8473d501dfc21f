//! The power button: from ACPI's system control interrupt, or from the generic event device of machines without ACPI hardware, to
//! [`Softirq::POWER`] and [`pressed`].

use crate::acpi::{self, EventDevice};
use crate::ioapic;
use crate::irq::{self, Softirq};
use crate::port::{inw, outb, outw};
use core::sync::atomic::{AtomicBool, Ordering};
use spin::Once;
use trapless_logic::firmware::acpi::{Fadt, Register};
use trapless_logic::firmware::madt::Trigger;

/// Power button bit in the PM1 status and enable registers (ACPI 6.5, 4.8.3.1.1, 4.8.3.1.2); status bits are cleared by writing 1.
const POWER_BUTTON: u16 = 1 << 8;
/// PM1 control: events make SCIs, not SMIs (4.8.3.2.1).
const SCI_ENABLE: u16 = 1 << 0;
/// Event selector bit for "power down" in QEMU's generic event device (its docs/specs, acpi_hw_reduced_hotplug).
const EVENT_POWER_DOWN: u32 = 1 << 1;

/// Polls until the firmware must have handed ACPI over: about a second (a port read takes about a microsecond).
const MAX_POLLS: u32 = 1_000_000;

/// The machine has no power button that we can hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoButton;

/// Where events are read.
enum Source {
    /// PM1a status register, an I/O port.
    Fixed { status: u16 },
    /// The event selector register: reading it clears it.
    EventDevice { selector: *mut u32 },
}

// SAFETY: a device register that any CPU may read.
unsafe impl Send for Source {}
// SAFETY: as above.
unsafe impl Sync for Source {}

static SOURCE: Once<Source> = Once::new();
static PRESSED: AtomicBool = AtomicBool::new(false);

/// Whether the button was pressed since the last call.
pub fn pressed() -> bool {
    PRESSED.swap(false, Ordering::SeqCst)
}

/// From now on the button raises [`Softirq::POWER`]. Call once, after [`ioapic::init`].
///
/// # Errors
/// [`NoButton`] on a machine without one, or when its interrupt cannot be routed.
pub fn listen() -> Result<(), NoButton> {
    let acpi = acpi::get();
    match (&acpi.event_device, &acpi.fadt) {
        (Some(device), _) => listen_to_event_device(device),
        (None, Some(fadt)) => listen_to_fixed_hardware(fadt),
        (None, None) => Err(NoButton),
    }
}

fn listen_to_event_device(device: &EventDevice) -> Result<(), NoButton> {
    let selector = crate::paging::map_mmio(device.selector, 4).cast();
    SOURCE.call_once(|| Source::EventDevice { selector });
    let vector = irq::alloc_vector("power button", on_interrupt, 0).ok_or(NoButton)?;
    let (gsi, polarity, trigger) = device.interrupt;
    ioapic::route(gsi, vector, irq::lapic_id_of(0), polarity, trigger).map_err(|_| NoButton)
}

fn listen_to_fixed_hardware(fadt: &Fadt) -> Result<(), NoButton> {
    let (Some(Register::Port(status)), Some(Register::Port(control))) = (fadt.pm1a_event, fadt.pm1a_control) else {
        return Err(NoButton);
    };
    let irq = u8::try_from(fadt.sci_irq).map_err(|_| NoButton)?;
    enable_acpi(fadt, control)?;
    // SAFETY: the PM1a event block: forget old events, listen to the button alone.
    unsafe {
        outw(status + u16::from(fadt.pm1_event_len / 2), POWER_BUTTON);
        outw(status, u16::MAX);
    }
    SOURCE.call_once(|| Source::Fixed { status });
    let vector = irq::alloc_vector("power button", on_interrupt, 0).ok_or(NoButton)?;
    let wiring = acpi::get().madt.isa(irq);
    // The SCI is level-triggered and shared whatever the table says (5.2.9, SCI_INT).
    ioapic::route(wiring.gsi, vector, irq::lapic_id_of(0), wiring.polarity, Trigger::Level).map_err(|_| NoButton)
}

/// Takes power management over from the firmware (4.8.2.5, 16.1.3).
fn enable_acpi(fadt: &Fadt, control: u16) -> Result<(), NoButton> {
    // SAFETY: reading PM1a control has no side effects.
    let enabled = || unsafe { inw(control) } & SCI_ENABLE != 0;
    if enabled() {
        return Ok(());
    }
    let command = fadt.smi_command.ok_or(NoButton)?;
    // SAFETY: the documented request, to the port and with the value that the table names.
    unsafe { outb(command, fadt.acpi_enable) };
    (0..MAX_POLLS).any(|_| enabled()).then_some(()).ok_or(NoButton)
}

fn on_interrupt(_arg: usize) {
    let button = match SOURCE.get() {
        Some(&Source::Fixed { status }) => {
            // SAFETY: the PM1a status register; writing back what was read clears just that, and with it the level.
            let events = unsafe {
                let events = inw(status);
                outw(status, events);
                events
            };
            events & POWER_BUTTON != 0
        }
        Some(&Source::EventDevice { selector }) => {
            // SAFETY: the mapped event selector register.
            let events = unsafe { selector.read_volatile() };
            events & EVENT_POWER_DOWN != 0
        }
        None => false,
    };
    if button {
        PRESSED.store(true, Ordering::SeqCst);
        irq::raise(Softirq::POWER);
    }
}
