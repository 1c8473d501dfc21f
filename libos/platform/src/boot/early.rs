//! Output before there is a console driver: polled writes to COM1 as the firmware left it.

use core::fmt;
use x86_64::instructions::port::Port;

/// Writes to COM1, waiting for every byte.
#[derive(Debug)]
pub struct EarlyConsole;

impl fmt::Write for EarlyConsole {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // SAFETY: 0x3f8 is COM1's data register, 0x3fd its line status; writing a byte sends it.
            unsafe {
                while Port::<u8>::new(0x3fd).read() & 0x20 == 0 {}
                Port::new(0x3f8).write(byte);
            }
        }
        Ok(())
    }
}
