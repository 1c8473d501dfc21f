//! The plan against a naive model that keeps every page by itself, and against the rules of the man pages.

mod machine;
mod model;
mod rules;

use super::{AddressSpace, MapRequest};
use crate::mm::{PAGE, Range};
use machine::Machine;
use model::Model;
use proptest::prelude::*;
use trapless_abi::flags::{Madvice, MmapFlags, MremapFlags, Prot};

/// A small world, so that calls hit each other: 64 pages for mappings, 16 for executable ones, 16 for the break.
pub const MAIN: Range = Range::new(0x10_0000, 0x10_0000 + 64 * PAGE);
pub const LOW: Range = Range::new(0x4_0000, 0x4_0000 + 16 * PAGE);
pub const HEAP: Range = Range::new(0x8_0000, 0x8_0000 + 16 * PAGE);

pub fn space() -> AddressSpace {
    AddressSpace::new(MAIN, LOW, HEAP)
}

#[derive(Clone, Debug)]
enum Op {
    Mmap {
        page: u64,
        pages: u64,
        prot: Prot,
        flags: MmapFlags,
    },
    Munmap {
        page: u64,
        pages: u64,
    },
    Mprotect {
        page: u64,
        pages: u64,
        prot: Prot,
    },
    Madvise {
        page: u64,
        pages: u64,
        advice: Madvice,
    },
    Mremap {
        page: u64,
        pages: u64,
        new_pages: u64,
        flags: MremapFlags,
        to: u64,
    },
    Brk {
        page: u64,
        odd: u64,
    },
    /// Another CPU reads a page: its TLB remembers.
    Touch {
        page: u64,
    },
    Write {
        page: u64,
    },
    Flush,
}

/// Any page of the three windows, and a few around them.
fn page() -> impl Strategy<Value = u64> {
    prop_oneof![
        5 => MAIN.start / PAGE - 1..MAIN.end / PAGE + 1,
        2 => LOW.start / PAGE - 1..LOW.end / PAGE + 1,
        2 => HEAP.start / PAGE - 1..HEAP.end / PAGE + 1,
    ]
}

fn prot() -> impl Strategy<Value = Prot> {
    (0u32..8).prop_map(Prot::from_bits_truncate)
}

fn op() -> impl Strategy<Value = Op> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(shared, fixed, noreplace)| {
        let kind = if shared { MmapFlags::MAP_SHARED } else { MmapFlags::MAP_PRIVATE };
        let mut flags = kind | MmapFlags::MAP_ANONYMOUS;
        flags.set(MmapFlags::MAP_FIXED, fixed);
        flags.set(MmapFlags::MAP_FIXED_NOREPLACE, fixed && noreplace);
        flags
    });
    let advice = prop_oneof![
        Just(Madvice::MADV_DONTNEED),
        Just(Madvice::MADV_FREE),
        Just(Madvice::MADV_HUGEPAGE),
        Just(Madvice::MADV_WILLNEED)
    ];
    prop_oneof![
        6 => (page(), 0u64..20, prot(), flags).prop_map(|(page, pages, prot, flags)| Op::Mmap { page, pages, prot, flags }),
        3 => (page(), 0u64..20).prop_map(|(page, pages)| Op::Munmap { page, pages }),
        3 => (page(), 0u64..20, prot()).prop_map(|(page, pages, prot)| Op::Mprotect { page, pages, prot }),
        2 => (page(), 0u64..20, advice).prop_map(|(page, pages, advice)| Op::Madvise { page, pages, advice }),
        3 => (page(), 0u64..8, 0u64..20, 0u32..8, page()).prop_map(|(page, pages, new_pages, flags, to)| Op::Mremap {
            page, pages, new_pages, flags: MremapFlags::from_bits_truncate(flags), to
        }),
        2 => (HEAP.start / PAGE - 1..HEAP.end / PAGE + 2, 0..PAGE).prop_map(|(page, odd)| Op::Brk { page, odd }),
        6 => page().prop_map(|page| Op::Touch { page }),
        6 => page().prop_map(|page| Op::Write { page }),
        1 => Just(Op::Flush),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// After every call the page tables that the edits make, seen through a TLB that is flushed only when asked for, hold what the model
    /// holds.
    #[test]
    fn edits_make_what_the_model_says(ops in prop::collection::vec(op(), 1..120)) {
        let mut space = space();
        let mut model = Model::default();
        let mut machine = Machine::default();
        let mut stamp = 0;
        for op in ops {
            match op {
                Op::Mmap { page, pages, prot, flags } => {
                    let request = MapRequest { address: page * PAGE, len: pages * PAGE, prot, flags };
                    let got = space.mmap(&request, 1 << 20);
                    machine.apply(&space);
                    model.mmap(&request, got);
                }
                Op::Munmap { page, pages } => {
                    let got = space.munmap(page * PAGE, pages * PAGE);
                    machine.apply(&space);
                    model.munmap(page, pages, got);
                }
                Op::Mprotect { page, pages, prot } => {
                    let got = space.mprotect(page * PAGE, pages * PAGE, prot, 1 << 20);
                    machine.apply(&space);
                    model.mprotect(page, pages, prot, got);
                }
                Op::Madvise { page, pages, advice } => {
                    let got = space.madvise(page * PAGE, pages * PAGE, advice);
                    machine.apply(&space);
                    model.madvise(page, pages, advice, got);
                }
                Op::Mremap { page, pages, new_pages, flags, to } => {
                    let got = space.mremap(page * PAGE, pages * PAGE, new_pages * PAGE, flags, to * PAGE, 1 << 20);
                    machine.apply(&space);
                    model.mremap(page, pages, new_pages, flags, to, got);
                }
                Op::Brk { page, odd } => {
                    let got = space.brk(page * PAGE + odd, 1 << 20);
                    machine.apply(&space);
                    model.brk(page * PAGE + odd, got);
                }
                Op::Touch { page } => machine.touch(page),
                Op::Write { page } => {
                    stamp += 1;
                    machine.write(page, stamp);
                    model.write(page, stamp);
                }
                Op::Flush => {
                    let mark = space.begin_flush();
                    machine.flush_tlb();
                    space.flushed(mark);
                }
            }
            model.check(&space, &machine);
        }
    }
}
