//! The load averages of the machine. See [`trapless_logic::load`].

use trapless_logic::itimer::IntervalTimer;
use trapless_logic::load::{Averages, INTERVAL};
use trapless_logic::platform::Platform;
use trapless_logic::sync::Lock;
use trapless_logic::timerfd::Setting;
use trapless_platform::thread;
use trapless_platform::x86::X86;

static AVERAGES: Lock<X86, Averages> = Lock::new(Averages::new());

/// Has samples taken from now on.
pub fn start() {
    // It lives as long as it is armed, which is for ever.
    IntervalTimer::<X86>::new(sample).set(Setting { next: Some(X86::now() + INTERVAL), interval: INTERVAL });
}

fn sample() {
    let active = thread::active_count();
    AVERAGES.lock().add(active);
}

/// The averages as they are now.
pub fn averages() -> Averages {
    *AVERAGES.lock()
}
