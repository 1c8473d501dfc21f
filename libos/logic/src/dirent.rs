//! Records of a directory listing, getdents64(2).

use alloc::vec::Vec;
use trapless_abi::structs::Dirent64;
use trapless_abi::{Errno, SysResult};
use zerocopy::IntoBytes;

/// Records start at multiples of this many bytes.
const ALIGN: usize = 8;

/// A buffer that fills up with records.
pub struct Records {
    bytes: Vec<u8>,
    overflowed: bool,
}

impl Records {
    /// Room for `size` bytes of records. ENOMEM.
    pub fn with_room(size: usize) -> SysResult<Self> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { bytes, overflowed: false })
    }

    /// Adds a record, arguments as [`crate::file::File::list`] tells them; false if there is no room for it.
    pub fn push(&mut self, ino: u64, next: u64, d_type: u8, name: &[u8]) -> bool {
        let size = (size_of::<Dirent64>() + name.len() + 1).next_multiple_of(ALIGN);
        let Some(reclen) = u16::try_from(size).ok().filter(|_| size <= self.bytes.capacity() - self.bytes.len()) else {
            self.overflowed = true;
            return false;
        };
        let end = self.bytes.len() + size;
        let head = Dirent64 { d_ino: ino, d_off: next as i64, d_reclen: reclen, d_type };
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(name);
        self.bytes.resize(end, 0);
        true
    }

    /// The records. EINVAL if there was no room even for the first.
    pub fn finish(self) -> SysResult<Vec<u8>> {
        if self.bytes.is_empty() && self.overflowed { Err(Errno::EINVAL) } else { Ok(self.bytes) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use zerocopy::FromBytes;

    #[test]
    fn records_are_padded_and_ended() {
        let mut records = Records::with_room(64).unwrap();
        assert!(records.push(7, 1, 4, b"abcde"));
        assert!(records.push(8, 2, 8, b"f"));
        let bytes = records.finish().unwrap();
        assert_eq!(bytes.len(), 32 + 24);
        let (second, name) = Dirent64::read_from_prefix(&bytes[32..]).unwrap();
        assert_eq!(second, Dirent64 { d_ino: 8, d_off: 2, d_reclen: 24, d_type: 8 });
        assert_eq!(name, b"f\0\0\0\0");
        assert_eq!(&bytes[19..32], b"abcde\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_next_call() {
        let mut records = Records::with_room(24).unwrap();
        assert!(records.push(7, 1, 4, b"a"));
        assert!(!records.push(8, 2, 8, b"b"));
        assert_eq!(records.finish().unwrap().len(), 24);
    }

    #[test]
    fn a_buffer_too_small_for_one_is_an_error() {
        let mut records = Records::with_room(23).unwrap();
        assert!(!records.push(7, 1, 4, b"a"));
        assert_eq!(records.finish(), Err(Errno::EINVAL));
        assert_eq!(Records::with_room(0).unwrap().finish(), Ok(Vec::new()), "an empty listing");
    }
}
