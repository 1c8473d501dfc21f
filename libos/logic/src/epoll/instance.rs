//! An epoll instance: what it watches, and what became ready.

use super::item::{Event, Interest, Item};
use crate::eventfd::anonymous_stat;
use crate::file::{File, OpenFile};
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{Lock, Ordering, fence};
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
        match op {
            Control::Add(interest) => self.add(fd, file, interest),
            Control::Modify(interest) => self.find(fd, file).ok_or(Errno::ENOENT)?.arm(file, interest),
            Control::Delete => {
                let item = self.find(fd, file).filter(|item| item.retire()).ok_or(Errno::ENOENT)?;
                {
                    let mut items = self.items.lock();
                    if items.get(&fd).is_some_and(|found| Arc::ptr_eq(found, &item)) {
                        items.remove(&fd);
                    }
                }
                self.core.ready.lock().retain(|queued| !Arc::ptr_eq(queued, &item));
                Ok(())
            }
        }
    }

    fn find(&self, fd: i32, file: &Arc<OpenFile<P>>) -> Option<Arc<Item<P>>> {
        self.items.lock().get(&fd).filter(|item| item.watches(file)).cloned()
    }

    fn add(&self, fd: i32, file: &Arc<OpenFile<P>>, interest: Interest) -> SysResult<()> {
        let queue = file.file.queue().ok_or(Errno::EPERM)?;
        if let Some(inner) = file.file.as_any().downcast_ref::<Self>() {
            self.check_nesting(inner, MAX_NESTING)?;
        }
        let item = Item::new(&self.core, file, interest);
        // All events, because EPOLL_CTL_MOD may ask for others later; the item itself filters.
        *item.token.lock() = Some(queue.register(Ready::all(), item.clone())?);
        let replaced = {
            let mut items = self.items.lock();
            if items.get(&fd).is_some_and(|item| item.watches(file)) {
                drop(items);
                item.retire();
                return Err(Errno::EEXIST);
            }
            items.insert(fd, item.clone())
        };
        // A descriptor number that was closed and used again is a new file: the old item is dead.
        if let Some(dead) = replaced {
            dead.retire();
        }
        // ENOENT: another thread has taken the item out again.
        item.arm(file, interest).or(Ok(()))
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
        let mut left = self.core.ready.lock().len();
        if left == 0 {
            return Vec::new();
        }
        let mut events = Vec::with_capacity(left.min(max));
        let mut again = Vec::with_capacity(left.min(max));
        while left > 0 && events.len() < max {
            left -= 1;
            let Some(item) = self.core.ready.lock().pop_front() else { break };
            // The flag must be clear before the file is looked at (INV-EPOLL-1).
            if !mutant("epoll_clear_after_look") {
                item.queued.store(false, Ordering::Release);
                fence(Ordering::SeqCst);
            }
            let found = item.look();
            if mutant("epoll_clear_after_look") {
                item.queued.store(false, Ordering::Release);
            }
            match found {
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
        let mut put_back = false;
        for item in again {
            if !item.queued.swap(true, Ordering::AcqRel) {
                self.core.ready.lock().push_back(item);
                put_back = true;
            }
        }
        // Whoever looked at the list meanwhile has not seen these items, and may sleep by now.
        if put_back && !mutant("epoll_put_back_silently") {
            self.core.queue.notify(Ready::READABLE);
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
            item.retire();
        }
        self.core.ready.lock().clear();
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
