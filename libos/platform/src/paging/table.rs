//! Walking the tables.

use super::entry::{Entry, Slot};
use super::phys_to_virt;
use crate::frames::{self, Budget, FRAME};

/// Entries in a table.
pub const ENTRIES: usize = 512;
/// The level of the root; level 1 holds 4 KiB pages.
pub const ROOT_LEVEL: u8 = 4;

/// Bytes that one entry of `level` stands for.
pub const fn span(level: u8) -> u64 {
    1 << (12 + 9 * (level as u64 - 1))
}

/// The index of `address` in its table of `level`.
pub const fn index(address: u64, level: u8) -> usize {
    (address >> (12 + 9 * (level as u64 - 1))) as usize % ENTRIES
}

/// A table, known by the physical address of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table(u64);

impl Table {
    /// The table at `physical`.
    ///
    /// # Safety
    /// There is one, and it stays one while the result is used: the caller holds the lock of the address space, or has interrupts off
    /// (a table taken out of the tree is not freed before every CPU has answered an interrupt).
    pub unsafe fn at(physical: u64) -> Self {
        Self(physical)
    }

    /// A fresh table, every entry the part of `whole` (an entry of `level`) that falls to it.
    pub fn filled(whole: Entry, level: u8) -> Option<Self> {
        let table = Self(frames::alloc(Budget::Kernel)?);
        table.fill(whole, level);
        Some(table)
    }

    /// Sets every entry to the part of `whole` (an entry of `level`) that falls to it.
    pub fn fill(self, whole: Entry, level: u8) {
        if !whole.is_page(level) {
            return self.slots().iter().for_each(|slot| slot.set(whole));
        }
        for (i, slot) in self.slots().iter().enumerate() {
            slot.set(whole.part(level, i as u64));
        }
    }

    /// Its physical address.
    pub fn address(self) -> u64 {
        self.0
    }

    /// Its entries.
    pub fn slots(self) -> &'static [Slot; ENTRIES] {
        // SAFETY: by `at`, this is a table; slots are atomics, so sharing them is sound; users keep to the lifetime `at` demands.
        unsafe { &*phys_to_virt(self.0).cast::<[Slot; ENTRIES]>() }
    }

    /// The entry of `address`, this being its table of `level`.
    pub fn slot(self, address: u64, level: u8) -> &'static Slot {
        &self.slots()[index(address, level)]
    }

    /// The next table below `slot` (of `level`); made if there is none: what stood there is split.
    ///
    /// None when there is no memory.
    pub fn below(slot: &Slot, level: u8) -> Option<Self> {
        loop {
            let entry = slot.get();
            if entry.is_table(level) {
                return Some(Self(entry.address()));
            }
            let table = Self::filled(entry, level)?;
            if slot.replace(entry, Entry::table(table.0)) {
                return Some(table);
            }
            // SAFETY: never entered into the tree.
            unsafe { frames::free(table.0) };
        }
    }
}

/// The slot for `address` at `level` below `root`, with all tables above it made. None when there is no memory.
pub fn slot_at(root: Table, address: u64, level: u8) -> Option<&'static Slot> {
    let mut table = root;
    for upper in (level + 1..=ROOT_LEVEL).rev() {
        table = Table::below(table.slot(address, upper), upper)?;
    }
    Some(table.slot(address, level))
}

/// The lowest entry that stands for `address`, and its level.
pub fn find(root: Table, address: u64) -> (&'static Slot, u8) {
    let mut table = root;
    for level in (1..=ROOT_LEVEL).rev() {
        let slot = table.slot(address, level);
        let entry = slot.get();
        if !entry.is_table(level) {
            return (slot, level);
        }
        table = Table(entry.address());
    }
    unreachable!("an entry of level 1 is never a table")
}

/// The entries of the 4 KiB pages around `address`, if there is such a table.
pub fn lowest(root: Table, address: u64) -> Option<&'static [Slot; ENTRIES]> {
    let mut table = root;
    for level in (2..=ROOT_LEVEL).rev() {
        let entry = table.slot(address, level).get();
        if !entry.is_table(level) {
            return None;
        }
        table = Table(entry.address());
    }
    Some(table.slots())
}

/// Counts the pages below `table`, which stands for the addresses from `base` on, that `what` holds for.
pub fn count(table: Table, level: u8, base: u64, what: &dyn Fn(Entry, u64) -> bool) -> usize {
    let each = |(i, slot): (usize, &Slot)| {
        let (entry, address) = (slot.get(), base + i as u64 * span(level));
        match entry.is_table(level) {
            true => count(Table(entry.address()), level - 1, address, what),
            false => usize::from(what(entry, address)),
        }
    };
    table.slots().iter().enumerate().map(each).sum()
}

const _: () = assert!(ENTRIES * size_of::<Slot>() == FRAME as usize);
