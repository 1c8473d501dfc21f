//! What a PC's firmware tells: ACPI tables, the CMOS clock, files given to QEMU, and the devices announced on the kernel command line.
//!
//! Only the decoding lives here, on plain byte slices; the platform crate finds the bytes. Every reader is bounds-checked: a truncated
//! or nonsensical table gives `None` or fewer entries, never a panic.

pub mod acpi;
pub mod aml;
mod bytes;
pub mod fw_cfg;
pub mod interval_timer;
pub mod madt;
pub mod rtc;
pub mod virtio_mmio;
