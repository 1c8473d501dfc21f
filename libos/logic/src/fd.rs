//! The table of file descriptors.
//!
//! A descriptor is a small number for an [`OpenFile`]. The lock is held only to look a number up or to change the table: an open
//! file is never closed, and no memory of one freed, while it is held. A call that has looked its descriptor up keeps the open file
//! alive, so a close(2) in another thread takes effect on the number at once and on the object when the call is done.

mod bitmap;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::file::OpenFile;
use crate::platform::Platform;
use crate::sync::{AtomicUsize, Lock, Ordering};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bitmap::Bitmap;
use trapless_abi::{Errno, SysResult};

/// Upper bound of RLIMIT_NOFILE (`/proc/sys/fs/nr_open`).
pub const NR_OPEN: usize = 1 << 20;

enum Slot<P: Platform> {
    Free,
    /// Taken by a call that is still making the file: no other call sees it.
    Reserved,
    Open {
        file: Arc<OpenFile<P>>,
        cloexec: bool,
    },
}

struct Slots<P: Platform> {
    /// As long as the highest descriptor ever used.
    list: Vec<Slot<P>>,
    taken: Bitmap,
}

impl<P: Platform> Slots<P> {
    /// Takes the lowest free number from `min` on, below `limit`.
    fn take(&mut self, min: usize, limit: usize) -> SysResult<usize> {
        let fd = self.taken.lowest_free(min);
        if fd >= limit {
            return Err(Errno::EMFILE);
        }
        self.take_this(fd)?;
        Ok(fd)
    }

    fn take_this(&mut self, fd: usize) -> SysResult<()> {
        if fd >= self.list.len() {
            self.list.try_reserve(fd + 1 - self.list.len()).map_err(|_| Errno::ENOMEM)?;
            self.list.resize_with(fd + 1, || Slot::Free);
        }
        self.taken.insert(fd)?;
        self.list[fd] = Slot::Reserved;
        Ok(())
    }

    fn open_file(&self, fd: i32) -> SysResult<(&Arc<OpenFile<P>>, bool)> {
        match usize::try_from(fd).ok().and_then(|fd| self.list.get(fd)) {
            Some(Slot::Open { file, cloexec }) => Ok((file, *cloexec)),
            _ => Err(Errno::EBADF),
        }
    }

    /// Frees an open number and returns its file, to be dropped outside the lock.
    fn remove(&mut self, fd: usize) -> Option<Arc<OpenFile<P>>> {
        match self.list.get_mut(fd) {
            Some(slot @ Slot::Open { .. }) => {
                let Slot::Open { file, .. } = core::mem::replace(slot, Slot::Free) else { unreachable!() };
                self.taken.remove(fd);
                Some(file)
            }
            _ => None,
        }
    }
}

/// The descriptors of the program.
pub struct FdTable<P: Platform> {
    slots: Lock<P, Slots<P>>,
    limit: AtomicUsize,
}

impl<P: Platform> FdTable<P> {
    /// An empty table; `limit` is the soft RLIMIT_NOFILE: the first number that is never handed out.
    pub fn new(limit: usize) -> Self {
        Self {
            slots: Lock::new(Slots { list: Vec::new(), taken: Bitmap::new() }),
            limit: AtomicUsize::new(limit.min(NR_OPEN)),
        }
    }

    /// The soft RLIMIT_NOFILE.
    pub fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets the soft RLIMIT_NOFILE. Descriptors above it stay open (getrlimit(2)). EPERM above [`NR_OPEN`].
    pub fn set_limit(&self, limit: usize) -> SysResult<()> {
        if limit > NR_OPEN {
            return Err(Errno::EPERM);
        }
        self.limit.store(limit, Ordering::Relaxed);
        Ok(())
    }

    /// The open file of a descriptor. EBADF.
    pub fn get(&self, fd: i32) -> SysResult<Arc<OpenFile<P>>> {
        self.slots.lock().open_file(fd).map(|(file, _)| file.clone())
    }

