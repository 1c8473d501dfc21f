//! Arguments that Linux refuses, and how.

use super::{HEAP, LOW, MAIN, space};
use crate::mm::space::{AddressSpace, Flush, MapRequest};
use crate::mm::{HUGE_PAGE, PAGE, Range};
use trapless_abi::Errno;
use trapless_abi::flags::{Madvice, MmapFlags, MremapFlags, Prot};

const RW: Prot = Prot::PROT_READ.union(Prot::PROT_WRITE);
const ANON: MmapFlags = MmapFlags::MAP_PRIVATE.union(MmapFlags::MAP_ANONYMOUS);
const PLENTY: u64 = 1 << 30;

fn request(address: u64, len: u64, prot: Prot, flags: MmapFlags) -> MapRequest {
    MapRequest { address, len, prot, flags }
}

fn map(space: &mut AddressSpace, pages: u64) -> u64 {
    space.mmap(&request(0, pages * PAGE, RW, ANON), PLENTY).unwrap()
}

#[test]
fn mmap_refuses_bad_arguments() {
    let fixed = ANON | MmapFlags::MAP_FIXED;
    let cases = [
        (request(0, 0, RW, ANON), Errno::EINVAL),
        (request(0, PAGE, RW, MmapFlags::MAP_ANONYMOUS), Errno::EINVAL),
        (request(0, PAGE, RW, MmapFlags::from_bits_retain(3 | 0x20)), Errno::EINVAL),
        (request(0, u64::MAX, RW, ANON), Errno::ENOMEM),
        (request(0, 1 << 50, RW, ANON), Errno::ENOMEM),
        (request(0, MAIN.len() + PAGE, RW, ANON), Errno::ENOMEM),
        (request(0, PAGE, RW, ANON | MmapFlags::MAP_HUGETLB), Errno::ENOMEM),
        (request(MAIN.start + 1, PAGE, RW, fixed), Errno::EINVAL),
        (request(0, PAGE, RW, fixed), Errno::EPERM),
        (request(MAIN.end, PAGE, RW, fixed), Errno::ENOMEM),
        (request(1 << 60, PAGE, RW, fixed), Errno::ENOMEM),
    ];
    for (request, error) in cases {
        let mut space = space();
        assert_eq!(space.mmap(&request, PLENTY), Err(error), "{request:?}");
        assert!(space.edits().0.is_empty());
    }
}

#[test]
fn lengths_are_rounded_up_and_places_are_near_what_was_asked() {
    let mut space = space();
    let hint = MAIN.start + 5 * PAGE;
    assert_eq!(space.mmap(&request(hint + 7, 1, RW, ANON), PLENTY), Ok(hint));
    assert_eq!(space.mapped_pages(), 1);
    let other = space.mmap(&request(hint, PAGE, RW, ANON), PLENTY).unwrap();
    assert_ne!(other, hint);
    let exec = space.mmap(&request(0, PAGE, RW | Prot::PROT_EXEC, ANON), PLENTY).unwrap();
    assert!(LOW.contains(exec));
}

#[test]
fn large_mappings_are_aligned_to_large_pages() {
    let window = Range::new(1 << 40, 1 << 41);
    let mut space = AddressSpace::new(window, Range::new(0, 0), HEAP);
    map(&mut space, 1);
    assert_eq!(map(&mut space, 600) % HUGE_PAGE, 0);
}

#[test]
fn only_what_must_have_memory_is_charged() {
    let mut space = space();
    let few = 4;
    let call = |space: &mut AddressSpace, prot, flags| space.mmap(&request(0, 5 * PAGE, prot, flags), few);
    assert_eq!(call(&mut space, RW, ANON), Err(Errno::ENOMEM));
    let reserved = call(&mut space, Prot::empty(), ANON).unwrap();
    assert!(call(&mut space, RW, ANON | MmapFlags::MAP_NORESERVE).is_ok());
    assert!(call(&mut space, RW | Prot::PROT_EXEC, ANON).is_ok());
    assert_eq!(space.mprotect(reserved, 5 * PAGE, RW, few), Err(Errno::ENOMEM));
    assert_eq!(space.mprotect(reserved, 4 * PAGE, RW, few), Ok(0));
    assert_eq!(space.brk(HEAP.start + 5 * PAGE, few), HEAP.start);
}

#[test]
fn munmap_mprotect_and_madvise_refuse_bad_arguments() {
    let mut space = space();
    let at = map(&mut space, 2);
    assert_eq!(space.munmap(at + 1, PAGE), Err(Errno::EINVAL));
    assert_eq!(space.munmap(at, 0), Err(Errno::EINVAL));
    assert_eq!(space.munmap(1 << 47, PAGE), Err(Errno::EINVAL));
    assert_eq!(space.mprotect(at + 1, PAGE, RW, PLENTY), Err(Errno::EINVAL));
    assert_eq!(space.mprotect(at, 0, RW, PLENTY), Ok(0));
    assert_eq!(space.mprotect(at, 3 * PAGE, RW, PLENTY), Err(Errno::ENOMEM));
    assert_eq!(space.madvise(at + 1, PAGE, Madvice::MADV_DONTNEED), Err(Errno::EINVAL));
    assert_eq!(space.madvise(at, 3 * PAGE, Madvice::MADV_DONTNEED), Err(Errno::ENOMEM));
    assert_eq!(space.madvise(at, PAGE, Madvice::MADV_REMOVE), Err(Errno::EINVAL));
    assert_eq!(space.mapped_pages(), 2);
}

