//! Stacks for the libos: page multiples of memory with an unmapped page below, so that an overflow faults and corrupts nothing.
//!
//! Their tops are spread over the pages of their slots. Were all of them at the end of a slot, the lines and translations that every system
//! call needs would compete for the same few places of caches and TLBs, with each other and with a program's stack that ends as evenly.

use crate::frames::{self, Budget, FRAME};
use crate::paging;
use crate::x86::X86;
use alloc::vec::Vec;
use trapless_abi::Errno;
use trapless_logic::sync::Lock;

/// Bytes of address space for each stack: the largest stack and its guard.
const SLOT: u64 = 128 << 10;
/// The largest stack, in pages.
const MAX_PAGES: usize = (SLOT / FRAME) as usize - 1;
/// Unused stacks that survive [`trim`].
const KEPT: usize = 32;

/// A stack. Dropping it gives its memory back.
#[derive(Debug)]
pub struct Stack {
    /// Lowest address.
    bottom: u64,
    /// Bytes, a multiple of the page size.
    size: u64,
}

struct Pool {
    /// Stacks that nobody uses, still mapped.
    unused: Vec<Stack>,
    /// Address space whose stack was taken apart.
    slots: Vec<u64>,
    /// The first slot that was never used.
    next: u64,
}

static POOL: Lock<X86, Pool> = Lock::new(Pool { unused: Vec::new(), slots: Vec::new(), next: paging::STACKS_BASE });

impl Stack {
    /// A stack of at least `bytes` bytes (at most 124 KiB), contents undefined. ENOMEM.
    pub fn new(bytes: usize) -> Result<Self, Errno> {
        let pages = bytes.div_ceil(FRAME as usize);
        assert!((1..=MAX_PAGES).contains(&pages), "a libos stack of {bytes} bytes");
        let size = pages as u64 * FRAME;
        let slot = {
            let mut pool = POOL.lock();
            if let Some(at) = pool.unused.iter().rposition(|stack| stack.size == size) {
                return Ok(pool.unused.swap_remove(at));
            }
            pool.slots.pop().unwrap_or_else(|| {
                pool.next += SLOT;
                pool.next - SLOT
            })
        };
        let bottom = bottom_in(slot, size);
        match paging::map_stack(bottom, pages) {
            Some(()) => Ok(Self { bottom, size }),
            None => {
                POOL.lock().put_slot(slot);
                Err(Errno::ENOMEM)
            }
        }
    }

    /// The address just above the stack, where it starts to grow down from; page aligned.
    pub fn top(&self) -> u64 {
        self.bottom + self.size
    }

    /// The lowest address; the page below is not mapped.
    pub fn bottom(&self) -> u64 {
        self.bottom
    }
}

/// Where in its slot a stack of so many bytes lies. The page below it is its guard.
fn bottom_in(slot: u64, size: u64) -> u64 {
    let places = (SLOT - size) / FRAME;
    let number = (slot - paging::STACKS_BASE) / SLOT;
    slot + SLOT - size - number % places * FRAME
}

impl Drop for Stack {
    fn drop(&mut self) {
        let mut pool = POOL.lock();
        // Without memory for one more entry the stack is lost; its pages stay mapped and nobody else gets them.
        if pool.unused.try_reserve(1).is_ok() {
            pool.unused.push(Self { bottom: self.bottom, size: self.size });
        }
    }
}

impl Pool {
    /// Remembers address space for the next stack; without memory for the entry it is lost, of which there is plenty.
    fn put_slot(&mut self, slot: u64) {
        if self.slots.try_reserve(1).is_ok() {
            self.slots.push(slot);
        }
    }
}

/// Unused stacks on their way out: no longer accessible, but some TLB may not know it yet.
#[derive(Debug)]
pub struct Leaving(Vec<Stack>);

/// Makes superfluous stacks inaccessible. The caller flushes all TLBs and then calls [`Leaving::release`].
pub fn trim() -> Leaving {
    let mut pool = POOL.lock();
    let keep = pool.unused.len().min(KEPT);
    let leaving = pool.unused.split_off(keep);
    drop(pool);
    for stack in &leaving {
        paging::park_stack(stack.bottom, (stack.size / FRAME) as usize);
    }
    Leaving(leaving)
}

impl Leaving {
    /// Gives the stacks' frames and address space back.
    ///
    /// # Safety
    /// Every TLB was flushed since [`trim`].
    pub unsafe fn release(mut self) {
        for stack in self.0.drain(..) {
            // SAFETY: by the caller's promise.
            unsafe { paging::unmap_stack(stack.bottom, (stack.size / FRAME) as usize) };
            POOL.lock().put_slot(stack.bottom / SLOT * SLOT);
            // What it stands for is gone: nothing to drop.
            core::mem::forget(stack);
        }
    }
}

/// Frames for a stack, for [`paging::map_stack`].
pub(crate) fn take_frames(count: usize) -> Option<[u64; MAX_PAGES]> {
    let mut taken = [0; MAX_PAGES];
    for i in 0..count {
        match frames::alloc(Budget::Kernel) {
            Some(frame) => taken[i] = frame,
            None => {
                // SAFETY: just allocated and never used.
                taken[..i].iter().for_each(|&frame| unsafe { frames::free(frame) });
                return None;
            }
        }
    }
    Some(taken)
}
