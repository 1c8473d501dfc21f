//! What the platform is to do to the page tables.

use crate::mm::Range;
use trapless_abi::SysResult;
use trapless_abi::flags::Prot;

/// One step. Ranges are page aligned and not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// `range` has nothing in it: from now on pages of zeros appear there at the first access (none at all for PROT_NONE).
    Map {
        /// Where.
        range: Range,
        /// What accesses are allowed.
        prot: Prot,
        /// Whether the program asked for large pages.
        huge: bool,
    },
    /// Everything in `range` goes.
    Unmap {
        /// Where.
        range: Range,
        /// The range and what is free around it: page tables that lie in it are of no use any more.
        gap: Range,
    },
    /// Accesses in `range`, which is mapped from end to end, follow `prot` from now on.
    Protect {
        /// Where.
        range: Range,
        /// What accesses are allowed.
        prot: Prot,
    },
    /// Contents of `range` go, rights stay: pages of zeros appear at the next access.
    Discard {
        /// Where.
        range: Range,
    },
    /// Whatever `len` bytes at `from` have in their page tables moves to `to`, where there is nothing; nothing stays at `from`.
    Move {
        /// Old address.
        from: u64,
        /// New address.
        to: u64,
        /// Bytes.
        len: u64,
    },
    /// Large pages are welcome in `range`, or not.
    Prefer {
        /// Where.
        range: Range,
        /// MADV_HUGEPAGE or MADV_NOHUGEPAGE.
        huge: bool,
    },
}

/// Whether other CPUs must forget translations before the call may return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flush {
    /// No: nothing that is still mapped has changed, or only for the better.
    No,
    /// If an edit removed or restricted a page that was accessible.
    IfTouched,
    /// Yes: addresses come back into use that were freed before.
    Always,
}

/// The result for the program. Edits may have to be made even when that is an error, as on Linux.
pub type Outcome = SysResult<u64>;
