//! Commands to a network card (virtio 1.2, 5.1.6.5): how many pairs of queues are used, and which of them a packet comes to.

use crate::net::steering::{KEY, TABLE};
use alloc::vec::Vec;

/// What a device answers when it has done as told.
pub const OK: u8 = 0;
/// Bytes of the longest command.
pub const LONGEST: usize = 512;

/// The class of commands about several queues, and two of its commands (5.1.6.5.5, 5.1.6.5.7).
const MQ: u8 = 4;
const PAIRS_SET: u8 = 0;
const RSS_CONFIG: u8 = 1;

/// Kinds of hashes (5.1.6.4.3.1): of addresses and ports of TCP, over IPv4 and IPv6. All else comes to the first pair, as the stack wants it.
const WANTED: u32 = 1 << 1 | 1 << 4;

/// Uses so many pairs; the device chooses among them.
pub fn use_pairs(pairs: u16) -> Vec<u8> {
    [&[MQ, PAIRS_SET][..], &pairs.to_le_bytes()].concat()
}

/// What a device says of its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rss {
    /// Bytes of the longest key.
    pub key: u8,
    /// Entries of the longest table.
    pub table: u16,
    /// The kinds it knows.
    pub types: u32,
}

impl Rss {
    /// Uses so many pairs, for packets by their hashes. `None` when the device cannot.
    pub fn spread(self, pairs: u16) -> Option<Vec<u8>> {
        let types = self.types & WANTED;
        let table = TABLE.min(self.table.checked_ilog2().map_or(0, |bits| 1 << bits));
        if types == 0 || table < pairs.into() || usize::from(self.key) < KEY.len() {
            return None;
        }
        let mut bytes = Vec::from([MQ, RSS_CONFIG]);
        bytes.extend(types.to_le_bytes());
        bytes.extend((table as u16 - 1).to_le_bytes());
        // What has no hash comes to the first.
        bytes.extend(0u16.to_le_bytes());
        (0..table as u16).for_each(|entry| bytes.extend((entry % pairs).to_le_bytes()));
        bytes.extend(pairs.to_le_bytes());
        bytes.push(KEY.len() as u8);
        bytes.extend(KEY);
        Some(bytes)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn commands_are_spelled_as_the_specification_has_them() {
        assert_eq!(use_pairs(0x102), [4, 0, 2, 1]);
        let bytes = Rss { key: 40, table: 5, types: 0x1ff }.spread(3).unwrap();
        let table = [0, 0, 1, 0, 2, 0, 0, 0];
        let expected = [&[4, 1, 0x12, 0, 0, 0, 3, 0, 0, 0][..], &table, &[3, 0, 40], &KEY].concat();
        assert_eq!(bytes, expected);
        let longest = Rss { key: 255, table: u16::MAX, types: u32::MAX }.spread(128).unwrap();
        assert!(longest.len() <= LONGEST);
        assert_eq!(longest[8 + 2..][..256].chunks(2).map(|id| id[0]).max(), Some(127));
    }

    #[test]
    fn a_device_that_cannot_is_not_asked() {
        let good = Rss { key: 40, table: 128, types: 2 };
        assert!(good.spread(4).is_some());
        for bad in
            [Rss { key: 39, ..good }, Rss { table: 3, ..good }, Rss { table: 0, ..good }, Rss { types: 1 << 2, ..good }]
        {
            assert_eq!(bad.spread(4), None, "{bad:?}");
        }
    }
}
