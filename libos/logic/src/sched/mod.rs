//! Which thread runs where: the decisions of the scheduler, without its registers and interrupts.

mod idle;
mod ids;
mod park;
mod place;
mod queue;

pub use idle::IdleSet;
pub use ids::Ids;
pub use park::{Commit, ParkState};
pub use place::{Situation, place};
pub use queue::RunQueue;

/// Nanoseconds a thread may run while others wait for its CPU: 100 Hz.
pub const SLICE_NS: u64 = 10_000_000;
