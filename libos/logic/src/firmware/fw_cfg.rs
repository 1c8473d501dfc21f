//! The directory of QEMU's configuration device, fw_cfg (QEMU's `docs/specs/fw_cfg.rst`).
//!
//! Numbers in it are big-endian: a count of four bytes, then an entry of 64 bytes for each file.

/// What a read of [`SIGNATURE_KEY`] gives where there is such a device.
pub const SIGNATURE: [u8; 4] = *b"QEMU";
/// The item that holds [`SIGNATURE`].
pub const SIGNATURE_KEY: u16 = 0;
/// The item that holds the directory.
pub const DIRECTORY_KEY: u16 = 0x19;
/// Bytes of the count in front of the entries.
pub const COUNT: usize = 4;
/// Bytes of an entry: size (4), item (2), reserved (2), name with its NUL (56).
pub const ENTRY: usize = 64;
const NAME: usize = 8;

/// A file of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// The item that holds it.
    pub key: u16,
    /// Its size in bytes.
    pub size: u32,
}

/// How many bytes of entries the directory announces with its first four. No more than the keys that there are: an empty bus reads as
/// ones.
#[must_use]
pub fn entries_size(count: [u8; COUNT]) -> usize {
    (u32::from_be_bytes(count) as usize).min(usize::from(u16::MAX)) * ENTRY
}

/// The file of that name, among the entries.
#[must_use]
pub fn find(entries: &[u8], name: &str) -> Option<File> {
    let entry = entries.chunks_exact(ENTRY).find(|entry| {
        let known = &entry[NAME..];
        known.split(|&byte| byte == 0).next() == Some(name.as_bytes())
    })?;
    let (size, rest) = entry.split_first_chunk::<4>()?;
    let (key, _) = rest.split_first_chunk::<2>()?;
    Some(File { key: u16::from_be_bytes(*key), size: u32::from_be_bytes(*size) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn entry(name: &str, key: u16, size: u32) -> Vec<u8> {
        let mut bytes = [&size.to_be_bytes()[..], &key.to_be_bytes(), &[0, 0], name.as_bytes()].concat();
        bytes.resize(ENTRY, 0);
        bytes
    }

    #[test]
    fn a_file_is_found_by_its_whole_name() {
        let entries = [entry("opt/a", 0x20, 7), entry("opt/ab", 0x21, 65_536)].concat();
        assert_eq!(find(&entries, "opt/ab"), Some(File { key: 0x21, size: 65_536 }));
        assert_eq!(find(&entries, "opt/a"), Some(File { key: 0x20, size: 7 }));
        assert_eq!(find(&entries, "opt"), None);
        assert_eq!(find(&[], "opt/a"), None);
    }

    #[test]
    fn a_cut_directory_has_fewer_files() {
        let entries = [entry("one", 1, 1), entry("two", 2, 2)].concat();
        assert_eq!(find(&entries[..entries.len() - 1], "two"), None);
        assert!(find(&entries[..ENTRY], "one").is_some());
    }

    #[test]
    fn a_bus_without_the_device_announces_no_more_than_can_be() {
        assert_eq!(entries_size([0, 0, 0, 2]), 2 * ENTRY);
        assert_eq!(entries_size([0xff; COUNT]), 65_535 * ENTRY);
    }
}
