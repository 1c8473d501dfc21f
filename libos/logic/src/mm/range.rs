//! Half-open ranges of addresses.

/// Bytes in a page.
pub const PAGE: u64 = trapless_abi::flags::PAGE_SIZE as u64;
/// Bytes in a 2 MiB page.
pub const HUGE_PAGE: u64 = 2 << 20;

/// The addresses `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
}

impl Range {
    /// `start..end`; empty if `end` is not larger.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end }
    }

    /// Bytes.
    pub const fn len(self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is no address in it.
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// Whether the address lies in it.
    pub const fn contains(self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Whether all of `other` lies in it.
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// What both have in common.
    pub fn intersection(self, other: Self) -> Self {
        Self::new(self.start.max(other.start), self.end.min(other.end))
    }

    /// Whether they have anything in common.
    pub fn overlaps(self, other: Self) -> bool {
        !self.intersection(other).is_empty()
    }
}

/// `bytes` rounded up to whole pages; `None` if that is not a number any more.
pub const fn page_up(bytes: u64) -> Option<u64> {
    bytes.checked_next_multiple_of(PAGE)
}
