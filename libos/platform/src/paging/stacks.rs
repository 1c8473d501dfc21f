//! The pages of libos stacks. They are not global pages, so that an ordinary TLB flush covers them.

use super::entry::{Entry, RW};
use super::kernel::root;
use super::table::{find, slot_at};
use crate::frames::{self, FRAME};
use crate::stack::take_frames;
use trapless_abi::flags::Prot;

/// Maps fresh frames at `bottom`, readable and writable. None when there is no memory.
pub fn map_stack(bottom: u64, pages: usize) -> Option<()> {
    // Tables first: once a page is mapped, nothing can fail any more.
    for page in 0..pages as u64 {
        slot_at(root(), bottom + page * FRAME, 1)?;
    }
    let frames = take_frames(pages)?;
    for (page, frame) in frames[..pages].iter().enumerate() {
        let (slot, _) = find(root(), bottom + page as u64 * FRAME);
        slot.set(Entry::transient(*frame, RW));
    }
    Some(())
}

/// Makes the pages inaccessible, but keeps their frames.
pub fn park_stack(bottom: u64, pages: usize) {
    for page in 0..pages as u64 {
        let (slot, _) = find(root(), bottom + page * FRAME);
        slot.set(Entry::transient(slot.get().address(), Prot::empty()));
    }
}

/// Unmaps parked pages and frees their frames.
///
/// # Safety
/// Every TLB was flushed since [`park_stack`].
pub unsafe fn unmap_stack(bottom: u64, pages: usize) {
    for page in 0..pages as u64 {
        let (slot, _) = find(root(), bottom + page * FRAME);
        let frame = slot.swap(Entry::EMPTY).address();
        // SAFETY: the stack owned the frame, and by the caller's promise no TLB knows it.
        unsafe { frames::free(frame) };
    }
}
