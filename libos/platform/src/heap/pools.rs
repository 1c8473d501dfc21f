//! Pools of equal objects.
//!
//! Free objects are chained through their first word. Every CPU has a chain for each size; when it runs dry or grows too long, a
//! batch moves from or to the common chain of that size. A page cut into objects stays with its size for good.

use crate::frames::{self, Budget, FRAME};
use crate::paging::phys_to_virt;
use crate::percpu::{self, MAX_CPUS};
use crate::x86::X86;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use trapless_logic::mm::size_class::SIZES;
use trapless_logic::sync::Lock;

/// Objects that move between a CPU and the common chain at once.
const BATCH: usize = 16;

/// A free object: the next one of its chain.
type Link = Option<NonNull<Object>>;

struct Object {
    next: Link,
}

/// A chain of free objects.
struct Chain {
    head: Link,
    len: usize,
}

// SAFETY: a chain owns its objects; they are plain memory.
unsafe impl Send for Chain {}

impl Chain {
    const EMPTY: Self = Self { head: None, len: 0 };

    fn pop(&mut self) -> Option<NonNull<u8>> {
        let object = self.head?;
        // SAFETY: objects in a chain are free memory of the pool, large and aligned enough for a link.
        self.head = unsafe { object.as_ref().next };
        self.len -= 1;
        Some(object.cast())
    }

    /// # Safety
    /// `at` is a free object that is in no chain.
    unsafe fn push(&mut self, at: NonNull<u8>) {
        let object = at.cast::<Object>();
        // SAFETY: the object is free, so its memory is the pool's.
        unsafe { object.write(Object { next: self.head }) };
        self.head = Some(object);
        self.len += 1;
    }

    fn move_to(&mut self, to: &mut Chain, count: usize) {
        for _ in 0..count {
            let Some(object) = self.pop() else { return };
            // SAFETY: just taken out of this chain.
            unsafe { to.push(object) };
        }
    }
}

/// What one CPU keeps; only touched by that CPU with preemption off.
#[repr(align(64))]
struct Local(UnsafeCell<[Chain; SIZES.len()]>);

// SAFETY: see `with_local`.
unsafe impl Sync for Local {}

static LOCAL: [Local; MAX_CPUS] = [const { Local(UnsafeCell::new([const { Chain::EMPTY }; SIZES.len()])) }; MAX_CPUS];
static COMMON: [Lock<X86, Chain>; SIZES.len()] = [const { Lock::new(Chain::EMPTY) }; SIZES.len()];
static PAGES: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory that the pools have taken so far.
pub fn pool_bytes() -> usize {
    PAGES.load(Ordering::Relaxed) * FRAME as usize
}

fn with_local<R>(class: usize, action: impl FnOnce(&mut Chain) -> R) -> R {
    percpu::preempt_disable();
    // SAFETY: preemption is off, so no other thread or softirq runs on this CPU, and no other CPU looks at this element; `action`
    // takes locks at most, which do not allocate.
    let result = action(unsafe { &mut (&mut *LOCAL[percpu::this().index()].0.get())[class] });
    percpu::preempt_enable();
    result
}

/// An object of `SIZES[class]` bytes.
pub fn alloc(class: usize) -> Option<NonNull<u8>> {
    with_local(class, |local| {
        if local.head.is_none() {
            COMMON[class].lock().move_to(local, BATCH);
        }
        if local.head.is_none() {
            grow(class, local);
        }
        local.pop()
    })
}

/// Gives an object back.
///
/// # Safety
/// `at` came from [`alloc`]`(class)` and is not used any more.
pub unsafe fn free(class: usize, at: NonNull<u8>) {
    with_local(class, |local| {
        // SAFETY: the caller's contract.
        unsafe { local.push(at) };
        if local.len > 2 * BATCH {
            local.move_to(&mut COMMON[class].lock(), BATCH);
        }
    });
}

/// Cuts a fresh page into objects.
#[cold]
fn grow(class: usize, chain: &mut Chain) {
    let Some(frame) = frames::alloc(Budget::Kernel) else { return };
    PAGES.fetch_add(1, Ordering::Relaxed);
    let page = phys_to_virt(frame);
    // From the end, so that the lowest address is used first.
    for at in (0..FRAME as usize / SIZES[class]).rev() {
        // SAFETY: the page is ours and the object lies within it.
        unsafe { chain.push(NonNull::new_unchecked(page.add(at * SIZES[class]))) };
    }
}
