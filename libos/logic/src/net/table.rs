//! All TCP connections of a shard: found by their ends, served when they have something to do.
//!
//! smoltcp walks its whole set of sockets for each frame and each poll. So each connection is a set of its own, and smoltcp is shown
//! the one that a frame is for, those that somebody has touched, and those whose time has come. What a frame costs does not depend on
//! how many connections there are.

use super::conn::Conn;
use super::flow::Flow;
use crate::platform::Platform;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::hash::BuildHasher;
use hashbrown::HashMap;
use siphasher::sip::SipHasher13;
use slab::Slab;
use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp;
use trapless_abi::{Errno, SysResult};

/// A connection's number. It is used again after [`Table::remove`].
pub(super) type ConnId = usize;

/// One connection.
pub(super) struct Entry {
    /// smoltcp's socket, alone.
    pub(super) set: SocketSet<'static>,
    handle: SocketHandle,
    pub(super) conn: Conn,
    flow: Option<Flow>,
    /// It is in [`Table::touched`].
    touched: bool,
    /// When it wants to be served, ...
    due: Option<Instant>,
    /// ... and when it is in [`Table::timers`]: then, or earlier.
    armed: Option<Instant>,
}

impl Entry {
    pub(super) fn socket(&self) -> &tcp::Socket<'static> {
        self.set.get(self.handle)
    }

    /// Both ends, unless it is over.
    pub(super) fn flow(&self) -> Option<Flow> {
        self.flow
    }

    /// What smoltcp and what the stack knows.
    pub(super) fn both(&mut self) -> (&mut tcp::Socket<'static>, &mut Conn) {
        (self.set.get_mut(self.handle), &mut self.conn)
    }
}

/// Hashes with a secret: a peer that chooses its ports must not be able to make chains grow.
struct Secret([u8; 16]);

impl BuildHasher for Secret {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// All connections, closed ones that are not finished included.
pub(super) struct Table {
    entries: Slab<Box<Entry>>,
    flows: HashMap<Flow, ConnId, Secret>,
    /// Connections that may have something to send, first come first served.
    touched: VecDeque<ConnId>,
    /// When connections want to be served again, or wanted once: what a connection waits for is put off with nearly every segment, and so
    /// it moves when its turn comes.
    timers: BTreeSet<(Instant, ConnId)>,
}

impl Table {
    pub(super) fn new<P: Platform>() -> Self {
        let mut key = [0; 16];
        P::random(&mut key);
        Self {
            entries: Slab::new(),
            flows: HashMap::with_hasher(Secret(key)),
            touched: VecDeque::new(),
            timers: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| &**entry)
    }

    /// All numbers are below this one.
    pub(super) fn bound(&self) -> ConnId {
        self.entries.capacity()
    }

    pub(super) fn get(&self, id: ConnId) -> Option<&Entry> {
        self.entries.get(id).map(|entry| &**entry)
    }

    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Entry> {
        self.entries.get_mut(id).map(|entry| &mut **entry)
    }

    /// A number that nobody outside can foresee, the same whenever the ends are.
    pub(super) fn spread(&self, flow: &Flow) -> u64 {
        self.flows.hasher().hash_one(flow)
    }

    /// The connection between two ends.
    pub(super) fn find(&self, flow: &Flow) -> Option<ConnId> {
        self.flows.get(flow).copied()
    }

    /// Makes sure that one more connection finds room in the tables. ENOBUFS.
    pub(super) fn reserve(&mut self) -> SysResult<()> {
        self.flows.try_reserve(1).map_err(|_| Errno::ENOBUFS)?;
        let count = self.entries.len() + 1;
        self.touched.try_reserve(count).map_err(|_| Errno::ENOBUFS)?;
        if self.entries.len() == self.entries.capacity() {
            // The slab itself cannot report that there is no room.
            let mut probe = Vec::<[usize; 2]>::new();
            probe.try_reserve_exact(2 * count).map_err(|_| Errno::ENOBUFS)?;
        }
        Ok(())
    }

    /// Adds a connection; one with the same ends must not be there.
    pub(super) fn insert(&mut self, socket: tcp::Socket<'static>, conn: Conn, flow: Flow) -> ConnId {
        let mut set = SocketSet::new(Vec::with_capacity(1));
        let handle = set.add(socket);
        let entry = Entry { set, handle, conn, flow: Some(flow), touched: false, due: None, armed: None };
        let id = self.entries.insert(Box::new(entry));
        self.flows.insert(flow, id);
        self.touch(id);
        id
    }

    /// Lets another connection have the same ends: this one is over.
    pub(super) fn release_flow(&mut self, id: ConnId) {
        if let Some(flow) = self.entries.get_mut(id).and_then(|entry| entry.flow.take()) {
            self.flows.remove(&flow);
        }
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        self.release_flow(id);
        let entry = self.entries.try_remove(id)?;
        if let Some(at) = entry.armed {
            self.timers.remove(&(at, id));
        }
        Some(entry.conn)
    }

    /// Has a connection served soon.
    pub(super) fn touch(&mut self, id: ConnId) {
        if let Some(entry) = self.entries.get_mut(id)
            && !core::mem::replace(&mut entry.touched, true)
        {
            self.touched.push_back(id);
        }
    }

    /// The connection whose turn it is.
    pub(super) fn next_touched(&mut self) -> Option<ConnId> {
        let id = self.touched.pop_front()?;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.touched = false;
        }
        Some(id)
    }

