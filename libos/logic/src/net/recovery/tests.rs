//! What is taken for a loss, and what the congestion window becomes.

use super::*;

fn at(ms: u64) -> Instant {
    Instant::from_nanos(ms * 1_000_000)
}

fn ack(number: u32) -> Acknowledgement {
    Acknowledgement { number, window: 500, alone: true }
}

const SYN: Said = Said { mss: Some(1000), scale: None, window: 60_000, selects: false };

/// A connection with a round trip of 10 ms and ten segments of 1000 bytes under way.
fn busy() -> Recovery {
    busy_with(SYN)
}

fn busy_with(said: Said) -> Recovery {
    let mut recovery = Recovery::default();
    recovery.begin(said, 1000);
    recovery.sent(Span { start: 0, end: 1 }, at(0));
    assert!(!recovery.heard(ack(1), at(10)));
    for i in 0..10 {
        recovery.sent(Span { start: 1 + 1000 * i, end: 1001 + 1000 * i }, at(20));
    }
    recovery
}

#[test]
fn a_part_acknowledged_means_another_loss() {
    let mut recovery = busy();
    assert!((0..3).all(|_| !recovery.heard(ack(1001), at(30))));
    assert!(recovery.heard(ack(1001), at(30)));
    assert!((0..9).all(|_| !recovery.heard(ack(1001), at(30))), "once is enough");
    assert!(recovery.heard(ack(4001), at(40)));
    assert!(recovery.heard(ack(8001), at(50)));
    assert!(!recovery.heard(ack(10_001), at(60)), "all of it");
    recovery.sent(Span { start: 10_001, end: 11_001 }, at(70));
    assert!(!recovery.heard(ack(10_501), at(80)), "no loss was found");
}

#[test]
fn few_segments_under_way_cause_few_duplicates() {
    let mut recovery = busy();
    recovery.heard(ack(8001), at(30));
    assert!(recovery.heard(ack(8001), at(31)), "one of two");
    assert!(!recovery.heard(ack(8001), at(32)));
}

#[test]
fn duplicates_with_other_windows_count() {
    let mut recovery = busy();
    let with = |window| Acknowledgement { window, ..ack(1) };
    assert!(!recovery.heard(with(501), at(30)) && !recovery.heard(with(502), at(30)));
    assert!(!recovery.heard(Acknowledgement { alone: false, ..with(7) }, at(30)), "data says nothing");
    assert!(recovery.heard(with(503), at(30)));
    assert!(!recovery.heard(with(504), at(30)), "once is enough");
}

/// The peer has these bytes, and repeats its last acknowledgement.
fn selects(recovery: &mut Recovery, number: u32, start: u32, end: u32) -> bool {
    recovery.selected([Span { start, end }].into_iter());
    recovery.heard(ack(number), at(30))
}

#[test]
fn the_first_segment_may_be_lost() {
    let mut recovery = Recovery::default();
    recovery.sent(Span { start: 0, end: 1 }, at(0));
    recovery.begin(SYN, 1000);
    recovery.opened(at(10));
    assert_eq!(recovery.due(), None);
    recovery.sent(Span { start: 1, end: 1001 }, at(20));
    assert!(recovery.is_under_way(1) && !recovery.is_under_way(0) && !recovery.is_under_way(1001));
    assert_eq!(recovery.due(), Some(at(220)));
}

#[test]
fn one_acknowledgement_is_enough_if_it_tells_enough() {
    let mut recovery = busy();
    assert!(!selects(&mut recovery, 1, 2001, 4001), "two segments may have overtaken one");
    // The acknowledgements between were lost.
    assert!(selects(&mut recovery, 1, 2001, 6001));
    assert!(!selects(&mut recovery, 1, 2001, 7001), "once is enough");
    // With data it counts as well, if it tells something new.
    let mut recovery = busy();
    let data = Acknowledgement { alone: false, ..ack(1) };
    recovery.selected([Span { start: 2001, end: 8001 }].into_iter());
    assert!(recovery.heard(data, at(30)) && !recovery.heard(data, at(31)));
}

#[test]
fn what_is_lost_twice_is_sent_a_third_time() {
    let mut recovery = busy();
    assert!(selects(&mut recovery, 1, 2001, 8001));
    // What was under way when it was sent again says nothing of it.
    assert!(!selects(&mut recovery, 1, 2001, 10_001));
    recovery.sent(Span { start: 10_001, end: 11_001 }, at(40));
    assert!(selects(&mut recovery, 1, 10_001, 11_001), "sent later, and there sooner");
    recovery.sent(Span { start: 11_001, end: 12_001 }, at(50));
    assert!(selects(&mut recovery, 1, 11_001, 12_001), "and a fourth");
    recovery.heard(ack(12_001), at(60));
    assert_eq!((recovery.due(), recovery.board.bytes()), (None, 0));
}

#[test]
fn silence_is_a_loss_after_a_while() {
    let mut recovery = busy();
    let mut expected = [at(60), at(460), at(1260)].into_iter();
    while let Some(due) = recovery.due() {
        assert_eq!(Some(due), expected.next());
        recovery.expire(due);
    }
    assert_eq!(expected.next(), None);
    assert!(recovery.heard(ack(9001), at(1500)), "the next one was lost as well");
    assert_eq!(recovery.due(), Some(at(1700)), "the peer may wait for a second one");
    recovery.heard(ack(10_001), at(1510));
    assert_eq!(recovery.due(), None, "nothing is under way");
}

