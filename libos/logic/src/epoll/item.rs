//! One watched file of an epoll instance.

use super::instance::Core;
use crate::file::OpenFile;
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::{AtomicBool, Lock, Ordering};
use crate::wait::{Observer, Ready, Token};
use alloc::sync::{Arc, Weak};
use trapless_abi::{Errno, SysResult};

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

/// Whether an item reports events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Armed,
    /// Not yet armed, or one-shot and has fired: silent until it is armed (again).
    Silent,
    /// Taken out: silent for ever.
    Gone,
}

struct Config {
    interest: Interest,
    state: State,
}

impl Config {
    /// Which of the events `ready` are to be reported.
    fn select(&self, ready: Ready) -> Ready {
        if self.state == State::Armed { ready & (self.interest.events | Ready::ALWAYS) } else { Ready::empty() }
    }
}

pub(super) struct Item<P: Platform> {
    pub(super) file: Weak<OpenFile<P>>,
    config: Lock<P, Config>,
    pub(super) queued: AtomicBool,
    pub(super) core: Arc<Core<P>>,
    pub(super) this: Weak<Self>,
    pub(super) token: Lock<P, Option<Token>>,
}

impl<P: Platform> Item<P> {
    /// A silent item.
    pub(super) fn new(core: &Arc<Core<P>>, file: &Arc<OpenFile<P>>, interest: Interest) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            file: Arc::downgrade(file),
            config: Lock::new(Config { interest, state: State::Silent }),
            queued: AtomicBool::new(false),
            core: core.clone(),
            this: this.clone(),
            token: Lock::new(None),
        })
    }

    /// Whether this is the item of `file`: another file may have got the descriptor number since.
    pub(super) fn watches(&self, file: &Arc<OpenFile<P>>) -> bool {
        core::ptr::eq(self.file.as_ptr(), Arc::as_ptr(file))
    }

    /// From now on the item reports `interest`, beginning with what `file`, its file, is ready for already. ENOENT if it was taken out.
    pub(super) fn arm(&self, file: &OpenFile<P>, interest: Interest) -> SysResult<()> {
        {
            let mut config = self.config.lock();
            if config.state == State::Gone {
                return Err(Errno::ENOENT);
            }
            *config = Config { interest, state: State::Armed };
        }
        // Armed first, looked at second: readiness that came in between is seen by one of the two.
        if !mutant("epoll_arm_without_look") {
            self.notify(file.file.ready());
        }
        Ok(())
    }

    /// The item is taken out: it reports nothing more, and is told nothing more. False if that was done before.
    pub(super) fn retire(&self) -> bool {
        let before = if mutant("epoll_gone_only_from_the_list") {
            State::Armed
        } else {
            core::mem::replace(&mut self.config.lock().state, State::Gone)
        };
        let token = self.token.lock().take();
        if let (Some(token), Some(file)) = (token, self.file.upgrade())
            && let Some(queue) = file.file.queue()
        {
            queue.unregister(token);
        }
        before != State::Gone
    }

    /// Puts the item in the ready list unless it is there, and wakes who waits for the instance.
    fn enqueue(&self) {
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
        let events = config.select(ready);
        if events.is_empty() {
            return None;
        }
        let interest = config.interest;
        if interest.oneshot {
            config.state = State::Silent;
        }
        Some((Event { events, data: interest.data }, !interest.edge && !interest.oneshot))
    }

    /// Whether [`Item::look`] would report something.
    pub(super) fn is_ready(&self) -> bool {
        let Some(file) = self.file.upgrade() else { return false };
        let ready = file.file.ready();
        !self.config.lock().select(ready).is_empty()
    }
}

impl<P: Platform> Observer for Item<P> {
    fn notify(&self, events: Ready) {
        let wanted = !self.config.lock().select(events).is_empty();
        if wanted {
            self.enqueue();
        }
    }
}
