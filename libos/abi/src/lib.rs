//! What Linux on x86_64 promises a C program: error numbers, constants, structure layouts, typed arguments, and THE system
//! call table. Pure data and decoding: nothing here touches memory or hardware, so everything runs under `cargo test`.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod args;
pub mod errno;
pub mod flags;
pub mod structs;
pub mod table;
pub mod trace;

pub use errno::{Errno, SysResult, to_raw};
