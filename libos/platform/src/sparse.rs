//! Buffers that take memory where they are touched, for sockets: most hold far less than they could.
//!
//! Each has a slot of [`SLOT`] bytes of address space, in which pages of zeros appear by page fault. A slot that is given back keeps its
//! pages for the next buffer, so that connections that come and go cost no faults, until memory is short or these pages are a sixteenth
//! of it ([`trim`]).
//!
//! To Rust they are objects of the global allocator, which recognises them by their address.

use crate::frames;
use crate::paging::{self, Retired};
use crate::x86::X86;
use crate::{percpu, smp};
use alloc::vec::Vec;
use core::mem;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use trapless_logic::mm::Range;
use trapless_logic::platform::SparseName;
use trapless_logic::sync::Lock;

/// Bytes of address space of a buffer, the most that it can have. A power of two up to 2 MiB.
pub const SLOT: usize = 128 << 10;

/// The numbers of slots that nobody has. Each list has room for all slots there are, so that giving one back cannot fail.
struct Slots {
    /// With pages, the last one given back at the end.
    warm: Vec<u32>,
    /// Pages that these have.
    warm_pages: usize,
    /// Without.
    cold: Vec<u32>,
    /// Their pages are being taken by [`trim`].
    leaving: Vec<u32>,
}

static SLOTS: Lock<X86, Slots> =
    Lock::new(Slots { warm: Vec::new(), warm_pages: 0, cold: Vec::new(), leaving: Vec::new() });
/// Slots that were ever given out: all below this number.
static MADE: AtomicUsize = AtomicUsize::new(0);
/// [`Slots::warm_pages`], to be read without the lock.
static WARM_PAGES: AtomicUsize = AtomicUsize::new(0);

fn range(slot: u32) -> Range {
    let start = paging::SPARSE.start + u64::from(slot) * SLOT as u64;
    Range::new(start, start + SLOT as u64)
}

/// A buffer of `len` bytes, at most [`SLOT`], of any contents. None where there is no memory to keep account of it.
pub fn bytes(len: usize) -> Option<Vec<u8>> {
    assert!(len <= SLOT, "a sparse buffer of {len} bytes");
    let slot = SLOTS.lock().take()?;
    let start = NonNull::new(range(slot).start as *mut u8)?;
    // SAFETY: the slot is this buffer's alone; its pages appear, as zeros or what an earlier buffer left there, so all of it is
    // initialised. The global allocator gives it back by `free`, as its own.
    Some(unsafe { Vec::from_raw_parts(start.as_ptr(), len, len) })
}

/// Whether an address belongs to [`bytes`], given back or not.
pub fn is_given_out(address: u64) -> bool {
    address.checked_sub(paging::SPARSE.start).is_some_and(|at| at < (MADE.load(Ordering::Acquire) * SLOT) as u64)
}

/// Gives a buffer back.
///
/// # Safety
/// `at` came from [`bytes`], and is not used any more.
pub unsafe fn free(at: NonNull<u8>) {
    let slot = ((at.addr().get() as u64 - paging::SPARSE.start) / SLOT as u64) as u32;
    let pages = paging::resident(range(slot));
    let mut slots = SLOTS.lock();
    if pages == 0 {
        slots.cold.push(slot);
        return;
    }
    slots.warm.push(slot);
    slots.warm_pages += pages;
    let kept = slots.warm_pages;
    WARM_PAGES.store(kept, Ordering::Relaxed);
    drop(slots);
    if kept > frames::total_frames() / 16 {
        trim();
    }
}

/// Frames that [`trim`] would free.
pub fn kept_frames() -> usize {
    WARM_PAGES.load(Ordering::Relaxed)
}

/// Frees the pages of slots that nobody has; false if there are none, or if somebody else is doing so. Makes all CPUs forget
/// translations, and waits for that.
pub fn trim() -> bool {
    let mut retired = Retired::new();
    {
        let mut slots = SLOTS.lock();
        let Slots { warm, leaving, .. } = &mut *slots;
        if warm.is_empty() || !leaving.is_empty() {
            return false;
        }
        mem::swap(warm, leaving);
        leaving.iter().for_each(|&slot| paging::clear_sparse(range(slot), &mut retired));
        slots.warm_pages = 0;
        WARM_PAGES.store(0, Ordering::Relaxed);
    }
    release(retired);
    let mut slots = SLOTS.lock();
    let Slots { cold, leaving, .. } = &mut *slots;
    cold.append(leaving);
    true
}

/// Takes the memory of buffers, which the caller has: they contain zeros then.
pub fn discard(buffers: &mut dyn Iterator<Item = SparseName>) {
    let mut retired = Retired::new();
    for SparseName(start) in buffers {
        paging::clear_sparse(Range::new(start as u64, (start + SLOT) as u64), &mut retired);
    }
    if retired.frames() > 0 {
        release(retired);
    }
}

/// Frees pages that have left the tables.
fn release(retired: Retired) {
    percpu::preempt_disable();
    x86_64::instructions::tlb::flush_all();
    // Idle CPUs too: a softirq on one may be the next to touch a slot.
    smp::flush_tlb_others_now();
    percpu::preempt_enable();
    // SAFETY: every TLB was flushed since these left the tables.
    unsafe { retired.free() };
}

impl Slots {
    fn take(&mut self) -> Option<u32> {
        if let Some(slot) = self.warm.pop() {
            self.warm_pages -= paging::resident(range(slot));
            WARM_PAGES.store(self.warm_pages, Ordering::Relaxed);
            return Some(slot);
        }
        self.cold.pop().or_else(|| self.make())
    }

    /// A slot that was never given out.
    #[cold]
    fn make(&mut self) -> Option<u32> {
        let made = MADE.load(Ordering::Relaxed);
        if (made + 1) * SLOT > paging::SPARSE.len() as usize {
            return None;
        }
        for list in [&mut self.warm, &mut self.cold, &mut self.leaving] {
            list.try_reserve(made + 1 - list.len()).ok()?;
        }
        MADE.store(made + 1, Ordering::Release);
        u32::try_from(made).ok()
    }
}
