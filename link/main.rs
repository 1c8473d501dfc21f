//! The image: nothing but the library OS and the C archives that `build.rs` adds. Execution starts in `pvh_start32`
//! (`libos/platform/src/boot`), and the story goes on in `libos/src/init.rs`.
#![no_std]
#![no_main]

use trapless_libos as _;

#[cfg(no_musl)]
mod stopgap;

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    use core::fmt::Write;
    let _ = writeln!(trapless_platform::boot::early::EarlyConsole, "{info}");
    loop {
        core::hint::spin_loop();
    }
}
