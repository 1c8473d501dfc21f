//! Event polling (epoll(7)).
//!
//! INV-EPOLL-1: an item is in the ready list whenever its file may have become ready since it was last looked at. A notification
//! sets `queued` before it appends; a collector clears `queued` before it looks at the file. So a change that comes after the look
//! always appends again.

mod instance;
mod item;
#[cfg(all(test, not(loom)))]
mod tests;

pub use instance::{Control, Epoll};
pub use item::{Event, Interest};
