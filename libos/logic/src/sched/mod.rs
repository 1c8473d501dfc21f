//! Which thread runs where: the decisions of the scheduler, without its registers and interrupts.

mod habit;
mod idle;
mod ids;
mod park;
mod place;
mod queue;
mod share;
mod slice;

pub use habit::{Habit, Typical};
pub use idle::IdleSet;
pub use ids::Ids;
pub use park::{Commit, ParkState};
pub use place::{Situation, elsewhere, place};
pub use queue::RunQueue;
pub use share::{GRAIN_NS, SLICE_NS, slice_end};
pub use slice::Slice;
