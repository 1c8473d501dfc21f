//! Memory that has left the page tables but may still be known to some TLB.

use super::entry::Entry;
use super::table::Table;
use crate::frames::{self, FRAME, HUGE};
use alloc::vec::Vec;

/// Pages, large pages and tables that wait for a TLB flush, and about how many frames that is.
#[derive(Debug, Default)]
pub struct Retired {
    /// Entries with the level they had: they say what is to be freed.
    list: Vec<(Entry, u8)>,
    frames: usize,
    tables: bool,
}

impl Retired {
    /// Nothing.
    pub const fn new() -> Self {
        Self { list: Vec::new(), frames: 0, tables: false }
    }

    /// Takes what `entry`, which stood in a table of `level`, owns: a page or a whole table.
    pub(super) fn take(&mut self, entry: Entry, level: u8) {
        let table = entry.is_table(level);
        if table || entry.is_page(level) {
            self.frames += count(entry, level);
            self.tables |= table;
            self.list.push((entry, level));
        }
    }

    /// Frames that wait; an estimate where whole tables do.
    pub fn frames(&self) -> usize {
        self.frames
    }

    /// Whether tables are among it, so that CPUs that only halt must forget them too.
    pub fn has_tables(&self) -> bool {
        self.tables
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Frees all of it.
    ///
    /// # Safety
    /// Every TLB was flushed since the last [`Retired::take`], idle CPUs' too if [`Retired::has_tables`].
    pub unsafe fn free(self) {
        for (entry, level) in self.list {
            // SAFETY: by the caller; the entry was taken out of its table, so it is the only owner.
            unsafe { free_entry(entry, level) };
        }
    }
}

/// Frames that an entry owns. Tables above the lowest count as full.
fn count(entry: Entry, level: u8) -> usize {
    if !entry.is_table(level) || level > 2 {
        return 1 << (9 * (level - 1));
    }
    // SAFETY: just taken out of the tree, and not freed before everybody knows.
    let table = unsafe { Table::at(entry.address()) };
    table.slots().iter().filter(|slot| slot.get().is_page(1)).count() + 1
}

/// # Safety
/// As for [`Retired::free`].
unsafe fn free_entry(entry: Entry, level: u8) {
    // SAFETY: the entry owns what it points to, and nobody can reach that any more.
    unsafe {
        if entry.is_table(level) {
            let table = Table::at(entry.address());
            table.slots().iter().for_each(|slot| free_entry(slot.get(), level - 1));
            frames::free(table.address());
        } else if entry.is_page(level) {
            match level {
                1 => frames::free(entry.address()),
                _ => frames::free_contiguous(entry.address(), (HUGE / FRAME) as usize),
            }
        }
    }
}
