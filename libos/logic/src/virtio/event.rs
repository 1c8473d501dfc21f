//! When the other side of a queue wants to hear of it: `VIRTIO_F_EVENT_IDX` (virtio 1.2, 2.7.7.2, 2.7.10).

/// Whether the other side has asked to be told when its index passes `event`, which went from `old` to `new`. Indexes wrap.
pub fn is_due(event: u16, old: u16, new: u16) -> bool {
    new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old)
}

/// An event index by which to be told when `count` more elements are used than `now`; for 0, to be told when the index has gone all
/// the way around.
pub fn after(now: u16, count: u16) -> u16 {
    now.wrapping_add(count).wrapping_sub(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_one_who_asked_is_told_once() {
        for start in [0u16, 100, 65_530, 65_535] {
            let at = |n: u16| start.wrapping_add(n);
            assert!(!is_due(at(5), at(0), at(5)));
            assert!(is_due(at(5), at(0), at(6)));
            assert!(is_due(at(5), at(5), at(6)));
            assert!(!is_due(at(5), at(6), at(7)));
            assert!(is_due(at(0), at(0), at(200)));
            assert!(!is_due(at(0), at(0), at(0)));
        }
    }

    #[test]
    fn events_come_after_so_many() {
        for now in [0u16, 7, 65_535] {
            for count in 1..300 {
                let event = after(now, count);
                assert!(!is_due(event, now, now.wrapping_add(count - 1)));
                assert!(is_due(event, now, now.wrapping_add(count)));
            }
            assert!(!is_due(after(now, 0), now, now.wrapping_add(32_768)));
        }
    }
}
