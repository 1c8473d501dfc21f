//! The timer that sends SIGALRM: alarm(2), setitimer(2) with ITIMER_REAL.

use crate::signals;
use crate::user::{Get, Put};
use alloc::sync::Arc;
use core::time::Duration;
use spin::Once;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::itimer::IntervalTimer;
use trapless_logic::platform::Platform;
use trapless_logic::timerfd::Setting;
use trapless_platform::x86::X86;

/// ITIMER_REAL, which alarm(2) shares.
fn real_timer() -> &'static Arc<IntervalTimer<X86>> {
    static TIMER: Once<Arc<IntervalTimer<X86>>> = Once::new();
    TIMER.call_once(|| IntervalTimer::new(|| signals::send_process(Signal::SIGALRM.number().into())))
}

/// A setting that first expires after `first` (zero: never) and then each `interval`.
fn setting(first: Duration, interval: Duration) -> Setting {
    Setting { next: (!first.is_zero()).then(|| X86::now() + first), interval }
}

/// Sets the timer and returns the old setting. An alarm of the old one has been taken then: none comes late.
fn arm(setting: Setting) -> Setting {
    let old = real_timer().set(setting);
    signals::take_pending();
    old
}

/// Time left until the next expiration; zero if there is none, and never zero if there is one.
fn left(setting: &Setting) -> Duration {
    setting.next.map_or(Duration::ZERO, |at| (at - X86::now()).max(Duration::from_micros(1)))
}

fn duration(time: Timeval) -> SysResult<Duration> {
    time.to_nanos().map(Duration::from_nanos).ok_or(Errno::EINVAL)
}

fn timeval(time: Duration) -> Timeval {
    Timeval::from_nanos(time.as_nanos() as u64)
}

fn itimerval(setting: &Setting) -> Itimerval {
    Itimerval { it_interval: timeval(setting.interval), it_value: timeval(left(setting)) }
}

/// The other two timers count processor time. EINVAL.
fn only_real(which: Itimer) -> SysResult<()> {
    if which == Itimer::ITIMER_REAL { Ok(()) } else { Err(Errno::EINVAL) }
}

/// getitimer(2).
pub fn getitimer(which: Itimer, curr_value: Out<Itimerval>) -> SysResult {
    only_real(which)?;
    curr_value.put(&itimerval(&real_timer().get()))?;
    Ok(0)
}

/// setitimer(2): no new value disarms, as on Linux.
pub fn setitimer(which: Itimer, new_value: In<Itimerval>, old_value: Out<Itimerval>) -> SysResult {
    let new = new_value.get_opt()?.unwrap_or_default();
    let new = setting(duration(new.it_value)?, duration(new.it_interval)?);
    only_real(which)?;
    let old = arm(new);
    old_value.put_opt(&itimerval(&old))?;
    Ok(0)
}

/// alarm(2): the seconds left of the old alarm, rounded to the nearest but at least 1.
pub fn alarm(seconds: U32) -> SysResult {
    let old = arm(setting(Duration::from_secs(seconds.0.into()), Duration::ZERO));
    let left = left(&old);
    let rounded = (left + Duration::from_millis(500)).as_secs() as usize;
    Ok(if left.is_zero() { 0 } else { rounded.max(1) })
}
