//! Faults put in on purpose, to show that a model would find them.
//!
//! A model that passes proves nothing until it has been seen to fail. So wherever waiting and waking code depends on an order of
//! steps, it also knows the wrong one; a test runs its model in a child process that asks for it, and expects a failure. On the
//! machine, and in all other tests, no fault is ever chosen: the compiler drops the wrong branches.

#[cfg(loom)]
pub(crate) use crate::fake::explore::mutant;

/// Whether to run with the known fault `name`: never.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn mutant(_name: &str) -> bool {
    false
}
