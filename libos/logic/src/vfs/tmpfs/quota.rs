//! How much memory the files of one file system may take.

use crate::sync::{AtomicU64, Ordering};
use trapless_abi::{Errno, SysResult};

/// A budget of bytes.
pub struct Quota {
    used: AtomicU64,
    limit: u64,
}

impl Quota {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { used: AtomicU64::new(0), limit }
    }

    /// Takes `bytes` from the budget. ENOSPC.
    pub fn take(&self, bytes: u64) -> SysResult<()> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.checked_add(bytes).is_none_or(|after| after > self.limit) {
            self.give(bytes);
            return Err(Errno::ENOSPC);
        }
        Ok(())
    }

    /// Gives `bytes` back.
    pub fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes in use.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The whole budget, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }
}
