//! The image: the library OS, the C archives that `build.rs` adds, and the root file system. Execution starts in `pvh_start32`
//! (`libos/platform/src/boot`); the story is told in `libos/src/init.rs`.
#![no_std]
#![no_main]

use trapless_libos::init::{self, Image};
use trapless_libos::start::Program;
use trapless_platform::boot::BootInfo;

/// The archive that Erlang sees as its disk, read in place.
#[unsafe(link_section = ".rootfs")]
static ROOTFS: [u8; include_bytes!(env!("TRAPLESS_ROOTFS_CPIO")).len()] = *include_bytes!(env!("TRAPLESS_ROOTFS_CPIO"));

static IMAGE: Image = Image {
    rootfs: &ROOTFS,
    program: match option_env!("TRAPLESS_PROGRAM") {
        None => Program::Erts {
            flavor: erts_build::FLAVOR,
            arguments: rootfs::ARGUMENTS,
            default_arguments: rootfs::DEFAULT_ARGUMENTS,
        },
        Some(_) => Program::Plain { name: "program" },
    },
    contents: &[
        ("entry", musl_shim::ENTRY),
        ("otp", erts_build::OTP_VERSION),
        ("erts flavor", erts_build::FLAVOR),
        ("erts sha256", erts_build::INPUT_HASH),
        ("musl sha256", musl_shim::HASH),
        ("rootfs sha256", rootfs::HASH),
    ],
};

trapless_platform::entry!(start);

fn start(info: &'static BootInfo) -> ! {
    init::start(info, &IMAGE)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    trapless_platform::epitaph::panic(info)
}
