//! How long a thread runs before it sleeps, and how long a CPU takes to wake up: together they say whether one thread that another wakes
//! is to wait for its CPU.

use core::sync::atomic::{AtomicU64, Ordering};

/// A new value counts for one of so many.
const WEIGHT: u64 = 4;
/// The shortest time that can be typical, ns: from none at all there would be no way up.
const LEAST_NS: u64 = 1000;

/// A typical time: a mean in which no value counts for more than twice what was typical before. The host may take a CPU away at any moment,
/// for any time.
#[derive(Debug)]
pub struct Typical(AtomicU64);

impl Typical {
    /// `ns` until more is known.
    pub const fn new(ns: u64) -> Self {
        Self(AtomicU64::new(ns))
    }

    /// What is typical, ns.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// It took `ns` this time. Of two calls at once one may be lost.
    pub fn add(&self, ns: u64) {
        let known = self.get().max(LEAST_NS);
        let counts = ns.min(2 * known);
        self.0.store((known - known / WEIGHT + counts / WEIGHT).max(LEAST_NS), Ordering::Relaxed);
    }
}

/// What a thread usually does. Belongs to the CPU that has the thread.
#[derive(Debug)]
pub struct Habit {
    /// Time on a CPU since the thread slept or had to make place for others, ns.
    turn: AtomicU64,
    /// Of turns that ended with sleep.
    usual: Typical,
}

impl Habit {
    /// That of a new thread, of which only long turns are expected.
    pub const fn new() -> Self {
        Self { turn: AtomicU64::new(0), usual: Typical::new(super::SLICE_NS) }
    }

    /// It has run for so long, ns.
    pub fn ran(&self, ns: u64) {
        self.turn.store(self.turn().saturating_add(ns), Ordering::Relaxed);
    }

    /// It sleeps now.
    pub fn sleeps(&self) {
        self.usual.add(self.turn());
        self.makes_place();
    }

    /// Others have their turn now.
    pub fn makes_place(&self) {
        self.turn.store(0, Ordering::Relaxed);
    }

    /// How long its turn has taken until it left its CPU last, ns.
    fn turn(&self) -> u64 {
        self.turn.load(Ordering::Relaxed)
    }

    /// Whether it sleeps within `ns`, as far as one can tell: it has been running for `running` ns since it was switched to.
    pub fn sleeps_within(&self, ns: u64, running: u64) -> bool {
        self.usual.get() < ns && self.turn().saturating_add(running) < ns
    }
}

impl Default for Habit {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const US: u64 = 1000;

    fn slept_after(turns: impl IntoIterator<Item = u64>) -> Habit {
        let habit = Habit::new();
        for turn in turns {
            habit.ran(turn);
            habit.sleeps();
        }
        habit
    }

    #[test]
    fn who_always_sleeps_soon_is_expected_to() {
        assert!(!Habit::new().sleeps_within(100 * US, 0));
        let habit = slept_after([10 * US; 50]);
        assert!(habit.sleeps_within(12 * US, 0) && habit.sleeps_within(12 * US, 11 * US));
        assert!(!habit.sleeps_within(12 * US, 12 * US) && !habit.sleeps_within(9 * US, 0));
    }

    #[test]
    fn one_long_turn_is_forgiven_and_many_are_not() {
        let after = |long| slept_after([10 * US; 50].into_iter().chain(core::iter::repeat_n(u64::MAX, long)));
        assert!(after(1).sleeps_within(14 * US, 0));
        assert!(!after(4).sleeps_within(20 * US, 0));
    }

    #[test]
    fn a_turn_goes_on_behind_an_interruption() {
        let habit = slept_after([10 * US; 50]);
        habit.ran(5 * US);
        habit.ran(4 * US);
        assert!(habit.sleeps_within(12 * US, 2 * US) && !habit.sleeps_within(12 * US, 3 * US));
        assert_eq!(habit.turn(), 9 * US);
        habit.makes_place();
        assert_eq!(habit.turn(), 0);
    }

    #[test]
    fn what_is_typical_follows_in_both_directions() {
        let typical = Typical::new(0);
        for (value, least, most) in [(500 * US, 490 * US, 500 * US), (3 * US, 3 * US, 4 * US), (0, US, US)] {
            (0..60).for_each(|_| typical.add(value));
            assert!((least..=most).contains(&typical.get()), "{value}: {}", typical.get());
        }
    }
}
