//! Physical memory, in frames of 4 KiB and blocks of 2 MiB.
//!
//! The free blocks are kept by [`Buddy`], under one lock with interrupts off: page faults allocate, so a holder must never wait for
//! anything, nor cause a fault itself: its own stack is seen to before (see [`alone`]). In front of it every CPU has a small stock of
//! single frames. Two budgets: programs ([`Budget::Program`]) are refused while the libos ([`Budget::Kernel`]) still has a reserve, so that
//! a program that eats all memory gets ENOMEM from a libos that works.
//!
//! An address here is physical. The direct map makes it usable as a pointer: see [`crate::paging::phys_to_virt`].

use crate::boot::{BootInfo, RegionKind, image_range};
use crate::percpu::MAX_CPUS;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};
use spin::Once;
use spin::mutex::{SpinMutex, SpinMutexGuard};
use trapless_logic::mm::buddy::{self, Buddy};
use x86_64::instructions::interrupts::without_interrupts;

/// Bytes in a frame.
pub const FRAME: u64 = 4096;
/// Bytes in a 2 MiB block.
pub const HUGE: u64 = 2 << 20;

/// Frames a CPU keeps for itself at most, and moves to or from the common stock at once.
const STOCK: usize = 32;
const BATCH: usize = STOCK / 2;
/// Memory that the libos must find behind the image to do anything at all, bytes.
const LEAST: u64 = 4 << 20;
/// The page that other CPUs start in, which must lie below 1 MiB (Intel SDM vol. 3, 10.4.4).
const TRAMPOLINE: u64 = 0x8000;

/// Who pays for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// The program's own pages: refused once only the reserve is left.
    Program,
    /// Page tables, stacks, the libos's heap, device buffers: may use the last frame.
    Kernel,
}

/// One CPU's stock. A lock of its own, almost always free, so that nothing depends on which CPU really uses it.
struct Stock {
    frames: [u64; STOCK],
    len: usize,
}

static BUDDY: Once<SpinMutex<Buddy<'static>>> = Once::new();
static STOCKS: [SpinMutex<Stock>; MAX_CPUS] =
    [const { SpinMutex::new(Stock { frames: [0; STOCK], len: 0 }) }; MAX_CPUS];

/// Free frames, those in stocks included.
static FREE: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
static RESERVE: AtomicUsize = AtomicUsize::new(0);

/// What the machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSmall {
    /// The loader said nothing about memory.
    Unknown,
    /// Bytes that are needed at least, and bytes there are.
    Bytes {
        /// Where memory has to reach.
        needs: u64,
        /// Where it ends.
        has: u64,
    },
}

impl fmt::Display for TooSmall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        match *self {
            Self::Unknown => f.write_str("the loader does not say what memory there is"),
            Self::Bytes { needs, has } => {
                write!(
                    f,
                    "needs at least {} MiB of memory, has {} MiB (QEMU: -m {}M)",
                    mib(needs),
                    mib(has),
                    mib(needs)
                )
            }
        }
    }
}

