//! Objects too large for a pool.
//!
//! Up to a page, they are a frame. A chunk is an aligned block of frames with a first-fit list over it, whose head sits at the chunk's start: an object finds its
//! chunk by rounding its address down. Objects of more than half a chunk are blocks of frames of their own.

use crate::frames::{self, Budget, FRAME};
use crate::paging::{phys_to_virt, virt_to_phys_direct};
use crate::sparse;
use crate::x86::X86;
use core::alloc::Layout;
use core::mem::size_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use linked_list_allocator::Heap;
use trapless_logic::sync::Lock;

/// Bytes of a chunk, a power of two.
const CHUNK: usize = 256 << 10;
/// The largest object that shares a chunk, bytes.
const SHARED: usize = CHUNK / 2;

/// What stands at the start of a chunk.
#[repr(C, align(64))]
struct Chunk {
    next: Option<NonNull<Chunk>>,
    heap: Heap,
}

/// The chunks, newest first.
struct Chunks {
    first: Option<NonNull<Chunk>>,
}

// SAFETY: chunks are plain memory, reached only through the lock around this list.
unsafe impl Send for Chunks {}

static CHUNKS: Lock<X86, Chunks> = Lock::new(Chunks { first: None });
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes of memory in chunks and large objects.
pub fn chunk_bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// Whether an object is one frame.
fn is_page(layout: Layout) -> bool {
    layout.size() <= FRAME as usize && layout.align() <= FRAME as usize
}

/// Whether an object gets frames of its own.
fn is_large(layout: Layout) -> bool {
    layout.size() > SHARED || layout.align() > FRAME as usize
}

fn frames_for(layout: Layout) -> usize {
    layout.size().max(layout.align()).div_ceil(FRAME as usize)
}

/// Memory for `layout`. Refused while the last frames are kept for small objects ([`frames::is_short`]): large ones are data of files
/// and sockets, whose owners ask with `try_reserve`.
pub fn alloc(layout: Layout) -> Option<NonNull<u8>> {
    if frames::is_short() {
        return None;
    }
    if is_page(layout) {
        let frame = frames::alloc(Budget::Kernel)?;
        BYTES.fetch_add(FRAME as usize, Ordering::Relaxed);
        return NonNull::new(phys_to_virt(frame));
    }
    if is_large(layout) {
        let count = frames_for(layout);
        let first = frames::alloc_contiguous(count)?;
        BYTES.fetch_add(count * FRAME as usize, Ordering::Relaxed);
        return NonNull::new(phys_to_virt(first));
    }
    let mut chunks = CHUNKS.lock();
    chunks.alloc(layout).or_else(|| {
        chunks.grow()?;
        chunks.alloc(layout)
    })
}

/// Gives memory back.
///
/// # Safety
/// `at` came from [`alloc`] with the same layout, or from [`sparse::bytes`], and is not used any more.
pub unsafe fn free(at: NonNull<u8>, layout: Layout) {
    if sparse::is_given_out(at.addr().get() as u64) {
        // SAFETY: it came from there.
        return unsafe { sparse::free(at) };
    }
    if is_page(layout) {
        BYTES.fetch_sub(FRAME as usize, Ordering::Relaxed);
        // SAFETY: the frame was taken for this object alone, and is only known through the direct map.
        return unsafe { frames::free(virt_to_phys_direct(at.as_ptr())) };
    }
    if is_large(layout) {
        let count = frames_for(layout);
        BYTES.fetch_sub(count * FRAME as usize, Ordering::Relaxed);
        // SAFETY: the frames were taken for this object alone, and are only known through the direct map.
        unsafe { frames::free_contiguous(virt_to_phys_direct(at.as_ptr()), count) };
        return;
    }
    let mut chunks = CHUNKS.lock();
    let chunk = at.as_ptr().map_addr(|a| a & !(CHUNK - 1)).cast::<Chunk>();
    // SAFETY: the object lies in a chunk, chunks are aligned to their size, and the lock is held.
    unsafe {
        (*chunk).heap.deallocate(at, layout);
        if (*chunk).heap.used() == 0 {
            chunks.release(NonNull::new_unchecked(chunk));
        }
    }
}

impl Chunks {
    fn alloc(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let mut next = self.first;
        while let Some(mut chunk) = next {
            // SAFETY: listed chunks are live, and the lock is held.
            let chunk = unsafe { chunk.as_mut() };
            // Looking through the list of a chunk that cannot have the room is what would take time.
            if chunk.heap.free() >= layout.size()
                && let Ok(at) = chunk.heap.allocate_first_fit(layout)
            {
                return Some(at);
            }
            next = chunk.next;
        }
        None
    }

    fn grow(&mut self) -> Option<()> {
        let first = frames::alloc_contiguous(CHUNK / FRAME as usize)?;
        BYTES.fetch_add(CHUNK, Ordering::Relaxed);
        let start = phys_to_virt(first);
        let chunk = NonNull::new(start.cast::<Chunk>())?;
        // SAFETY: the chunk's memory is ours, aligned to its size; the heap gets all of it behind the header.
        unsafe {
            let heap = Heap::new(start.add(size_of::<Chunk>()), CHUNK - size_of::<Chunk>());
            chunk.write(Chunk { next: self.first, heap });
        }
        self.first = Some(chunk);
        Some(())
    }

    /// Gives an empty chunk's frames back, unless it is the only one: an object that comes and goes should not cost a chunk each time.
    fn release(&mut self, empty: NonNull<Chunk>) {
        // SAFETY: all listed chunks are live, and the lock is held.
        unsafe {
            let after = empty.as_ref().next;
            match self.first {
                Some(first) if first == empty => {
                    if after.is_none() {
                        return;
                    }
                    self.first = after;
                }
                mut at => {
                    while let Some(mut chunk) = at {
                        if chunk.as_ref().next == Some(empty) {
                            chunk.as_mut().next = after;
                        }
                        at = chunk.as_ref().next;
                    }
                }
            }
            BYTES.fetch_sub(CHUNK, Ordering::Relaxed);
            frames::free_contiguous(virt_to_phys_direct(empty.as_ptr()), CHUNK / FRAME as usize);
        }
    }
}
