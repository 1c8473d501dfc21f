//! The libos's own heap: Rust's global allocator.
//!
//! Objects up to 2 KiB come from pools of their size, with a list per CPU, so that hot objects neither search nor contend. Larger
//! ones come first-fit from chunks run by `linked_list_allocator`, and those beyond half a chunk are whole frames. Everything grows
//! from [`crate::frames`] on the kernel's budget; a failed growth is a null pointer, which `try_reserve` turns into ENOMEM.
//!
//! Used by threads and softirqs, never by interrupt or fault handlers: keeping the caller on its CPU is protection enough for what
//! belongs to one CPU.

mod chunks;
mod pools;

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::NonNull;
use trapless_logic::mm::size_class::class_of;

pub use chunks::chunk_bytes;
pub use pools::pool_bytes;

struct Heap;

#[global_allocator]
static HEAP: Heap = Heap;

// SAFETY: pools, chunks and frames each hand out a piece of memory once until it is given back; all of them agree on who serves a
// layout, so an object returns to where it came from.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let found = match class_of(layout) {
            Some(class) => pools::alloc(class),
            None => chunks::alloc(layout),
        };
        found.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let Some(at) = NonNull::new(at) else { return };
        // SAFETY: the caller gives back what `alloc` gave out for the same layout.
        unsafe {
            match class_of(layout) {
                Some(class) => pools::free(class, at),
                None => chunks::free(at, layout),
            }
        }
    }
}
