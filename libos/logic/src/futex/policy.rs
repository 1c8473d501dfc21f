//! What a wait does while the system is still booting.

use crate::sync::{AtomicU32, Ordering};

/// File opens after which the seed policy leaves its first phase: the strategy that this project was started from switches
/// "from the 92nd VFS open on".
pub const SEED_OPENS: u32 = 92;

/// The futex boot policy (`futex=` on the command line). Correctness never rests on it: a wait may always return early.
#[derive(Debug)]
pub struct Policy {
    /// Opens still to come before waits block; zero: they block.
    spins_left: AtomicU32,
}

impl Policy {
    /// Waits block from the start.
    pub fn block() -> Self {
        Self { spins_left: AtomicU32::new(0) }
    }

    /// SpinYield, then Blocking: a wait whose word still matches returns 0 at once until the `opens`-th file was opened.
    pub fn seed(opens: u32) -> Self {
        Self { spins_left: AtomicU32::new(opens) }
    }

    /// Counts one successful open(2).
    pub fn note_open(&self) {
        if self.spins_left.load(Ordering::Relaxed) != 0 {
            // Two racing opens may both see 1: the subtraction must not wrap.
            let _ = self.spins_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        }
    }

    /// Whether waits still return at once.
    pub fn spinning(&self) -> bool {
        self.spins_left.load(Ordering::Relaxed) != 0
    }
}
