//! How Erlang is started, as far as that depends on the archive. `cargo xtask bench` reads this file, too.

/// Arguments of Erlang that come before those of the user: the boot script for whatever he asks for.
pub const ARGUMENTS: &[&str] = &["-boot", "/otp/bin/start"];

/// Arguments of Erlang when the kernel command line has no ` -- `, instead of [`ARGUMENTS`] and the user's: the boot
/// script of the echo server, and its console.
pub const DEFAULT_ARGUMENTS: &[&str] = &["-boot", "/otp/bin/echo", "-noshell", "-user", "trapless_echo_console"];
