//! mremap(2).

use super::map::charge;
use super::{AddressSpace, Area, Edit, Flush, Outcome, range_arg};
use crate::mm::{HUGE_PAGE, PAGE, Range, page_up};
use trapless_abi::Errno;
use trapless_abi::flags::MremapFlags;

impl AddressSpace {
    /// mremap(2).
    ///
    /// # Errors
    /// EINVAL, EFAULT (the old range is not one mapping), ENOMEM.
    pub fn mremap(
        &mut self,
        old_address: u64,
        old_len: u64,
        new_len: u64,
        flags: MremapFlags,
        new_address: u64,
        available: u64,
    ) -> Outcome {
        self.begin();
        let fixed = flags.contains(MremapFlags::MREMAP_FIXED);
        let keep = flags.contains(MremapFlags::MREMAP_DONTUNMAP);
        let may_move = flags.contains(MremapFlags::MREMAP_MAYMOVE);
        let new_len = page_up(new_len).filter(|&len| len != 0 && len <= 1 << 47).ok_or(Errno::EINVAL)?;
        let old = range_arg(old_address, old_len).map_err(|_| Errno::EINVAL)?;
        if old.is_empty() || (fixed || keep) && !may_move || keep && old.len() != new_len {
            return Err(Errno::EINVAL);
        }
        self.room()?;
        let (found, area) = self
            .areas
            .first(Range::new(old.start, old.start + PAGE))
            .filter(|(_, area)| area.is_mapped())
            .ok_or(Errno::EFAULT)?;
        let grows = new_len.saturating_sub(old.len());
        if fixed || keep {
            let target = if fixed { Some(self.fixed_target(old, new_address, new_len)?) } else { None };
            self.one_area(old.start, old.len().min(new_len), found)?;
            charge(area.prot, area.noreserve, if keep { new_len } else { grows }, available)?;
            return self.relocate(old, new_len, area, target, keep);
        }
        if grows == 0 {
            let tail = Range::new(old.start + new_len, old.end);
            if !tail.is_empty() {
                self.remove(tail);
            }
            return Ok(old.start);
        }
        self.one_area(old.start, old.len(), found)?;
        charge(area.prot, area.noreserve, grows, available)?;
        let tail = Range::new(old.end, old.start + new_len);
        // Over stale addresses costs a flush, which moving does not; but who must not be moved is to have them.
        let free = if may_move { self.areas.first(tail).is_none() } else { !self.areas.overlaps_mapped(tail) };
        if free && self.is_placeable(Range::new(old.start, tail.end)) {
            self.place(tail, area);
            return Ok(old.start);
        }
        if may_move { self.relocate(old, new_len, area, None, false) } else { Err(Errno::ENOMEM) }
    }

    /// EFAULT unless the `len` bytes at `start` lie in one area.
    fn one_area(&self, start: u64, len: u64, found: Range) -> Result<(), Errno> {
        if start + len <= found.end { Ok(()) } else { Err(Errno::EFAULT) }
    }

    /// MREMAP_FIXED's place.
    fn fixed_target(&self, old: Range, address: u64, len: u64) -> Result<Range, Errno> {
        let target = range_arg(address, len).map_err(|_| Errno::EINVAL)?;
        if target.overlaps(old) {
            return Err(Errno::EINVAL);
        }
        if self.is_placeable(target) { Ok(target) } else { Err(Errno::ENOMEM) }
    }

    /// Moves the mapping `old` elsewhere and gives it a new length.
    fn relocate(&mut self, old: Range, new_len: u64, area: Area, target: Option<Range>, keep: bool) -> Outcome {
        let new = match target {
            Some(target) => {
                if self.areas.overlaps_stale(target) {
                    self.flush = Flush::Always;
                }
                if self.areas.overlaps_mapped(target) {
                    self.remove(target);
                    self.flush = self.flush.max(Flush::IfTouched);
                }
                target
            }
            None => {
                // The same place within a 2 MiB block: whole page tables move then.
                let (align, offset) = if new_len >= HUGE_PAGE { (HUGE_PAGE, old.start % HUGE_PAGE) } else { (PAGE, 0) };
                let start = self.find_free(false, new_len, align, offset)?;
                Range::new(start, start + new_len)
            }
        };
        let moved = old.len().min(new_len);
        self.areas.set(new, area);
        self.edits.push(Edit::Move { from: old.start, to: new.start, len: moved });
        if new_len > moved {
            let range = Range::new(new.start + moved, new.end);
            self.edits.push(Edit::Map { range, prot: area.prot, huge: area.huge });
        }
        if keep {
            // The old place stays mapped, with nothing in it.
            self.edits.push(Edit::Map { range: old, prot: area.prot, huge: area.huge });
            self.flush = self.flush.max(Flush::IfTouched);
        } else {
            self.remove(old);
        }
        Ok(new.start)
    }
}
