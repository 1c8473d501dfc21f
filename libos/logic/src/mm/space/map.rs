//! mmap(2), munmap(2) and brk(2).

use super::{AddressSpace, Area, Outcome, range_arg};
use crate::mm::{HUGE_PAGE, PAGE, Range, page_up};
use trapless_abi::Errno;
use trapless_abi::flags::{MmapFlags, Prot};

/// Addresses below this are refused to fixed mappings (Linux's `vm.mmap_min_addr`).
const MIN_ADDRESS: u64 = 65536;

/// The arguments of mmap(2). A private mapping of a file is an anonymous one that the caller fills.
#[derive(Clone, Copy, Debug)]
pub struct MapRequest {
    /// Wished or fixed address; 0 for any.
    pub address: u64,
    /// Bytes.
    pub len: u64,
    /// Allowed accesses.
    pub prot: Prot,
    /// MAP_*.
    pub flags: MmapFlags,
}

impl AddressSpace {
    /// mmap(2). `available` is how many pages programs can still get: a mapping that must have memory and is larger is refused at once,
    /// as Linux refuses obvious overcommits.
    ///
    /// # Errors
    /// EINVAL, ENOMEM, EPERM, EEXIST (MAP_FIXED_NOREPLACE).
    pub fn mmap(&mut self, request: &MapRequest, available: u64) -> Outcome {
        self.begin();
        let flags = request.flags;
        let shared = match flags.bits() & MmapFlags::MAP_TYPE {
            1 => true,
            2 => false,
            _ => return Err(Errno::EINVAL),
        };
        if request.len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = page_up(request.len).filter(|&len| len <= 1 << 47).ok_or(Errno::ENOMEM)?;
        if flags.contains(MmapFlags::MAP_HUGETLB) {
            // As on a machine whose pool of such pages is empty.
            return Err(Errno::ENOMEM);
        }
        let noreserve = flags.contains(MmapFlags::MAP_NORESERVE);
        charge(request.prot, noreserve, len, available)?;
        self.room()?;
        let area = Area { prot: request.prot, shared, noreserve, huge: false, stale: None };
        if flags.intersects(MmapFlags::MAP_FIXED | MmapFlags::MAP_FIXED_NOREPLACE) {
            let range = range_arg(request.address, len)?;
            if range.start < MIN_ADDRESS {
                return Err(Errno::EPERM);
            }
            if flags.contains(MmapFlags::MAP_FIXED_NOREPLACE) && self.areas.overlaps_mapped(range) {
                return Err(Errno::EEXIST);
            }
            if !self.is_placeable(range) {
                return Err(Errno::ENOMEM);
            }
            self.place(range, area);
            return Ok(range.start);
        }
        if let Some(range) = self.hinted(request.address, len) {
            self.place(range, area);
            return Ok(range.start);
        }
        let start = self.choose(request, len)?;
        self.place_free(Range::new(start, start + len), area);
        Ok(start)
    }

    /// The place that the caller would like, if it is free.
    fn hinted(&self, address: u64, len: u64) -> Option<Range> {
        let start = address & !(PAGE - 1);
        let end = start.checked_add(len).filter(|_| start != 0)?;
        let range = Range::new(start, end);
        (self.is_placeable(range) && !self.areas.overlaps_mapped(range)).then_some(range)
    }

    /// Where a new mapping goes if that is left to us: somewhere free.
    fn choose(&mut self, request: &MapRequest, len: u64) -> Outcome {
        let align = if len >= HUGE_PAGE { HUGE_PAGE } else { PAGE };
        if request.flags.contains(MmapFlags::MAP_32BIT) {
            return self.find_free(true, len, align, 0);
        }
        if request.prot.contains(Prot::PROT_EXEC)
            && let Ok(found) = self.find_free(true, len, align, 0)
        {
            return Ok(found);
        }
        self.find_free(false, len, align, 0)
    }

    /// munmap(2). Holes in the range are no error.
    ///
    /// # Errors
    /// EINVAL; ENOMEM when it would split an area and there are too many.
    pub fn munmap(&mut self, address: u64, len: u64) -> Outcome {
        self.begin();
        let range = range_arg(address, len).map_err(|_| Errno::EINVAL)?;
        if range.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.room()?;
        self.remove(range);
        Ok(0)
    }

    /// brk(2) as the kernel has it: moves the program break to `address` if it can, and returns where the break is. Never an error.
    pub fn brk(&mut self, address: u64, available: u64) -> u64 {
        self.begin();
        if address >= self.heap.start && address <= self.heap.end && self.move_break(address, available).is_ok() {
            self.brk = address;
        }
        self.brk
    }

    /// Where the program break is.
    pub fn program_break(&self) -> u64 {
        self.brk
    }

    fn move_break(&mut self, address: u64, available: u64) -> Result<(), Errno> {
        let old = page_up(self.brk).ok_or(Errno::ENOMEM)?;
        let new = page_up(address).ok_or(Errno::ENOMEM)?;
        self.room()?;
        if new < old {
            self.remove(Range::new(new, old));
        } else if new > old {
            let growth = Range::new(old, new);
            let prot = Prot::PROT_READ | Prot::PROT_WRITE;
            charge(prot, false, growth.len(), available)?;
            if self.areas.overlaps_mapped(growth) {
                return Err(Errno::ENOMEM);
            }
            self.place(growth, Area { prot, shared: false, noreserve: false, huge: false, stale: None });
        }
        Ok(())
    }
}

/// ENOMEM if a mapping needs more memory than there can be.
///
/// An arena for generated code, writable and executable at once, counts as a reservation: a JIT asks for tens of MiB and fills a few.
pub(super) fn charge(prot: Prot, noreserve: bool, len: u64, available: u64) -> Result<(), Errno> {
    let reservation = noreserve || !prot.contains(Prot::PROT_WRITE) || prot.contains(Prot::PROT_EXEC);
    if !reservation && len / PAGE > available { Err(Errno::ENOMEM) } else { Ok(()) }
}
