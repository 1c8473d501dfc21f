//! The memory system looked at from inside, on the real machine: run by `selftest=memory` in place of the program.
//!
//! Everything here goes the way a program's calls and accesses go; where an access must fail, it is made by [`crate::user`], which
//! turns the fault into EFAULT.

use super::{MapRequest, brk, madvise, mincore, mmap, mprotect, mremap, munmap, reclaim};
use crate::paging::{self, HEAP};
use crate::percpu;
use crate::thread;
use crate::user;
use crate::x86::X86;
use crate::{boot, frames};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use trapless_abi::Errno;
use trapless_abi::flags::{Madvice, MmapFlags, MremapFlags, Prot};
use trapless_logic::platform::Platform;

const PAGE: u64 = 4096;
const RW: Prot = Prot::PROT_READ.union(Prot::PROT_WRITE);
/// Mappings of the stress test grow no further than this, bytes.
const LONGEST: u64 = 16 * PAGE;
/// Rounds of each thread in the stress test.
const ROUNDS: u64 = 400;

/// Fails the test with the text of the condition.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            return Err(format!("line {}: {}", line!(), stringify!($condition)));
        }
    };
}

type Test = (&'static str, fn() -> Result<(), String>);

const TESTS: [Test; 8] = [
    ("rights of the image", rights),
    ("pages of zeros on demand", on_demand),
    ("copies end at the first bad byte", copies),
    ("mprotect, madvise, mremap, brk", changes),
    ("large pages", large_pages),
    ("reservations are free", reservations),
    ("all CPUs map, move and unmap", stress),
    ("memory runs out without harm", exhaustion),
];

/// Runs all tests, reporting each, and returns how many failed.
pub fn run(report: &mut dyn FnMut(&str, &Result<(), String>)) -> usize {
    let mut failed = 0;
    for (name, test) in TESTS {
        let result = test();
        failed += usize::from(result.is_err());
        report(name, &result);
    }
    failed
}

fn map(len: u64, prot: Prot) -> Result<u64, String> {
    let flags = MmapFlags::MAP_PRIVATE | MmapFlags::MAP_ANONYMOUS;
    mmap(&MapRequest { address: 0, len, prot, flags }).map_err(|e| format!("mmap({len:#x}): {e:?}"))
}

fn done(result: Result<u64, Errno>) -> Result<u64, String> {
    result.map_err(|e| format!("{e:?}"))
}

fn peek(address: u64) -> Result<u8, Errno> {
    user::read(address as usize)
}

fn poke(address: u64, value: u8) -> Result<(), Errno> {
    user::write(address as usize, &value)
}

/// INV-MAP-1 and INV-MAP-2, and what a wrong pointer in a system call meets.
fn rights() -> Result<(), String> {
    check!(!paging::is_mapped(0));
    check!(!paging::is_mapped(boot::boot_stack_guard()));
    check!(paging::writable_and_executable() == 0);
    let [text, rodata, data] = boot::program_sections();
    for section in [text, rodata] {
        if section.start < section.end {
            check!(peek(section.start).is_ok());
            check!(poke(section.start, 1) == Err(Errno::EFAULT));
        }
    }
    check!(data.start == data.end || poke(data.end - 1, peek(data.end - 1).unwrap_or(0)).is_ok());
    let [text, .., rootfs] = boot::libos_sections().map(|section| section.start);
    for wrong in [0, 8, text, rootfs, paging::LOW_WINDOW_END, paging::STACKS_BASE, 1 << 47, u64::MAX] {
        check!(peek(wrong) == Err(Errno::EFAULT));
        check!(user::load_u32(wrong as usize & !3) == Err(Errno::EFAULT));
    }
    Ok(())
}

fn on_demand() -> Result<(), String> {
    // The first round also fills the libos's own stocks.
    touch_and_leave()?;
    let free = frames::free_frames();
    touch_and_leave()?;
    check!(free.saturating_sub(frames::free_frames()) < 16);
    Ok(())
}

fn touch_and_leave() -> Result<(), String> {
    let len = 300 * PAGE;
    let at = map(len, RW)?;
    let free = frames::free_frames();
    check!(mincore(at, len).is_ok_and(|pages| pages.iter().all(|&resident| resident == 0)));
    for page in (0..len).step_by(PAGE as usize) {
        check!(peek(at + page) == Ok(0) && poke(at + page + 5, 7).is_ok());
    }
    check!(free - frames::free_frames() >= 300);
    check!(mincore(at, len).is_ok_and(|pages| pages.iter().all(|&resident| resident == 1)));
    done(munmap(at, len))?;
    check!(peek(at) == Err(Errno::EFAULT));
    reclaim();
    Ok(())
}

fn copies() -> Result<(), String> {
    use trapless_logic::data::{Sink, Source};
    let at = map(3 * PAGE, RW)?;
    done(munmap(at + 2 * PAGE, PAGE))?;
    let end = (at + 2 * PAGE) as usize;
    let bytes: Vec<u8> = (0..400u32).map(|i| (i * 7) as u8).collect();
    for len in [0, 1, 7, 8, 63, 64, 65, 200] {
        check!(user::copy_out(end - len, &bytes[..len]).is_ok());
        let mut back = vec![0; len];
        check!(user::copy_in(end - len, &mut back).is_ok() && back == bytes[..len]);
        let mut buffer = user::UserBuf::new(end - len, 400);
        check!(if len == 0 { buffer.push(&bytes) == Err(Errno::EFAULT) } else { buffer.push(&bytes) == Ok(len) });
        let mut buffer = user::UserBuf::new(end - len, 400);
        let mut back = [0; 400];
        check!(if len == 0 { buffer.pull(&mut back).is_err() } else { buffer.pull(&mut back) == Ok(len) });
        check!(back[..len] == bytes[..len]);
    }
    check!(user::copy_out(end - 2, b"x\0").is_ok() && user::read_cstr(end - 2, 100).is_ok_and(|s| s == b"x"));
    check!(poke(end as u64 - 1, b'y').is_ok() && user::read_cstr(end - 2, 100) == Err(Errno::EFAULT));
    check!(user::read_cstr(end - 2, 2) == Err(Errno::E2BIG));
    check!(user::update_u32(end - 4, |_| 41).is_ok() && user::update_u32(end - 4, |old| old + 1) == Ok(41));
    check!(user::load_u32(end - 4) == Ok(42));
    check!(user::load_u32(end - 3) == Err(Errno::EINVAL) && user::load_u32(end) == Err(Errno::EFAULT));
    check!(user::update_u32(end, |old| old) == Err(Errno::EFAULT));
    done(munmap(at, 2 * PAGE)).map(drop)
}

fn changes() -> Result<(), String> {
    let at = map(2 * PAGE, RW)?;
    check!(poke(at + 9, 77).is_ok());
    done(mprotect(at, PAGE, Prot::PROT_READ))?;
    check!(poke(at, 1) == Err(Errno::EFAULT) && peek(at + 9) == Ok(77));
    done(mprotect(at, PAGE, Prot::empty()))?;
    check!(peek(at) == Err(Errno::EFAULT));
    done(mprotect(at, PAGE, RW))?;
    check!(peek(at + 9) == Ok(77));
    let longer = done(mremap(at, 2 * PAGE, 700 * PAGE, MremapFlags::MREMAP_MAYMOVE, 0))?;
    check!(peek(longer + 9) == Ok(77) && peek(longer + 699 * PAGE) == Ok(0));
    done(madvise(longer, PAGE, Madvice::MADV_DONTNEED))?;
    check!(peek(longer + 9) == Ok(0));
    done(munmap(longer, 700 * PAGE))?;
    check!(brk(0) == HEAP.start && brk(HEAP.start + 10_000) == HEAP.start + 10_000);
    check!(poke(HEAP.start + 9_999, 1).is_ok() && peek(HEAP.start + 3 * PAGE) == Err(Errno::EFAULT));
    check!(brk(HEAP.start) == HEAP.start && peek(HEAP.start) == Err(Errno::EFAULT));
    Ok(())
}

/// A page of 2 MiB is split when a part of it goes, and small pages do where there is no large one.
fn large_pages() -> Result<(), String> {
    let len = 4 << 20;
    let at = map(len, RW)?;
    done(madvise(at, len, Madvice::MADV_HUGEPAGE))?;
    for page in (0..len).step_by(PAGE as usize) {
        check!(peek(at + page) == Ok(0) && poke(at + page, (page >> 12) as u8).is_ok());
    }
    done(munmap(at + 5 * PAGE, PAGE))?;
    done(mprotect(at + 7 * PAGE, PAGE, Prot::PROT_READ))?;
    done(madvise(at + 9 * PAGE, PAGE, Madvice::MADV_DONTNEED))?;
    check!(peek(at + 5 * PAGE) == Err(Errno::EFAULT) && poke(at + 7 * PAGE, 1) == Err(Errno::EFAULT));
    check!(peek(at + 9 * PAGE) == Ok(0));
    for page in (10..1024).chain([0, 1, 2, 3, 4, 6, 7, 8]) {
        check!(peek(at + page * PAGE) == Ok(page as u8));
    }
    done(munmap(at, len)).map(drop)
}

fn reservations() -> Result<(), String> {
    let free = frames::free_frames();
    let flags = MmapFlags::MAP_PRIVATE | MmapFlags::MAP_ANONYMOUS | MmapFlags::MAP_NORESERVE;
    let at = done(mmap(&MapRequest { address: 0, len: 1 << 40, prot: RW, flags }))?;
    check!(peek(at + (1 << 39)) == Ok(0) && peek(at + (1 << 40) - 1) == Ok(0));
    // Two pages, large ones perhaps, and their tables.
    check!(free.saturating_sub(frames::free_frames()) < 1100);
    done(munmap(at, 1 << 40))?;
    check!(map(1 << 40, RW).is_err());
    let at = map(1 << 40, Prot::empty())?;
    check!(peek(at) == Err(Errno::EFAULT));
    done(munmap(at, 1 << 40)).map(drop)
}

static RUNNING: AtomicUsize = AtomicUsize::new(0);
static WRONG: AtomicU64 = AtomicU64::new(0);

fn stress() -> Result<(), String> {
    let threads = percpu::cpu_count() * 2;
    RUNNING.store(threads, Ordering::SeqCst);
    for seed in 0..threads {
        thread::spawn_kernel("mm stress", churn, seed, 32 << 10).map_err(|e| format!("{e:?}"))?;
    }
    while RUNNING.load(Ordering::SeqCst) > 0 {
        X86::park(Some(X86::now() + Duration::from_millis(20)));
    }
    check!(WRONG.load(Ordering::SeqCst) == 0);
    Ok(())
}

/// A mapping of the stress test: every page holds `tag` plus its offset.
struct Tagged {
    at: u64,
    len: u64,
    tag: u64,
}

impl Tagged {
    /// Fills the pages from `from` on, which must be zero.
    fn fill(&self, from: u64) {
        for offset in (from..self.len).step_by(PAGE as usize) {
            let at = (self.at + offset) as usize;
            let fresh = user::read::<u64>(at) == Ok(0) && user::write(at, &(self.tag + offset)).is_ok();
            WRONG.fetch_add(u64::from(!fresh), Ordering::Relaxed);
        }
    }

    fn verify(&self) {
        for offset in (0..self.len).step_by(PAGE as usize) {
            let right = user::read::<u64>((self.at + offset) as usize) == Ok(self.tag + offset);
            WRONG.fetch_add(u64::from(!right), Ordering::Relaxed);
        }
    }
}

fn churn(seed: usize) {
    let mut state = seed as u64 * 77 + 1;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let mut maps: Vec<Tagged> = Vec::new();
    for _ in 0..ROUNDS {
        let which = random() as usize % maps.len().max(1);
        match random() % 4 {
            0 | 1 => {
                let len = (random() % 16 + 1) * PAGE;
                if let Ok(at) = map(len, RW) {
                    maps.push(Tagged { at, len, tag: random() });
                    maps[maps.len() - 1].fill(0);
                }
            }
            2 if !maps.is_empty() => {
                let old = maps.swap_remove(which);
                old.verify();
                WRONG.fetch_add(u64::from(munmap(old.at, old.len).is_err()), Ordering::Relaxed);
            }
            _ if maps.get(which).is_some_and(|map| map.len < LONGEST) => {
                let (old, len) = (&mut maps[which], random() % 16 * PAGE);
                let (before, after) = (old.len, old.len + len);
                if let Ok(at) = mremap(old.at, before, after, MremapFlags::MREMAP_MAYMOVE, 0) {
                    *old = Tagged { at, len: before, tag: old.tag };
                    old.verify();
                    old.len = after;
                    old.fill(before);
                }
            }
            _ => {}
        }
        if maps.len() > 8 {
            let old = maps.swap_remove(0);
            WRONG.fetch_add(u64::from(munmap(old.at, old.len).is_err()), Ordering::Relaxed);
        }
    }
    for old in &maps {
        old.verify();
        WRONG.fetch_add(u64::from(munmap(old.at, old.len).is_err()), Ordering::Relaxed);
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// A program that takes all there is gets ENOMEM, and the libos still has memory for itself.
///
/// Only on machines up to 1 GiB: a larger one would take as much from its host.
fn exhaustion() -> Result<(), String> {
    if frames::total_frames() as u64 * PAGE > 1 << 30 {
        return Ok(());
    }
    let step = 1 << 20;
    let mut taken = Vec::new();
    let refused = loop {
        match map(step, RW).and_then(|at| {
            taken.push(at);
            done(madvise(at, step, Madvice::MADV_POPULATE_WRITE))
        }) {
            Ok(_) => {}
            Err(why) => break why,
        }
    };
    check!(refused.contains("ENOMEM"));
    let mut own: Vec<u8> = Vec::new();
    check!(own.try_reserve_exact(100 << 10).is_ok());
    check!(thread::spawn_kernel("after", |_| {}, 0, 16 << 10).is_ok());
    for at in taken {
        done(munmap(at, step))?;
    }
    map(step, RW).and_then(|at| done(munmap(at, step))).map(drop)
}
