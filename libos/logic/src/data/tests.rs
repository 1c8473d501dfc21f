//! Chains of buffers against one flat stretch of bytes.

use super::{Chain, FEW, Parts, Sink, Source};
use proptest::prelude::*;
use std::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// A buffer of which only the first bytes are there: what comes after faults.
#[derive(Clone, Debug)]
struct Memory {
    bytes: Vec<u8>,
    at: usize,
    there: usize,
    left: usize,
}

impl Memory {
    fn new((len, there): (usize, usize)) -> Self {
        Self { bytes: std::vec![0; len], at: 0, there: there.min(len), left: len }
    }

    /// Moves on by as much of `wanted` bytes as there is.
    fn advance(&mut self, wanted: usize) -> SysResult<usize> {
        let want = wanted.min(self.left);
        let n = want.min(self.there - self.at);
        self.at += n;
        self.left = if n == want { self.left - n } else { 0 };
        if n == 0 && want > 0 { Err(Errno::EFAULT) } else { Ok(n) }
    }
}

impl Source for Memory {
    fn remaining(&self) -> usize {
        self.left
    }

    fn pull(&mut self, to: &mut [u8]) -> SysResult<usize> {
        let at = self.at;
        let n = self.advance(to.len())?;
        to[..n].copy_from_slice(&self.bytes[at..at + n]);
        Ok(n)
    }

    fn peek(&self, to: &mut [u8]) -> SysResult<usize> {
        self.clone().pull(to)
    }
}

impl Sink for Memory {
    fn remaining(&self) -> usize {
        self.left
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let at = self.at;
        let n = self.advance(from.len())?;
        self.bytes[at..at + n].copy_from_slice(&from[..n]);
        Ok(n)
    }
}

/// Buffers: their sizes, and how much of each is there. Most are there.
fn buffers() -> impl Strategy<Value = Vec<(usize, usize)>> {
    let there = prop_oneof![4 => Just(usize::MAX), 1 => 0..20usize];
    proptest::collection::vec((prop_oneof![1 => Just(0), 4 => 0..20usize], there), 0..FEW + 4)
}

fn chain(buffers: &[(usize, usize)]) -> Chain<Memory> {
    let nth = |i| Memory::new(buffers.get(i).copied().unwrap_or_default());
    let parts = match buffers.len() {
        count @ ..=FEW => Parts::Few(core::array::from_fn(nth), count),
        count => Parts::Many((0..count).map(nth).collect()),
    };
    Chain::new(parts, buffers.iter().map(|(len, _)| len).sum())
}

/// Bytes before the first that is not there, and whether there is such a byte.
fn reachable(buffers: &[(usize, usize)]) -> (usize, bool) {
    let whole = buffers.iter().take_while(|(len, there)| there >= len);
    let (count, bytes) = whole.fold((0, 0), |(count, bytes), (len, _)| (count + 1, bytes + len));
    buffers.get(count).map_or((bytes, false), |(_, there)| (bytes + there, true))
}

proptest! {
    #[test]
    fn pulls_are_pulls_from_one_stretch(buffers in buffers(), sizes in proptest::collection::vec(0..30usize, 1..12)) {
        let mut chain = chain(&buffers);
        let numbers = &mut (1u8..);
        for part in chain.parts.as_mut_slice() {
            part.bytes.iter_mut().for_each(|byte| *byte = numbers.next().unwrap());
        }
        let flat: Vec<u8> = chain.parts.as_slice().iter().flat_map(|part| part.bytes.clone()).collect();
        let ((end, faulty), mut at, mut over) = (reachable(&buffers), 0, false);
        for size in sizes {
            let left = if over { 0 } else { flat.len() - at };
            prop_assert_eq!(Source::remaining(&chain), left);
            let want = size.min(left);
            let n = want.min(end - at);
            let expected = if n == 0 && want > 0 { Err(Errno::EFAULT) } else { Ok(n) };
            let (mut seen, mut pulled) = (std::vec![0; size], std::vec![0; size]);
            prop_assert_eq!(chain.peek(&mut seen), expected);
            prop_assert_eq!(chain.pull(&mut pulled), expected);
            prop_assert_eq!(&seen[..n], &flat[at..at + n]);
            prop_assert_eq!(&pulled[..n], &flat[at..at + n]);
            at += n;
            over |= faulty && n < want;
        }
    }

    #[test]
    fn pushes_are_pushes_to_one_stretch(buffers in buffers(), sizes in proptest::collection::vec(0..30usize, 1..12)) {
        let mut chain = chain(&buffers);
        let mut flat = std::vec![0; Sink::remaining(&chain)];
        let numbers = &mut (1..=u8::MAX).cycle();
        let ((end, faulty), mut at, mut over) = (reachable(&buffers), 0, false);
        for size in sizes {
            let bytes: Vec<u8> = numbers.take(size).collect();
            let want = size.min(if over { 0 } else { flat.len() - at });
            let n = want.min(end - at);
            let expected = if n == 0 && want > 0 { Err(Errno::EFAULT) } else { Ok(n) };
            prop_assert_eq!(chain.push(&bytes), expected);
            flat[at..at + n].copy_from_slice(&bytes[..n]);
            at += n;
            over |= faulty && n < want;
        }
        prop_assert_eq!(chain.parts.as_slice().iter().flat_map(|part| part.bytes.clone()).collect::<Vec<u8>>(), flat);
    }
}

/// writev(2) goes on where a short write has stopped, and a fault in a later buffer is for the next call to report.
#[test]
fn a_short_transfer_goes_on_in_the_middle_of_a_buffer() {
    let mut chain = chain(&[(3, 3), (0, 0), (4, 4), (2, 0)]);
    let mut bytes = [0; 5];
    assert_eq!((chain.pull(&mut bytes), Source::remaining(&chain)), (Ok(5), 4));
    assert_eq!((chain.pull(&mut bytes), Source::remaining(&chain)), (Ok(2), 0));
    assert_eq!(chain.pull(&mut bytes), Ok(0));
}
