//! Fast user-space locking (futex(2)).
//!
//! INV-FUTEX-1: the word is compared while the bucket lock is held, and the waiter is queued before it is released.
//! INV-FUTEX-2: a waiter counts as woken when, and only when, a waker took it out of its queue; that happens under the bucket lock, so a
//! wake that returned 1 is never also seen as a time-out.

mod policy;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;

pub use policy::{Policy, SEED_OPENS};
pub use table::{FutexTable, WakeOp};
