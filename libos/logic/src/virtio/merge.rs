//! Frames that fill several buffers: `VIRTIO_NET_F_MRG_RXBUF` (virtio 1.2, 5.1.6.3.2).

use core::ops::Range;

/// The range of all pieces when they lie side by side, one behind the other; `None` when they do not.
pub fn side_by_side(mut pieces: impl Iterator<Item = Range<usize>>) -> Option<Range<usize>> {
    let first = pieces.next()?;
    pieces.try_fold(first, |whole, piece| (piece.start == whole.end).then_some(whole.start..piece.end))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_neighbours_are_read_in_one_go() {
        let of = |pieces: &[Range<usize>]| side_by_side(pieces.iter().cloned());
        assert_eq!(of(&[]), None);
        assert_eq!(side_by_side(core::iter::once(2048..2100)), Some(2048..2100));
        assert_eq!(of(&[0..2048, 2048..4096, 4096..4100]), Some(0..4100));
        // Around the end, with a gap, and backwards.
        assert_eq!(of(&[6144..8192, 0..2048]), None);
        assert_eq!(of(&[0..2000, 2048..4096]), None);
        assert_eq!(of(&[2048..4096, 0..2048]), None);
    }
}
