//! mprotect(2) and madvise(2).

use super::map::charge;
use super::{AddressSpace, Area, Edit, Flush, Outcome, range_arg};
use crate::mm::Range;
use trapless_abi::Errno;
use trapless_abi::flags::{Madvice, Prot};

impl AddressSpace {
    /// mprotect(2). Up to the first hole the change is made even when that hole then makes it an error, as on Linux.
    ///
    /// # Errors
    /// EINVAL, ENOMEM.
    pub fn mprotect(&mut self, address: u64, len: u64, prot: Prot, available: u64) -> Outcome {
        self.begin();
        let range = range_arg(address, len)?;
        if range.is_empty() {
            return Ok(0);
        }
        self.room()?;
        let mapped = Range::new(range.start, self.areas.mapped_prefix(range));
        if !mapped.is_empty() {
            self.charge_change(mapped, prot, available)?;
            let restricts = self.areas.overlapping(mapped).any(|(_, area)| !prot.contains(effective(area.prot)));
            self.areas.update(mapped, |area| Area { prot, ..area });
            self.edits.push(Edit::Protect { range: mapped, prot });
            self.flush = if restricts { Flush::IfTouched } else { Flush::No };
        }
        if mapped == range { Ok(0) } else { Err(Errno::ENOMEM) }
    }

    /// Making pages writable needs memory for them.
    fn charge_change(&self, range: Range, prot: Prot, available: u64) -> Result<(), Errno> {
        let needed = self
            .areas
            .overlapping(range)
            .filter(|(_, area)| !area.noreserve && !area.prot.contains(Prot::PROT_WRITE))
            .map(|(found, _)| found.intersection(range).len())
            .sum();
        charge(prot, false, needed, available)
    }

    /// madvise(2). Advice is taken for the mapped parts even when a hole then makes it an error, as on Linux.
    ///
    /// # Errors
    /// EINVAL, ENOMEM.
    pub fn madvise(&mut self, address: u64, len: u64, advice: Madvice) -> Outcome {
        self.begin();
        let range = range_arg(address, len).map_err(|_| Errno::EINVAL)?;
        if range.is_empty() {
            return Ok(0);
        }
        self.room()?;
        match advice {
            Madvice::MADV_DONTNEED => self.discard(range),
            Madvice::MADV_FREE => {
                if self.has_shared(range) {
                    return Err(Errno::EINVAL);
                }
                self.discard(range);
            }
            Madvice::MADV_HUGEPAGE | Madvice::MADV_NOHUGEPAGE => {
                let huge = advice == Madvice::MADV_HUGEPAGE;
                self.areas.update(range, |area| Area { huge, ..area });
                self.edits.push(Edit::Prefer { range, huge });
            }
            // Hole punching is for files, collapsing is not offered.
            Madvice::MADV_REMOVE | Madvice::MADV_COLLAPSE => return Err(Errno::EINVAL),
            // About forking, dumping and paging out: there is none of them.
            _ => {}
        }
        if self.is_mapped(range) { Ok(0) } else { Err(Errno::ENOMEM) }
    }

    /// What madvise(2) answers to MADV_FREE, without the advice being taken (yet).
    ///
    /// # Errors
    /// EINVAL, ENOMEM.
    pub fn check_free(&self, address: u64, len: u64) -> Outcome {
        let range = range_arg(address, len).map_err(|_| Errno::EINVAL)?;
        match range.is_empty() {
            true => Ok(0),
            false if self.has_shared(range) => Err(Errno::EINVAL),
            false => self.check_mapped(address, len).map(|_| 0),
        }
    }

    fn has_shared(&self, range: Range) -> bool {
        self.areas.overlapping(range).any(|(_, area)| area.is_mapped() && area.shared)
    }

    /// Private pages of zeros from now on. Shared memory keeps its contents.
    fn discard(&mut self, range: Range) {
        let private = self.areas.overlapping(range).filter(|(_, area)| area.is_mapped() && !area.shared);
        self.edits.extend(private.map(|(found, _)| Edit::Discard { range: found.intersection(range) }));
        self.flush = Flush::IfTouched;
    }
}

/// What the hardware allows for `prot`: whatever is accessible at all can be read.
fn effective(prot: Prot) -> Prot {
    if prot.is_empty() { prot } else { prot | Prot::PROT_READ }
}
