//! The machine: everything that touches x86_64 hardware, and all the unsafe code.
#![no_std]

extern crate alloc;

pub mod boot;
pub mod handler;
pub mod heap;
pub mod frames;
pub mod paging;
pub mod stack;
pub mod apic;
pub mod clock;
pub mod context;
pub mod cpu;
pub mod epitaph;
pub mod gdt;
pub mod irq;
pub mod percpu;
pub mod ring;
pub mod sched;
pub mod sentinel;
pub mod smp;
pub mod thread;
pub mod trap;
pub mod x86;
pub mod acpi;
pub mod button;
pub mod entropy;
pub mod ioapic;
pub mod pci;
pub mod port;
pub mod power;
pub mod rtc;
pub mod serial;
pub mod virtio;
