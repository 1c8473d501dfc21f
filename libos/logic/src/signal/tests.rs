//! Signals: what is kept, what is taken, in which order.

use super::*;
use crate::fake::Fake;

fn handler(address: usize, flags: u64, mask: u64) -> Sigaction {
    Sigaction { sa_handler: address, sa_flags: flags, sa_mask: Sigset(mask), ..Default::default() }
}

fn both() -> (ProcessSignals<Fake>, ThreadSignals<Fake>) {
    (ProcessSignals::new(), ThreadSignals::new(Sigset(0)))
}

/// As kill(2) tells about it.
fn sent(signo: u32) -> Siginfo {
    Siginfo::sent(signo as i32, 0, 1, 0)
}

/// As sigqueue(3) tells about it.
fn queued(signo: u32, value: u64) -> Siginfo {
    Siginfo { si_value: value, ..Siginfo::sent(signo as i32, -1, 1, 0) }
}

fn send(p: &ProcessSignals<Fake>, signo: u32) {
    assert_eq!(p.send(None, sent(signo)), Ok(true));
}

#[test]
fn a_handler_runs_with_its_own_signal_and_its_mask_blocked() {
    let (p, t) = both();
    p.action(10, Some(handler(0x1000, 0, 0b100))).unwrap();
    send(&p, 10);
    assert!(p.deliverable(&t));
    let Some(Delivery::Handle { info, old_mask, .. }) = p.next_delivery(&t) else { panic!("not delivered") };
    assert_eq!((info.si_signo, old_mask), (10, Sigset(0)));
    assert_eq!(t.mask(), Sigset(0b100 | 1 << 9));
    assert_eq!(p.next_delivery(&t), None);
}

#[test]
fn blocked_signals_wait() {
    let (p, t) = both();
    t.set_mask(Sigset::of(15));
    p.send_thread(&t, sent(15)).unwrap();
    assert!(!p.deliverable(&t));
    assert_eq!(p.next_delivery(&t), None);
    t.set_mask(Sigset(0));
    assert_eq!(p.next_delivery(&t), Some(Delivery::Terminate(15)));
}

#[test]
fn ignored_signals_vanish() {
    let (p, t) = both();
    assert_eq!(p.send(Some(&t), sent(signo::SIGCHLD)), Ok(false));
    assert_eq!(p.send_thread(&t, sent(signo::SIGCHLD)), Ok(false));
    assert_eq!((p.pending(), t.pending()), (Sigset(0), Sigset(0)));
    send(&p, 13);
    p.send_thread(&t, sent(13)).unwrap();
    p.action(13, Some(handler(SIG_IGN, 0, 0))).unwrap();
    p.discard(&t, 13);
    p.action(13, Some(handler(SIG_DFL, 0, 0))).unwrap();
    assert_eq!(p.next_delivery(&t), None, "ignoring discards what was pending");
}

#[test]
fn an_ignored_signal_is_kept_while_it_is_blocked() {
    let (p, t) = both();
    t.set_mask(Sigset::of(signo::SIGCHLD));
    assert_eq!(p.send(Some(&t), sent(signo::SIGCHLD)), Ok(true));
    assert_eq!(p.take(&t, Sigset::of(signo::SIGCHLD)), Some(sent(signo::SIGCHLD)));
    // sigtimedwait(2) unblocks it, and wants it all the more.
    t.reserve(t.set_mask(Sigset(0)));
    assert_eq!(p.send_thread(&t, sent(signo::SIGCHLD)), Ok(true));
    t.reserve(Sigset(0));
    assert_eq!(p.next_delivery(&t), None, "unblocked, it is dropped when it is its turn");
    assert_eq!(t.pending(), Sigset(0));
}

#[test]
fn kill_can_be_neither_caught_nor_blocked() {
    let (p, t) = both();
    assert_eq!(p.action(9, Some(handler(0x1000, 0, 0))), Err(Errno::EINVAL));
    assert_eq!(p.action(65, None), Err(Errno::EINVAL));
    t.set_mask(Sigset(u64::MAX));
    send(&p, 9);
    assert_eq!(p.next_delivery(&t), Some(Delivery::Terminate(9)));
}

#[test]
fn reset_and_nodefer_mean_what_sigaction_says() {
    let (p, t) = both();
    p.action(10, Some(handler(0x1000, 0xC000_0000, 0))).unwrap();
    send(&p, 10);
    assert!(matches!(p.next_delivery(&t), Some(Delivery::Handle { .. })));
    assert_eq!(t.mask(), Sigset(0));
    assert_eq!(p.action(10, None).unwrap().sa_handler, SIG_DFL);
}

#[test]
fn sigwait_takes_only_its_set() {
    let (p, t) = both();
    send(&p, 3);
    send(&p, 2);
    assert_eq!(p.take(&t, Sigset::of(3)), Some(sent(3)));
    assert_eq!(p.take(&t, Sigset::of(3)), None);
    assert_eq!(p.pending(), Sigset::of(2));
}

#[test]
fn real_time_signals_queue_and_others_do_not() {
    let (p, t) = both();
    for value in 1..=3 {
        p.send_thread(&t, queued(10, value)).unwrap();
        p.send_thread(&t, queued(40, value)).unwrap();
    }
    let all = Sigset(u64::MAX);
    let taken: Vec<_> = core::iter::from_fn(|| p.take(&t, all)).collect();
    assert_eq!(taken, [queued(10, 1), queued(40, 1), queued(40, 2), queued(40, 3)]);
    assert!(!p.deliverable(&t));
}

#[test]
fn what_was_sent_to_the_thread_comes_first_and_faults_before_the_rest() {
    let (p, t) = both();
    send(&p, 2);
    for signo in [15, 11, 12] {
        p.send_thread(&t, sent(signo)).unwrap();
    }
    let taken: Vec<_> = core::iter::from_fn(|| p.take(&t, Sigset(u64::MAX))).map(|info| info.si_signo).collect();
    assert_eq!(taken, [11, 12, 15, 2]);
}

#[test]
fn beyond_the_limit_real_time_signals_are_refused_and_others_lose_their_information() {
    let (p, t) = both();
    p.set_limit(1);
    p.send_thread(&t, queued(40, 7)).unwrap();
    assert_eq!(p.send_thread(&t, queued(40, 8)), Err(Errno::EAGAIN));
    assert_eq!(p.send(None, queued(41, 8)), Err(Errno::EAGAIN), "the limit is one of the process");
    assert_eq!(p.send_thread(&t, queued(10, 8)), Ok(true));
    assert_eq!(p.send_thread(&t, sent(40)), Ok(true), "kill(2) is never refused");
    assert_eq!(p.send_thread(&t, sent(12)), Ok(true), "nor does it lose anything of a standard signal");
    let taken: Vec<_> = core::iter::from_fn(|| p.take(&t, Sigset(u64::MAX))).collect();
    assert_eq!(taken, [Siginfo::sent(10, 0, 0, 0), sent(12), queued(40, 7)]);
    p.send_thread(&t, queued(40, 9)).expect("what was taken makes room");
    drop(t);
    p.send(None, queued(40, 10)).expect("so does a thread that ends");
}
