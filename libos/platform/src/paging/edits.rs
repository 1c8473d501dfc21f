//! Carrying out the plan: [`Edit`]s on the page tables.
//!
//! The caller holds the lock of the address space; page faults on other CPUs go on meanwhile, so entries are only exchanged atomically.

use super::entry::{Entry, Slot};
use super::kernel::root;
use super::retired::Retired;
use super::table::{ENTRIES, ROOT_LEVEL, Table, index, slot_at, span};
use trapless_logic::mm::space::Edit;
use trapless_logic::mm::{HUGE_PAGE, Range};

/// Most pages that are forgotten one by one.
const SINGLY: usize = 32;

/// Pages that were accessible and no longer are as they were.
#[derive(Debug)]
pub struct Touched {
    pages: [u64; SINGLY],
    count: usize,
}

impl Touched {
    /// None yet.
    pub const fn new() -> Self {
        Self { pages: [0; SINGLY], count: 0 }
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    fn add(&mut self, address: u64) {
        if let Some(place) = self.pages.get_mut(self.count) {
            *place = address;
        }
        self.count += 1;
    }

    /// Makes the calling CPU forget the pages.
    pub fn forget(&self) {
        use x86_64::{VirtAddr, instructions::tlb};
        match self.pages.get(..self.count) {
            Some(pages) => pages.iter().for_each(|&page| tlb::flush(VirtAddr::new(page))),
            None => tlb::flush_all(),
        }
    }
}

impl Default for Touched {
    fn default() -> Self {
        Self::new()
    }
}

/// Carries out `edit`. What leaves the tables goes to `retired`, pages whose translations may be cached to `touched`.
///
/// Panics without memory for tables: the caller has made sure that the libos has a reserve.
pub fn apply(edit: Edit, retired: &mut Retired, touched: &mut Touched) {
    let mut editor = Editor { retired, touched };
    match edit {
        Edit::Map { range, prot, huge } => {
            let due = Entry::lazy(prot, huge);
            // PROT_NONE over nothing is nothing.
            if due != Entry::EMPTY {
                editor.each(range, |entry| entry != due, |_, slot, _, _| slot.set(due));
            }
        }
        Edit::Unmap { range, gap } => editor.unmap(whole_tables(range, gap)),
        Edit::Protect { range, prot } => {
            let change = |entry: Entry, level| match entry.is_page(level) {
                true => Entry::page(entry.address(), prot, level > 1),
                false => Entry::lazy(prot, entry.wants_large()),
            };
            editor.each(
                range,
                |_| true,
                |editor, slot, level, at| {
                    let old = slot.update(|entry| change(entry, level));
                    if old.is_present() {
                        editor.touched.add(at);
                    }
                },
            );
        }
        Edit::Discard { range } => {
            editor.each(
                range,
                |entry| entry.is_page(1),
                |editor, slot, level, at| {
                    if slot.get().is_page(level) {
                        let old = slot.update(|entry| Entry::lazy(entry.prot(), false));
                        editor.retire(old, level, at);
                    }
                },
            );
        }
        Edit::Move { from, to, len } => editor.relocate(from, to, len),
        Edit::Prefer { range, huge } => {
            // Only ranges of whole 2 MiB blocks matter.
            editor.each(
                range,
                |_| false,
                |_, slot, _, _| {
                    slot.update(|entry| if entry.is_lazy() { entry.preferring(huge) } else { entry });
                },
            );
        }
    }
}

/// `range`, extended over all of the surrounding GiB if nothing is left in that: tables that small mappings leave behind serve the next
/// ones, and go with the last of them.
fn whole_tables(range: Range, gap: Range) -> Range {
    let gib = span(3);
    let end = range.end.checked_next_multiple_of(gib).unwrap_or(range.end);
    let around = Range::new(range.start & !(gib - 1), end);
    if range.len() >= HUGE_PAGE && gap.covers(around) { around } else { range }
}

struct Editor<'a> {
    retired: &'a mut Retired,
    touched: &'a mut Touched,
}

impl Editor<'_> {
    /// Calls `action` for the highest entries that lie in `range` as a whole. An entry that only overlaps it is split if `split` says
    /// so, else left alone.
    fn each(
        &mut self,
        range: Range,
        split: impl Fn(Entry) -> bool,
        mut action: impl FnMut(&mut Editor<'_>, &Slot, u8, u64),
    ) {
        self.each_in(root(), ROOT_LEVEL, range, &split, &mut action);
    }

    fn each_in<A: FnMut(&mut Editor<'_>, &Slot, u8, u64)>(
        &mut self,
        table: Table,
        level: u8,
        range: Range,
        split: &impl Fn(Entry) -> bool,
        action: &mut A,
    ) {
        for (slot, part, whole) in parts(table, level, range) {
            let entry = slot.get();
            // The upper levels hold tables only.
            if whole && !entry.is_table(level) && level < ROOT_LEVEL {
                action(self, slot, level, part.start);
            } else if entry.is_table(level) || split(entry) {
                self.each_in(below(slot, level), level - 1, part, split, action);
            }
        }
    }

    /// Empties `range`; tables that lie in it as a whole leave the tree.
    fn unmap(&mut self, range: Range) {
        self.unmap_in(root(), ROOT_LEVEL, range);
    }

    fn unmap_in(&mut self, table: Table, level: u8, range: Range) {
        for (slot, part, whole) in parts(table, level, range) {
            let entry = slot.get();
            if entry == Entry::EMPTY {
                continue;
            }
            if whole && level < ROOT_LEVEL {
                let old = slot.swap(Entry::EMPTY);
                self.retire(old, level, part.start);
            } else {
                self.unmap_in(below(slot, level), level - 1, part);
            }
        }
    }

    /// Moves the entries of `len` bytes.
    fn relocate(&mut self, from: u64, to: u64, len: u64) {
        let mut done = 0;
        while done < len {
            let (source, target) = (from + done, to + done);
            let aligned = source.is_multiple_of(HUGE_PAGE) && target.is_multiple_of(HUGE_PAGE);
            let level = if aligned && len - done >= HUGE_PAGE { 2 } else { 1 };
            let moved = make(source, level).swap(Entry::EMPTY);
            if moved.is_present() {
                self.touched.add(source);
            }
            if moved != Entry::EMPTY {
                // An empty table may still be there.
                let old = make(target, level).swap(moved);
                self.retire(old, level, target);
            }
            done += span(level);
        }
    }

    /// Takes what `entry` owned.
    fn retire(&mut self, entry: Entry, level: u8, at: u64) {
        if entry.is_table(level) {
            // More pages than are worth counting: forgets everything.
            self.touched.count += SINGLY + 1;
        } else if entry.is_present() {
            self.touched.add(at);
        }
        self.retired.take(entry, level);
    }
}

/// The slots of `table` that stand for parts of `range`, with those parts, and whether they are all of what the slot stands for.
fn parts(table: Table, level: u8, range: Range) -> impl Iterator<Item = (&'static Slot, Range, bool)> {
    let first = index(range.start, level);
    let span = span(level);
    let base = range.start & !(span - 1);
    (first..ENTRIES).map_while(move |i| {
        let start = base + (i - first) as u64 * span;
        let part = Range::new(start, start + span).intersection(range);
        (!part.is_empty()).then(|| (&table.slots()[i], part, part.len() == span))
    })
}

fn below(slot: &Slot, level: u8) -> Table {
    Table::below(slot, level).expect("the libos has a reserve for page tables")
}

fn make(address: u64, level: u8) -> &'static Slot {
    slot_at(root(), address, level).expect("the libos has a reserve for page tables")
}
