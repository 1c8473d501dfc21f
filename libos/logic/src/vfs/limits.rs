//! Limits of paths.

pub use trapless_abi::flags::{NAME_MAX, PATH_MAX};

/// Permission bits of a mode, with set-id and sticky.
pub const PERMISSIONS: u32 = 0o7777;
/// Symbolic links followed in one walk (path_resolution(7)).
pub const MAX_LINKS: usize = 40;
