//! Device registers and firmware tables.

use super::entry::Entry;
use super::kernel::root;
use super::table::{find, slot_at};
use super::{MMIO_BASE, STACKS_BASE, phys_to_virt};
use crate::frames::FRAME;
use crate::x86::X86;
use alloc::vec::Vec;
use trapless_logic::sync::Lock;

/// A mapped range.
#[derive(Clone, Copy)]
struct Window {
    physical: u64,
    len: u64,
    address: u64,
}

struct Windows {
    list: Vec<Window>,
    next: u64,
}

static WINDOWS: Lock<X86, Windows> = Lock::new(Windows { list: Vec::new(), next: MMIO_BASE });

/// Makes `len` bytes of physical address space at `physical` accessible, for good, and returns where. Device registers are mapped
/// uncached; what lies in the direct map already (firmware tables in memory) is returned there. Asking twice gives the same answer.
///
/// Panics when there is no memory for page tables: this happens while devices are probed at start-up.
pub fn map_mmio(physical: u64, len: usize) -> *mut u8 {
    let first = physical & !(FRAME - 1);
    let end = (physical + len.max(1) as u64).next_multiple_of(FRAME);
    if is_direct(first, end) {
        return phys_to_virt(physical);
    }
    let mut windows = WINDOWS.lock();
    if let Some(w) = windows.list.iter().find(|w| w.physical <= first && end <= w.physical + w.len) {
        return (w.address + (physical - w.physical)) as *mut u8;
    }
    let window = Window { physical: first, len: end - first, address: windows.next };
    assert!(window.address + window.len <= STACKS_BASE, "no address space for device registers");
    for offset in (0..window.len).step_by(FRAME as usize) {
        let slot = slot_at(root(), window.address + offset, 1).expect("memory for page tables");
        slot.set(Entry::device(first + offset));
    }
    // An unmapped page between two windows.
    windows.next += window.len + FRAME;
    windows.list.push(window);
    (window.address + (physical - first)) as *mut u8
}

/// Whether all of `start..end` is in the direct map.
fn is_direct(start: u64, end: u64) -> bool {
    // Device ranges above the lower half cannot be identity mapped, and are not.
    end <= 1 << 47
        && (start..end).step_by(FRAME as usize).all(|at| {
            let (slot, _) = find(root(), at);
            slot.get().is_present()
        })
}
