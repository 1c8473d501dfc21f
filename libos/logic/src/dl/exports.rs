//! The table of the image's own names, which `link/exports.rs` makes: functions and variables of ERTS and musl that libraries may use.
//!
//! The number of names; for each, in the order of the names as bytes, where its name begins in the table and its address; then the names,
//! each ended by a NUL. All numbers have four bytes, for the image lies below 2 GiB.

use super::elf::u32_at;

/// Bytes of the number of names, and of what there is for each.
const HEAD: u64 = 4;
const ENTRY: u64 = 8;

/// The table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exports<'a> {
    bytes: &'a [u8],
}

impl<'a> Exports<'a> {
    /// A table in memory; an empty one has no names.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many names there are.
    pub fn len(&self) -> u32 {
        u32_at(self.bytes, 0).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The address of a name.
    pub fn get(&self, name: &[u8]) -> Option<u64> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (found, address) = self.entry(middle)?;
            match found.cmp(name) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return Some(address.into()),
            }
        }
        None
    }

    fn entry(&self, index: u32) -> Option<(&'a [u8], u32)> {
        let at = HEAD + u64::from(index) * ENTRY;
        let start = usize::try_from(u32_at(self.bytes, at)?).ok()?;
        let name = self.bytes.get(start..)?.split(|&byte| byte == 0).next()?;
        Some((name, u32_at(self.bytes, at + 4)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn table(names: &[(&str, u32)]) -> Vec<u8> {
        let mut offset = HEAD as u32 + ENTRY as u32 * names.len() as u32;
        let mut bytes = (names.len() as u32).to_le_bytes().to_vec();
        for (name, address) in names {
            bytes.extend(offset.to_le_bytes());
            bytes.extend(address.to_le_bytes());
            offset += name.len() as u32 + 1;
        }
        names.iter().for_each(|(name, _)| bytes.extend(name.bytes().chain([0])));
        bytes
    }

    #[test]
    fn each_name_is_found_and_no_other() {
        let names = [("enif_alloc", 1), ("enif_alloc_env", 2), ("free", 3), ("malloc", 4)];
        let bytes = table(&names);
        let exports = Exports::new(&bytes);
        for (name, address) in names {
            assert_eq!(exports.get(name.as_bytes()), Some(address.into()), "{name}");
        }
        for name in ["", "a", "enif_alloc_", "enif_allo", "zz"] {
            assert_eq!(exports.get(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn a_damaged_table_has_no_names() {
        let whole = table(&[("a", 1), ("b", 2), ("c", 3)]);
        assert!(Exports::new(&[]).is_empty());
        for len in 0..whole.len() {
            let _ = Exports::new(&whole[..len]).get(b"c");
        }
        assert_eq!(Exports::new(&whole[..8]).get(b"a"), None);
    }
}
