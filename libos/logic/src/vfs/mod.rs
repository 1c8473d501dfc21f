//! The file system: one tree of nodes, walked by paths.

pub mod flags;
mod node;

pub use node::{Change, Emit, Kind, New, Node, same};
