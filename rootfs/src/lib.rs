//! The archive that Erlang sees as its disk, as link input of the image.
//!
//! The work is done by this package's build script through the crate `rootfs-recipe`; here is only what the start of
//! Erlang has to know about the archive. `README.md` says what is in it.

#![no_std]

/// SHA-256 of the archive, 64 hex digits.
pub const HASH: &str = env!("TRAPLESS_ROOTFS_HASH");

/// Arguments of Erlang that come before those of the user: the boot script for whatever he asks for.
pub const ARGUMENTS: &[&str] = &["-boot", "/otp/bin/start"];

/// Arguments of Erlang when the kernel command line has no ` -- `, instead of [`ARGUMENTS`] and the user's: the boot
/// script of the echo server.
pub const DEFAULT_ARGUMENTS: &[&str] = &["-boot", "/otp/bin/echo", "-noshell"];
