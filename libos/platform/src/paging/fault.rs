//! Page faults: pages of zeros appear where the program has mapped something.
//!
//! No lock: the entry says what is due, and whoever exchanges it first wins. The tables are walked with interrupts off (INV-MAP-3);
//! memory is found and cleared in between with interrupts as they were.

use super::entry::Entry;
use super::kernel::root;
use super::table::{ENTRIES, Table, find, index};
use super::zero::zero;
use super::{is_program_range, sparse, table};
use crate::entry;
use crate::frames::{self, Budget, FRAME, HUGE};
use crate::trap::TrapFrame;
use core::sync::atomic::{AtomicBool, Ordering};
use trapless_abi::flags::Prot;
use x86_64::VirtAddr;
use x86_64::instructions::interrupts::without_interrupts;
use x86_64::instructions::tlb;

/// Page fault error code (SDM vol. 3, 4.7): the access was a write.
const WRITE: u64 = 1 << 1;
/// The access came from ring 3.
const USER: u64 = 1 << 2;
/// A reserved bit was set: the tables are broken.
const RESERVED: u64 = 1 << 3;
/// The access was an instruction fetch.
const FETCH: u64 = 1 << 4;

/// Most pages that one fault fills.
const AHEAD: usize = 16;

/// Whether any large enough range gets 2 MiB pages, not only those that asked.
static LARGE_PAGES: AtomicBool = AtomicBool::new(false);

/// Chooses who gets 2 MiB pages: every range they fit in, or only those of MADV_HUGEPAGE (at the start).
pub fn set_large_pages(always: bool) {
    LARGE_PAGES.store(always, Ordering::Relaxed);
}

/// Why a page did not appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfilled {
    /// Nothing is mapped there, or the access is not allowed.
    Forbidden,
    /// There is no memory left for programs.
    OutOfMemory,
}

/// Settles a page fault at `address`, called with the interrupted registers on the page fault stack. Returns false for one that the
/// program has to answer for.
///
/// `locked`: the interrupted code may hold locks of the libos, which runs on the stacks of C threads. Its page comes out of the
/// libos's reserve then, and not out of what waits to be freed, which is behind such locks.
pub fn handle_page_fault(address: u64, error: u64, locked: bool, frame: &mut TrapFrame) -> bool {
    let access = if error & WRITE != 0 {
        Prot::PROT_WRITE
    } else if error & FETCH != 0 {
        Prot::PROT_EXEC
    } else {
        Prot::PROT_READ
    };
    let of_libos = error & USER == 0 && sparse::covers(address);
    if entry::RING_3 && error & USER == 0 && !of_libos && !crate::user::may_fault(frame.rip) {
        // The libos touches memory of the program in one place only; elsewhere it is a mistake, or was stopped from making one.
        return false;
    }
    let result = match (error & RESERVED != 0, locked) {
        (true, _) => Err(Unfilled::Forbidden),
        _ if of_libos => sparse::fill(address, error),
        (false, true) => try_fill(address, access, Budget::Kernel),
        (false, false) => fill(address, access),
    };
    match result {
        Ok(()) => true,
        Err(_) if crate::user::resume_after_fault(frame) => true,
        Err(Unfilled::Forbidden) => false,
        Err(Unfilled::OutOfMemory) => panic!(
            "out of memory: no page left for address {address:#x} (of {} MiB, {} KiB are free)",
            frames::total_frames() >> 8,
            frames::free_frames() << 2
        ),
    }
}

/// Makes the page at `address` present, for an access of the given kind.
pub fn fill(address: u64, access: Prot) -> Result<(), Unfilled> {
    match try_fill(address, access, Budget::Program) {
        Err(Unfilled::OutOfMemory) if crate::mm::reclaim() => try_fill(address, access, Budget::Program),
        result => result,
    }
}

/// Whether a page of the program has memory behind it.
pub fn is_resident(address: u64) -> bool {
    without_interrupts(|| {
        let (slot, level) = find(root(), address);
        slot.get().is_page(level)
    })
}

