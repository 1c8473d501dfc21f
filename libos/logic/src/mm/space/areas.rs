//! The map of areas.

use crate::mm::Range;
use alloc::collections::BTreeMap;
use trapless_abi::flags::Prot;

/// What is true for every page of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Allowed accesses.
    pub prot: Prot,
    /// MAP_SHARED.
    pub shared: bool,
    /// MAP_NORESERVE.
    pub noreserve: bool,
    /// MADV_HUGEPAGE.
    pub huge: bool,
    /// Set for addresses that were freed: the flush count of that time.
    pub(super) stale: Option<u64>,
}

impl Area {
    /// Whether this is a mapping, not stale addresses.
    pub fn is_mapped(&self) -> bool {
        self.stale.is_none()
    }

    fn stale(generation: u64) -> Self {
        Self { prot: Prot::empty(), shared: false, noreserve: false, huge: false, stale: Some(generation) }
    }
}

/// Areas by their start. They do not overlap, and equal neighbours are one.
#[derive(Debug)]
pub struct Areas {
    map: BTreeMap<u64, (u64, Area)>,
}

impl Areas {
    pub(super) const fn new() -> Self {
        Self { map: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Range, Area)> + '_ {
        self.map.iter().map(|(&start, &(end, area))| (Range::new(start, end), area))
    }

    /// Areas that overlap `range`, in order, uncut.
    pub(super) fn overlapping(&self, range: Range) -> impl Iterator<Item = (Range, Area)> + '_ {
        let before = self.map.range(..=range.start).next_back().filter(|(_, (end, _))| *end > range.start);
        let first = before.map_or(range.start, |(&start, _)| start);
        let end = range.end.max(first);
        self.map.range(first..end).map(|(&start, &(end, area))| (Range::new(start, end), area))
    }

    /// The first area that overlaps `range`.
    pub(super) fn first(&self, range: Range) -> Option<(Range, Area)> {
        self.overlapping(range).next()
    }

    fn first_mapped(&self, range: Range) -> Option<(Range, Area)> {
        self.overlapping(range).find(|(_, area)| area.is_mapped())
    }

    pub(super) fn overlaps_mapped(&self, range: Range) -> bool {
        self.overlapping(range).any(|(_, area)| area.is_mapped())
    }

    pub(super) fn overlaps_stale(&self, range: Range) -> bool {
        self.overlapping(range).any(|(_, area)| !area.is_mapped())
    }

    /// The end of the part of `range`, from its start on, that is mapped without a hole.
    pub(super) fn mapped_prefix(&self, range: Range) -> u64 {
        let mut at = range.start;
        for (found, area) in self.overlapping(range) {
            if found.start > at || !area.is_mapped() {
                break;
            }
            at = found.end;
        }
        at.min(range.end)
    }

    /// Makes `range` one area, whatever was there.
    pub(super) fn set(&mut self, range: Range, area: Area) {
        self.clear(range);
        self.insert(range, area);
    }

    /// Turns the mapped parts of `range` into stale addresses.
    pub(super) fn set_stale(&mut self, range: Range, generation: u64) {
        self.update(range, |_| Area::stale(generation));
    }

    /// Changes the mapped parts of `range`.
    pub(super) fn update(&mut self, range: Range, change: impl Fn(Area) -> Area) {
        let mut at = range.start;
        while let Some((found, area)) = self.first_mapped(Range::new(at, range.end)) {
            let part = found.intersection(Range::new(at, range.end));
            let new = change(area);
            if new != area {
                self.set(part, new);
            }
            at = part.end;
            if at >= range.end {
                return;
            }
        }
    }

    /// Removes everything from `range`.
    pub(super) fn clear(&mut self, range: Range) {
        while let Some((found, area)) = self.first(range) {
            self.map.remove(&found.start);
            if found.start < range.start {
                self.map.insert(found.start, (range.start, area));
            }
            if found.end > range.end {
                self.map.insert(range.end, (found.end, area));
            }
        }
    }

    /// Adds an area where there is none, as part of equal neighbours if it has such.
    pub(super) fn insert(&mut self, range: Range, area: Area) {
        let Range { mut start, mut end } = range;
        if let Some((&before, &(border, left))) = self.map.range(..start).next_back()
            && border == start
            && left == area
        {
            start = before;
        }
        if let Some(&(after, right)) = self.map.get(&end)
            && right == area
        {
            self.map.remove(&end);
            end = after;
        }
        self.map.insert(start, (end, area));
    }

    /// The lowest free range of `len` bytes within `range` that starts `offset` behind a multiple of `align` (a power of two).
    pub(super) fn find_gap(&self, range: Range, len: u64, align: u64, offset: u64) -> Option<u64> {
        let place = |at: u64| Some(at.saturating_sub(offset).checked_next_multiple_of(align)? + offset);
        let mut at = place(range.start)?;
        for (found, _) in self.overlapping(range) {
            if at.checked_add(len)? <= found.start {
                break;
            }
            if found.end > at {
                at = place(found.end)?;
            }
        }
        (at.checked_add(len)? <= range.end).then_some(at)
    }

    /// `range`, which has no mapping in it, extended to the next mappings on both sides, within `window`.
    pub(super) fn gap_around(&self, range: Range, window: Range) -> Range {
        let before = self.map.range(..range.start).rev().find(|(_, (_, area))| area.is_mapped());
        let after = self.map.range(range.end..).find(|(_, (_, area))| area.is_mapped());
        let start = before.map_or(window.start, |(_, &(end, _))| end.max(window.start));
        let end = after.map_or(window.end, |(&start, _)| start.min(window.end));
        Range::new(start, end)
    }

    /// Forgets the stale addresses up to generation `mark`, and returns the lowest of them.
    pub(super) fn release_stale(&mut self, mark: u64) -> Option<u64> {
        let mut lowest = None;
        self.map.retain(|&start, (_, area)| {
            let gone = area.stale.is_some_and(|generation| generation <= mark);
            if gone && lowest.is_none() {
                lowest = Some(start);
            }
            !gone
        });
        lowest
    }
}
