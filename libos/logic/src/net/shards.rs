//! The stack as its callers see it: shards, each behind a lock of its own, and who works for them when.
//!
//! Lock order: a shard's lock is taken with no other shard's held, and before what [`Shared`] locks. What a shard leaves for another is
//! looked at when its own lock is free again: by whoever freed it, or by whoever has the other's lock.

use super::device::{Counters, Nic};
use super::lease::{Addressing, Addressing6, LeaseHook};
use super::link::{Card, Link, LinkId, MOST};
use super::relay::Relay;
use super::shared::{Shards, Shared};
use super::stack::{Inner, RETRY};
use super::steering::{FIRST, SHARDS, ShardId};
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Observer, Ready};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

/// The network stack.
pub struct NetStack<P: Platform> {
    shards: Vec<Arc<Shard<P>>>,
    pub(super) shared: Arc<Shared<P>>,
    pub(super) hook: Lock<P, Option<LeaseHook>>,
}

/// One shard. As an observer of a timer it works.
struct Shard<P: Platform> {
    number: ShardId,
    inner: Relay<P, Inner<P>>,
    stack: Weak<NetStack<P>>,
}

impl<P: Platform> Observer for Shard<P> {
    fn notify(&self, _: Ready) {
        let Some(stack) = self.stack.upgrade() else { return };
        let more = stack.poll_shards(1 << self.number);
        stack.poll_later(more);
    }
}

/// A card's place in the stack: the card, if there is one, and its addresses.
type Place = (Option<Nic>, Addressing, Addressing6);

impl<P: Platform> NetStack<P> {
    /// A stack on `nic`, or with loopback only, for so many CPUs: with a shard for each of them, as far as there are [`SHARDS`], and one for
    /// each pair of queues. The card's interrupts are turned on by the first [`NetStack::poll`].
    pub fn new(nic: Option<Nic>, addressing: Addressing, addressing6: Addressing6, cpus: usize) -> Arc<Self> {
        Self::on_places([(nic, addressing, addressing6)].into(), cpus)
    }

    /// As [`NetStack::new`], on several cards. Of more than there are [names](super::NAMES) for the rest is not used.
    pub fn on_cards(cards: Vec<Card>, cpus: usize) -> Arc<Self> {
        let cards = cards.into_iter().take(MOST);
        let mut places: Vec<_> =
            cards.map(|Card { nic, addressing, addressing6 }| (Some(nic), addressing, addressing6)).collect();
        if places.is_empty() {
            places.push((None, Addressing::None, Addressing6::None));
        }
        Self::on_places(places, cpus)
    }

