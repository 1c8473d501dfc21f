//! The archive that Erlang sees as its disk, as link input of the image.
//!
//! The work is done by this package's build script through the crate `rootfs-recipe`; here is only what the start of
//! Erlang has to know about the archive. `README.md` says what is in it.

#![no_std]

/// SHA-256 of the archive, 64 hex digits.
pub const HASH: &str = env!("TRAPLESS_ROOTFS_HASH");

mod arguments;

pub use arguments::{ARGUMENTS, DEFAULT_ARGUMENTS};
