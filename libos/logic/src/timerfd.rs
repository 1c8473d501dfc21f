//! Timers as files (timerfd_create(2)).
//!
//! Whether a timer has expired is computed from the clock whenever somebody asks; the armed platform timer only wakes those who
//! sleep. ERTS arms and disarms its timer without ever reading it, so readiness must follow the setting, not a latch.

use crate::data::Sink;
use crate::eventfd::anonymous_stat;
use crate::file::File;
use crate::mutant::mutant;
use crate::platform::{Platform, TimerId};
use crate::sync::Lock;
use crate::time::Instant;
use crate::wait::{Observer, Ready, WaitQueue};
use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::time::Duration;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// A timer's setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Next expiration that was not read yet; None: disarmed.
    pub next: Option<Instant>,
    /// Distance between expirations; zero: one shot.
    pub interval: Duration,
}

#[derive(Default)]
struct State {
    setting: Setting,
    armed: Option<TimerId>,
}

/// A timerfd object.
pub struct TimerFd<P: Platform> {
    state: Lock<P, State>,
    queue: WaitQueue<P>,
    realtime: bool,
    this: Weak<Self>,
}

impl<P: Platform> TimerFd<P> {
    /// A disarmed timer, of CLOCK_REALTIME or else of CLOCK_MONOTONIC: that only matters to how its times are told.
    pub fn new(realtime: bool) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Lock::new(State::default()),
            queue: WaitQueue::new(),
            realtime,
            this: this.clone(),
        })
    }

    /// Whether its clock is CLOCK_REALTIME.
    pub fn is_realtime(&self) -> bool {
        self.realtime
    }

    /// timerfd_settime(2) with the times already turned into instants; returns the old setting.
    pub fn set(&self, new: Setting) -> Setting {
        let now = P::now();
        if mutant("timerfd_notify_first") {
            self.queue.notify(Ready::READABLE);
        }
        let old = self.change(new, now, &mut self.state.lock());
        if is_expired(&new, now) && !mutant("timerfd_notify_first") {
            self.queue.notify(Ready::READABLE);
        }
        advance(old, now).0
    }

    /// timerfd_gettime(2).
    pub fn get(&self) -> Setting {
        advance(self.state.lock().setting, P::now()).0
    }

    /// Replaces the setting, and points the platform timer at its next expiration unless that has passed: who looks finds it then.
    fn change(&self, new: Setting, now: Instant, state: &mut State) -> Setting {
        if let Some(id) = state.armed.take() {
            P::timer_cancel(id);
        }
        if let (Some(at), Some(this)) = (new.next.filter(|&at| at > now), self.this.upgrade()) {
            state.armed = Some(P::timer_arm(at, this));
        }
        core::mem::replace(&mut state.setting, new)
    }
}

fn is_expired(setting: &Setting, now: Instant) -> bool {
    setting.next.is_some_and(|at| at <= now)
}

/// The setting once every expiration up to `now` is consumed, and how many there were.
pub(crate) fn advance(setting: Setting, now: Instant) -> (Setting, u64) {
    let Some(at) = setting.next.filter(|&at| at <= now) else { return (setting, 0) };
    let step = setting.interval.as_nanos() as u64;
    if step == 0 {
        return (Setting { next: None, ..setting }, 1);
    }
    let count = (now - at).as_nanos() as u64 / step + 1;
    let next = Instant::from_nanos(at.as_nanos().saturating_add(count.saturating_mul(step)));
    (Setting { next: Some(next), ..setting }, count)
}

impl<P: Platform> Observer for TimerFd<P> {
    /// Of the platform timer. A periodic one is armed again when it is read or set, not before: an expiration that nobody cares for
    /// wakes nobody a second time (timerfd in Linux does the same).
    fn notify(&self, _: Ready) {
        self.queue.notify(Ready::READABLE);
    }
}

impl<P: Platform> File<P> for TimerFd<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        if to.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let count = {
            let mut state = self.state.lock();
            let now = P::now();
            let (setting, count) = advance(state.setting, now);
            if count == 0 {
                return Err(Errno::EAGAIN);
            }
            self.change(setting, now, &mut state);
            count
        };
        to.push(&count.to_ne_bytes())
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(anonymous_stat())
    }

    fn ready(&self) -> Ready {
        if is_expired(&self.state.lock().setting, P::now()) { Ready::IN } else { Ready::empty() }
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn close(&self) {
        if let Some(id) = self.state.lock().armed.take() {
            P::timer_cancel(id);
        }
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::wait::block_on;
    use alloc::vec::Vec;

    const fn at(ns: u64) -> Option<Instant> {
        Some(Instant::from_nanos(ns))
    }

    #[test]
    fn expirations_are_counted_and_consumed() {
        let s = Setting { next: at(100), interval: Duration::from_nanos(10) };
        assert_eq!(advance(s, Instant::from_nanos(99)), (s, 0));
        assert_eq!(advance(s, Instant::from_nanos(100)), (Setting { next: at(110), ..s }, 1));
        assert_eq!(advance(s, Instant::from_nanos(125)), (Setting { next: at(130), ..s }, 3));
        let once = Setting { next: at(100), interval: Duration::ZERO };
        assert_eq!(advance(once, Instant::from_nanos(500)), (Setting { next: None, ..once }, 1));
    }

    #[test]
    fn a_sleeping_reader_is_woken() {
        let t = TimerFd::<Fake>::new(false);
        t.set(Setting { next: Some(Fake::now() + Duration::from_millis(20)), interval: Duration::ZERO });
        let mut buf = Vec::with_capacity(8);
        block_on(t.queue().unwrap(), Ready::READABLE, None, || t.read(&mut buf)).unwrap();
        assert_eq!(u64::from_ne_bytes(buf[..].try_into().unwrap()), 1);
    }

    #[test]
    fn a_periodic_timer_is_armed_when_it_is_set_and_read_but_not_when_it_goes_off() {
        let t = TimerFd::<Fake>::new(false);
        let (hour, past) = (Duration::from_secs(3600), Fake::now());
        t.set(Setting { next: Some(past + hour), interval: hour });
        assert!(t.state.lock().armed.is_some());
        t.set(Setting { next: Some(past), interval: hour });
        t.notify(Ready::TIMER);
        assert_eq!((t.ready(), t.state.lock().armed), (Ready::IN, None));
        assert_eq!(t.read(&mut Vec::with_capacity(8)), Ok(8));
        assert_eq!((t.ready(), t.state.lock().armed.map(|id| id.at)), (Ready::empty(), Some(past + hour)));
        t.close();
        assert_eq!(t.state.lock().armed, None);
    }

    #[test]
    fn disarming_an_expired_timer_makes_it_unready() {
        let t = TimerFd::<Fake>::new(false);
        t.set(Setting { next: Some(Fake::now()), interval: Duration::ZERO });
        assert_eq!(t.ready(), Ready::IN);
        t.set(Setting::default());
        assert_eq!(t.ready(), Ready::empty());
        assert_eq!(t.read(&mut Vec::with_capacity(8)), Err(Errno::EAGAIN));
    }
}