/// What a walk found to do.
enum Due {
    Nothing,
    /// A block of 2 MiB for an entry of level 2.
    Large(Entry),
    /// This many pages, one after the other, for entries that look like this.
    Pages(Entry, usize),
}

fn try_fill(address: u64, access: Prot, budget: Budget) -> Result<(), Unfilled> {
    if !is_program_range(address, 1) {
        return Err(Unfilled::Forbidden);
    }
    let address = address & !(FRAME - 1);
    loop {
        let filled = match without_interrupts(|| look(address, access))? {
            Due::Nothing => true,
            Due::Large(entry) => fill_large(address, entry, budget),
            Due::Pages(entry, count) => fill_pages(address, entry, count, budget)?,
        };
        if filled {
            return Ok(());
        }
    }
}

/// Walks to the entry for `address`, splitting what is too large on the way.
fn look(address: u64, access: Prot) -> Result<Due, Unfilled> {
    let (slot, level) = find(root(), address);
    let entry = slot.get();
    if !entry.prot().contains(access) {
        return Err(Unfilled::Forbidden);
    }
    if !entry.is_lazy() {
        // Another CPU was faster, or the TLB remembers fewer rights than there are now.
        tlb::flush(VirtAddr::new(address));
        return Ok(Due::Nothing);
    }
    if level == 2 && wants_large(entry) {
        return Ok(Due::Large(entry));
    }
    if level > 1 {
        Table::below(slot, level).ok_or(Unfilled::OutOfMemory)?;
        return look(address, access);
    }
    Ok(Due::Pages(entry, run_length(address, entry)))
}

fn wants_large(entry: Entry) -> bool {
    let wanted = entry.wants_large() || LARGE_PAGES.load(Ordering::Relaxed);
    // Large pages are for machines with memory to spare.
    wanted && frames::available_frames() > frames::total_frames() / 2
}

/// How many pages from `address` on are worth filling at once: as many as are present right before it, so that a run doubles each time
/// it is continued, and a single touch costs a single page.
fn run_length(address: u64, entry: Entry) -> usize {
    let Some(slots) = table::lowest(root(), address) else { return 1 };
    let at = index(address, 1);
    let before = slots[..at].iter().rev().take(AHEAD - 1).take_while(|slot| slot.get().is_present()).count();
    let limit = (at + 1 + before).min(ENTRIES);
    1 + slots[at + 1..limit].iter().take_while(|slot| slot.get() == entry).count()
}

/// Puts a 2 MiB page in place. False when there is none, after turning the entry into a table: then small pages do.
fn fill_large(address: u64, entry: Entry, budget: Budget) -> bool {
    let Some(block) = frames::alloc_huge(budget) else {
        without_interrupts(|| find(root(), address).0.replace(entry, entry.preferring(false)));
        return false;
    };
    // SAFETY: just allocated.
    unsafe { zero(block, HUGE) };
    let placed = without_interrupts(|| {
        let (slot, level) = find(root(), address);
        level == 2 && slot.replace(entry, Entry::page(block, entry.prot(), true))
    });
    if !placed {
        // SAFETY: nobody has seen it.
        unsafe { frames::free_contiguous(block, (HUGE / FRAME) as usize) };
    }
    placed
}

/// Puts cleared pages in place of `count` entries that look like `entry`. True if the first of them is filled, by whomever.
fn fill_pages(address: u64, entry: Entry, count: usize, budget: Budget) -> Result<bool, Unfilled> {
    let mut first = None;
    for page in 0..count {
        let Some(frame) = frames::alloc(budget) else { break };
        // SAFETY: just allocated.
        unsafe { zero(frame, FRAME) };
        let placed = without_interrupts(|| {
            let (slot, level) = find(root(), address + page as u64 * FRAME);
            level == 1 && slot.replace(entry, Entry::page(frame, entry.prot(), false))
        });
        first = first.or(Some(placed));
        if !placed {
            // SAFETY: nobody has seen it.
            unsafe { frames::free(frame) };
            break;
        }
    }
    first.ok_or(Unfilled::OutOfMemory)
}
