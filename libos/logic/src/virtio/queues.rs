//! How many pairs of queues a network card gets, and which interrupt each queue has (virtio 1.2, 5.1.2, 5.1.6.5.5).

use super::features::Features;

/// Most pairs that a device may have (5.1.4) and the index of whose control queue is a number of 16 bits.
const MOST: u16 = 0x7fff;
/// Most interrupt vectors that a card takes of those that all devices share.
const MOST_VECTORS: u16 = 64;

/// Where fields of the device's configuration are (5.1.4), in bytes.
pub const MAX_PAIRS: usize = 8;
/// The longest key for [`super::control::Rss`].
pub const MAX_KEY: usize = 17;
/// The longest table for it.
pub const MAX_TABLE: usize = 18;
/// The kinds of hashes that the device knows.
pub const HASH_TYPES: usize = 20;

/// How many pairs a device has whose configuration says `max_pairs`: `None` unless it has several, and says so in a way that makes sense.
pub fn offered(agreed: Features, max_pairs: u16) -> Option<u16> {
    let several = agreed.intersects(Features::MQ | Features::RSS) && (2..=MOST).contains(&max_pairs);
    several.then_some(max_pairs)
}

/// How many pairs of those offered are used: one for each CPU, as far as memory for that many is there.
pub fn used(offered: Option<u16>, cpus: usize, affordable: usize) -> u16 {
    let most = cpus.min(affordable).clamp(1, MOST.into()) as u16;
    offered.map_or(1, |offered| offered.min(most))
}

/// The receive queue of a pair.
pub const fn receive(pair: u16) -> u16 {
    2 * pair
}

/// The transmit queue of a pair.
pub const fn transmit(pair: u16) -> u16 {
    2 * pair + 1
}

/// The control queue of a device that has that many pairs, used or not.
pub const fn control(offered: u16) -> u16 {
    2 * offered
}

/// Which entry of the table of messages (MSI-X) each queue has. Pair `i` interrupts CPU `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors {
    pairs: u16,
    entries: u16,
}

impl Vectors {
    /// For so many pairs, by a table of `table` entries: one for each queue if there are enough, else one for each pair, else pairs share.
    pub fn new(table: u16, pairs: u16) -> Self {
        let table = table.clamp(1, MOST_VECTORS);
        let entries = if table / 2 >= pairs { 2 * pairs } else { table.min(pairs) };
        Self { pairs, entries }
    }

    /// How many entries are used, from 0 on.
    pub const fn entries(&self) -> u16 {
        self.entries
    }

    const fn is_one_each(&self) -> bool {
        self.entries == 2 * self.pairs
    }

    /// The entry of a queue.
    pub const fn of_queue(&self, queue: u16) -> u16 {
        if self.is_one_each() { queue } else { queue / 2 % self.entries }
    }

    /// All pairs that an entry is for, a bit each.
    pub fn all_served(&self, entry: u16) -> u64 {
        let serves =
            |pair: &u16| [receive(*pair), transmit(*pair)].into_iter().any(|queue| self.of_queue(queue) == entry);
        (0..self.pairs).filter(serves).fold(0, |all, pair| all | 1 << pair)
    }

    /// The first pair that an entry is for, and what of it: both queues without a word.
    pub const fn serves(&self, entry: u16) -> (u16, &'static str) {
        match (self.is_one_each(), entry % 2) {
            (false, _) => (entry, ""),
            (true, 0) => (entry / 2, "-in"),
            (true, _) => (entry / 2, "-out"),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn there_is_a_pair_for_each_cpu_as_far_as_the_device_goes() {
        let of = |max, cpus| used(offered(Features::MQ, max), cpus, 1000);
        assert_eq!([of(4, 8), of(8, 4), of(4, 1), of(1, 8)], [4, 4, 1, 1]);
        assert_eq!(used(offered(Features::RSS, 4), 8, 3), 3);
        assert_eq!(used(offered(Features::MQ, 4), 8, 0), 1);
        assert_eq!((offered(Features::CTRL_VQ, 4), used(None, 8, 1000)), (None, 1));
        assert!([0, 1, 0x8000, u16::MAX].into_iter().all(|max| offered(Features::all(), max).is_none()));
        assert_eq!(control(offered(Features::MQ, 0x7fff).unwrap()), 0xfffe);
    }

    #[test]
    fn each_queue_has_an_interrupt_that_its_cpu_gets() {
        for pairs in [1, 2, 3, 8, 40] {
            for table in [1, 2, 3, 7, 16, 18, 100, 2048] {
                let vectors = Vectors::new(table, pairs);
                assert!((1..=table.min(64)).contains(&vectors.entries()));
                for queue in 0..2 * pairs {
                    let entry = vectors.of_queue(queue);
                    assert!(entry < vectors.entries());
                    if vectors.entries() >= pairs {
                        assert_eq!(vectors.serves(entry).0, queue / 2);
                    }
                }
            }
        }
        let own = Vectors::new(10, 4);
        assert_eq!((own.entries(), own.of_queue(receive(3)), own.of_queue(transmit(3))), (8, 6, 7));
        assert_eq!([own.serves(6), own.serves(7)], [(3, "-in"), (3, "-out")]);
        let paired = Vectors::new(5, 4);
        assert_eq!((paired.entries(), paired.of_queue(receive(3)), paired.of_queue(transmit(3))), (4, 3, 3));
        let shared = Vectors::new(3, 4);
        assert_eq!((shared.entries(), shared.of_queue(receive(3)), shared.serves(2)), (3, 0, (2, "")));
        let all = |vectors: Vectors| (0..vectors.entries()).map(|entry| vectors.all_served(entry)).collect::<Vec<_>>();
        assert_eq!(all(own), [1, 1, 2, 2, 4, 4, 8, 8]);
        assert_eq!((all(paired), all(shared)), (vec![1, 2, 4, 8], vec![0b1001, 2, 4]));
    }
}