/// Takes over all usable memory of the machine except the image, the initrd, the page other CPUs start in and those below it,
/// which stay as the loader left them: QEMU's has variables there that it takes to be zero when the machine starts over.
///
/// Called once, while the boot page tables are active: the allocator's own bitmaps must lie in the first 4 GiB. Uses nothing beyond
/// the libos's own part of the image before it is sure that there is memory.
///
/// # Errors
/// [`TooSmall`], which prints itself for the user.
pub fn init(info: &'static BootInfo) -> Result<(), TooSmall> {
    let (image_start, image_end) = image_range();
    let low = usable(info).find(|&(start, end)| start <= image_start && image_start < end).ok_or(TooSmall::Unknown)?;
    if low.1 < image_end + LEAST {
        return Err(TooSmall::Bytes { needs: image_end + LEAST, has: low.1 });
    }
    let top = usable(info).map(|(_, end)| end).max().ok_or(TooSmall::Unknown)?;
    let frames = (top / FRAME) as usize;
    let words = buddy::storage_words(frames);
    let bytes = (words as u64 * 8).next_multiple_of(FRAME);
    let initrd = initrd(info);
    let home = usable(info)
        .flat_map(|(start, end)| [(start.max(image_end), end), (start.max(image_end).max(initrd.1), end)])
        .find(|&(start, end)| start + bytes <= end.min(4 << 30) && (start >= initrd.1 || start + bytes <= initrd.0))
        .map(|(start, _)| start)
        .ok_or(TooSmall::Bytes { needs: image_end + LEAST + bytes, has: low.1 })?;
    // SAFETY: usable memory behind the image, mapped by the boot page tables, and taken out of what is given to the allocator below.
    let storage = unsafe { core::slice::from_raw_parts_mut(home as *mut u64, words) };
    let mut buddy = Buddy::new(frames, storage);
    let taken = [(0, TRAMPOLINE + FRAME), image_range(), (home, home + bytes), initrd];
    for (start, end) in usable(info) {
        give(&mut buddy, start, end, &taken);
    }
    let free = buddy.free_frames();
    FREE.store(free, Ordering::Relaxed);
    TOTAL.store(free, Ordering::Relaxed);
    RESERVE.store((free / 64).clamp(256, 8192), Ordering::Relaxed);
    BUDDY.call_once(|| SpinMutex::new(buddy));
    Ok(())
}

/// The frames that hold the initrd; none without one.
fn initrd(info: &BootInfo) -> (u64, u64) {
    let (start, end) = info.initrd();
    (start & !(FRAME - 1), end.saturating_add(FRAME - 1) & !(FRAME - 1))
}

/// The initrd, where the loader put it: its frames are never given to anybody. Only once [`init`] has succeeded; None without one.
///
/// # Errors
/// Its addresses, if they are not in memory.
pub fn initrd_bytes(info: &'static BootInfo) -> Result<Option<&'static [u8]>, (u64, u64)> {
    let (start, end) = info.initrd();
    if start == end {
        return Ok(None);
    }
    if !info.is_usable(start, end) || (start < image_range().1 && end > image_range().0) {
        return Err((start, end));
    }
    // SAFETY: memory that the loader filled, mapped by the direct map, and taken out of what the allocator has.
    Ok(Some(unsafe { core::slice::from_raw_parts(crate::paging::phys_to_virt(start), (end - start) as usize) }))
}

/// Usable regions, shrunk to whole frames.
fn usable(info: &BootInfo) -> impl Iterator<Item = (u64, u64)> {
    let regions = info.regions().iter().filter(|r| r.kind == RegionKind::Usable);
    regions.map(|r| (r.start.next_multiple_of(FRAME), r.end & !(FRAME - 1))).filter(|(start, end)| start < end)
}

/// Gives `start..end` to the allocator, without the ranges in `taken`, which do not overlap each other.
fn give(buddy: &mut Buddy<'_>, start: u64, end: u64, taken: &[(u64, u64)]) {
    let mut at = start;
    while at < end {
        let next = taken.iter().filter(|t| t.1 > at && t.0 < end).min_by_key(|t| t.0);
        let (hole, resume) = next.copied().unwrap_or((end, end));
        if at < hole {
            buddy.free_range((at / FRAME) as usize, (hole / FRAME) as usize);
        }
        at = resume;
    }
}

/// The page below 1 MiB that is kept for starting other CPUs.
pub fn trampoline_page() -> u64 {
    TRAMPOLINE
}

/// Frames that are free now.
pub fn free_frames() -> usize {
    FREE.load(Ordering::Relaxed)
}

/// Frames that programs can still get.
pub fn available_frames() -> usize {
    free_frames().saturating_sub(RESERVE.load(Ordering::Relaxed))
}

/// Whether so little is left that the libos should spend it on small objects only: those of bulk data can be refused, and are.
pub fn is_short() -> bool {
    free_frames() < RESERVE.load(Ordering::Relaxed) / 2
}

/// Frames the machine has, without those of the image.
pub fn total_frames() -> usize {
    TOTAL.load(Ordering::Relaxed)
}

/// Takes one frame, contents undefined. Works with interrupts off.
pub fn alloc(budget: Budget) -> Option<u64> {
    if budget == Budget::Program && available_frames() == 0 {
        return None;
    }
    alone(|| {
        let mut stock = stock_of_this_cpu().lock();
        if stock.len == 0 {
            stock.refill();
        }
        stock.pop()
    })
    .or_else(steal)
    .inspect(|_| {
        FREE.fetch_sub(1, Ordering::Relaxed);
    })
}

/// Takes an aligned block of 2 MiB, contents undefined.
pub fn alloc_huge(budget: Budget) -> Option<u64> {
    const FRAMES: usize = (HUGE / FRAME) as usize;
    if budget == Budget::Program && available_frames() < FRAMES {
        return None;
    }
    let first = with_buddy(|b| b.alloc(buddy::HUGE_ORDER))?;
    FREE.fetch_sub(FRAMES, Ordering::Relaxed);
    Some(first as u64 * FRAME)
}

/// Takes `count` adjacent frames (at most 8192, 32 MiB) on the kernel's budget, aligned to the next power of two of `count`; contents
/// undefined. Meant for device buffers and large heap objects.
pub fn alloc_contiguous(count: usize) -> Option<u64> {
    let first = with_buddy(|b| b.alloc_contiguous(count))?;
    FREE.fetch_sub(count, Ordering::Relaxed);
    Some(first as u64 * FRAME)
}

/// Gives one frame back.
///
/// # Safety
/// The frame came from [`alloc`] (or is part of a larger block from here), nobody uses it any more, and no CPU's TLB still has a
/// translation to it outside the direct map.
pub unsafe fn free(frame: u64) {
    alone(|| {
        let mut stock = stock_of_this_cpu().lock();
        if stock.len == STOCK {
            stock.drain(BATCH);
        }
        let at = stock.len;
        stock.frames[at] = frame;
        stock.len += 1;
    });
    FREE.fetch_add(1, Ordering::Relaxed);
}

/// Gives `count` adjacent frames back.
///
/// # Safety
/// As for [`free`], for every one of them.
pub unsafe fn free_contiguous(first: u64, count: usize) {
    let first = (first / FRAME) as usize;
    with_buddy(|b| b.free_range(first, first + count));
    FREE.fetch_add(count, Ordering::Relaxed);
}

fn stock_of_this_cpu() -> &'static SpinMutex<Stock> {
    &STOCKS[crate::percpu::this().index() % MAX_CPUS]
}

