//! What shards share, and what they tell each other.
//!
//! Of a frame only the shard that takes it from the card knows whose it is. TCP segments belong to the shard that [`steering`] says, all
//! else to the first; what is another's goes there by its [`Inbox`]. The first one finds out addresses, routers and neighbours for all.

use super::admission::Names;
use super::flow::{Content, Flow};
use super::inbox::Inbox;
use super::link::LinkId;
use super::neighbor;
use super::path::Path;
use super::stack::Inner;
use super::steering::{FIRST, ShardId, shard_of};
use super::wire::Origin;
use crate::platform::Platform;
use crate::sync::{AtomicU64, Lock, Ordering};
use alloc::sync::Arc;
use alloc::vec::Vec;
use smoltcp::wire::{IpAddress, IpCidr, Ipv4Address, Ipv6Address};

/// A set of shards, a bit each.
pub(super) type Shards = u64;

/// What a card's addresses and routers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// The addresses that are in use, with their networks.
    pub(super) addresses: Vec<IpCidr>,
    pub(super) router: Option<Ipv4Address>,
    pub(super) router6: Option<Ipv6Address>,
}

/// What one shard has for another.
pub(super) enum Parcel {
    /// A frame of that card, which is all right.
    Frame(LinkId, Vec<u8>),
    /// The way to a host by that card is narrow.
    Path(LinkId, IpAddress, Path),
}

/// What all shards share.
pub(super) struct Shared<P: Platform> {
    /// How many there are.
    pub(super) shards: usize,
    /// Ports and listeners of TCP.
    pub(super) names: Lock<P, Names>,
    /// Of each shard.
    inboxes: Vec<Inbox<P, Parcel>>,
    /// Shards that wait for room to send by a pair of queues whose interrupts another one gets.
    blocked: AtomicU64,
    /// Of each link, as the first shard has found out, and how often that has changed: written with the lock only.
    networks: Lock<P, Arc<Vec<Network>>>,
    version: AtomicU64,
}

impl<P: Platform> Shared<P> {
    pub(super) fn new(shards: usize) -> Self {
        Self {
            shards,
            names: Lock::new(Names::new::<P>()),
            inboxes: (0..shards).map(|_| Inbox::new()).collect(),
            blocked: AtomicU64::new(0),
            networks: Lock::new(Arc::default()),
            version: AtomicU64::new(0),
        }
    }

    /// The shard of a connection.
    pub(super) fn shard_of(&self, flow: &Flow) -> ShardId {
        shard_of(flow, self.shards)
    }

    /// A shard's part of what all may have.
    pub(super) const fn part(&self, all: usize) -> usize {
        all.div_ceil(self.shards)
    }

    /// Has a shard asked to work when another one next is: that may have been told that there is room.
    pub(super) fn await_room(&self, shard: ShardId) {
        self.blocked.fetch_or(1 << shard, Ordering::Relaxed);
    }

    /// Those that are to be asked now.
    pub(super) fn take_blocked(&self) -> Shards {
        if self.blocked.load(Ordering::Relaxed) == 0 { 0 } else { self.blocked.swap(0, Ordering::Relaxed) }
    }

    /// How much was left for a shard so far, and how much of that was lost.
    pub(super) fn left_for(&self, shard: ShardId) -> (u64, u64) {
        self.inboxes[shard].counts()
    }
}

impl<P: Platform> Inner<P> {
    /// Leaves something of so many bytes for another shard, which is to be asked to look when this one's lock is free.
    fn leave_for(&mut self, to: ShardId, parcel: Parcel, bytes: usize) {
        self.shared.inboxes[to].put(parcel, bytes);
        self.asked |= 1 << to;
    }

    /// The shard of what a frame carries.
    pub(super) fn home(&self, content: &Content) -> ShardId {
        match content {
            _ if self.shared.shards == 1 => FIRST,
            Content::Tcp(segment) => self.shared.shard_of(&segment.flow),
            Content::TooBig(complaint) => self.shared.shard_of(&complaint.flow),
            _ => FIRST,
        }
    }

    /// Leaves a copy of the staged frame for another shard.
    pub(super) fn hand_over(&mut self, to: ShardId) {
        let frame = self.link.wire.staged().0;
        let mut copy = Vec::new();
        // Without memory for it a frame is lost, as on a wire.
        if copy.try_reserve_exact(frame.len()).is_ok() {
            copy.extend_from_slice(frame);
            let len = copy.len();
            self.leave_for(to, Parcel::Frame(self.link.number, copy), len);
        }
    }

    fn others(&self) -> impl Iterator<Item = ShardId> + use<P> {
        let own = self.number;
        (0..self.shared.shards).filter(move |&shard| shard != own)
    }

    /// Lets all shards hear who has which Ethernet address, if that is what the staged frame says to this host.
    pub(super) fn share_neighbor(&mut self) {
        if self.number != FIRST || self.shared.shards == 1 || self.link.wire.origin() == Origin::Loopback {
            return;
        }
        let target = neighbor::asked_for(self.link.wire.staged().0);
        if target.is_none_or(|target| self.is_own(target.into())) {
            self.others().for_each(|shard| self.hand_over(shard));
        }
    }

    /// Tells all shards of a narrow way by the current link.
    pub(super) fn share_path(&mut self, to: IpAddress, path: Path) {
        let number = self.link.number;
        self.others().for_each(|shard| self.leave_for(shard, Parcel::Path(number, to, path), size_of::<Parcel>()));
    }

    /// The next frame that another shard has left is staged on its link; false when there is none.
    pub(super) fn stage_left(&mut self) -> bool {
        if self.parcels.is_empty() {
            self.shared.inboxes[self.number].take(&mut self.parcels);
        }
        while let Some(parcel) = self.parcels.pop_front() {
            match parcel {
                Parcel::Frame(link, frame) => {
                    self.turn(link);
                    self.link.wire.stage_left(frame);
                    return true;
                }
                Parcel::Path(link, to, path) => {
                    self.turn(link);
                    self.learn_path(to, path);
                }
            }
        }
        false
    }

    /// Has all shards use the addresses and routers that the first one uses now.
    pub(super) fn publish(&mut self) {
        if self.shared.shards == 1 {
            return;
        }
        let networks = self.links().map(|link| link.network.clone()).collect();
        let mut published = self.shared.networks.lock();
        *published = Arc::new(networks);
        self.version = self.shared.version.load(Ordering::Relaxed) + 1;
        self.shared.version.store(self.version, Ordering::Release);
        drop(published);
        self.others().for_each(|shard| self.asked |= 1 << shard);
    }

    /// Uses the addresses and routers that there are now.
    pub(super) fn catch_up(&mut self) {
        if self.shared.version.load(Ordering::Acquire) == self.version {
            return;
        }
        let published = self.shared.networks.lock();
        let networks = published.clone();
        self.version = self.shared.version.load(Ordering::Relaxed);
        drop(published);
        for (number, network) in (0..).zip(networks.iter()) {
            self.turn(number);
            self.link.follow(network.clone());
        }
        self.spread_addresses();
    }
}
