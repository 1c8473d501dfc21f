//! Erlang's runtime system as link input of the image.
//!
//! The work is done by this package's build script through the crate `erts-recipe`; here are only the facts the image prints.
//! See `README.md` for how it is built and what comes out.

#![no_std]

/// Version of OTP, with the revision of Debian's source package.
pub const OTP_VERSION: &str = env!("TRAPLESS_OTP_VERSION");

/// Version of ERTS.
pub const ERTS_VERSION: &str = env!("TRAPLESS_ERTS_VERSION");

/// Flavor of the emulator: `jit` or `emu`.
pub const FLAVOR: &str = env!("TRAPLESS_ERTS_FLAVOR");

/// Hash of everything the emulator and the libraries were built from, 64 hex digits.
pub const INPUT_HASH: &str = env!("TRAPLESS_ERTS_HASH");
