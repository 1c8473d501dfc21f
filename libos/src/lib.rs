//! The library OS: the wiring between what C calls, the algorithms, and the machine.
#![no_std]

extern crate alloc;

pub mod init;
