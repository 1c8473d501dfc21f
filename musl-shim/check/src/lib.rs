//! Finds the instructions that enter a kernel (`syscall`, `sysenter`, `int 0x80`) in x86_64 machine code.
//!
//! In the direct variant no such instruction may be left in the image: in ring 0 it would jump to wherever
//! the LSTAR register points. The check disassembles, it does not search for bytes: `0f 05` also occurs
//! across the border of two harmless instructions.
#![deny(missing_docs)]

mod files;
mod sweep;

pub use files::{Error, Report, check};
pub use sweep::{Finding, Trap};