    fn on_places(places: Vec<Place>, cpus: usize) -> Arc<Self> {
        let pairs = places.iter().flat_map(|(nic, ..)| nic).map(|nic| nic.pairs.len());
        let count = pairs.fold(cpus, usize::max).clamp(1, SHARDS);
        let shared = Arc::new(Shared::new(count));
        let mut links: Vec<Vec<Box<Link>>> = (0..count).map(|_| Vec::new()).collect();
        let mut addressings = Vec::new();
        for (number, (nic, addressing, addressing6)) in (0..).zip(places) {
            addressings.push(addressing);
            let mut lanes = nic.map(|nic| nic.divide::<P>(count)).into_iter().flatten();
            for (shard, links) in links.iter_mut().enumerate() {
                links.push(Link::new::<P>(number as LinkId, lanes.next(), addressing6, shard));
            }
        }
        let inner = |(number, mut links): (ShardId, Vec<Box<Link>>)| {
            let others = links.split_off(1);
            let link = links.pop()?;
            Some(Inner::new(number, shared.clone(), link, others))
        };
        // There is a link at least.
        let mut inners: Vec<_> = links.into_iter().enumerate().filter_map(inner).collect();
        for (number, addressing) in (0..).zip(addressings) {
            inners[FIRST].on(number, |inner| inner.configure(addressing));
        }
        Arc::new_cyclic(|stack: &Weak<Self>| {
            let shard = |inner: Inner<P>| {
                Arc::new(Shard { number: inner.number, inner: Relay::new(inner), stack: stack.clone() })
            };
            Self { shards: inners.into_iter().map(shard).collect(), shared, hook: Lock::new(None) }
        })
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Moves frames until there is nothing to do. Returns true when it stopped because others must have their turn: call again soon.
    /// Called without any lock held, at any time.
    pub fn poll(&self) -> bool {
        self.poll_shards(!0) != 0
    }

    /// As [`NetStack::poll`], for shards whose bits are set: from the network softirq, for those whose pairs of queues have interrupted, and
    /// once at start, for all. Returns the bits of those that must be polled again soon.
    pub fn poll_shards(&self, wanted: u64) -> u64 {
        let (served, more) = self.serve(wanted | self.shared.take_blocked());
        if served & 1 << FIRST != 0 {
            self.announce_lease();
        }
        more
    }

    /// Has shards do what there is to do, and those for which they leave something: which have done it here, because nobody else had their
    /// lock, and which have more to do.
    fn serve(&self, wanted: Shards) -> (Shards, Shards) {
        let mut wanted = wanted & (Shards::MAX >> (Shards::BITS as usize - self.shards.len()));
        let (mut served, mut more) = (0, 0);
        while wanted != 0 {
            let number = wanted.trailing_zeros() as ShardId;
            let bit = 1 << number;
            (wanted, more) = (wanted & !bit, more & !bit);
            self.shards[number].inner.request(|inner| {
                served |= bit;
                more |= Shards::from(self.work(inner)) << number;
                wanted |= core::mem::take(&mut inner.asked);
            });
        }
        (served, more)
    }

    /// What a pair's interrupt, the timer and other shards ask for; true if there is more to do.
    fn work(&self, inner: &mut Inner<P>) -> bool {
        inner.catch_up();
        let mut more = inner.run(true);
        if more {
            inner.kick();
        } else {
            // Each is to be asked.
            more = inner.links_mut().map(|link| link.wire.rearm()).filter(|&more| more).count() > 0;
        }
        self.rearm_timer(inner);
        more
    }

    /// One shard, to be entered.
    pub(super) fn on(&self, shard: ShardId) -> Entrance<'_, P> {
        Entrance { stack: self, shard: &self.shards[shard] }
    }

    /// Runs `f` on the first shard and then, if its second result says so, moves the frames it caused.
    pub(super) fn enter<R>(&self, f: impl FnOnce(&mut Inner<P>) -> (R, bool)) -> R {
        self.on(FIRST).enter(f)
    }