#[test]
fn mremap_refuses_bad_arguments() {
    let mut space = space();
    let at = map(&mut space, 4);
    let may = MremapFlags::MREMAP_MAYMOVE;
    let fixed = may | MremapFlags::MREMAP_FIXED;
    let keep = may | MremapFlags::MREMAP_DONTUNMAP;
    let far = MAIN.start + 32 * PAGE;
    let cases = [
        (at + 1, PAGE, PAGE, may, 0, Errno::EINVAL),
        (at, PAGE, 0, may, 0, Errno::EINVAL),
        (at, 0, PAGE, may, 0, Errno::EINVAL),
        (at, PAGE, PAGE, MremapFlags::MREMAP_FIXED, far, Errno::EINVAL),
        (at, PAGE, PAGE, fixed, far + 1, Errno::EINVAL),
        (at, 2 * PAGE, PAGE, fixed, at + PAGE, Errno::EINVAL),
        (at, PAGE, 2 * PAGE, keep, 0, Errno::EINVAL),
        (at, 5 * PAGE, 6 * PAGE, may, 0, Errno::EFAULT),
        (far, PAGE, 2 * PAGE, may, 0, Errno::EFAULT),
        (at, PAGE, 2 * PAGE, MremapFlags::empty(), 0, Errno::ENOMEM),
        (at, PAGE, PAGE, fixed, MAIN.end, Errno::ENOMEM),
    ];
    for (old, old_len, new_len, flags, to, error) in cases {
        let got = space.mremap(old, old_len, new_len, flags, to, PLENTY);
        assert_eq!(got, Err(error), "mremap({old:#x}, {old_len:#x}, {new_len:#x}, {flags:?}, {to:#x})");
    }
    assert_eq!(space.mapped_pages(), 4);
}

#[test]
fn mremap_grows_in_place_where_it_can() {
    let mut space = space();
    let at = map(&mut space, 4);
    assert_eq!(space.mremap(at, 4 * PAGE, 9 * PAGE, MremapFlags::empty(), 0, PLENTY), Ok(at));
    let other = map(&mut space, 1);
    assert_eq!(other, at + 9 * PAGE);
    let moved = space.mremap(at, 9 * PAGE, 10 * PAGE, MremapFlags::MREMAP_MAYMOVE, 0, PLENTY).unwrap();
    assert!(moved != at);
    assert_eq!(space.mapped_pages(), 11);
}

#[test]
fn places_just_freed_can_be_had_again_by_who_wants_just_these() {
    let mut space = space();
    let at = map(&mut space, 8);
    assert_eq!(space.mremap(at, 8 * PAGE, 4 * PAGE, MremapFlags::empty(), 0, PLENTY), Ok(at));
    assert_eq!(space.mremap(at, 4 * PAGE, 6 * PAGE, MremapFlags::empty(), 0, PLENTY), Ok(at));
    assert_eq!(space.edits().1, Flush::Always);
    let hint = at + 6 * PAGE;
    assert_eq!((space.mmap(&request(hint, PAGE, RW, ANON), PLENTY), space.edits().1), (Ok(hint), Flush::Always));
    // Who may be moved is spared the flush.
    let moved = space.mremap(at + 6 * PAGE, PAGE, 2 * PAGE, MremapFlags::MREMAP_MAYMOVE, 0, PLENTY).unwrap();
    assert!(moved != hint && space.edits().1 != Flush::Always);
}

/// INV-MM-1.
#[test]
fn freed_addresses_wait_for_a_flush() {
    let mut space = space();
    let all = MAIN.len() / PAGE;
    let at = map(&mut space, all);
    space.munmap(at, MAIN.len()).unwrap();
    assert_eq!(space.edits().1, Flush::No);
    assert_eq!(space.mmap(&request(0, PAGE, RW, ANON), PLENTY), Err(Errno::ENOMEM));
    let fixed = request(at, PAGE, RW, ANON | MmapFlags::MAP_FIXED);
    assert_eq!((space.mmap(&fixed, PLENTY), space.edits().1), (Ok(at), Flush::Always));
    // What becomes stale during a flush is not covered by it.
    let mark = space.begin_flush();
    space.munmap(at, PAGE).unwrap();
    space.flushed(mark);
    assert_eq!(map(&mut space, all - 1), at + PAGE);
    assert_eq!(space.mmap(&request(0, PAGE, RW, ANON), PLENTY), Err(Errno::ENOMEM));
}
