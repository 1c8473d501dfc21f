//! An epoll instance: what it watches, and what became ready.

use super::item::{Config, Event, Interest, Item};
use crate::eventfd::anonymous_stat;
use crate::file::{File, OpenFile};
use crate::platform::Platform;
use crate::sync::{Lock, Ordering};
use crate::time::Instant;
use crate::wait::{Ready, WaitQueue, block_on};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// How deep instances may watch each other (epoll_ctl(2), ELOOP).
const MAX_NESTING: usize = 5;

/// The operations of epoll_ctl(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// EPOLL_CTL_ADD.
    Add(Interest),
    /// EPOLL_CTL_DEL.
    Delete,
    /// EPOLL_CTL_MOD.
    Modify(Interest),
}

/// The part of an instance that its items keep alive.
pub(super) struct Core<P: Platform> {
    pub(super) ready: Lock<P, VecDeque<Arc<Item<P>>>>,
    pub(super) queue: WaitQueue<P>,
}

/// An epoll object.
pub struct Epoll<P: Platform> {
    core: Arc<Core<P>>,
    items: Lock<P, BTreeMap<i32, Arc<Item<P>>>>,
}

impl<P: Platform> Epoll<P> {
    /// An instance that watches nothing.
    pub fn new() -> Arc<Self> {
        let core = Core { ready: Lock::new(VecDeque::new()), queue: WaitQueue::new() };
        Arc::new(Self { core: Arc::new(core), items: Lock::new(BTreeMap::new()) })
    }

    /// epoll_ctl(2) for descriptor `fd`, which stands for `file`. EEXIST, ENOENT, EPERM (always-ready files cannot be watched),
    /// EINVAL (an instance cannot watch itself), ELOOP, ENOMEM.
    pub fn control(&self, fd: i32, file: &Arc<OpenFile<P>>, op: Control) -> SysResult<()> {
        let existing = {
            let items = self.items.lock();
            // A descriptor number that was closed and used again is a new file: the old item is dead.
            items.get(&fd).filter(|item| core::ptr::eq(item.file.as_ptr(), Arc::as_ptr(file))).cloned()
        };
        match op {
            Control::Add(_) if existing.is_some() => Err(Errno::EEXIST),
            Control::Add(interest) => self.add(fd, file, interest),
            Control::Modify(interest) => {
                let item = existing.ok_or(Errno::ENOENT)?;
                *item.config.lock() = Config { interest, disabled: false };
                if file.file.ready().intersects(interest.events | Ready::ALWAYS) {
                    item.enqueue();
                }
                Ok(())
            }
            Control::Delete => {
                let item = existing.ok_or(Errno::ENOENT)?;
                self.items.lock().remove(&fd);
                item.detach();
                self.core.ready.lock().retain(|queued| !Arc::ptr_eq(queued, &item));
                Ok(())
            }
        }
    }

    fn add(&self, fd: i32, file: &Arc<OpenFile<P>>, interest: Interest) -> SysResult<()> {
        let queue = file.file.queue().ok_or(Errno::EPERM)?;
        if let Some(inner) = file.file.as_any().downcast_ref::<Self>() {
            self.check_nesting(inner, MAX_NESTING)?;
        }
        let item = Item::new(&self.core, file, interest);
        // All events, because EPOLL_CTL_MOD may ask for others later; the item itself filters.
        *item.token.lock() = Some(queue.register(Ready::all(), item.clone())?);
        let replaced = self.items.lock().insert(fd, item.clone());
        if let Some(dead) = replaced {
            dead.detach();
        }
        // Registered first, looked at second: readiness that came in between is seen by one of the two.
        if file.file.ready().intersects(interest.events | Ready::ALWAYS) {
            item.enqueue();
        }
        Ok(())
    }

    fn check_nesting(&self, inner: &Self, depth: usize) -> SysResult<()> {
        if core::ptr::eq(self, inner) {
            return Err(if depth == MAX_NESTING { Errno::EINVAL } else { Errno::ELOOP });
        }
        if depth == 0 {
            return Err(Errno::ELOOP);
        }
        let watched: Vec<_> = inner.items.lock().values().filter_map(|item| item.file.upgrade()).collect();
        for file in watched {
            if let Some(next) = file.file.as_any().downcast_ref::<Self>() {
                self.check_nesting(next, depth - 1)?;
            }
        }
        Ok(())
    }

    /// Collects up to `max` events without blocking. Level-triggered items go to the end of the list, so that all take their turn.
    pub fn collect(&self, max: usize) -> Vec<Event> {
        let mut events = Vec::new();
        let mut again = Vec::new();
        let mut left = self.core.ready.lock().len();
        while left > 0 && events.len() < max {
            left -= 1;
            let Some(item) = self.core.ready.lock().pop_front() else { break };
            item.queued.store(false, Ordering::Release);
            // The flag must be clear before the file is looked at (INV-EPOLL-1).
            crate::sync::fence(Ordering::SeqCst);
            match item.look() {
                Some((event, stays)) => {
                    events.push(event);
                    if stays {
                        again.push(item);
                    }
                }
                None if item.file.strong_count() == 0 => self.forget(&item),
                None => {}
            }
        }
        for item in again {
            if !item.queued.swap(true, Ordering::AcqRel) {
                self.core.ready.lock().push_back(item);
            }
        }
        events
    }

    /// Drops an item whose file is gone.
    fn forget(&self, dead: &Arc<Item<P>>) {
        self.items.lock().retain(|_, item| !Arc::ptr_eq(item, dead));
    }

    /// epoll_wait(2): collects events, sleeping until there is one or `deadline` has passed (then none). EINTR.
    pub fn wait(&self, max: usize, deadline: Option<Instant>) -> SysResult<Vec<Event>> {
        let attempt = || match self.collect(max) {
            events if events.is_empty() => Err(Errno::EAGAIN),
            events => Ok(events),
        };
        match block_on(&self.core.queue, Ready::READABLE, deadline, attempt) {
            Err(Errno::EAGAIN) => Ok(Vec::new()),
            done => done,
        }
    }
}

impl<P: Platform> File<P> for Epoll<P> {
    fn stat(&self) -> SysResult<Stat> {
        Ok(anonymous_stat())
    }

    fn ready(&self) -> Ready {
        let queued: Vec<_> = self.core.ready.lock().iter().cloned().collect();
        let any = queued.iter().any(|item| item.is_ready());
        if any { Ready::IN } else { Ready::empty() }
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.core.queue)
    }

    fn close(&self) {
        let items = core::mem::take(&mut *self.items.lock());
        for item in items.values() {
            item.detach();
        }
        self.core.ready.lock().clear();
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
