//! The machine: everything that touches x86_64 hardware, and all the unsafe code.
#![no_std]

extern crate alloc;

pub mod boot;
pub mod heap;
