//! What links have to do that comes with time alone, and when: one time for all of it, so that a run before that looks at nothing else.
//!
//! INV-NET-5: whatever moves one of these times to an earlier one has them looked at again ([`Inner::review`]).

use super::link::Link;
use super::stack::Inner;
use crate::platform::Platform;
use crate::time::Instant;
use core::time::Duration;

/// How often smoltcp is reminded of the host's own Ethernet address; it forgets after 60 s.
const ANNOUNCE: Duration = Duration::from_secs(30);

/// When links have something to do.
#[derive(Clone, Copy)]
pub(super) struct Upkeep {
    /// Nothing is due before. Zero: that must be found out.
    due: Instant,
    /// When there is something that cannot wait until somebody calls.
    alarm: Option<Instant>,
}

impl Upkeep {
    /// That must be found out.
    pub(super) const UNKNOWN: Self = Self { due: Instant::ZERO, alarm: None };
}

impl Link {
    /// When somebody has to be asked, or something to be forgotten, whether anybody calls or not.
    fn alarm(&self) -> Option<Instant> {
        [self.routers.due(), self.detection.due()].into_iter().flatten().min()
    }

    /// When there is something to do for who calls next.
    fn chores(&mut self) -> Instant {
        let path = self.wire.paths().due();
        path.map_or(self.next_announce, |path| path.min(self.next_announce))
    }
}

impl<P: Platform> Inner<P> {
    /// Does what is due.
    pub(super) fn maintain(&mut self, now: Instant) {
        if now < self.upkeep.due {
            return;
        }
        for number in 0..self.count() {
            self.turn(number);
            if now >= self.link.next_announce {
                self.link.next_announce = now + ANNOUNCE;
                self.link.wire.announce();
            }
            self.discover(now);
            self.detect_duplicates(now);
            self.link.wire.paths().expire(now);
        }
        self.economise(now);
        self.plan();
    }

    /// One of the times has changed.
    pub(super) fn review(&mut self) {
        self.upkeep = Upkeep::UNKNOWN;
    }

    /// When somebody has to call, because nobody else may.
    pub(super) fn alarm(&mut self) -> Option<Instant> {
        if self.upkeep.due == Instant::ZERO {
            self.plan();
        }
        self.upkeep.alarm
    }

    /// Finds out what is due when.
    fn plan(&mut self) {
        let alarm = self.links_mut().filter_map(|link| link.alarm()).min();
        let search = self.next_search;
        let chores = self.links_mut().map(|link| link.chores()).fold(search, Instant::min);
        self.upkeep = Upkeep { due: alarm.map_or(chores, |alarm| alarm.min(chores)), alarm };
    }
}
