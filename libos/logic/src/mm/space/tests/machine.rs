//! Page tables and one other CPU's TLB, as far as the plan can tell.

use crate::mm::space::{AddressSpace, Edit, Flush};
use crate::mm::{PAGE, Range};
use std::collections::BTreeMap;
use trapless_abi::flags::Prot;

/// A page table entry: the allowed accesses, and the contents once the page was touched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    pub prot: Prot,
    pub contents: Option<u64>,
}

#[derive(Default)]
pub struct Machine {
    table: BTreeMap<u64, Entry>,
    /// Translations that the other CPU remembers: the frame's contents as of now are what it would read.
    tlb: BTreeMap<u64, (Prot, u64)>,
}

fn pages(range: Range) -> std::ops::Range<u64> {
    assert!(range.start.is_multiple_of(PAGE) && range.end.is_multiple_of(PAGE) && !range.is_empty(), "{range:?}");
    range.start / PAGE..range.end / PAGE
}

impl Machine {
    /// Makes the edits of the last call, flushing where the plan says so.
    pub fn apply(&mut self, space: &AddressSpace) {
        let (edits, flush) = space.edits();
        let mut touched = false;
        for edit in edits {
            touched |= self.edit(*edit);
        }
        match flush {
            Flush::Always => self.flush_tlb(),
            Flush::IfTouched if touched => self.flush_tlb(),
            _ => {}
        }
    }

    /// Returns whether a page that was accessible went or lost rights.
    fn edit(&mut self, edit: Edit) -> bool {
        let mut touched = false;
        match edit {
            Edit::Map { range, prot, .. } => {
                for page in pages(range) {
                    let old = self.table.insert(page, Entry { prot, contents: None });
                    assert_eq!(old, None, "mapped over something at page {page:#x}");
                }
            }
            Edit::Unmap { range, gap } => {
                for page in pages(range) {
                    touched |= self.table.remove(&page).is_some_and(|e| e.contents.is_some());
                }
                assert!(gap.covers(range));
                assert_eq!(self.table.range(pages(gap)).next(), None, "page tables in use would be freed");
            }
            Edit::Protect { range, prot } => {
                for page in pages(range) {
                    let entry = self.table.get_mut(&page).expect("Protect only covers what is mapped");
                    touched |= entry.contents.is_some();
                    entry.prot = prot;
                }
            }
            Edit::Discard { range } => {
                for page in pages(range) {
                    let entry = self.table.get_mut(&page).expect("Discard only covers what is mapped");
                    touched |= entry.contents.take().is_some();
                }
            }
            Edit::Move { from, to, len } => {
                for offset in (0..len).step_by(PAGE as usize) {
                    let entry = self.table.remove(&((from + offset) / PAGE)).expect("Move takes what is mapped");
                    touched |= entry.contents.is_some();
                    let old = self.table.insert((to + offset) / PAGE, entry);
                    assert_eq!(old, None, "moved over something");
                }
            }
            Edit::Prefer { .. } => {}
        }
        touched
    }

    pub fn flush_tlb(&mut self) {
        self.tlb.clear();
    }

    /// The other CPU reads a page, through its TLB.
    pub fn touch(&mut self, page: u64) {
        if let Some(entry) = self.table.get_mut(&page)
            && !entry.prot.is_empty()
        {
            let contents = *entry.contents.get_or_insert(0);
            self.tlb.entry(page).or_insert((entry.prot, contents));
        }
    }

    /// This CPU writes a page if it may.
    pub fn write(&mut self, page: u64, value: u64) {
        if let Some(entry) = self.table.get_mut(&page)
            && entry.prot.contains(Prot::PROT_WRITE)
        {
            let old = entry.contents.replace(value);
            if let Some(cached) = self.tlb.get_mut(&page) {
                // The same frame, if the translation is not out of date; else the other CPU does not see the write.
                if old == Some(cached.1) {
                    cached.1 = value;
                }
            }
        }
    }

    pub fn entry(&self, page: u64) -> Option<Entry> {
        self.table.get(&page).copied()
    }

    pub fn tlb(&self) -> impl Iterator<Item = (u64, Prot, u64)> + '_ {
        self.tlb.iter().map(|(&page, &(prot, contents))| (page, prot, contents))
    }

    pub fn mapped(&self) -> usize {
        self.table.len()
    }
}