    /// Takes the lowest free number before the file exists, so that EMFILE comes before any side effect. EMFILE, ENOMEM.
    pub fn reserve(&self) -> SysResult<Reservation<'_, P>> {
        let fd = self.slots.lock().take(0, self.limit())?;
        Ok(Reservation { table: self, fd, filled: false })
    }

    /// Gives `file` the lowest free number. EMFILE, ENOMEM.
    pub fn insert(&self, file: Arc<OpenFile<P>>, cloexec: bool) -> SysResult<i32> {
        Ok(self.reserve()?.fill(file, cloexec))
    }

    /// Gives both files numbers, or neither: pipe(2), socketpair(2). EMFILE, ENOMEM.
    pub fn insert_pair(&self, files: [Arc<OpenFile<P>>; 2], cloexec: bool) -> SysResult<[i32; 2]> {
        let (first, second) = (self.reserve()?, self.reserve()?);
        let [a, b] = files;
        Ok([first.fill(a, cloexec), second.fill(b, cloexec)])
    }

    /// dup(2). EBADF, EMFILE, ENOMEM.
    pub fn dup(&self, fd: i32) -> SysResult<i32> {
        self.insert(self.get(fd)?, false)
    }

    /// fcntl(F_DUPFD) and F_DUPFD_CLOEXEC: the lowest free number from `min` on. EBADF, EINVAL for a `min` beyond the limit, EMFILE.
    pub fn dup_from(&self, fd: i32, min: i32, cloexec: bool) -> SysResult<i32> {
        let file = self.get(fd)?;
        let min = usize::try_from(min).ok().filter(|&min| min < self.limit()).ok_or(Errno::EINVAL)?;
        let fd = self.slots.lock().take(min, self.limit())?;
        Ok(Reservation { table: self, fd, filled: false }.fill(file, cloexec))
    }

    /// dup2(2): makes `new` another number for `old`'s file, closing what `new` was. EBADF, EBUSY while `new` is being opened.
    pub fn dup2(&self, old: i32, new: i32) -> SysResult<i32> {
        if old == new {
            return self.get(old).map(|_| new);
        }
        self.dup3(old, new, false)
    }

    /// dup3(2): as [`Self::dup2`] with the close-on-exec bit. EINVAL if both are the same.
    pub fn dup3(&self, old: i32, new: i32, cloexec: bool) -> SysResult<i32> {
        if old == new {
            return Err(Errno::EINVAL);
        }
        let at = usize::try_from(new).ok().filter(|&at| at < self.limit()).ok_or(Errno::EBADF)?;
        let replaced = {
            let mut slots = self.slots.lock();
            let file = slots.open_file(old)?.0.clone();
            let replaced = match slots.list.get(at) {
                Some(Slot::Reserved) => return Err(Errno::EBUSY),
                Some(Slot::Open { .. }) => slots.remove(at),
                _ => None,
            };
            slots.take_this(at)?;
            slots.list[at] = Slot::Open { file, cloexec };
            replaced
        };
        drop(replaced);
        Ok(new)
    }

    /// close(2): frees the number. The file itself ends with its last user, which may be a call in another thread. EBADF.
    pub fn close(&self, fd: i32) -> SysResult<()> {
        let removed = usize::try_from(fd).ok().and_then(|fd| self.slots.lock().remove(fd));
        removed.map(drop).ok_or(Errno::EBADF)
    }

    /// close_range(2) for the numbers `first..=last`; with `only_mark` (CLOSE_RANGE_CLOEXEC) they only get the close-on-exec bit. EINVAL
    /// if `first > last`.
    pub fn close_range(&self, first: u32, last: u32, only_mark: bool) -> SysResult<()> {
        if first > last {
            return Err(Errno::EINVAL);
        }
        let mut fd = first as usize;
        loop {
            let removed = {
                let mut slots = self.slots.lock();
                let Some(at) = slots.taken.next_taken(fd).filter(|&at| at <= last as usize) else { return Ok(()) };
                fd = at + 1;
                match &mut slots.list[at] {
                    Slot::Open { cloexec, .. } if only_mark => {
                        *cloexec = true;
                        None
                    }
                    _ => slots.remove(at),
                }
            };
            drop(removed);
        }
    }

    /// Whether the number is closed on exec, fcntl(F_GETFD). EBADF.
    pub fn cloexec(&self, fd: i32) -> SysResult<bool> {
        self.slots.lock().open_file(fd).map(|(_, cloexec)| cloexec)
    }

    /// Sets the close-on-exec bit, fcntl(F_SETFD). EBADF.
    pub fn set_cloexec(&self, fd: i32, on: bool) -> SysResult<()> {
        match usize::try_from(fd).ok().and_then(|fd| self.slots.lock().list.get_mut(fd).map(|s| mark(s, on))) {
            Some(true) => Ok(()),
            _ => Err(Errno::EBADF),
        }
    }

    /// The lowest open number from `from` on: walks the table for `/proc/self/fd`.
    pub fn next_open(&self, from: i32) -> Option<i32> {
        let slots = self.slots.lock();
        let mut at = usize::try_from(from).unwrap_or(0);
        loop {
            at = slots.taken.next_taken(at)?;
            if matches!(slots.list[at], Slot::Open { .. }) {
                return i32::try_from(at).ok();
            }
            at += 1;
        }
    }
}

/// Sets the bit of an open slot; false for any other.
fn mark<P: Platform>(slot: &mut Slot<P>, on: bool) -> bool {
    match slot {
        Slot::Open { cloexec, .. } => {
            *cloexec = on;
            true
        }
        _ => false,
    }
}

/// A number that waits for its file; given back when dropped.
pub struct Reservation<'a, P: Platform> {
    table: &'a FdTable<P>,
    fd: usize,
    filled: bool,
}

impl<P: Platform> Reservation<'_, P> {
    /// Makes the number stand for `file` and returns it.
    pub fn fill(mut self, file: Arc<OpenFile<P>>, cloexec: bool) -> i32 {
        self.filled = true;
        self.table.slots.lock().list[self.fd] = Slot::Open { file, cloexec };
        // Numbers are below NR_OPEN.
        self.fd as i32
    }
}

impl<P: Platform> Drop for Reservation<'_, P> {
    fn drop(&mut self) {
        if !self.filled {
            let mut slots = self.table.slots.lock();
            slots.list[self.fd] = Slot::Free;
            slots.taken.remove(self.fd);
        }
    }
}
