//! The program's address space as a plan: which addresses are mapped, and how.
//!
//! A call such as mmap(2) changes the plan and leaves a list of [`Edit`]s, which the platform carries out on the page tables before
//! anybody else sees the plan again (one lock covers both). What can fail has failed by then.
//!
//! Freed addresses are not used again at once: another CPU's TLB may still translate them. They stay *stale* until the platform
//! reports a flush ([`AddressSpace::flushed`]); a fixed mapping over stale addresses asks for a flush first (INV-MM-1).

mod areas;
mod change;
mod edit;
mod map;
mod remap;
#[cfg(test)]
mod tests;

pub use areas::{Area, Areas};
pub use edit::{Edit, Flush, Outcome};
pub use map::MapRequest;

use crate::mm::{PAGE, Range, page_up};
use alloc::vec::Vec;
use trapless_abi::Errno;

/// Most areas there may be, as Linux's `vm.max_map_count` says by default (proc_sys_vm(5)).
pub const MAX_AREAS: usize = 65530;

/// Addresses that mappings are placed in, and where the search for a free range goes on.
#[derive(Debug)]
struct Window {
    range: Range,
    cursor: u64,
}

/// The plan of an address space.
#[derive(Debug)]
pub struct AddressSpace {
    areas: Areas,
    /// For ordinary mappings.
    main: Window,
    /// For executable mappings and MAP_32BIT; may be empty.
    low: Window,
    /// The program break's window; the break itself is not page aligned.
    heap: Range,
    brk: u64,
    /// Counts flushes; freed addresses carry the count of their time.
    generation: u64,
    /// Ranges and bytes that became stale since the last flush began.
    stale: (usize, u64),
    edits: Vec<Edit>,
    flush: Flush,
}

impl AddressSpace {
    /// An empty address space. `main` and `low` are where mappings may lie, `heap` is where the program break moves; the three are page
    /// aligned and do not overlap.
    pub fn new(main: Range, low: Range, heap: Range) -> Self {
        Self {
            areas: Areas::new(),
            main: Window { cursor: main.start, range: main },
            low: Window { cursor: low.start, range: low },
            brk: heap.start,
            heap,
            generation: 0,
            stale: (0, 0),
            edits: Vec::new(),
            flush: Flush::No,
        }
    }

    /// The edits of the last call, in the order in which they are to be made, and whether TLBs are to be flushed after them.
    pub fn edits(&self) -> (&[Edit], Flush) {
        (&self.edits, self.flush)
    }

    /// What is mapped, by address.
    pub fn areas(&self) -> impl Iterator<Item = (Range, Area)> + '_ {
        self.areas.iter().filter(|(_, area)| area.is_mapped())
    }

    /// Pages that are mapped, whether there is memory behind them or not.
    pub fn mapped_pages(&self) -> u64 {
        self.areas().map(|(range, _)| range.len() / PAGE).sum()
    }

    /// Whether every page of the range is mapped.
    pub fn is_mapped(&self, range: Range) -> bool {
        self.areas.mapped_prefix(range) == range.end
    }

    /// The range of a call that only looks at mapped pages (mincore(2)): EINVAL, or ENOMEM if there is a hole in it.
    pub fn check_mapped(&self, address: u64, len: u64) -> Result<Range, Errno> {
        let range = range_arg(address, len)?;
        if self.is_mapped(range) { Ok(range) } else { Err(Errno::ENOMEM) }
    }

    /// Starts a flush: what has become stale so far can be reused once the returned mark is given to [`AddressSpace::flushed`].
    pub fn begin_flush(&mut self) -> u64 {
        self.stale = (0, 0);
        self.generation += 1;
        self.generation - 1
    }

    /// How many ranges, and how many bytes of addresses, were freed since the last flush began: an upper bound.
    pub fn stale(&self) -> (usize, u64) {
        self.stale
    }

    /// Every TLB was flushed after the call of [`AddressSpace::begin_flush`] that returned `mark`.
    pub fn flushed(&mut self, mark: u64) {
        if let Some(lowest) = self.areas.release_stale(mark) {
            for window in [&mut self.main, &mut self.low] {
                if window.range.contains(lowest) {
                    window.cursor = window.cursor.min(lowest);
                }
            }
        }
    }

    /// Forgets the edits of the call before.
    fn begin(&mut self) {
        self.edits.clear();
        self.flush = Flush::No;
    }

    /// Whether a mapping may be placed at exactly this range.
    fn is_placeable(&self, range: Range) -> bool {
        [self.main.range, self.low.range, self.heap].iter().any(|window| window.covers(range))
    }

    /// A free range of `len` bytes whose start is `offset` behind a multiple of `align`: the window's cursor on, then from its start.
    fn find_free(&mut self, low: bool, len: u64, align: u64, offset: u64) -> Result<u64, Errno> {
        let window = if low { &mut self.low } else { &mut self.main };
        let from_cursor = self.areas.find_gap(Range::new(window.cursor, window.range.end), len, align, offset);
        let found =
            from_cursor.or_else(|| self.areas.find_gap(window.range, len, align, offset)).ok_or(Errno::ENOMEM)?;
        window.cursor = found + len;
        Ok(found)
    }

    /// Removes whatever is mapped in `range`; its addresses become stale.
    fn remove(&mut self, range: Range) {
        for window in [self.main.range, self.low.range, self.heap] {
            let range = range.intersection(window);
            if !range.is_empty() && self.areas.overlaps_mapped(range) {
                self.areas.set_stale(range, self.generation);
                self.stale = (self.stale.0 + 1, self.stale.1.saturating_add(range.len()));
                let gap = self.areas.gap_around(range, window);
                self.edits.push(Edit::Unmap { range, gap });
            }
        }
    }

    /// Enters a mapping into `range`, replacing what is there.
    fn place(&mut self, range: Range, area: Area) {
        if self.areas.overlaps_stale(range) {
            self.flush = Flush::Always;
        }
        if self.areas.overlaps_mapped(range) {
            self.remove(range);
            self.flush = self.flush.max(Flush::IfTouched);
        }
        self.areas.clear(range);
        self.place_free(range, area);
    }

    /// Enters a mapping into `range`, where there is nothing, not even stale addresses.
    fn place_free(&mut self, range: Range, area: Area) {
        self.areas.insert(range, area);
        self.edits.push(Edit::Map { range, prot: area.prot, huge: area.huge });
    }

    /// Room for a few more areas: every call adds at most this many.
    fn room(&self) -> Result<(), Errno> {
        if self.areas.len() + 4 <= MAX_AREAS { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

/// Checks the range of a call: `EINVAL` for an unaligned address, ENOMEM if it does not end in the lower half of the address space.
fn range_arg(address: u64, len: u64) -> Result<Range, Errno> {
    if !address.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    let end = page_up(len).and_then(|len| address.checked_add(len)).ok_or(Errno::ENOMEM)?;
    if end > 1 << 47 { Err(Errno::ENOMEM) } else { Ok(Range::new(address, end)) }
}
