//! Signals: what is kept, what is taken, in which order.

use super::*;
use crate::fake::Fake;

fn handler(address: usize, flags: u64, mask: u64) -> Sigaction {
    Sigaction { sa_handler: address, sa_flags: flags, sa_mask: Sigset(mask), ..Default::default() }
}

fn both() -> (ProcessSignals<Fake>, ThreadSignals<Fake>) {
    (ProcessSignals::new(), ThreadSignals::new(Sigset(0)))
}

#[test]
fn a_handler_runs_with_its_own_signal_and_its_mask_blocked() {
    let (p, t) = both();
    p.action(10, Some(handler(0x1000, 0, 0b100))).unwrap();
    p.send(10);
    assert!(p.deliverable(&t));
    let Some(Delivery::Handle { info, old_mask, .. }) = p.next_delivery(&t, 1) else { panic!("not delivered") };
    assert_eq!((info.si_signo, old_mask), (10, Sigset(0)));
    assert_eq!(t.mask(), Sigset(0b100 | 1 << 9));
    assert_eq!(p.next_delivery(&t, 1), None);
}

#[test]
fn blocked_signals_wait() {
    let (p, t) = both();
    t.set_mask(Sigset::of(15));
    p.send_thread(&t, 15);
    assert!(!p.deliverable(&t));
    assert_eq!(p.next_delivery(&t, 1), None);
    t.set_mask(Sigset(0));
    assert_eq!(p.next_delivery(&t, 1), Some(Delivery::Terminate(15)));
}

#[test]
fn ignored_signals_vanish() {
    let (p, t) = both();
    p.send(signo::SIGCHLD);
    assert_eq!(p.next_delivery(&t, 1), None);
    p.send(13);
    p.action(13, Some(handler(SIG_IGN, 0, 0))).unwrap();
    p.action(13, Some(handler(SIG_DFL, 0, 0))).unwrap();
    assert_eq!(p.next_delivery(&t, 1), None, "ignoring discards what was pending");
}

#[test]
fn kill_can_be_neither_caught_nor_blocked() {
    let (p, t) = both();
    assert_eq!(p.action(9, Some(handler(0x1000, 0, 0))), Err(Errno::EINVAL));
    assert_eq!(p.action(65, None), Err(Errno::EINVAL));
    t.set_mask(Sigset(u64::MAX));
    p.send(9);
    assert_eq!(p.next_delivery(&t, 1), Some(Delivery::Terminate(9)));
}

#[test]
fn reset_and_nodefer_mean_what_sigaction_says() {
    let (p, t) = both();
    p.action(10, Some(handler(0x1000, 0xC000_0000, 0))).unwrap();
    p.send(10);
    assert!(matches!(p.next_delivery(&t, 1), Some(Delivery::Handle { .. })));
    assert_eq!(t.mask(), Sigset(0));
    assert_eq!(p.action(10, None).unwrap().sa_handler, SIG_DFL);
}

#[test]
fn sigwait_takes_only_its_set() {
    let (p, t) = both();
    p.send(3);
    p.send(2);
    assert_eq!(p.take(&t, Sigset::of(3)), Some(3));
    assert_eq!(p.take(&t, Sigset::of(3)), None);
    assert_eq!(p.pending(), Sigset::of(2));
}