#[test]
fn a_long_way_has_a_long_timeout() {
    let mut recovery = Recovery::default();
    recovery.begin(SYN, 1000);
    recovery.sent(Span { start: u32::MAX, end: 0 }, at(0));
    assert_eq!(recovery.due(), None);
    recovery.heard(ack(0), at(1000));
    recovery.sent(Span { start: 0, end: 100 }, at(1000));
    assert_eq!(recovery.due(), Some(at(4000)));
    // What was sent twice is not measured.
    recovery.sent(Span { start: 0, end: 100 }, at(2000));
    recovery.heard(ack(100), at(2001));
    assert_eq!(recovery.round_trip.mean(), Some(Duration::from_secs(1)));
}

#[test]
fn a_window_that_changes_is_no_loss_to_who_selects() {
    let mut recovery = busy_with(Said { selects: true, ..SYN });
    assert!((0..5).all(|n| !recovery.heard(Acknowledgement { window: 500 + n, ..ack(1) }, at(30))));
    assert!(!selects(&mut recovery, 1, 1001, 2001) && !selects(&mut recovery, 1, 2001, 3001));
    assert!(selects(&mut recovery, 1, 3001, 4001));
}

#[test]
fn a_probe_of_a_closed_window_is_not_lost() {
    let mut recovery = Recovery::default();
    recovery.begin(SYN, 1000);
    recovery.sent(Span { start: 0, end: 1 }, at(0));
    let with = |window| Acknowledgement { window, ..ack(1) };
    recovery.heard(with(0), at(10));
    recovery.sent(Span { start: 1, end: 2 }, at(1000));
    assert!(!recovery.heard(with(0), at(1010)) && !recovery.heard(with(500), at(9000)));
    assert_eq!(recovery.due(), Some(at(9200)), "it is sent now");
    assert_eq!(recovery.congestion.window(), 10_000);
}

#[test]
fn a_loss_makes_the_window_shorter_once() {
    let mut recovery = busy();
    (0..3).for_each(|_| _ = recovery.heard(ack(1), at(30)));
    assert_eq!(recovery.congestion.window(), 7000);
    recovery.heard(ack(4001), at(40));
    recovery.heard(ack(8001), at(50));
    assert_eq!(recovery.congestion.window(), 7000, "of the same window");
    recovery.expire(at(80));
    recovery.expire(at(280));
    assert_eq!(recovery.congestion.window(), 1000);
    // Until what was lost is there, slowly.
    recovery.heard(ack(9001), at(290));
    assert_eq!(recovery.congestion.window(), 2000);
}

#[test]
fn what_has_arrived_makes_room() {
    let mut recovery = busy();
    assert_eq!(recovery.allowance(50_000), 10_000);
    recovery.heard(ack(1), at(30));
    assert_eq!(recovery.allowance(50_000), 11_000, "RFC 3042");
    recovery.selected([Span { start: 2001, end: 5001 }].into_iter());
    assert!(recovery.heard(ack(1), at(31)));
    assert_eq!(recovery.allowance(50_000), 7000 + 3000);
    recovery.heard(ack(5001), at(40));
    assert_eq!(recovery.allowance(50_000), 7000);
}

#[test]
fn the_window_makes_no_segment_short() {
    let mut recovery = busy();
    (0..3).for_each(|_| _ = recovery.heard(ack(1), at(30)));
    recovery.heard(ack(5001), at(31));
    recovery.heard(ack(5501), at(32));
    // 4500 bytes are under way, 7000 may be.
    assert_eq!(recovery.allowance(50_000), 6500);
    assert_eq!(recovery.allowance(2000), 7000, "all of it");
}

#[test]
fn who_lost_the_handshake_begins_with_one_segment() {
    let (syn, again) = (Span { start: 0, end: 1 }, at(1000));
    // The client's.
    let mut recovery = Recovery::default();
    assert!(!recovery.sent(syn, at(0)) && !recovery.sent(syn, again));
    recovery.begin(SYN, 1000);
    assert_eq!(recovery.congestion.window(), 1000);
    // The server's.
    let mut recovery = Recovery::default();
    recovery.begin(SYN, 1000);
    assert!(!recovery.sent(syn, at(0)) && !recovery.sent(syn, again));
    recovery.heard(ack(1), at(1010));
    assert_eq!(recovery.congestion.window(), 1000);
}

#[test]
fn when_smoltcp_begins_again_the_window_is_one_segment() {
    let mut recovery = busy();
    assert!(recovery.sent(Span { start: 1, end: 1001 }, at(1020)));
    assert_eq!(recovery.congestion.window(), 1000);
    let mut recovery = busy();
    recovery.expire(at(60));
    assert!(!recovery.sent(Span { start: 1, end: 1001 }, at(60)), "it was asked to");
}

#[test]
fn a_window_that_was_not_filled_does_not_grow() {
    let mut recovery = busy();
    recovery.heard(ack(10_001), at(30));
    assert_eq!(recovery.congestion.window(), 18_000);
    for start in (10_001..90_001).step_by(8000) {
        recovery.sent(Span { start, end: start + 8000 }, at(40));
        recovery.heard(ack(start + 8000), at(50));
    }
    assert_eq!(recovery.congestion.window(), 18_000);
}

#[test]
fn after_a_rest_the_window_is_as_at_first() {
    let mut recovery = busy();
    assert!(!recovery.rested(at(1000)), "it does not rest");
    recovery.heard(ack(10_001), at(30));
    assert!(!recovery.rested(at(230)) && recovery.rested(at(231)));
    assert_eq!(recovery.congestion.window(), 10_000);
}

#[test]
fn impossible_acknowledgements_change_nothing() {
    let mut recovery = busy();
    assert!(!recovery.heard(ack(50_000), at(30)) && !recovery.heard(ack(u32::MAX), at(30)));
    assert_eq!(recovery.due(), Some(at(60)));
}
