//! Memory that has left the page tables but may still be known to some TLB.

use super::entry::Entry;
use super::phys_to_virt;
use super::table::Table;
use crate::frames::{self, Budget, FRAME, HUGE};
use core::ptr::NonNull;

/// Entries in a block, which fills a frame.
const ENTRIES: usize = (FRAME as usize - 16) / size_of::<(Entry, u8)>();

/// A piece of the list. It takes frames, not heap objects: giving memory back must work when the heap is short.
#[repr(C)]
struct Block {
    next: Option<NonNull<Block>>,
    len: usize,
    /// Entries with the level they had: they say what is to be freed.
    entries: [(Entry, u8); ENTRIES],
}

const _: () = assert!(size_of::<Block>() <= FRAME as usize);

/// Pages, large pages and tables that wait for a TLB flush, and about how many frames that is.
#[derive(Debug, Default)]
pub struct Retired {
    first: Option<NonNull<Block>>,
    frames: usize,
    tables: bool,
}

// SAFETY: the list owns its blocks, which are plain memory.
unsafe impl Send for Retired {}

impl Retired {
    /// Nothing.
    pub const fn new() -> Self {
        Self { first: None, frames: 0, tables: false }
    }

    /// Takes what `entry`, which stood in a table of `level`, owns: a page or a whole table.
    ///
    /// Panics when there is not one frame left for the list.
    pub(super) fn take(&mut self, entry: Entry, level: u8) {
        let table = entry.is_table(level);
        if table || entry.is_page(level) {
            self.frames += count(entry, level);
            self.tables |= table;
            self.push(entry, level);
        }
    }

    fn push(&mut self, entry: Entry, level: u8) {
        let mut block = match self.first {
            // SAFETY: the list owns its blocks.
            Some(block) if unsafe { block.as_ref() }.len < ENTRIES => block,
            full => {
                let frame = frames::alloc(Budget::Kernel).expect("a frame for what is to be freed");
                let block = phys_to_virt(frame).cast::<Block>();
                // SAFETY: the frame is ours and large enough; the entries are written before `len` says that they are there.
                unsafe {
                    (&raw mut (*block).next).write(full);
                    (&raw mut (*block).len).write(0);
                    NonNull::new_unchecked(block)
                }
            }
        };
        self.first = Some(block);
        // SAFETY: as above; `len` is within the array.
        unsafe {
            let at = block.as_ref().len;
            (&raw mut (*block.as_ptr()).entries[at]).write((entry, level));
            block.as_mut().len = at + 1;
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

    /// Frees all of it.
    ///
    /// # Safety
    /// Every TLB was flushed since the last [`Retired::take`], idle CPUs' too if [`Retired::has_tables`].
    pub unsafe fn free(self) {
        let mut next = self.first;
        while let Some(block) = next {
            let frame = block.as_ptr() as u64;
            // SAFETY: the list owns its blocks; each entry was taken out of its table, so it is the only owner of what it names, and by
            // the caller nobody else knows that.
            unsafe {
                let block = block.as_ref();
                block.entries[..block.len].iter().for_each(|&(entry, level)| free_entry(entry, level));
                next = block.next;
                frames::free(frame);
            }
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
