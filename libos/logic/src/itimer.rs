//! The interval timer of the process, setitimer(2).

use crate::platform::{Platform, TimerId};
use crate::sync::Lock;
use crate::timerfd::{Setting, advance};
use crate::wait::{Observer, Ready};
use alloc::sync::{Arc, Weak};

#[derive(Default)]
struct State {
    setting: Setting,
    armed: Option<TimerId>,
}

/// A timer that calls a function at each expiration.
pub struct IntervalTimer<P: Platform> {
    state: Lock<P, State>,
    expired: fn(),
    this: Weak<Self>,
}

impl<P: Platform> IntervalTimer<P> {
    /// A disarmed timer. `expired` is called from softirq context: no locks held, it must not block.
    pub fn new(expired: fn()) -> Arc<Self> {
        Arc::new_cyclic(|this| Self { state: Lock::new(State::default()), expired, this: this.clone() })
    }

    /// Replaces the setting and returns the old one.
    pub fn set(&self, new: Setting) -> Setting {
        let mut state = self.state.lock();
        let old = core::mem::replace(&mut state.setting, new);
        self.rearm(&mut state);
        advance(old, P::now()).0
    }

    /// The setting: when it expires next, and how often.
    pub fn get(&self) -> Setting {
        advance(self.state.lock().setting, P::now()).0
    }

    fn rearm(&self, state: &mut State) {
        if let Some(id) = state.armed.take() {
            P::timer_cancel(id);
        }
        if let (Some(at), Some(this)) = (state.setting.next, self.this.upgrade()) {
            state.armed = Some(P::timer_arm(at, this));
        }
    }
}

impl<P: Platform> Observer for IntervalTimer<P> {
    fn notify(&self, _: Ready) {
        {
            let mut state = self.state.lock();
            let (setting, count) = advance(state.setting, P::now());
            if count == 0 {
                // It was set anew while it fired.
                return;
            }
            state.setting = setting;
            self.rearm(&mut state);
        }
        (self.expired)();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use core::time::Duration;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn soon(interval: Duration) -> Setting {
        Setting { next: Some(Fake::now() + Duration::from_millis(1)), interval }
    }

    #[test]
    fn a_periodic_timer_goes_on_without_help() {
        static FIRED: AtomicUsize = AtomicUsize::new(0);
        let timer = IntervalTimer::<Fake>::new(|| {
            FIRED.fetch_add(1, Ordering::Relaxed);
        });
        timer.set(soon(Duration::from_millis(1)));
        while FIRED.load(Ordering::Relaxed) < 3 {
            std::thread::yield_now();
        }
        assert_eq!(timer.set(Setting::default()).interval, Duration::from_millis(1));
        assert_eq!(timer.get(), Setting::default());
    }

    #[test]
    fn a_late_expiration_of_an_old_setting_is_ignored() {
        let timer = IntervalTimer::<Fake>::new(|| panic!("fired"));
        timer.set(Setting { next: Some(Fake::now() + Duration::from_secs(3600)), interval: Duration::ZERO });
        timer.notify(Ready::TIMER);
        assert!(timer.set(Setting::default()).next.is_some());
        timer.notify(Ready::TIMER);
    }
}
