//! The CPU's I/O port space (`in`/`out`, Intel SDM vol. 1, chapter 19).
//!
//! Thin names over the `x86_64` crate's [`Port`], so that drivers read like the data sheets they follow.

use x86_64::instructions::port::Port;

/// Reads one byte from an I/O port.
///
/// # Safety
/// A read may have side effects in the device behind `port`: the caller must own that device, or know that reading is harmless.
#[inline]
pub unsafe fn inb(port: u16) -> u8 {
    // SAFETY: passed on to the caller.
    unsafe { Port::new(port).read() }
}

/// Writes one byte to an I/O port.
///
/// # Safety
/// A device can do anything in answer, including access to memory by itself: the caller must own that device and follow its rules.
#[inline]
pub unsafe fn outb(port: u16, value: u8) {
    // SAFETY: passed on to the caller.
    unsafe { Port::new(port).write(value) }
}

/// Reads a 16-bit word from an I/O port.
///
/// # Safety
/// As for [`inb`].
#[inline]
pub unsafe fn inw(port: u16) -> u16 {
    // SAFETY: passed on to the caller.
    unsafe { Port::new(port).read() }
}

/// Writes a 16-bit word to an I/O port.
///
/// # Safety
/// As for [`outb`].
#[inline]
pub unsafe fn outw(port: u16, value: u16) {
    // SAFETY: passed on to the caller.
    unsafe { Port::new(port).write(value) }
}

/// Reads a 32-bit word from an I/O port.
///
/// # Safety
/// As for [`inb`].
#[inline]
pub unsafe fn inl(port: u16) -> u32 {
    // SAFETY: passed on to the caller.
    unsafe { Port::new(port).read() }
}

/// Writes a 32-bit word to an I/O port.
///
/// # Safety
/// As for [`outb`].
#[inline]
pub unsafe fn outl(port: u16, value: u32) {
    // SAFETY: passed on to the caller.
    unsafe { Port::new(port).write(value) }
}
