//! The recipe: from the pinned source packages to everything the image and its tests need of OTP and of stock musl.
//!
//! [`build`] returns an [`Erts`]: one relocatable object that holds the whole emulator (the image links it), the library
//! tree, and the same emulator linked with stock musl, which runs on this host. Results live in the user's cache under a key
//! that hashes every input, so that only a changed input costs another build. `erts-build/README.md` has the long form.

mod erts;
mod inputs;
pub mod libraries;
mod openssl;
mod otp;
mod run;
mod suites;
mod sysroot;
mod tinfo;
mod toolchain;

pub use erts::{Erts, Flavor, build};
pub use inputs::{MUSL_LOCK, NCURSES_LOCK, OPENSSL_LOCK, OTP_LOCK, lock_paths};
pub use libraries::library_locks;
pub use run::{Error, Result};
pub use suites::release_tests;
pub use sysroot::{Sysroot, musl_sysroot};
