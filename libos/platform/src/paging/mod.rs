//! Page tables: the libos's own map, and the program's mappings.
//!
//! There is one address space for everything, so one root table that every CPU uses:
//!
//! | addresses | what | rights |
//! |---|---|---|
//! | page 0 | nothing | a NULL pointer faults |
//! | the image | each section | text R-X, read-only data R--, data RW- |
//! | all other memory | identity (the direct map) | RW- |
//! | end of memory .. [`LOW_WINDOW_END`] | executable program mappings, near ERTS's text | as asked |
//! | [`HEAP`], [`WINDOW`] | the program break, all other program mappings | as asked |
//! | [`MMIO_BASE`] on | device registers, uncached | RW- |
//! | [`STACKS_BASE`] on | libos stacks, a hole below each | RW- |
//! | [`SPARSE`] | buffers of sockets | RW-, at first access |
//!
//! Where the program runs in ring 3 ([`crate::entry`]), its sections of the image and what it maps are all that it can reach; the rest is
//! marked for ring 0.
//!
//! INV-MAP-1: nothing is writable and executable, except where a program asked for exactly that.
//!
//! What the program maps is not filled at once: an entry that is not present says what is due there ([`entry`]), and the page fault
//! handler ([`fault`]) does it without a lock. Who takes tables out of the tree frees them only after every CPU has answered an
//! interrupt, and the handler walks with interrupts off (INV-MAP-3).

mod edits;
mod entry;
mod fault;
mod kernel;
mod mmio;
mod retired;
mod sparse;
mod stacks;
mod table;
mod zero;

pub use edits::{Touched, apply};
pub use fault::{Unfilled, fill, handle_page_fault, is_resident, set_large_pages};
pub use kernel::{activate, init, low_window};
pub use mmio::map_mmio;
pub use retired::Retired;
pub(crate) use sparse::{clear as clear_sparse, resident};
pub(crate) use stacks::{map_stack, park_stack, unmap_stack};

use trapless_logic::mm::Range;

/// Where the program break moves: 64 GiB.
pub const HEAP: Range = Range::new(0x0f00_0000_0000, 0x0f10_0000_0000);
/// Addresses of the program's ordinary mappings: 64 TiB.
pub const WINDOW: Range = Range::new(0x1000_0000_0000, 0x5000_0000_0000);
/// The end of the window for executable mappings: low enough that 32-bit displacements reach ERTS's text from anywhere in it.
pub const LOW_WINDOW_END: u64 = 0x7800_0000;
/// Device registers.
pub const MMIO_BASE: u64 = 0xffff_9000_0000_0000;
/// Guarded stacks of the libos.
pub const STACKS_BASE: u64 = 0xffff_a000_0000_0000;
/// Sparse memory of the libos, see [`crate::sparse`]: 1 TiB.
pub const SPARSE: Range = Range::new(0xffff_b000_0000_0000, 0xffff_b100_0000_0000);

/// The address at which physical memory can be read and written. Only for memory (not devices), which is identity mapped.
#[inline]
pub const fn phys_to_virt(physical: u64) -> *mut u8 {
    physical as *mut u8
}

/// The physical address of a place in the direct map (heap objects, frames), as a device needs it.
#[inline]
pub fn virt_to_phys_direct<T: ?Sized>(at: *const T) -> u64 {
    at.cast::<u8>() as u64
}

/// Whether an access to `address` would find a page without a fault.
pub fn is_mapped(address: u64) -> bool {
    let present = || table::find(kernel::root(), address).0.get().is_present();
    // The walk does not look at the bits above.
    x86_64::VirtAddr::try_new(address).is_ok() && x86_64::instructions::interrupts::without_interrupts(present)
}

/// How many pages of the libos's own map violate INV-MAP-1, those of the program left out. Walks all tables: for tests.
pub fn writable_and_executable() -> usize {
    use trapless_abi::flags::Prot;
    let wrong = Prot::PROT_WRITE | Prot::PROT_EXEC;
    table::count(kernel::root(), table::ROOT_LEVEL, 0, &|entry, address| {
        entry.is_present() && entry.prot().contains(wrong) && !is_program_range(address, 1)
    })
}

/// Whether the program may have mappings in all of `start..start + len`.
#[inline]
pub fn is_program_range(start: u64, len: u64) -> bool {
    let Some(end) = start.checked_add(len) else { return false };
    let range = Range::new(start, end);
    WINDOW.covers(range) || HEAP.covers(range) || low_window().covers(range)
}
