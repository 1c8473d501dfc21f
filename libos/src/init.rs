//! The boot story.

use core::fmt::Write;
use trapless_platform::boot::early::EarlyConsole;
use trapless_platform::boot::{self, BootInfo};

trapless_platform::entry!(start);

/// From the first line of Rust to the first line of C: one line and one comment a step.
pub fn start(info: &'static BootInfo) -> ! {
    let _ = writeln!(EarlyConsole, "trapless: {} KiB of memory", info.usable_bytes() / 1024);
    for region in info.regions() {
        let _ = writeln!(EarlyConsole, "{region:x?}");
    }
    let _ = writeln!(EarlyConsole, "{:x?} {:x?}", boot::image_range(), info.cmdline());
    panic!("the end");
}
