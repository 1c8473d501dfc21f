//! From the loader to the first line of portable Rust.
//!
//! `pvh.s` brings the boot CPU into 64-bit mode; [`start_info`] copies what the loader says about the machine out of its way;
//! [`sections`] tells where the linker put what.

mod sections;
mod start_info;

pub use sections::{
    Section, Tls, boot_stack_guard, exports, image_range, libos_sections, program_entry, program_range,
    program_sections, tls,
};
pub use start_info::{BootInfo, Region, RegionKind};

core::arch::global_asm!(include_str!("pvh.s"));

/// Declares the function the boot code hands over to: `fn(&'static BootInfo) -> !`.
///
/// Used once, by the crate that tells the boot story.
#[macro_export]
macro_rules! entry {
    ($start:path) => {
        /// Called by `pvh.s` with the address of the loader's start info.
        #[unsafe(no_mangle)]
        extern "C" fn trapless_boot(start_info: u64) -> ! {
            $start($crate::boot::take_start_info(start_info))
        }
    };
}

/// Copies the start info at physical address `address`. Called once, by the function that [`entry!`](crate::entry) declares, before
/// anything else runs.
#[doc(hidden)]
pub fn take_start_info(address: u64) -> &'static BootInfo {
    start_info::take(address)
}
