//! musl as the image's C library. What there is to use is not Rust: the archives and the headers, whose
//! paths this package hands to the build scripts of its dependants (see the README). Here is only what
//! describes them.
#![no_std]
#![deny(missing_docs)]

/// The musl release that was compiled.
pub const VERSION: &str = env!("TRAPLESS_MUSL_VERSION");

/// The entry variant: how musl's system calls reach the library OS.
pub const ENTRY: &str = env!("TRAPLESS_MUSL_ENTRY");

/// Hash over everything that went into the archives: sources, patches, entry files, compiler and flags.
pub const HASH: &str = env!("TRAPLESS_MUSL_HASH");
