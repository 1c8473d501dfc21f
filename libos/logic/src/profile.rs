//! What a sampling profiler keeps: how often each stack was seen, in bounded memory; and what perf(1)'s map files tell about addresses.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Frames that are kept of a stack, the innermost ones.
pub const DEPTH: usize = 64;
/// Different stacks that one table holds: with [`DEPTH`], a megabyte.
const STACKS: usize = 2048;
/// Places that a stack may be in.
const PROBES: usize = 16;

struct Entry {
    /// How often it was seen; zero: the place is free.
    count: AtomicU32,
    thread: AtomicU32,
    /// Addresses, the innermost first; zero behind the last.
    frames: [AtomicU64; DEPTH],
}

impl Entry {
    fn new() -> Self {
        Self {
            count: AtomicU32::new(0),
            thread: AtomicU32::new(0),
            frames: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn is(&self, thread: u32, frames: &[u64]) -> bool {
        let mut ours = self.frames.iter().map(|frame| frame.load(Ordering::Relaxed)).take_while(|&frame| frame != 0);
        self.thread.load(Ordering::Relaxed) == thread && ours.by_ref().eq(frames.iter().copied())
    }

    fn fill(&self, thread: u32, frames: &[u64]) {
        self.thread.store(thread, Ordering::Relaxed);
        let rest = frames.iter().copied().chain(core::iter::repeat(0));
        self.frames.iter().zip(rest).for_each(|(place, frame)| place.store(frame, Ordering::Relaxed));
    }
}

/// The stacks that one CPU was seen with. One writes, which is that CPU in its interrupt handler; others may read meanwhile, and see each
/// stack whole, except one that is written over what [`Table::clear`] has just cleared.
pub struct Table {
    entries: Vec<Entry>,
    lost: AtomicU32,
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new() -> SysResult<Self> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(STACKS).map_err(|_| Errno::ENOMEM)?;
        entries.resize_with(STACKS, Entry::new);
        Ok(Self { entries, lost: AtomicU32::new(0) })
    }

    /// Counts a stack, the innermost address first, of which the first [`DEPTH`] are kept; none of them is zero.
    pub fn count(&self, thread: u32, frames: &[u64]) {
        let frames = &frames[..frames.len().min(DEPTH)];
        let first = hash(thread, frames) % STACKS;
        for entry in (0..PROBES).map(|step| &self.entries[(first + step) % STACKS]) {
            let count = entry.count.load(Ordering::Relaxed);
            if count == 0 {
                entry.fill(thread, frames);
            } else if !entry.is(thread, frames) {
                continue;
            }
            return entry.count.store(count.saturating_add(1), Ordering::Release);
        }
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Visits the stacks: thread, addresses with the outermost first, how often.
    pub fn for_each(&self, mut visit: impl FnMut(u32, &[u64], u32)) {
        for entry in &self.entries {
            let count = entry.count.load(Ordering::Acquire);
            if count == 0 {
                continue;
            }
            let mut frames = [0; DEPTH];
            frames.iter_mut().zip(&entry.frames).for_each(|(frame, place)| *frame = place.load(Ordering::Relaxed));
            let depth = frames.iter().position(|&frame| frame == 0).unwrap_or(DEPTH);
            frames[..depth].reverse();
            visit(entry.thread.load(Ordering::Relaxed), &frames[..depth], count);
        }
    }

    /// Stacks that there was no place for.
    pub fn lost(&self) -> u32 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Forgets all of it.
    pub fn clear(&self) {
        self.entries.iter().for_each(|entry| entry.count.store(0, Ordering::Relaxed));
        self.lost.store(0, Ordering::Relaxed);
    }
}

/// Mixes all bits of all words into the upper ones.
fn hash(thread: u32, frames: &[u64]) -> usize {
    // 2^64 over the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
    (frames.iter().copied().fold(mix(0, thread.into()), mix) >> 32) as usize
}

/// Names of addresses, from the lines of a map file (`perf-PID.map`: start and size in hexadecimal, and a name).
pub struct Names {
    /// In order, each once.
    addresses: Vec<u64>,
    names: Vec<Option<String>>,
}

impl Names {
    /// For these addresses.
    pub fn of(mut addresses: Vec<u64>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        let names = addresses.iter().map(|_| None).collect();
        Self { addresses, names }
    }

    /// Takes in one line. Of two that tell about an address, the later counts: code is loaded where other code was.
    pub fn learn(&mut self, line: &str) {
        let mut words = line.splitn(3, ' ');
        let mut number = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
        let (Some(start), Some(size)) = (number(), number()) else { return };
        let Some(name) = words.next() else { return };
        let from = self.addresses.partition_point(|&address| address < start);
        let to = self.addresses.partition_point(|&address| address < start.saturating_add(size));
        for known in &mut self.names[from..to] {
            *known = Some(name.trim_start_matches('$').to_owned());
        }
    }

    /// The name of one of the addresses.
    pub fn get(&self, address: u64) -> Option<&str> {
        let at = self.addresses.binary_search(&address).ok()?;
        self.names[at].as_deref()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use alloc::vec;

    fn seen(table: &Table) -> Vec<(u32, Vec<u64>, u32)> {
        let mut seen = Vec::new();
        table.for_each(|thread, frames, count| seen.push((thread, frames.to_vec(), count)));
        seen.sort();
        seen
    }

    #[test]
    fn stacks_are_counted_each_for_itself() {
        let table = Table::new().unwrap();
        for (thread, frames) in [(1, &[5, 6, 7][..]), (1, &[5, 6, 7]), (2, &[5, 6, 7]), (1, &[5, 6]), (1, &[])] {
            table.count(thread, frames);
        }
        let expected = vec![(1, vec![], 1), (1, vec![6, 5], 1), (1, vec![7, 6, 5], 2), (2, vec![7, 6, 5], 1)];
        assert_eq!((seen(&table), table.lost()), (expected, 0));
        table.clear();
        assert_eq!(seen(&table), []);
        table.count(3, &[9]);
        assert_eq!(seen(&table), [(3, vec![9], 1)]);
    }

    #[test]
    fn deep_stacks_keep_their_innermost_frames() {
        let table = Table::new().unwrap();
        let deep: Vec<u64> = (1..=DEPTH as u64 + 9).collect();
        table.count(1, &deep);
        let kept = &seen(&table)[0].1;
        assert_eq!((kept.len(), kept[DEPTH - 1], kept[0]), (DEPTH, 1, DEPTH as u64));
    }

    #[test]
    fn a_full_table_tells_how_much_is_lost() {
        let table = Table::new().unwrap();
        let many = 2 * STACKS as u64;
        (1..=many).for_each(|stack| table.count(1, &[stack]));
        let kept: u32 = seen(&table).iter().map(|(.., count)| count).sum();
        assert_eq!(u64::from(kept) + u64::from(table.lost()), many);
        assert!(kept as usize > STACKS / 2, "only {kept} found a place");
    }

    #[test]
    fn addresses_get_the_names_that_were_told_last() {
        let mut names = Names::of(vec![0x105, 0x1ff, 0x100, 0x200, 0x105]);
        for line in
            ["0x100 10 $lists:map/2", "0x1f0 10 $old:f/0", "0x1f0 10 $'a b':'c d'/1", "nonsense", "0x1", "x y z"]
        {
            names.learn(line);
        }
        assert_eq!((names.get(0x100), names.get(0x105)), (Some("lists:map/2"), Some("lists:map/2")));
        assert_eq!((names.get(0x1ff), names.get(0x200), names.get(7)), (Some("'a b':'c d'/1"), None, None));
    }
}
