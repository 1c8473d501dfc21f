//! The archive that Erlang sees as its disk, as link input of the image.
//!
//! The work is done by this package's build script through the crate `rootfs-recipe`; here is only what the start of
//! Erlang has to know about the archive. `README.md` says what is in it.

#![no_std]

/// SHA-256 of the archive, 64 hex digits.
pub const HASH: &str = env!("TRAPLESS_ROOTFS_HASH");

/// Arguments of Erlang that every start needs because of what the archive holds: its boot script, and its settings
/// for looking up names (without them Erlang would start a program for it).
pub const ARGUMENTS: &[&str] = &["-boot", "/otp/bin/start", "-kernel", "inetrc", "\"/etc/inetrc\""];

/// What is started when the kernel command line has no ` -- `: the echo server.
pub const DEFAULT_ARGUMENTS: &[&str] = &["-noshell", "-s", "trapless_echo"];
