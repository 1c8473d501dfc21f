//! Who waits for a socket, as smoltcp's wakers see it.

use crate::platform::Platform;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::Arc;
use alloc::task::Wake;
use core::task::Waker;

/// A socket's wait queue. smoltcp calls the waker, once per registration, when the socket's state may have changed.
///
/// INV-NET-1: whoever finds a socket not ready registers the waker again before it lets go of the shard's lock. So between the last
/// look at a socket and its next change there is always a registration, and the change notifies the queue.
pub(super) struct Events<P: Platform> {
    pub(super) queue: WaitQueue<P>,
}

impl<P: Platform> Events<P> {
    /// An empty queue and the waker that notifies it.
    pub(super) fn new() -> (Arc<Self>, Waker) {
        let events = Arc::new(Self { queue: WaitQueue::new() });
        let waker = Waker::from(events.clone());
        (events, waker)
    }
}

impl<P: Platform> Wake for Events<P> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.queue.notify(Ready::all());
    }
}
