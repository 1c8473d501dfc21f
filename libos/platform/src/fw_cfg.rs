//! QEMU's configuration device, fw_cfg, by its I/O ports (QEMU's `docs/specs/fw_cfg.rst`): files that `-fw_cfg name=...` gives.

use crate::port::{inb, outw};
use alloc::vec::Vec;
use core::arch::x86_64::__cpuid;
use trapless_logic::firmware::fw_cfg::{COUNT, DIRECTORY_KEY, SIGNATURE, SIGNATURE_KEY, entries_size, find};

/// Selects an item; reading starts at its first byte.
const SELECTOR: u16 = 0x510;
/// One byte of the selected item after the other.
const DATA: u16 = 0x511;

/// Largest file that is read, in bytes: it comes byte by byte.
pub const LARGEST: usize = 1 << 20;

/// The device's files by their names.
pub struct FwCfg {
    entries: Vec<u8>,
}

impl FwCfg {
    /// The device, where there is one: under a hypervisor, with its signature. Call it from one CPU at a time.
    pub fn open() -> Option<Self> {
        // On a bare machine something else may be at these ports.
        let virtual_machine = __cpuid(1).ecx >> 31 != 0;
        if !virtual_machine || item(SIGNATURE_KEY, SIGNATURE.len()) != SIGNATURE {
            return None;
        }
        let count = item(DIRECTORY_KEY, COUNT).try_into().ok()?;
        let entries = item(DIRECTORY_KEY, COUNT + entries_size(count)).split_off(COUNT);
        Some(Self { entries })
    }

    /// The content of a file; None if there is no such file.
    ///
    /// # Errors
    /// Its size, if that is above [`LARGEST`].
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, u32> {
        let Some(file) = find(&self.entries, name) else { return Ok(None) };
        if file.size as usize > LARGEST {
            return Err(file.size);
        }
        Ok(Some(item(file.key, file.size as usize)))
    }
}

/// The first bytes of an item.
fn item(key: u16, len: usize) -> Vec<u8> {
    // SAFETY: the two ports belong to this module, and reading items has no effect but to move on in them. Where there is no such
    // device, nothing listens.
    unsafe {
        outw(SELECTOR, key);
        (0..len).map(|_| inb(DATA)).collect()
    }
}
