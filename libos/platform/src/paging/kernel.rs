//! The libos's own part of the address space, made once at start-up.

use super::LOW_WINDOW_END;
use super::entry::{Entry, RW};
use super::table::{Table, slot_at, span};
use crate::boot::{self, BootInfo, RegionKind, Section};
use crate::frames::HUGE;
use core::arch::x86_64::__cpuid;
use core::sync::atomic::{AtomicU64, Ordering};
use spin::Once;
use trapless_abi::flags::Prot;
use trapless_logic::mm::Range;
use x86_64::PhysAddr;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr3, Cr3Flags, Cr4, Cr4Flags};
use x86_64::registers::model_specific::{Efer, EferFlags};
use x86_64::structures::paging::PhysFrame;

const GIB: u64 = 1 << 30;

static ROOT: Once<Table> = Once::new();
/// Where the low window starts: the end of what is identity mapped below it.
static LOW_WINDOW_START: AtomicU64 = AtomicU64::new(LOW_WINDOW_END);

/// The root table.
pub(super) fn root() -> Table {
    *ROOT.get().expect("paging::init comes first")
}

/// The addresses for executable mappings near ERTS's text; empty on a machine whose memory reaches up there.
pub fn low_window() -> Range {
    Range::new(LOW_WINDOW_START.load(Ordering::Relaxed), LOW_WINDOW_END)
}

/// Builds the tables and makes the calling CPU use them. Needs [`crate::frames::init`]. The error is a message for the user.
pub fn init(info: &'static BootInfo) -> Result<(), &'static str> {
    build(info).ok_or("not enough memory for the page tables")?;
    activate();
    Ok(())
}

/// Makes the calling CPU use the tables, and obey them: no writing to read-only pages, no executing of data, in ring 0 too. Called
/// once by each CPU, with interrupts off.
pub fn activate() {
    let frame = PhysFrame::containing_address(PhysAddr::new(root().address()));
    // SAFETY: the tables map the image, all stacks and all memory as the running code expects it; the bits only add checks and keep
    // global pages in the TLB.
    unsafe {
        Efer::update(|flags| flags.insert(EferFlags::NO_EXECUTE_ENABLE));
        Cr0::update(|flags| flags.insert(Cr0Flags::WRITE_PROTECT));
        Cr3::write(frame, Cr3Flags::empty());
        Cr4::update(|flags| flags.insert(Cr4Flags::PAGE_GLOBAL));
    }
}

fn build(info: &'static BootInfo) -> Option<()> {
    let root = Table::filled(Entry::EMPTY, 4)?;
    let gib_pages = has_gib_pages();
    let mut low_end = 0;
    for region in info.regions() {
        // Firmware tables lie in reserved memory behind ordinary memory; devices' ranges are left out by their size or place.
        let memory = match region.kind {
            RegionKind::Usable | RegionKind::AcpiReclaimable => true,
            RegionKind::Reserved => region.end <= 1 << 20,
        };
        if memory {
            map_direct(root, region.start, region.end, gib_pages)?;
            if region.start < LOW_WINDOW_END {
                low_end = low_end.max(region.end.next_multiple_of(HUGE).min(LOW_WINDOW_END));
            }
        }
    }
    LOW_WINDOW_START.store(low_end, Ordering::Relaxed);
    for section in boot::libos_sections() {
        protect(root, section, Entry::kernel)?;
    }
    for section in boot::program_sections() {
        protect(root, section, Entry::program_image)?;
    }
    // INV-MAP-2: page 0 and the page below the boot stack are not mapped.
    slot_at(root, 0, 1)?.set(Entry::EMPTY);
    slot_at(root, boot::boot_stack_guard(), 1)?.set(Entry::EMPTY);
    ROOT.call_once(|| root);
    Some(())
}

/// CPUID 80000001h, EDX bit 26.
fn has_gib_pages() -> bool {
    __cpuid(0x8000_0000).eax >= 0x8000_0001 && __cpuid(0x8000_0001).edx >> 26 & 1 == 1
}

/// Identity maps a region, in the largest pages that fit into it; its ragged ends are rounded out to 2 MiB, which covers firmware tables
/// that share such a block with memory.
fn map_direct(root: Table, start: u64, end: u64, gib_pages: bool) -> Option<()> {
    let end = end.next_multiple_of(HUGE);
    let mut at = start & !(HUGE - 1);
    while at < end {
        let level = if gib_pages && at.is_multiple_of(GIB) && end - at >= GIB && at != 0 { 3 } else { 2 };
        let slot = slot_at(root, at, level)?;
        if slot.get() == Entry::EMPTY {
            slot.set(Entry::kernel(at, RW, true));
        }
        at += span(level);
    }
    Some(())
}

/// Gives a section of the image its rights; `page` makes the entries.
fn protect(root: Table, section: Section, page: fn(u64, Prot, bool) -> Entry) -> Option<()> {
    let mut at = section.start;
    while at < section.end {
        let level = if at.is_multiple_of(HUGE) && section.end - at >= HUGE { 2 } else { 1 };
        let slot = slot_at(root, at, level)?;
        slot.set(page(at, section.prot, level == 2));
        at += span(level);
    }
    Some(())
}