fn with_buddy<R>(action: impl FnOnce(&mut Buddy<'static>) -> R) -> R {
    alone(|| action(&mut buddy()))
}

/// The common stock, for whoever is [`alone`].
fn buddy() -> SpinMutexGuard<'static, Buddy<'static>> {
    BUDDY.get().expect("frames::init comes first").lock()
}

/// Runs `action`, which takes locks of this module, such that nothing else happens on this CPU: neither an interrupt nor a page
/// fault. System calls run on the stacks of C threads, which appear page by page, so the page that `action` may grow into is read
/// first; one frame is more than anything here takes. What that read finds does not matter: it is no stack of a C thread, or the
/// stack ends there, which is for the thread to answer for.
#[inline]
fn alone<R>(action: impl FnOnce() -> R) -> R {
    let here = 0u32;
    let _ = crate::user::load_u32((&raw const here).addr() - FRAME as usize);
    without_interrupts(action)
}

/// When the common stock is empty: a frame out of any CPU's.
#[cold]
fn steal() -> Option<u64> {
    alone(|| STOCKS.iter().find_map(|stock| stock.lock().pop()))
}

impl Stock {
    fn pop(&mut self) -> Option<u64> {
        self.len = self.len.checked_sub(1)?;
        Some(self.frames[self.len])
    }

    fn refill(&mut self) {
        let mut buddy = buddy();
        while self.len < BATCH
            && let Some(frame) = buddy.alloc(0)
        {
            // The lowest address is taken first, so it goes to the far end and is used first.
            self.frames[self.len] = frame as u64 * FRAME;
            self.len += 1;
        }
        self.frames[..self.len].reverse();
    }

    fn drain(&mut self, count: usize) {
        let mut buddy = buddy();
        for frame in &self.frames[..count] {
            buddy.free((frame / FRAME) as usize, 0);
        }
        self.frames.copy_within(count.., 0);
        self.len -= count;
    }
}
