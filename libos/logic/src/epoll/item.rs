//! One watched file of an epoll instance.

use super::instance::Core;
use crate::file::OpenFile;
use crate::platform::Platform;
use crate::sync::{AtomicBool, Lock, Ordering};
use crate::wait::{Observer, Ready, Token};
use alloc::sync::{Arc, Weak};

/// What epoll_ctl(2) sets for a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Events asked for.
    pub events: Ready,
    /// EPOLLET.
    pub edge: bool,
    /// EPOLLONESHOT.
    pub oneshot: bool,
    /// Handed back with each event.
    pub data: u64,
}

/// One reported event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What the file is ready for.
    pub events: Ready,
    /// The word from [`Interest`].
    pub data: u64,
}

pub(super) struct Config {
    pub(super) interest: Interest,
    /// A one-shot item that has fired: silent until EPOLL_CTL_MOD.
    pub(super) disabled: bool,
}

pub(super) struct Item<P: Platform> {
    pub(super) file: Weak<OpenFile<P>>,
    pub(super) config: Lock<P, Config>,
    pub(super) queued: AtomicBool,
    pub(super) core: Arc<Core<P>>,
    pub(super) this: Weak<Self>,
    pub(super) token: Lock<P, Option<Token>>,
}

impl<P: Platform> Item<P> {
    pub(super) fn new(core: &Arc<Core<P>>, file: &Arc<OpenFile<P>>, interest: Interest) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            file: Arc::downgrade(file),
            config: Lock::new(Config { interest, disabled: false }),
            queued: AtomicBool::new(false),
            core: core.clone(),
            this: this.clone(),
            token: Lock::new(None),
        })
    }

    /// Puts the item in the ready list unless it is there, and wakes who waits for the instance.
    pub(super) fn enqueue(&self) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(this) = self.this.upgrade() {
            self.core.ready.lock().push_back(this);
            self.core.queue.notify(Ready::READABLE);
        }
    }

    /// What to report now, if anything; applies EPOLLONESHOT. The flag says whether the item stays in the ready list.
    pub(super) fn look(&self) -> Option<(Event, bool)> {
        let file = self.file.upgrade()?;
        let ready = file.file.ready();
        let mut config = self.config.lock();
        let interest = config.interest;
        let events = ready & (interest.events | Ready::ALWAYS);
        if config.disabled || events.is_empty() {
            return None;
        }
        config.disabled = interest.oneshot;
        Some((Event { events, data: interest.data }, !interest.edge && !interest.oneshot))
    }

    /// Whether [`Item::look`] would report something.
    pub(super) fn is_ready(&self) -> bool {
        let Some(file) = self.file.upgrade() else { return false };
        let ready = file.file.ready();
        let config = self.config.lock();
        !config.disabled && ready.intersects(config.interest.events | Ready::ALWAYS)
    }

    /// Stops being told about the file.
    pub(super) fn detach(&self) {
        let token = self.token.lock().take();
        if let (Some(token), Some(file)) = (token, self.file.upgrade())
            && let Some(queue) = file.file.queue()
        {
            queue.unregister(token);
        }
    }
}

impl<P: Platform> Observer for Item<P> {
    fn notify(&self, events: Ready) {
        let wanted = {
            let config = self.config.lock();
            !config.disabled && (config.interest.events | Ready::ALWAYS).intersects(events)
        };
        if wanted {
            self.enqueue();
        }
    }
}
