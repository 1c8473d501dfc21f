//! What `virtio-drivers` needs from us: DMA memory and addresses. All memory is identity mapped, so addresses are what they are.

use core::ops::Range;
use core::ptr::NonNull;
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// DMA through the identity map.
pub struct DmaHal;

// SAFETY: dma_alloc hands out frames of the frame allocator, which nobody else gets, zeroed and page-aligned, at the same virtual as
// physical address. It reports failure by address 0, which `Dma::new` checks.
unsafe impl Hal for DmaHal {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        match zeroed_pages(pages) {
            Some(memory) => (memory.as_ptr() as PhysAddr, memory),
            None => (0, NonNull::dangling()),
        }
    }

    unsafe fn dma_dealloc(paddr: PhysAddr, _vaddr: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: the caller says that these pages came from dma_alloc and that no device uses them any more.
        unsafe { crate::frames::free_contiguous(paddr, pages) };
        0
    }

    unsafe fn mmio_phys_to_virt(paddr: PhysAddr, size: usize) -> NonNull<u8> {
        NonNull::new(crate::paging::map_mmio(paddr, size)).expect("a BAR that is not at address 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        buffer.cast::<u8>().as_ptr() as PhysAddr
    }

    unsafe fn unshare(_paddr: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}

/// Physically contiguous memory, in the identity map.
pub(super) fn zeroed_pages(pages: usize) -> Option<NonNull<u8>> {
    let memory = NonNull::new(crate::frames::alloc_contiguous(pages)? as *mut u8)?;
    // SAFETY: the frame allocator has just given us all of it.
    unsafe { memory.write_bytes(0, pages * PAGE_SIZE) };
    Some(memory)
}

/// A run of DMA memory cut into buffers of equal size, numbered from 0. Never given back: a device may still write to it.
pub struct Buffers {
    base: NonNull<u8>,
    count: usize,
    size: usize,
}

// SAFETY: the memory belongs to this value alone, whichever CPU uses it.
unsafe impl Send for Buffers {}

impl Buffers {
    /// Allocates `count` zeroed buffers of `size` bytes; `None` without that much contiguous memory.
    pub fn new(count: usize, size: usize) -> Option<Buffers> {
        Some(Buffers { base: zeroed_pages((count * size).div_ceil(PAGE_SIZE))?, count, size })
    }

    /// Buffer `index`.
    ///
    /// # Safety
    /// No device may have the buffer, except while the slice is only passed on to describe it.
    pub unsafe fn get(&mut self, index: usize) -> &mut [u8] {
        // SAFETY: by the caller.
        unsafe { self.run(index, 1) }
    }

    /// `count` buffers side by side, from `first` on.
    ///
    /// # Safety
    /// As for [`Buffers::get`], for each of them.
    pub unsafe fn run(&mut self, first: usize, count: usize) -> &mut [u8] {
        // SAFETY: by the caller.
        unsafe { self.bytes(first * self.size..(first + count) * self.size) }
    }

    /// The bytes of the buffers, which lie side by side.
    ///
    /// # Safety
    /// As for [`Buffers::get`], for each buffer that they touch.
    pub unsafe fn bytes(&mut self, range: Range<usize>) -> &mut [u8] {
        assert!(range.start <= range.end && range.end <= self.count * self.size);
        // SAFETY: within the allocation by the check above; exclusive by the caller's promise and `&mut self`.
        unsafe { core::slice::from_raw_parts_mut(self.base.add(range.start).as_ptr(), range.len()) }
    }
}
