//! What the peer has beyond what it acknowledges (RFC 2018).

use super::buffers::is_behind;
use super::flow::Span;
use alloc::vec::Vec;
use smoltcp::wire::TCP_HEADER_LEN;

/// The option, those without a length, and bytes of a block in it (RFC 2018, 3; RFC 9293, 3.1).
const SELECTIVE_ACKNOWLEDGEMENT: u8 = 5;
const END: u8 = 0;
const NOTHING: u8 = 1;
const BLOCK: usize = 8;
/// Blocks that are remembered. Of more the last ones are forgotten: then losses are found as without them.
const MOST: usize = 32;

/// The blocks in a segment, which begins with the TCP header.
pub(super) fn blocks(segment: &[u8]) -> impl Iterator<Item = Span> {
    let found = find(segment).unwrap_or_default();
    found.as_chunks::<BLOCK>().0.iter().map(|&[a, b, c, d, e, f, g, h]| Span {
        start: u32::from_be_bytes([a, b, c, d]),
        end: u32::from_be_bytes([e, f, g, h]),
    })
}

fn find(segment: &[u8]) -> Option<&[u8]> {
    let len = usize::from(segment.get(12)? >> 4) * 4;
    let mut options = segment.get(TCP_HEADER_LEN..len)?;
    loop {
        let step = match *options {
            [] | [END, ..] => return None,
            [NOTHING, ..] => 1,
            [SELECTIVE_ACKNOWLEDGEMENT, len, ..] => return options.get(2..len.into()),
            // The length counts both bytes before it.
            [_, len, ..] if len >= 2 => len.into(),
            _ => return None,
        };
        options = options.get(step..)?;
    }
}

/// What the peer is known to have, in order and apart from each other.
#[derive(Default)]
pub(super) struct Scoreboard {
    spans: Vec<Span>,
}

impl Scoreboard {
    /// The peer says that it has this, of what is under way from `oldest` to `end`. True if it is news.
    pub(super) fn add(&mut self, block: Span, oldest: u32, end: u32) -> bool {
        // Blocks about what is acknowledged tell of duplicates (RFC 2883), and the first byte under way is missing for sure.
        let sound = is_behind(block.end, block.start) && is_behind(block.start, oldest) && !is_behind(block.end, end);
        if !sound {
            return false;
        }
        let before = self.bytes();
        let mut whole = block;
        let mut place = 0;
        self.spans.retain(|span| {
            let apart = is_behind(span.start, whole.end) || is_behind(whole.start, span.end);
            if apart {
                place += usize::from(is_behind(whole.start, span.end));
            } else {
                whole.start = if is_behind(whole.start, span.start) { span.start } else { whole.start };
                whole.end = if is_behind(span.end, whole.end) { span.end } else { whole.end };
            }
            apart
        });
        if place < MOST && self.spans.try_reserve(1).is_ok() {
            self.spans.insert(place, whole);
            self.spans.truncate(MOST);
        }
        self.bytes() != before
    }

    /// The peer acknowledges everything before this number.
    pub(super) fn acknowledge(&mut self, number: u32) {
        if !self.spans.is_empty() {
            self.spans.retain(|span| is_behind(span.start, number));
        }
    }

    /// How much it is.
    pub(super) fn bytes(&self) -> u32 {
        self.spans.iter().map(|span| span.end.wrapping_sub(span.start)).sum()
    }

    /// The end of the last of it.
    pub(super) fn end(&self) -> Option<u32> {
        self.spans.last().map(|span| span.end)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn span(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    fn told(options: &[u8]) -> Vec<Span> {
        let mut bytes = [&[0; 20][..], options].concat();
        bytes[12] = (bytes.len() / 4) as u8 * 16;
        blocks(&bytes).collect()
    }

    #[test]
    fn blocks_are_read() {
        assert_eq!(told(&[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 1, 0]), [span(1, 256)]);
        let stamp = [8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
        let two = [&stamp[..], &[5, 18, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9, 0, 0, 1, 0, 0, 0, 2, 0]].concat();
        assert_eq!(told(&two), [span(u32::MAX, 9), span(256, 512)]);
        assert_eq!(told(&[4, 2, 1, 1]), []);
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        let bad: [&[u8]; 7] = [
            &[],
            &[5, 10, 0, 0],
            &[5, 0, 0, 0, 0, 0, 0, 0],
            &[5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[0, 1, 5, 10, 0, 0, 0, 1, 0, 0, 1, 0],
            &[8, 1, 5, 10, 0, 0, 0, 1, 0, 0, 1, 0],
            &[1, 1, 1, 5],
        ];
        bad.into_iter().for_each(|options| assert_eq!(told(options), [], "{options:?}"));
        assert!((0..40).all(|len| blocks(&[0xf5; 40][..len]).count() == 0));
    }

    #[test]
    fn what_the_peer_has_is_put_together() {
        let mut board = Scoreboard::default();
        let base = u32::MAX - 500;
        let at = |n: u32| base.wrapping_add(n);
        let mut add = |from, to| board.add(span(at(from), at(to)), base, at(2000));
        assert!(add(400, 500) && add(800, 900) && add(600, 700));
        assert!(!add(400, 450) && !add(400, 500), "no news");
        assert!(add(500, 600) && add(650, 750));
        assert!(!add(0, 100) && !add(1900, 2001) && !add(700, 700) && !add(900, 800), "it cannot be");
        assert_eq!(board.spans, [span(at(400), at(750)), span(at(800), at(900))]);
        assert_eq!((board.bytes(), board.end()), (450, Some(at(900))));
        board.acknowledge(at(400));
        assert_eq!(board.spans, [span(at(800), at(900))], "the whole of it comes with the acknowledgement");
        board.acknowledge(at(900));
        assert_eq!((board.bytes(), board.end()), (0, None));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut board = Scoreboard::default();
        for number in (1..1000).rev() {
            board.add(span(number * 10, number * 10 + 5), 0, 100_000);
        }
        assert_eq!((board.spans.len(), board.spans[0]), (MOST, span(10, 15)));
        assert!(board.spans.windows(2).all(|pair| pair[0].end < pair[1].start));
    }
}