    /// How many wait for their turn.
    pub(super) fn touched(&self) -> usize {
        self.touched.len()
    }

    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Has a connection served at a time and not before; one without a time is not among the timers, and wakes nobody.
    pub(super) fn schedule(&mut self, id: ConnId, at: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.due = at;
        if at.is_some_and(|at| entry.armed.is_some_and(|armed| armed <= at)) {
            return;
        }
        if let Some(other) = core::mem::replace(&mut entry.armed, at) {
            self.timers.remove(&(other, id));
        }
        if let Some(at) = at {
            self.timers.insert((at, id));
        }
    }

    /// Has a connection served at a time, or earlier if it wanted so before.
    pub(super) fn hasten(&mut self, id: ConnId, at: Instant) {
        let due = self.entries.get(id).and_then(|entry| entry.due);
        self.schedule(id, Some(due.map_or(at, |due| due.min(at))));
    }

    /// When the next connection wants to be served, at the earliest.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|&(at, _)| at)
    }

    /// Touches the connections that want to be served by then.
    pub(super) fn expire(&mut self, by: Instant) {
        while let Some(&(at, id)) = self.timers.first() {
            if at > by {
                break;
            }
            self.timers.pop_first();
            let Some(entry) = self.entries.get_mut(id) else { continue };
            entry.armed = None;
            match entry.due.take() {
                Some(due) if due > by => self.schedule(id, Some(due)),
                _ => self.touch(id),
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::address::{Family, Local};
    use super::super::conn::{Owner, new_tcp_socket};
    use super::super::ports::{Binding, Sharing};
    use super::*;
    use crate::fake::Fake;
    use smoltcp::wire::{IpEndpoint, Ipv4Address};

    fn at(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    fn flow(port: u16) -> Flow {
        let end = |port| IpEndpoint::new(Ipv4Address::LOCALHOST.into(), port);
        Flow { local: end(80), remote: end(port) }
    }

    /// A table with connections from these ports, all of them served once.
    fn table(ports: &[u16]) -> (Table, Vec<ConnId>) {
        let mut table = Table::new::<Fake>();
        let ids = ports.iter().map(|&port| add(&mut table, port)).collect();
        while table.next_touched().is_some() {}
        (table, ids)
    }

    fn add(table: &mut Table, port: u16) -> ConnId {
        let binding = Binding { port: 80, local: Local::All(Family::Inet), sharing: Sharing::default() };
        table.reserve().unwrap();
        let (socket, buffers) = new_tcp_socket::<Fake>().unwrap();
        table.insert(socket, Conn::new(binding, Owner::Program, buffers, at(0)), flow(port))
    }

    #[test]
    fn each_is_served_once_in_the_order_of_touching() {
        let (mut table, ids) = table(&[1, 2, 3]);
        for &id in [&ids[2], &ids[0], &ids[2]] {
            table.touch(id);
        }
        assert_eq!(
            [table.next_touched(), table.next_touched(), table.next_touched()],
            [Some(ids[2]), Some(ids[0]), None]
        );
    }

    #[test]
    fn only_those_whose_time_has_come_are_served() {
        let (mut table, ids) = table(&[1, 2, 3]);
        table.hasten(ids[0], at(30));
        table.hasten(ids[1], at(20));
        table.schedule(ids[2], Some(at(15)));
        // Earlier counts, later does not.
        table.hasten(ids[0], at(10));
        table.hasten(ids[1], at(40));
        table.schedule(ids[2], None);
        assert_eq!(table.next_timer(), Some(at(10)));
        table.expire(at(20));
        assert_eq!(
            [table.next_touched(), table.next_touched(), table.next_touched()],
            [Some(ids[0]), Some(ids[1]), None]
        );
        assert_eq!(table.next_timer(), None);
    }

    #[test]
    fn what_is_put_off_moves_when_its_turn_comes() {
        let (mut table, ids) = table(&[1, 2]);
        table.schedule(ids[0], Some(at(10)));
        table.schedule(ids[0], Some(at(50)));
        table.schedule(ids[1], Some(at(60)));
        assert_eq!(table.next_timer(), Some(at(10)), "it stays");
        table.expire(at(10));
        assert_eq!((table.next_touched(), table.next_timer()), (None, Some(at(50))));
        table.schedule(ids[1], Some(at(40)));
        assert_eq!(table.next_timer(), Some(at(40)), "earlier is at once");
        table.schedule(ids[0], None);
        table.schedule(ids[0], Some(at(50)));
        table.expire(at(45));
        assert_eq!((table.next_touched(), table.next_timer()), (Some(ids[1]), Some(at(50))));
        // What was served has no old wish.
        table.hasten(ids[1], at(70));
        table.expire(at(69));
        assert_eq!([table.next_touched(), table.next_touched()], [Some(ids[0]), None]);
    }

    #[test]
    fn who_gets_a_number_again_inherits_nothing() {
        let (mut table, ids) = table(&[1]);
        table.hasten(ids[0], at(10));
        assert!(table.remove(ids[0]).is_some() && table.remove(ids[0]).is_none());
        assert_eq!((table.find(&flow(1)), table.next_timer()), (None, None));
        assert_eq!(add(&mut table, 2), ids[0]);
        assert_eq!((table.find(&flow(2)), table.len()), (Some(ids[0]), 1));
    }

    #[test]
    fn ends_can_be_used_again_before_the_connection_is_gone() {
        let (mut table, ids) = table(&[1]);
        table.release_flow(ids[0]);
        let other = add(&mut table, 1);
        table.release_flow(ids[0]);
        table.remove(ids[0]);
        assert_eq!(table.find(&flow(1)), Some(other));
    }
}
