//! A binary buddy allocator over page frame numbers.
//!
//! Free blocks of `2^order` frames, aligned to their size, are kept in one [`BitTree`] an order: two bits a frame altogether, and
//! nothing is written into the free frames themselves. Of the blocks that fit, the smallest order is taken and in it the lowest
//! address, which keeps large blocks whole and the used part of memory small.

use super::bittree::{BitTree, words_for};

/// The largest block is `2^MAX_ORDER` frames: 32 MiB.
pub const MAX_ORDER: usize = 13;
/// The order of a 2 MiB block.
pub const HUGE_ORDER: usize = 9;

/// The free frames among the numbers `0..frames`.
#[derive(Debug)]
pub struct Buddy<'a> {
    orders: [BitTree<'a>; MAX_ORDER + 1],
    frames: usize,
    free: usize,
}

/// Words of storage that `frames` frames need.
pub fn storage_words(frames: usize) -> usize {
    (0..=MAX_ORDER).map(|order| words_for(blocks(frames, order))).sum()
}

/// Whole blocks of an order; at least one, so that every tree has a member to speak of.
fn blocks(frames: usize, order: usize) -> usize {
    (frames >> order).max(1)
}

impl<'a> Buddy<'a> {
    /// An allocator with no free frame. `storage` has at least [`storage_words`]`(frames)` words.
    pub fn new(frames: usize, storage: &'a mut [u64]) -> Self {
        let mut rest = storage;
        let orders = core::array::from_fn(|order| {
            let len = blocks(frames, order);
            let (own, others) = core::mem::take(&mut rest).split_at_mut(words_for(len));
            rest = others;
            BitTree::new(own, len)
        });
        Self { orders, frames, free: 0 }
    }

    /// Number of free frames.
    pub fn free_frames(&self) -> usize {
        self.free
    }

    /// Takes an aligned block of `2^order` frames and returns its first frame.
    pub fn alloc(&mut self, order: usize) -> Option<usize> {
        let (found, block) = (order..=MAX_ORDER).find_map(|o| Some((o, self.orders.get(o)?.first()?)))?;
        self.orders[found].remove(block);
        let mut block = block;
        for o in (order..found).rev() {
            block *= 2;
            self.orders[o].insert(block + 1);
        }
        self.free -= 1 << order;
        Some(block << order)
    }

    /// Takes `count` adjacent frames (at most `2^MAX_ORDER`), aligned to the next power of two, and returns the first.
    pub fn alloc_contiguous(&mut self, count: usize) -> Option<usize> {
        let order = count.checked_next_power_of_two()?.trailing_zeros() as usize;
        if count == 0 || order > MAX_ORDER {
            return None;
        }
        let first = self.alloc(order)?;
        self.free_range(first + count, first + (1 << order));
        Some(first)
    }

    /// Gives back the block of `2^order` frames that starts at `frame`.
    ///
    /// Panics on a block that is out of range, and with debug assertions on one that is free already: whoever frees twice will corrupt
    /// memory next.
    pub fn free(&mut self, frame: usize, order: usize) {
        assert!(frame.trailing_zeros() as usize >= order && frame + (1 << order) <= self.frames);
        let (mut block, mut order) = (frame >> order, order);
        self.free += 1 << order;
        debug_assert!(!self.covered(block, order), "frame {frame:#x} freed twice");
        while order < MAX_ORDER && self.orders[order].remove(block ^ 1) {
            block /= 2;
            order += 1;
        }
        self.orders[order].insert(block);
    }

    /// Gives back the frames `start..end`, in the largest blocks that fit.
    pub fn free_range(&mut self, start: usize, end: usize) {
        let mut at = start;
        while at < end {
            let aligned = (at.trailing_zeros() as usize).min(MAX_ORDER);
            let order = aligned.min((end - at).ilog2() as usize);
            self.free(at, order);
            at += 1 << order;
        }
    }

    /// Whether the block lies in a free block of its own or a higher order.
    fn covered(&self, block: usize, order: usize) -> bool {
        (order..=MAX_ORDER).any(|o| self.orders[o].contains(block >> (o - order)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Op {
        Alloc(usize),
        Contiguous(usize),
        Free(usize),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0..=MAX_ORDER).prop_map(Op::Alloc),
            (1usize..700).prop_map(Op::Contiguous),
            any::<usize>().prop_map(Op::Free),
        ]
    }

    proptest! {
        #[test]
        fn no_frame_is_given_out_twice_and_none_is_lost(
            frames in 1usize..40_000, hole in 0usize..20_000, ops in prop::collection::vec(op(), 1..300)
        ) {
            let mut storage = vec![0; storage_words(frames)];
            let mut buddy = Buddy::new(frames, &mut storage);
            let mut owned = vec![true; frames];
            let hole = hole % frames;
            buddy.free_range(hole, frames);
            owned[hole..].fill(false);
            let mut blocks: Vec<(usize, usize)> = Vec::new();
            for op in ops {
                let got = match op {
                    Op::Alloc(order) => buddy.alloc(order).map(|f| { assert_eq!(f % (1 << order), 0); (f, 1 << order) }),
                    Op::Contiguous(count) => buddy.alloc_contiguous(count).map(|f| (f, count)),
                    Op::Free(which) => {
                        if !blocks.is_empty() {
                            let (first, count) = blocks.swap_remove(which % blocks.len());
                            buddy.free_range(first, first + count);
                            owned[first..first + count].fill(false);
                        }
                        None
                    }
                };
                if let Some((first, count)) = got {
                    prop_assert!(owned[first..first + count].iter().all(|o| !o));
                    owned[first..first + count].fill(true);
                    blocks.push((first, count));
                }
                prop_assert_eq!(buddy.free_frames(), owned.iter().filter(|o| !**o).count());
            }
            // Everything given back merges again: as many frames come out one by one as were put in.
            for (first, count) in blocks {
                buddy.free_range(first, first + count);
            }
            let mut singles = 0;
            while buddy.alloc(0).is_some() {
                singles += 1;
            }
            prop_assert_eq!(singles, frames - hole);
        }
    }

    #[test]
    fn freed_neighbours_merge_into_large_blocks() {
        let mut storage = vec![0; storage_words(1 << MAX_ORDER)];
        let mut buddy = Buddy::new(1 << MAX_ORDER, &mut storage);
        (0..1 << MAX_ORDER).rev().for_each(|f| buddy.free(f, 0));
        assert_eq!(buddy.alloc(MAX_ORDER), Some(0));
        assert_eq!(buddy.alloc(0), None);
    }

    #[test]
    #[should_panic(expected = "freed twice")]
    fn a_double_free_is_noticed() {
        let mut storage = vec![0; storage_words(64)];
        let mut buddy = Buddy::new(64, &mut storage);
        buddy.free_range(0, 64);
        buddy.free(7, 0);
    }
}
