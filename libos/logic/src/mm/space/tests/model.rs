//! The naive model: a map from page to what Linux would have there.

use super::machine::Machine;
use super::{HEAP, LOW, MAIN};
use crate::mm::space::{AddressSpace, MapRequest, Outcome};
use crate::mm::{PAGE, Range};
use std::collections::BTreeMap;
use trapless_abi::Errno;
use trapless_abi::flags::{Madvice, MmapFlags, MremapFlags, Prot};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Page {
    prot: Prot,
    shared: bool,
    contents: u64,
}

#[derive(Default)]
pub struct Model {
    pages: BTreeMap<u64, Page>,
    brk: Option<u64>,
}

fn placeable(first: u64, end: u64) -> bool {
    [MAIN, LOW, HEAP].iter().any(|w| w.covers(Range::new(first * PAGE, end * PAGE)))
}

impl Model {
    fn all_mapped(&self, mut pages: std::ops::Range<u64>) -> bool {
        pages.all(|p| self.pages.contains_key(&p))
    }

    fn remove(&mut self, pages: std::ops::Range<u64>) {
        self.pages.retain(|page, _| !pages.contains(page));
    }

    fn fill(&mut self, pages: std::ops::Range<u64>, page: Page) {
        self.pages.extend(pages.map(|p| (p, page)));
    }

    pub fn mmap(&mut self, request: &MapRequest, got: Outcome) {
        let (first, pages) = (request.address / PAGE, request.len / PAGE);
        let fixed = request.flags.intersects(MmapFlags::MAP_FIXED);
        let noreplace = request.flags.contains(MmapFlags::MAP_FIXED_NOREPLACE);
        let taken = (first..first + pages).any(|p| self.pages.contains_key(&p));
        if pages == 0 {
            return assert_eq!(got, Err(Errno::EINVAL));
        }
        if fixed {
            let expected = if noreplace && taken {
                Err(Errno::EEXIST)
            } else if placeable(first, first + pages) {
                Ok(request.address)
            } else {
                Err(Errno::ENOMEM)
            };
            assert_eq!(got, expected);
        }
        let Ok(address) = got else { return };
        let start = address / PAGE;
        if !fixed {
            assert!(placeable(start, start + pages));
            assert!((start..start + pages).all(|p| !self.pages.contains_key(&p)), "placed over a mapping");
        }
        let shared = request.flags.contains(MmapFlags::MAP_SHARED);
        self.fill(start..start + pages, Page { prot: request.prot, shared, contents: 0 });
    }

    pub fn munmap(&mut self, page: u64, pages: u64, got: Outcome) {
        assert_eq!(got, if pages == 0 { Err(Errno::EINVAL) } else { Ok(0) });
        self.remove(page..page + pages);
    }

    pub fn mprotect(&mut self, page: u64, pages: u64, prot: Prot, got: Outcome) {
        let expected = if self.all_mapped(page..page + pages) { Ok(0) } else { Err(Errno::ENOMEM) };
        assert_eq!(got, expected);
        for p in page..page + pages {
            match self.pages.get_mut(&p) {
                Some(found) => found.prot = prot,
                None => return,
            }
        }
    }

    pub fn madvise(&mut self, page: u64, pages: u64, advice: Madvice, got: Outcome) {
        let shared = (page..page + pages).any(|p| self.pages.get(&p).is_some_and(|f| f.shared));
        if advice == Madvice::MADV_FREE && shared {
            return assert_eq!(got, Err(Errno::EINVAL));
        }
        assert_eq!(got, if self.all_mapped(page..page + pages) { Ok(0) } else { Err(Errno::ENOMEM) });
        if matches!(advice, Madvice::MADV_DONTNEED | Madvice::MADV_FREE) {
            let range = self.pages.range_mut(page..page + pages);
            range.filter(|(_, p)| !p.shared).for_each(|(_, p)| p.contents = 0);
        }
    }

    pub fn mremap(&mut self, page: u64, pages: u64, new_pages: u64, flags: MremapFlags, to: u64, got: Outcome) {
        let Ok(address) = got else {
            // Which error is a matter of the rules' tests; that it happens without need is checked here.
            let simple = flags == MremapFlags::MREMAP_MAYMOVE && pages > 0 && (1..=pages).contains(&new_pages);
            return assert!(!(simple && self.all_mapped(page..page + pages)), "refused to shrink");
        };
        let new = address / PAGE;
        if flags.contains(MremapFlags::MREMAP_FIXED) {
            assert_eq!(new, to);
        }
        let keep = flags.contains(MremapFlags::MREMAP_DONTUNMAP);
        let kept = pages.min(new_pages);
        if new == page && new_pages <= pages {
            // Shrinking only looks at the first page; holes and other mappings behind it do not matter.
            assert!(self.pages.contains_key(&page));
            return self.remove(page + kept..page + pages);
        }
        let moved: Vec<Page> = (page..page + kept).map(|p| self.pages[&p]).collect();
        assert!(pages > 0 && new_pages > 0);
        if new != page {
            if keep {
                self.pages.range_mut(page..page + pages).for_each(|(_, p)| p.contents = 0);
            } else {
                self.remove(page..page + pages);
            }
        }
        let fresh = Page { contents: 0, ..moved[0] };
        self.fill(new + kept..new + new_pages, fresh);
        self.pages.extend((new..).zip(moved));
    }

    pub fn brk(&mut self, address: u64, got: u64) {
        let old = self.brk.unwrap_or(HEAP.start);
        assert!(got == address || got == old);
        let (from, to) = (old.div_ceil(PAGE), address.div_ceil(PAGE));
        let inside = (HEAP.start..=HEAP.end).contains(&address);
        let blocked = (from..to).any(|p| self.pages.contains_key(&p));
        assert_eq!(
            got == address,
            address == old || inside && !blocked,
            "brk({address:#x}) from {old:#x} gave {got:#x}"
        );
        if got != address {
            return;
        }
        self.brk = Some(address);
        self.remove(to..from);
        let prot = Prot::PROT_READ | Prot::PROT_WRITE;
        self.fill(from..to, Page { prot, shared: false, contents: 0 });
    }

    pub fn write(&mut self, page: u64, value: u64) {
        if let Some(found) = self.pages.get_mut(&page).filter(|p| p.prot.contains(Prot::PROT_WRITE)) {
            found.contents = value;
        }
    }

    pub fn check(&self, space: &AddressSpace, machine: &Machine) {
        assert_eq!(machine.mapped(), self.pages.len());
        assert_eq!(space.mapped_pages(), self.pages.len() as u64);
        for (&page, expected) in &self.pages {
            let entry = machine.entry(page).expect("mapped in the model, not in the page tables");
            assert_eq!((entry.prot, entry.contents.unwrap_or(0)), (expected.prot, expected.contents), "page {page:#x}");
        }
        // A translation that another CPU still has must not show anything but the truth where something is mapped.
        for (page, prot, contents) in machine.tlb() {
            if let Some(truth) = self.pages.get(&page) {
                let readable = |p: Prot| if p.is_empty() { p } else { p | Prot::PROT_READ };
                assert!(readable(truth.prot).contains(readable(prot)), "page {page:#x} keeps rights it has lost");
                assert_eq!(contents, truth.contents, "page {page:#x} shows old contents");
            }
        }
        let mut last: Option<(Range, crate::mm::space::Area)> = None;
        for (range, area) in space.areas() {
            if let Some((before, other)) = last {
                assert!(before.end <= range.start);
                assert!(before.end < range.start || other != area, "equal neighbours were not merged");
            }
            last = Some((range, area));
        }
    }
}
