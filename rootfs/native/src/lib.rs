//! Native code of applications: NIFs and drivers.
//!
//! [`project`] finds out which libraries the sources in a folder make, with [`rebar`] and [`described`] where that is written down;
//! [`compile`] makes them, with the libraries that [`headers`] finds asked for; [`check`] tells whether the image can load a library, whoever made it, by having the image's own loader try.

pub mod check;
pub mod compile;
pub mod described;
/// The very rule by which the image's table of names is made.
#[path = "../../../link/exports.rs"]
pub mod exports;
pub mod headers;
pub mod project;
pub mod rebar;

pub use check::Names;
pub use compile::{Toolchain, compile};
pub use project::{Library, Project};
