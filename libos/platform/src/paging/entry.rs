//! One page table entry (Intel SDM vol. 3, 4.5), and what the libos writes into entries that are not present.

use crate::entry::RING_3;
use core::sync::atomic::{AtomicU64, Ordering};
use trapless_abi::flags::Prot;

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
/// User: ring 3 may use it, if it may use all tables above. Set where the program runs there.
const USER: u64 = if RING_3 { 1 << 2 } else { 0 };
const CACHE_OFF: u64 = 0b11 << 3;
const ACCESSED_DIRTY: u64 = 0b11 << 5;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
/// What the libos's own data allows.
pub const RW: Prot = Prot::PROT_READ.union(Prot::PROT_WRITE);

const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

// In entries that are not present, the hardware looks at bit 0 only. All zero: nothing is mapped, or PROT_NONE over nothing.
/// A page of zeros is due at the first access; at a higher level this stands for the whole range below.
const LAZY: u64 = 1 << 9;
/// The page has a frame, but no access is allowed (mprotect to PROT_NONE).
const PARKED: u64 = 1 << 10;
/// Goes with LAZY: the program would like large pages here (MADV_HUGEPAGE).
const WANTS_LARGE: u64 = 1 << 11;

/// The value of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u64);

impl Entry {
    /// Nothing here.
    pub const EMPTY: Self = Self(0);

    fn rights(prot: Prot) -> u64 {
        let write = if prot.contains(Prot::PROT_WRITE) { WRITE } else { 0 };
        let exec = if prot.contains(Prot::PROT_EXEC) { 0 } else { NO_EXECUTE };
        write | exec
    }

    /// A page (or, with `large`, a 2 MiB or 1 GiB page) of the libos, kept in TLBs across address space switches.
    pub fn kernel(physical: u64, prot: Prot, large: bool) -> Self {
        let size = if large { LARGE } else { 0 };
        Self(physical | PRESENT | GLOBAL | ACCESSED_DIRTY | size | Self::rights(prot))
    }

    /// A page (or, with `large`, a 2 MiB page) of the image that belongs to the program.
    pub fn program_image(physical: u64, prot: Prot, large: bool) -> Self {
        Self(Self::kernel(physical, prot, large).0 | USER)
    }

    /// A page of the libos that comes and goes, so not for TLBs to keep. No rights park it.
    pub fn transient(physical: u64, prot: Prot) -> Self {
        Self(Self::page(physical, prot, false).0 & !USER)
    }

    /// A page of device registers.
    pub fn device(physical: u64) -> Self {
        Self(Self::kernel(physical, RW, false).0 | CACHE_OFF)
    }

    /// A pointer to the next lower table.
    pub fn table(physical: u64) -> Self {
        Self(physical | PRESENT | WRITE | USER)
    }

    /// A page of the program.
    pub fn page(physical: u64, prot: Prot, large: bool) -> Self {
        if prot.is_empty() {
            return Self(physical | PARKED | if large { LARGE } else { 0 });
        }
        Self(physical | PRESENT | USER | ACCESSED_DIRTY | if large { LARGE } else { 0 } | Self::rights(prot))
    }

    /// Pages of zeros to come; nothing for PROT_NONE.
    pub fn lazy(prot: Prot, wants_large: bool) -> Self {
        if prot.is_empty() {
            return Self::EMPTY;
        }
        Self(LAZY | if wants_large { WANTS_LARGE } else { 0 } | Self::rights(prot))
    }

    /// Whether an access can reach something through this entry.
    pub fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    /// Whether this is a present pointer to a lower table. `level` counts from 1, the level of 4 KiB pages.
    pub fn is_table(self, level: u8) -> bool {
        self.is_present() && level > 1 && self.0 & LARGE == 0
    }

    /// Whether this entry owns a frame or a large block (present or parked).
    pub fn is_page(self, level: u8) -> bool {
        self.0 & PARKED != 0 || self.is_present() && !self.is_table(level)
    }

    /// Whether zeros are due here.
    pub fn is_lazy(self) -> bool {
        !self.is_present() && self.0 & LAZY != 0
    }

    /// Whether large pages are wanted here.
    pub fn wants_large(self) -> bool {
        self.0 & WANTS_LARGE != 0
    }

    /// The physical address of the page or the table.
    pub fn address(self) -> u64 {
        self.0 & ADDRESS
    }

    /// What the program may do here; for pages and lazy entries. Whatever is accessible at all can be read.
    pub fn prot(self) -> Prot {
        if self.0 & (PRESENT | LAZY) == 0 {
            return Prot::empty();
        }
        let mut prot = Prot::PROT_READ;
        prot.set(Prot::PROT_WRITE, self.0 & WRITE != 0);
        prot.set(Prot::PROT_EXEC, self.0 & NO_EXECUTE == 0);
        prot
    }

    /// A lazy entry with another wish for large pages.
    pub fn preferring(self, large: bool) -> Self {
        Self(self.0 & !WANTS_LARGE | if large { WANTS_LARGE } else { 0 })
    }

    /// The `index`-th part of a large page, one level down.
    pub fn part(self, level: u8, index: u64) -> Self {
        let step = 1 << (12 + 9 * (u64::from(level) - 2));
        let size = if level == 2 { 0 } else { LARGE };
        Self((self.0 & !LARGE | size) + index * step)
    }
}

/// The place of an entry in a table. Fault handlers on all CPUs and one editor change it at the same time, so every change is atomic.
#[repr(transparent)]
pub struct Slot(AtomicU64);

impl Slot {
    /// Reads it.
    pub fn get(&self) -> Entry {
        Entry(self.0.load(Ordering::Acquire))
    }

    /// Overwrites it; only where nobody else can reach it.
    pub fn set(&self, entry: Entry) {
        self.0.store(entry.0, Ordering::Release);
    }

    /// Replaces it and returns what was there.
    pub fn swap(&self, entry: Entry) -> Entry {
        Entry(self.0.swap(entry.0, Ordering::AcqRel))
    }

    /// Replaces it by what `change` makes of it, and returns what was there.
    pub fn update(&self, change: impl Fn(Entry) -> Entry) -> Entry {
        loop {
            let old = self.get();
            if self.replace(old, change(old)) {
                return old;
            }
        }
    }

    /// Replaces `old` by `new`; false if somebody else came first.
    pub fn replace(&self, old: Entry, new: Entry) -> bool {
        self.0.compare_exchange(old.0, new.0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}