    /// Runs `f` on the first shard, then moves the frames it caused.
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut Inner<P>) -> R) -> R {
        self.on(FIRST).with(f)
    }

    /// Runs `f` on the first shard when it causes no frames.
    pub(super) fn look<R>(&self, f: impl FnOnce(&mut Inner<P>) -> R) -> R {
        self.on(FIRST).look(f)
    }

    /// Has [`NetStack::poll_shards`] called from softirq context.
    fn poll_later(&self, wanted: Shards) {
        for shard in self.shards.iter().filter(|shard| wanted & 1 << shard.number != 0) {
            P::timer_arm(P::now(), shard.clone());
        }
    }

    fn rearm_timer(&self, inner: &mut Inner<P>) {
        let now = P::now();
        let blocked = inner.table.has_touched().then_some(now);
        if blocked.is_some() && inner.links().any(|link| link.wire.is_deaf()) {
            self.shared.await_room(inner.number);
        }
        let datagrams = inner.links_mut().filter_map(|link| link.datagrams.due).min();
        let all = [inner.table.next_timer(), blocked, inner.next_death(), datagrams, inner.alarm()];
        let Some(at) = all.into_iter().flatten().min() else { return };
        let at = at.max(now + RETRY);
        match inner.timer {
            // It fires early and is armed again then.
            Some(armed) if armed.at <= at && armed.at > now => {}
            armed => {
                if let Some(armed) = armed {
                    P::timer_cancel(armed);
                }
                inner.timer = Some(P::timer_arm(at, self.shards[inner.number].clone()));
            }
        }
    }

    /// The first card's Ethernet address.
    pub fn mac(&self) -> [u8; 6] {
        self.look(|inner| inner.numbered(0).wire.mac.0)
    }

    /// What each card has done, by its pairs of queues, and how many of its frames the stack has refused before it looked at them.
    pub fn counters(&self) -> Vec<(Vec<Counters>, u64)> {
        let mut cards = Vec::new();
        for shard in 0..self.shards() {
            let counted: Vec<_> = self.on(shard).look(|inner| inner.links().map(|link| link.wire.counters()).collect());
            cards.resize_with(counted.len(), || (Vec::new(), 0));
            for ((pairs, refused), (pair, more)) in cards.iter_mut().zip(counted) {
                pairs.extend(pair);
                *refused += more;
            }
        }
        cards
    }

    /// What each shard has seen.
    pub fn load(&self) -> Vec<Load> {
        let load = |shard: &Arc<Shard<P>>| {
            let (waits, left) = shard.inner.contention();
            let (handed, lost) = self.shared.left_for(shard.number);
            let connections = self.on(shard.number).look(|inner| inner.table.len());
            Load { waits, left, handed, lost, connections }
        };
        self.shards.iter().map(load).collect()
    }

    /// Sockets that exist, closed ones that are not finished included.
    pub fn sockets(&self) -> usize {
        let connections = |shard| self.on(shard).look(|inner| inner.table.len() + inner.udp_sockets());
        (0..self.shards()).map(connections).sum()
    }
}

/// What a shard has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How often a call had to wait for its lock.
    pub waits: u64,
    /// How often an interrupt's work was left to who had the lock.
    pub left: u64,
    /// What other shards have left for it, frames for the most part.
    pub handed: u64,
    /// How much of that was lost, because it was too much at once.
    pub lost: u64,
    /// Connections that it has now.
    pub connections: usize,
}

/// A shard to be entered, and the stack it belongs to.
pub(super) struct Entrance<'a, P: Platform> {
    stack: &'a NetStack<P>,
    shard: &'a Arc<Shard<P>>,
}

impl<P: Platform> Entrance<'_, P> {
    /// Runs `f` on the shard and then, if its second result says so, moves the frames it caused. What comes from the card waits for
    /// the softirq, so that a call is not charged with everybody's frames.
    pub(super) fn enter<R>(self, f: impl FnOnce(&mut Inner<P>) -> (R, bool)) -> R {
        let stack = self.stack;
        let (mut more, mut asked) = (false, 0);
        let (result, later, asks) = self.shard.inner.with(
            |inner| {
                inner.catch_up();
                let (result, run) = f(inner);
                let later = run && inner.run(false);
                if run {
                    inner.kick();
                }
                if core::mem::take(&mut inner.hurried) || run {
                    stack.rearm_timer(inner);
                }
                (result, later || inner.news, core::mem::take(&mut inner.asked))
            },
            |inner| {
                more = stack.work(inner) || inner.news;
                asked |= core::mem::take(&mut inner.asked);
            },
        );
        let asked = asked | asks;
        let more = Shards::from(more || later) << self.shard.number;
        if asked | more != 0 {
            let (served, others) = stack.serve(asked);
            // The first shard's news are told when no lock is held.
            stack.poll_later(more | others | served & 1 << FIRST);
        }
        result
    }

    /// Runs `f` on the shard, then moves the frames it caused.
    pub(super) fn with<R>(self, f: impl FnOnce(&mut Inner<P>) -> R) -> R {
        self.enter(|inner| (f(inner), true))
    }

    /// Runs `f` on the shard when it causes no frames.
    pub(super) fn look<R>(self, f: impl FnOnce(&mut Inner<P>) -> R) -> R {
        self.enter(|inner| (f(inner), false))
    }
}
