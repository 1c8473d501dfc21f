//! CLOCK_REALTIME: the one clock and an offset, which can be set at once (clock_settime(2)) or moved slowly (adjtime(3)).
//!
//! It is read all the time and changed seldom, so a reader takes no lock: there are two places for the setting, the older of which is
//! overwritten, and a count of changes, which tells the newer one, and whoever reads looks at the count again afterwards
//! (INV-WALL-1: what is read was one setting).

use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicU64, AtomicUsize, Lock, Ordering, fence};

/// A clock that is moved slowly gains or loses one nanosecond in so many: 500 parts per million, as on Linux (adjtime(3)).
const SLOWNESS: u64 = 2000;

/// What the time is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Setting {
    /// CLOCK_REALTIME at time zero, ns since 1970.
    base: u64,
    /// From when on it is moved, ns.
    from: u64,
    /// By how much it is to move, ns.
    amount: i64,
}

impl Setting {
    /// How far it has been moved at `now`.
    fn moved(&self, now: u64) -> i64 {
        let most = now.saturating_sub(self.from) / SLOWNESS;
        let size = self.amount.unsigned_abs().min(most).cast_signed();
        if self.amount < 0 { -size } else { size }
    }

    fn at(&self, now: u64) -> u64 {
        self.base.wrapping_add(now).wrapping_add_signed(self.moved(now))
    }
}

/// A place for a setting.
struct Place {
    base: AtomicU64,
    from: AtomicU64,
    amount: AtomicU64,
}

impl Place {
    #[cfg(not(loom))]
    const fn new() -> Self {
        Self { base: AtomicU64::new(0), from: AtomicU64::new(0), amount: AtomicU64::new(0) }
    }

    #[cfg(loom)]
    fn new() -> Self {
        Self { base: AtomicU64::new(0), from: AtomicU64::new(0), amount: AtomicU64::new(0) }
    }

    fn load(&self) -> Setting {
        let [base, from, amount] = [&self.base, &self.from, &self.amount].map(|word| word.load(Ordering::Relaxed));
        Setting { base, from, amount: amount.cast_signed() }
    }

    fn store(&self, setting: Setting) {
        self.base.store(setting.base, Ordering::Relaxed);
        self.from.store(setting.from, Ordering::Relaxed);
        self.amount.store(setting.amount.cast_unsigned(), Ordering::Relaxed);
    }
}

/// The clock. Times `now` are nanoseconds of CLOCK_MONOTONIC.
pub struct WallClock<P: Platform> {
    places: [Place; 2],
    /// Changes so far; the newest setting is in the place of that number, modulo two.
    changes: AtomicUsize,
    writer: Lock<P, ()>,
}

impl<P: Platform> WallClock<P> {
    /// A clock that starts in 1970.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { places: [Place::new(), Place::new()], changes: AtomicUsize::new(0), writer: Lock::new(()) }
    }

    /// A clock that starts in 1970.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self { places: [Place::new(), Place::new()], changes: AtomicUsize::new(0), writer: Lock::new(()) }
    }

    /// Nanoseconds since 1970-01-01 UTC at `now`.
    #[inline]
    pub fn read(&self, now: u64) -> u64 {
        self.setting().at(now)
    }

    /// Sets it: at `now` it is `ns` since 1970. Whatever it was being moved by is forgotten.
    pub fn set(&self, now: u64, ns: u64) {
        self.change(|_| Setting { base: ns.wrapping_sub(now), from: now, amount: 0 });
    }

    /// Moves it slowly by `amount` ns, from `now` on, and not by what is left of an earlier move.
    pub fn slew(&self, now: u64, amount: i64) {
        self.change(|old| Setting { base: old.at(now).wrapping_sub(now), from: now, amount });
    }

    /// By how much it is still to move, ns.
    pub fn left(&self, now: u64) -> i64 {
        let setting = self.setting();
        setting.amount - setting.moved(now)
    }

    #[inline]
    fn setting(&self) -> Setting {
        loop {
            let changes = self.changes.load(Ordering::Acquire);
            let setting = self.places[changes % 2].load();
            // With the writer's fence: whoever has read a word of a later change sees here that there was one.
            fence(Ordering::Acquire);
            if self.changes.load(Ordering::Relaxed) == changes || mutant("wall_reads_once") {
                return setting;
            }
        }
    }

    fn change(&self, f: impl FnOnce(Setting) -> Setting) {
        let _alone = self.writer.lock();
        let changes = self.changes.load(Ordering::Relaxed);
        let new = f(self.places[changes % 2].load());
        // The count that made this place the older one comes before what is now written to it.
        fence(Ordering::Release);
        self.places[(changes + 1) % 2].store(new);
        self.changes.store(changes + 1, Ordering::Release);
    }
}

impl<P: Platform> Default for WallClock<P> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn it_goes_on_from_what_it_is_set_to() {
        let clock = WallClock::<Fake>::new();
        assert_eq!(clock.read(5), 5);
        clock.set(10 * SECOND, 1_000 * SECOND);
        assert_eq!(clock.read(12 * SECOND), 1_002 * SECOND);
        clock.set(12 * SECOND, 7);
        assert_eq!(clock.read(12 * SECOND + 1), 8);
    }

    #[test]
    fn it_is_moved_slowly_and_never_goes_back() {
        for amount in [1_000_000, -1_000_000] {
            let clock = WallClock::<Fake>::new();
            clock.set(0, 1_000 * SECOND);
            clock.slew(SECOND, amount);
            assert_eq!(clock.read(SECOND), 1_001 * SECOND);
            assert_eq!(clock.read(2 * SECOND), (1_002 * SECOND).saturating_add_signed(amount / 2));
            assert_eq!(clock.left(2 * SECOND), amount / 2);
            assert_eq!(clock.read(3 * SECOND), (1_003 * SECOND).saturating_add_signed(amount));
            assert_eq!(
                (clock.read(9 * SECOND), clock.left(9 * SECOND)),
                ((1_009 * SECOND).saturating_add_signed(amount), 0)
            );
            let times: std::vec::Vec<u64> = (0..4000).map(|step| clock.read(step * 1_000_000)).collect();
            assert!(times.is_sorted());
        }
    }

    #[test]
    fn a_new_move_takes_the_place_of_the_old_one() {
        let clock = WallClock::<Fake>::new();
        clock.slew(0, 1_000_000);
        clock.slew(SECOND, -250_000);
        assert_eq!(clock.read(SECOND), SECOND + 500_000);
        assert_eq!(clock.read(2 * SECOND), 2 * SECOND + 250_000);
        assert_eq!(clock.left(2 * SECOND), 0);
    }
}
