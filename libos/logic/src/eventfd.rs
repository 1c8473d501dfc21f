//! A counter as a file (eventfd(2)).

use crate::data::{Sink, Source};
use crate::file::File;
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::sync::Lock;
use crate::wait::{Ready, WaitQueue};
use alloc::sync::Arc;
use core::any::Any;
use trapless_abi::structs::Stat;
use trapless_abi::{Errno, SysResult};

/// The largest value a counter may have.
const MAX: u64 = u64::MAX - 1;

/// An eventfd object.
pub struct EventFd<P: Platform> {
    count: Lock<P, u64>,
    semaphore: bool,
    queue: WaitQueue<P>,
}

impl<P: Platform> EventFd<P> {
    /// A counter that starts at `initial`; with `semaphore` (EFD_SEMAPHORE) a read takes 1 instead of all.
    pub fn new(initial: u32, semaphore: bool) -> Arc<Self> {
        Arc::new(Self { count: Lock::new(u64::from(initial)), semaphore, queue: WaitQueue::new() })
    }

    /// Changes the counter if it can; then those who wait for `events` are told (INV-WAIT-1).
    fn change<T>(&self, events: Ready, change: impl FnOnce(&mut u64) -> SysResult<T>) -> SysResult<T> {
        if mutant("eventfd_notify_first") {
            self.queue.notify(events);
            return change(&mut self.count.lock());
        }
        let result = change(&mut self.count.lock())?;
        self.queue.notify(events);
        Ok(result)
    }
}

impl<P: Platform> File<P> for EventFd<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        if to.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let taken = self.change(Ready::WRITABLE, |count| {
            let taken = if self.semaphore { (*count).min(1) } else { *count };
            *count -= taken;
            if taken == 0 { Err(Errno::EAGAIN) } else { Ok(taken) }
        })?;
        to.push(&taken.to_ne_bytes())
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        if from.remaining() != 8 {
            return Err(Errno::EINVAL);
        }
        // A call that would block is tried again with the same source: nothing is taken from it before it is clear that it fits.
        let mut bytes = [0; 8];
        if from.peek(&mut bytes)? != 8 {
            return Err(Errno::EFAULT);
        }
        let add = u64::from_ne_bytes(bytes);
        if add == u64::MAX {
            return Err(Errno::EINVAL);
        }
        self.change(Ready::READABLE, |count| {
            if MAX - *count < add {
                return Err(Errno::EAGAIN);
            }
            *count += add;
            Ok(())
        })?;
        from.pull(&mut bytes)
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(anonymous_stat())
    }

    fn ready(&self) -> Ready {
        let count = *self.count.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::IN, count > 0);
        ready.set(Ready::OUT, count < MAX);
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// What fstat(2) tells about objects of Linux's anonymous inode file system.
pub fn anonymous_stat() -> Stat {
    Stat { st_mode: 0o600, st_nlink: 1, st_ino: 1, st_blksize: 4096, ..Stat::default() }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use alloc::vec::Vec;

    fn read(e: &EventFd<Fake>) -> SysResult<u64> {
        let mut buf = Vec::with_capacity(8);
        e.read(&mut buf)?;
        Ok(u64::from_ne_bytes(buf[..].try_into().unwrap()))
    }

    fn write(e: &EventFd<Fake>, n: u64) -> SysResult<usize> {
        e.write(&mut &n.to_ne_bytes()[..])
    }

    #[test]
    fn a_read_takes_all_or_one() {
        let e = EventFd::new(3, false);
        assert_eq!((read(&e), read(&e)), (Ok(3), Err(Errno::EAGAIN)));
        let e = EventFd::new(2, true);
        assert_eq!((read(&e), read(&e), read(&e)), (Ok(1), Ok(1), Err(Errno::EAGAIN)));
    }

    #[test]
    fn the_counter_has_a_ceiling() {
        let e = EventFd::new(0, false);
        assert_eq!(write(&e, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(write(&e, MAX), Ok(8));
        assert_eq!(write(&e, 1), Err(Errno::EAGAIN));
        assert_eq!(e.ready(), Ready::IN);
        assert_eq!(read(&e), Ok(MAX));
        assert_eq!(e.ready(), Ready::OUT);
    }

    #[test]
    fn buffers_of_another_size_are_refused() {
        let e = EventFd::<Fake>::new(1, false);
        assert_eq!(e.write(&mut &[0u8; 7][..]), Err(Errno::EINVAL));
        // As Linux does since 6.9.
        assert_eq!(e.write(&mut &[0u8; 9][..]), Err(Errno::EINVAL));
        assert_eq!(e.read(&mut Vec::new()), Err(Errno::EINVAL));
    }
}
