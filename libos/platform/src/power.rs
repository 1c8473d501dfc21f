//! Ending it: exit status for QEMU, soft-off, reset.

use crate::acpi;
use crate::pci::{ConfigurationAccess, DeviceFunction, config::Config};
use crate::port::{inb, outb, outl, outw};
use crate::serial;
use core::sync::atomic::{AtomicU32, Ordering};
use trapless_logic::firmware::acpi::Register;
use x86_64::VirtAddr;
use x86_64::instructions::tables::lidt;
use x86_64::structures::DescriptorTablePointer;

/// QEMU's `isa-debug-exit` device, where our run command puts it: `-device isa-debug-exit,iobase=0xf4,iosize=4`.
const DEBUG_EXIT: u16 = 0xf4;

/// PM1 control register (ACPI 6.5, 4.8.3.2.1): sleep type at bit 10, sleep enable.
const PM1_SLEEP_TYPE_SHIFT: u32 = 10;
const PM1_SLEEP_ENABLE: u16 = 1 << 13;
/// Sleep control register of hardware-reduced ACPI (4.8.3.7): sleep type at bit 2, sleep enable.
const REDUCED_SLEEP_TYPE_SHIFT: u32 = 2;
const REDUCED_SLEEP_ENABLE: u8 = 1 << 5;

/// Keyboard controller command port, and the command that pulses the CPU's reset line (Intel 8042).
const KEYBOARD_COMMAND: u16 = 0x64;
const KEYBOARD_RESET: u8 = 0xfe;
/// Reset control register of Intel's chip sets; a change to 6 is a hard reset (ICH9 data sheet, 13.7.5).
const RESET_CONTROL: u16 = 0xcf9;
const RESET_ARM: u8 = 2;
const RESET_GO: u8 = 6;

/// Writes one byte to an ACPI register.
///
/// # Safety
/// The write must be what the register is for: it usually ends the machine.
unsafe fn write_byte(register: Register, value: u8) {
    match register {
        // SAFETY: by the caller; map_mmio makes the address accessible.
        Register::Memory(at) => unsafe { crate::paging::map_mmio(at, 1).write_volatile(value) },
        // SAFETY: by the caller.
        Register::Port(port) => unsafe { outb(port, value) },
        Register::PciConfig(device, function, offset) => {
            let at = DeviceFunction { bus: 0, device, function };
            let shift = u32::from(offset & 3) * 8;
            let mut config = Config::get();
            let word = config.read_word(at, offset) & !(0xff << shift);
            config.write_word(at, offset, word | u32::from(value) << shift);
        }
    }
}

/// Whether `isa-debug-exit` is there: its port reads as 0, an empty one as all ones.
fn has_debug_exit() -> bool {
    // SAFETY: the port is QEMU's device or nobody's; reading it has no effect.
    unsafe { inb(DEBUG_EXIT) == 0 }
}

/// How many want the machine to start over where it would end with a status.
static WATCHERS: AtomicU32 = AtomicU32::new(0);

/// Has the machine start over where it would end with a status ([`exit`]), until as many [`unwatch`] as there were of this.
pub fn watch() {
    WATCHERS.fetch_add(1, Ordering::Relaxed);
}

/// Takes a [`watch`] back, if there is one.
pub fn unwatch() {
    // Where there is none, there is nothing to change.
    let _ = WATCHERS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |watchers| watchers.checked_sub(1));
}

/// How many [`watch`] were not taken back.
pub fn watchers() -> u32 {
    WATCHERS.load(Ordering::Relaxed)
}

/// Ends the machine with an exit status: it starts over if that is wanted; else, under QEMU with `isa-debug-exit`, QEMU ends with status
/// `2 * status + 1` modulo 256; otherwise the machine is switched off and the status is lost. Console output must be out; other CPUs may
/// still run until it happens.
pub fn exit(status: u8) -> ! {
    if watchers() > 0 {
        reset();
    }
    if has_debug_exit() {
        // SAFETY: the device's only function; it does not return.
        unsafe { outl(DEBUG_EXIT, status.into()) };
    }
    off()
}

/// Switches the machine off (ACPI S5). On a machine that cannot, says so on the console and halts: a reset would start it all over.
pub fn off() -> ! {
    let acpi = acpi::get();
    if let (Some((a, b)), Some(fadt)) = (acpi.s5, &acpi.fadt) {
        // SAFETY: the sleep types are those of soft-off, for exactly these registers.
        unsafe {
            match fadt.sleep_control {
                Some(control) => write_byte(control, a << REDUCED_SLEEP_TYPE_SHIFT | REDUCED_SLEEP_ENABLE),
                None => {
                    sleep(fadt.pm1a_control, a);
                    sleep(fadt.pm1b_control, b);
                }
            }
        }
    }
    stop("\nThe machine cannot switch itself off. It is halted.\n")
}

/// Writes a PM1 control register: sleep type and enable. Its other bits matter no more.
///
/// # Safety
/// Ends the machine.
unsafe fn sleep(register: Option<Register>, sleep_type: u8) {
    if let Some(Register::Port(port)) = register {
        // SAFETY: by the caller.
        unsafe { outw(port, u16::from(sleep_type) << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE) };
    }
}

/// Starts the machine over: by the ACPI reset register, the chip set, the keyboard controller, or a fault that no handler takes,
/// whichever works first.
pub fn reset() -> ! {
    // SAFETY: each write is the documented way to reset a PC; on machines without that device nobody is there to take it.
    unsafe {
        if let Some(fadt) = &acpi::get().fadt
            && let Some(register) = fadt.reset
        {
            write_byte(register, fadt.reset_value);
        }
        outb(RESET_CONTROL, RESET_ARM);
        outb(RESET_CONTROL, RESET_GO);
        outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
        settle();
        // A fault with no handler, for lack of which there is none for the double fault either: the CPU shuts down, and the board
        // resets it (Intel SDM vol. 3, 6.15, double fault).
        x86_64::instructions::interrupts::disable();
        lidt(&DescriptorTablePointer { limit: 0, base: VirtAddr::new(0) });
        x86_64::instructions::interrupts::int3();
    }
    stop("\nThe machine cannot reset itself. It is halted.\n")
}

/// Gives the board time to act on a register write: about a second, counted in accesses to the POST code port, which take about a
/// microsecond each on any PC.
fn settle() {
    const POST_CODE: u16 = 0x80;
    for _ in 0..1_000_000 {
        // SAFETY: reading the port has no effect.
        unsafe { inb(POST_CODE) };
    }
}

/// The end of a machine that does not end: no interrupt, no work, next to no power.
fn stop(last_words: &str) -> ! {
    x86_64::instructions::interrupts::disable();
    settle();
    serial::write_dying(last_words.as_bytes());
    loop {
        x86_64::instructions::hlt();
    }
}
