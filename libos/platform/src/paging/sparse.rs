//! Pages of the libos that appear where they are touched, for [`crate::sparse`].

use super::SPARSE;
use super::entry::{Entry, RW};
use super::fault::Unfilled;
use super::kernel::root;
use super::retired::Retired;
use super::table::{lowest, slot_at};
use super::zero::zero;
use crate::frames::{self, Budget, FRAME};
use trapless_logic::mm::Range;
use x86_64::instructions::interrupts::without_interrupts;

/// Page fault error code (SDM vol. 3, 4.7): the page is there, and does not allow the access.
const PRESENT: u64 = 1 << 0;
/// The access was an instruction fetch.
const FETCH: u64 = 1 << 4;

/// Whether an address is among those of sparse memory.
pub(super) fn covers(address: u64) -> bool {
    SPARSE.covers(Range::new(address, address.saturating_add(1)))
}

/// Settles a page fault of the libos at an address that [`covers`] is true for. The page comes out of the libos's reserve: the code
/// that touches it holds locks, and cannot be refused.
pub(super) fn fill(address: u64, error: u64) -> Result<(), Unfilled> {
    if error & (PRESENT | FETCH) != 0 || !crate::sparse::is_given_out(address) {
        return Err(Unfilled::Forbidden);
    }
    let frame = frames::alloc(Budget::Kernel).ok_or(Unfilled::OutOfMemory)?;
    // SAFETY: just allocated.
    unsafe { zero(frame, FRAME) };
    let placed = without_interrupts(|| {
        let slot = slot_at(root(), address & !(FRAME - 1), 1)?;
        Some(slot.replace(Entry::EMPTY, Entry::transient(frame, RW)))
    });
    if placed != Some(true) {
        // SAFETY: nobody has seen it.
        unsafe { frames::free(frame) };
    }
    placed.map(|_| ()).ok_or(Unfilled::OutOfMemory)
}

/// How many pages of a range, which lies in one block of 2 MiB, have memory.
pub fn resident(range: Range) -> usize {
    without_interrupts(|| entries(range).filter(|slot| slot.get().is_present()).count())
}

/// Takes the memory of a range, which lies in one block of 2 MiB.
pub fn clear(range: Range, retired: &mut Retired) {
    without_interrupts(|| entries(range).for_each(|slot| retired.take(slot.swap(Entry::EMPTY), 1)));
}

fn entries(range: Range) -> impl Iterator<Item = &'static super::entry::Slot> {
    let first = super::table::index(range.start, 1);
    let pages = (range.len() / FRAME) as usize;
    lowest(root(), range.start).into_iter().flat_map(move |slots| &slots[first..first + pages])
}
