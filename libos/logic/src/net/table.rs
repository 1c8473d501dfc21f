//! All TCP connections: found by their ends, served when they have something to do.
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
    /// When it is in [`Table::timers`].
    armed: Option<Instant>,
}

impl Entry {
    pub(super) fn socket(&self) -> &tcp::Socket<'static> {
        self.set.get(self.handle)
    }

    /// What smoltcp and what the stack knows.
    pub(super) fn both(&mut self) -> (&mut tcp::Socket<'static>, &mut Conn) {
        (self.set.get_mut(self.handle), &mut self.conn)
    }
}

/// Hashes with a secret: a peer that chooses its ports must not be able to make chains grow.
struct Secret([u8; 16]);

impl core::hash::BuildHasher for Secret {
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
    /// When connections want to be served again.
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

    pub(super) fn get(&self, id: ConnId) -> Option<&Entry> {
        self.entries.get(id).map(|entry| &**entry)
    }

    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Entry> {
        self.entries.get_mut(id).map(|entry| &mut **entry)
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
        let entry = Entry { set, handle, conn, flow: Some(flow), touched: false, armed: None };
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

    pub(super) fn has_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Has a connection served at a time. One that is to be served earlier stays so: it is asked again then.
    pub(super) fn arm(&mut self, id: ConnId, at: Instant) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        if let Some(armed) = entry.armed.replace(at) {
            self.timers.remove(&(armed, id));
        }
        self.timers.insert((at, id));
    }

    /// Takes back [`Table::arm`].
    pub(super) fn disarm(&mut self, id: ConnId) {
        if let Some(at) = self.entries.get_mut(id).and_then(|entry| entry.armed.take()) {
            self.timers.remove(&(at, id));
        }
    }

    /// When the next connection wants to be served.
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
            if let Some(entry) = self.entries.get_mut(id) {
                entry.armed = None;
            }
            self.touch(id);
        }
    }
}
