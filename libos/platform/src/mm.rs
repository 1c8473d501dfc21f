//! The program's memory calls: the plan ([`AddressSpace`]) and the page tables, changed together under one lock.
//!
//! Memory and addresses that leave are not reused before all TLBs have forgotten them. That takes an interrupt to every CPU, so they
//! are collected, and one flush serves many calls ([`BATCH`]); only where the program could tell the difference it happens at once.

pub mod selftest;

use crate::clock;
use crate::frames;
use crate::paging::{self, Retired, Touched};
use crate::percpu;
use crate::smp;
use crate::sparse;
use crate::stack;
use crate::x86::X86;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicUsize, Ordering};
use trapless_abi::flags::{Madvice, MmapFlags, MremapFlags, Prot};
use trapless_abi::{Errno, SysResult};
use trapless_logic::mm::space::{AddressSpace, Area, Flush, MapRequest, Outcome};
use trapless_logic::mm::{PAGE, Range};
use trapless_logic::sync::Lock;
use x86_64::instructions::interrupts;

/// Frames that wait for a flush at most: 4 MiB.
const BATCH: usize = 1024;
/// Bytes of addresses that wait for a flush at most: they cost page tables.
const BATCH_ADDRESSES: u64 = 64 << 20;
/// The same as a number of ranges: they cost time to look through.
const BATCH_RANGES: usize = 256;
/// Frames that must be left before a call that takes page tables and heap.
const TAKING: usize = 128;
/// The same for a call that gives memory back: it may have to split what it gives a part of.
const GIVING: usize = 16;

/// Mappings from this size on, in bytes, must leave [`LEFT_OVER`] pages, or a sixteenth of memory if that is less.
const LARGE_MAPPING: u64 = 1 << 20;
const LEFT_OVER: usize = 4096;
/// Machines with at least this many bytes of memory use 2 MiB pages wherever they fit.
const LARGE_PAGES_FROM: u64 = 2 << 30;

struct Space {
    plan: AddressSpace,
    retired: Retired,
}

static SPACE: Lock<X86, Option<Space>> = Lock::new(None);
/// Frames in [`Space::retired`], to be read without the lock.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Flushes that are under way.
static FLUSHES: AtomicUsize = AtomicUsize::new(0);
/// How long to wait for them when memory has run out, ns.
const RECLAIM_PATIENCE_NS: u64 = 50_000_000;

/// Sets up the address space. Needs [`paging::init`].
pub fn init() {
    // Where memory is plentiful, fewer faults and TLB misses are worth more than the pages that are never used.
    paging::set_large_pages(frames::total_frames() as u64 * frames::FRAME >= LARGE_PAGES_FROM);
    let plan = AddressSpace::new(paging::WINDOW, paging::low_window(), paging::HEAP);
    *SPACE.lock() = Some(Space { plan, retired: Retired::new() });
}

/// Changes the plan by `call`, the page tables by what that says, and flushes if that must not wait. ENOMEM if the libos has fewer than
/// `margin` frames left.
fn change<R>(margin: usize, call: impl FnOnce(&mut AddressSpace) -> R) -> Result<R, Errno> {
    if frames::free_frames() < margin {
        reclaim();
        if frames::free_frames() < margin {
            return Err(Errno::ENOMEM);
        }
    }
    let mut touched = Touched::new();
    let mut guard = SPACE.lock();
    let space = guard.as_mut().expect("mm::init comes first");
    let result = call(&mut space.plan);
    let (edits, flush) = space.plan.edits();
    for edit in edits {
        paging::apply(*edit, &mut space.retired, &mut touched);
    }
    // While the lock keeps the caller on this CPU.
    touched.forget();
    let waiting = space.retired.frames();
    WAITING.store(waiting, Ordering::Relaxed);
    let (ranges, addresses) = space.plan.stale();
    drop(guard);
    let now = match flush {
        Flush::Always => true,
        Flush::IfTouched => touched.any(),
        Flush::No => false,
    };
    if now || waiting > BATCH || addresses > BATCH_ADDRESSES || ranges > BATCH_RANGES {
        flush_all();
    }
    Ok(result)
}

/// Makes all CPUs forget old translations, then frees what waited for that.
fn flush_all() {
    FLUSHES.fetch_add(1, Ordering::SeqCst);
    let (retired, mark) = {
        let mut guard = SPACE.lock();
        let space = guard.as_mut().expect("mm::init comes first");
        WAITING.store(0, Ordering::Relaxed);
        (mem::take(&mut space.retired), space.plan.begin_flush())
    };
    let stacks = stack::trim();
    percpu::preempt_disable();
    x86_64::instructions::tlb::flush_all();
    if retired.has_tables() {
        smp::flush_tlb_others_now();
    } else {
        smp::flush_tlb_others();
    }
    percpu::preempt_enable();
    if let Some(space) = SPACE.lock().as_mut() {
        space.plan.flushed(mark);
    }
    // SAFETY: this CPU and all others have flushed since these were taken out of the tables.
    unsafe {
        retired.free();
        stacks.release();
    }
    FLUSHES.fetch_sub(1, Ordering::SeqCst);
}

/// Frees what is kept for later or only waits for a flush, or waits a little for somebody who is doing that. Returns whether that can have helped.
///
/// Also called by the page fault handler, when the last page is gone. It cannot sleep, so it does not wait for ever: the thread that
/// flushes may have been preempted.
pub fn reclaim() -> bool {
    if sparse::trim() {
        return true;
    }
    if WAITING.load(Ordering::Relaxed) > 0 {
        flush_all();
        return true;
    }
    let waited = FLUSHES.load(Ordering::SeqCst) > 0;
    let patience = clock::now_ns() + RECLAIM_PATIENCE_NS;
    while FLUSHES.load(Ordering::SeqCst) > 0 && interrupts::are_enabled() && clock::now_ns() < patience {
        core::hint::spin_loop();
    }
    waited
}

