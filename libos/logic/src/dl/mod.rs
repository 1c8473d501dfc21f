//! Shared libraries: how one gets from a file into the program's memory (elf(5); System V ABI, "Dynamic Linking", and its supplement for
//! AMD64).
//!
//! [`elf`] finds the parts of a file, [`dynamic`] reads what it asks of a loader, [`symbols`] its names, [`origin`] tells for which C
//! library it was made, [`relocate`] works out what is to be written where, [`exports`] is the table of the image's own names, [`search`]
//! says where a library may lie, and [`loader`] puts these together to a plan that a [`loader::Memory`] carries out.
//!
//! Nothing of a file is trusted: what does not add up is a [`Problem`], and whatever was mapped by then is given back.

pub mod dynamic;
pub mod elf;
pub mod exports;
pub mod loader;
pub mod origin;
mod problem;
pub mod relocate;
pub mod search;
pub mod symbols;
#[cfg(all(test, not(loom)))]
mod tests;

pub use problem::Problem;
