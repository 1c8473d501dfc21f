//! The machine: everything that touches x86_64 hardware, and all the unsafe code.
#![no_std]

extern crate alloc;

pub mod acpi;
pub mod apic;
pub mod boot;
pub mod button;
pub mod clock;
pub mod context;
pub mod cpu;
pub mod entropy;
pub mod entry;
pub mod epitaph;
pub mod frames;
pub mod fw_cfg;
pub mod gdt;
pub mod heap;
pub mod ioapic;
pub mod irq;
pub mod mm;
pub mod paging;
pub mod pci;
pub mod percpu;
pub mod port;
pub mod power;
pub mod profile;
pub mod ring;
pub mod rtc;
pub mod sched;
pub mod sentinel;
pub mod serial;
pub mod smp;
mod sparse;
pub mod stack;
pub mod thread;
pub mod trap;
pub mod user;
pub mod virtio;
pub mod x86;