/// Pages that a mapping of `len` bytes may count on: what programs can still get, what waits for a flush included.
///
/// Large ones must leave something over. Several threads may be about to fill what they were promised, and a program can do something
/// about ENOMEM (ERTS writes a crash dump), but nothing about a page that is not there.
fn available_for(len: u64) -> u64 {
    let pages = frames::available_frames() + WAITING.load(Ordering::Relaxed);
    let left_over = if len < LARGE_MAPPING { 0 } else { (frames::total_frames() / 16).min(LEFT_OVER) };
    pages.saturating_sub(left_over) as u64
}

/// mmap(2) of anonymous memory; a private mapping of a file is one that the caller fills afterwards.
///
/// # Errors
/// EINVAL, ENOMEM, EPERM, EEXIST.
pub fn mmap(request: &MapRequest) -> Outcome {
    let call = || change(TAKING, |plan| plan.mmap(request, available_for(request.len)));
    let start = match call()? {
        // Freed addresses may be all that is missing.
        Err(Errno::ENOMEM) if reclaim() => call()??,
        result => result?,
    };
    if request.flags.contains(MmapFlags::MAP_POPULATE) && !request.flags.contains(MmapFlags::MAP_NONBLOCK) {
        // It is no error if that cannot be done (mmap(2)).
        let _ = populate(start, request.len, request.prot);
    }
    Ok(start)
}

/// munmap(2).
///
/// # Errors
/// EINVAL, ENOMEM.
pub fn munmap(address: u64, len: u64) -> Outcome {
    change(GIVING, |plan| plan.munmap(address, len))?
}

/// mprotect(2).
///
/// # Errors
/// EINVAL, ENOMEM.
pub fn mprotect(address: u64, len: u64, prot: Prot) -> Outcome {
    change(TAKING, |plan| plan.mprotect(address, len, prot, available_for(len)))?
}

/// mremap(2).
///
/// # Errors
/// EINVAL, EFAULT, ENOMEM.
pub fn mremap(old: u64, old_len: u64, new_len: u64, flags: MremapFlags, new: u64) -> Outcome {
    // Tables may be needed for all of the new place where it is not aligned like the old one.
    let tables = usize::try_from(old_len.min(new_len) >> 21).unwrap_or(usize::MAX);
    change(TAKING.saturating_add(tables), |plan| {
        plan.mremap(old, old_len, new_len, flags, new, available_for(new_len))
    })?
}

/// brk(2) as the kernel has it: returns the program break, moved or not.
pub fn brk(address: u64) -> u64 {
    change(TAKING, |plan| plan.brk(address, available_for(0))).unwrap_or_else(|_| read(|plan| plan.program_break()))
}

/// madvise(2). MADV_FREE is put off for ever while memory is plentiful, which the man page allows.
///
/// # Errors
/// EINVAL, ENOMEM, EFAULT (MADV_POPULATE_*).
pub fn madvise(address: u64, len: u64, advice: Madvice) -> Outcome {
    let plenty = frames::available_frames() > frames::total_frames() / 4;
    match advice {
        Madvice::MADV_FREE if plenty => read(|plan| plan.check_free(address, len)),
        Madvice::MADV_POPULATE_READ | Madvice::MADV_POPULATE_WRITE => {
            change(TAKING, |plan| plan.madvise(address, len, advice))??;
            let write = advice == Madvice::MADV_POPULATE_WRITE;
            populate(address, len, if write { Prot::PROT_WRITE } else { Prot::PROT_READ })
        }
        _ => change(GIVING, |plan| plan.madvise(address, len, advice))?,
    }
}

/// mincore(2): for each page of the range, in order, 1 if it has memory behind it.
///
/// # Errors
/// EINVAL, ENOMEM (a hole).
pub fn mincore(address: u64, len: u64) -> SysResult<Vec<u8>> {
    let range = read(|plan| plan.check_mapped(address, len))?;
    let mut resident = Vec::new();
    resident.try_reserve_exact((range.len() / PAGE) as usize).map_err(|_| Errno::ENOMEM)?;
    resident.extend((range.start..range.end).step_by(PAGE as usize).map(|page| u8::from(paging::is_resident(page))));
    Ok(resident)
}

/// Whether the range has no hole. False for one that is no range of pages.
pub fn is_mapped(address: u64, len: u64) -> bool {
    read(|plan| plan.check_mapped(address & !(PAGE - 1), len.saturating_add(address % PAGE))).is_ok()
}

/// Gives every page of a range memory now.
fn populate(address: u64, len: u64, access: Prot) -> Outcome {
    for page in (address..address.saturating_add(len)).step_by(PAGE as usize) {
        paging::fill(page, access).map_err(|why| match why {
            paging::Unfilled::Forbidden => Errno::EFAULT,
            paging::Unfilled::OutOfMemory => Errno::ENOMEM,
        })?;
    }
    Ok(0)
}

fn read<R>(look: impl FnOnce(&AddressSpace) -> R) -> R {
    look(&SPACE.lock().as_ref().expect("mm::init comes first").plan)
}

/// Pages that the program has mapped, with memory behind them or not.
pub fn mapped_pages() -> u64 {
    read(AddressSpace::mapped_pages)
}

/// The first mapping that ends after `address`: for /proc/self/maps, which walks them one by one.
pub fn area_after(address: u64) -> Option<(Range, Area)> {
    read(|plan| plan.areas().find(|(range, _)| range.end > address))
}
