//! The battery clock in CMOS memory (Motorola MC146818), read once at boot for the date.

use crate::port::{inb, outb};
use trapless_logic::firmware::rtc::{Registers, unix_seconds};

/// Selects a CMOS byte; bit 7 masks NMI, so it stays clear.
const INDEX: u16 = 0x70;
const DATA: u16 = 0x71;

/// Register A, bit 7: the clock is about to change (data sheet: within 244 microseconds).
const REGISTER_A: u8 = 0x0a;
const UPDATE_IN_PROGRESS: u8 = 1 << 7;
/// What an empty bus reads as: no clock runs with these divider bits.
const ABSENT: u8 = 0xff;
const REGISTER_B: u8 = 0x0b;

/// More polls than an update can take (2 ms; a port read takes about a microsecond): beyond that there is no clock.
const MAX_POLLS: u32 = 100_000;

/// A steady clock agrees with itself in the second try at the latest; more tries mean that it is no clock.
const MAX_TRIES: u32 = 10;

fn cmos(register: u8) -> u8 {
    // SAFETY: the CMOS index/data pair belongs to this module, and reads of the registers used here have no side effects.
    unsafe {
        outb(INDEX, register);
        inb(DATA)
    }
}

fn registers(century: Option<u8>) -> Registers {
    Registers {
        second: cmos(0x00),
        minute: cmos(0x02),
        hour: cmos(0x04),
        day: cmos(0x07),
        month: cmos(0x08),
        year: cmos(0x09),
        century: century.map(cmos),
        mode: cmos(REGISTER_B),
    }
}

/// Seconds since 1970-01-01 UTC by the battery clock, or `None` on a machine without one. Takes up to two milliseconds; call it from one
/// CPU at a time.
pub fn unix_time() -> Option<u64> {
    if cmos(REGISTER_A) == ABSENT {
        return None;
    }
    let century = crate::acpi::get().fadt.as_ref().map(|fadt| fadt.century).filter(|&at| (0x0e..0x80).contains(&at));
    // Two equal readings: neither was torn by an update.
    for _ in 0..MAX_TRIES {
        (0..MAX_POLLS).find(|_| cmos(REGISTER_A) & UPDATE_IN_PROGRESS == 0)?;
        let first = registers(century);
        if first == registers(century) {
            return unix_seconds(&first);
        }
    }
    None
}
