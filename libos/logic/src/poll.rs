//! Waiting for any of several files (poll(2), select(2)).

use crate::file::OpenFile;
use crate::mutant::mutant;
use crate::platform::Platform;
use crate::time::Instant;
use crate::wait::{Ready, Waiter};
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// One file to wait for. Without a file (a negative descriptor) it is never ready.
pub struct Entry<P: Platform> {
    /// The file.
    pub file: Option<Arc<OpenFile<P>>>,
    /// Events asked for; [`Ready::ALWAYS`] is implied.
    pub interest: Ready,
}

impl<P: Platform> Entry<P> {
    fn look(&self) -> Ready {
        match &self.file {
            Some(file) => file.file.ready() & (self.interest | Ready::ALWAYS),
            None => Ready::empty(),
        }
    }
}

/// Sleeps until an entry is ready or `deadline` has passed; returns what each entry is ready for. EINTR, ENOMEM.
pub fn wait<P: Platform>(entries: &[Entry<P>], deadline: Option<Instant>) -> SysResult<Vec<Ready>> {
    let mut found = Vec::new();
    found.try_reserve_exact(entries.len()).map_err(|_| Errno::ENOMEM)?;
    found.extend(entries.iter().map(Entry::look));
    if !is_empty(&found) || deadline.is_some_and(|d| d == Instant::ZERO || P::now() >= d) {
        return Ok(found);
    }
    let mut registered = Vec::new();
    registered.try_reserve_exact(entries.len()).map_err(|_| Errno::ENOMEM)?;
    let waiter = Waiter::<P>::current();
    let mut result = Ok(());
    for entry in entries {
        let Some(queue) = entry.file.as_ref().and_then(|f| f.file.queue()) else { continue };
        match queue.register(entry.interest, waiter.clone()) {
            Ok(token) => registered.push((queue, token)),
            Err(e) => result = Err(e),
        }
    }
    if mutant("poll_trusts_first_look") {
        result = waiter.wait(deadline);
    }
    while result.is_ok() {
        found.clear();
        found.extend(entries.iter().map(Entry::look));
        if !is_empty(&found) {
            break;
        }
        result = waiter.wait(deadline);
    }
    for (queue, token) in registered {
        queue.unregister(token);
    }
    match result {
        Ok(()) | Err(Errno::ETIMEDOUT) => Ok(found),
        Err(e) => Err(e),
    }
}

fn is_empty(found: &[Ready]) -> bool {
    found.iter().all(|r| r.is_empty())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::eventfd::EventFd;
    use crate::fake::Fake;
    use core::time::Duration;

    fn entry(file: &Arc<OpenFile<Fake>>, interest: Ready) -> Entry<Fake> {
        Entry { file: Some(file.clone()), interest }
    }

    #[test]
    fn only_what_was_asked_for_is_reported() {
        let file = OpenFile::new(EventFd::new(1, false), 2);
        let entries = [entry(&file, Ready::OUT), entry(&file, Ready::IN), Entry { file: None, interest: Ready::all() }];
        assert_eq!(wait(&entries, None), Ok(vec![Ready::OUT, Ready::IN, Ready::empty()]));
    }

    #[test]
    fn nothing_ready_by_the_deadline_is_no_error() {
        let file = OpenFile::new(EventFd::new(0, false), 2);
        let deadline = Some(Fake::now() + Duration::from_millis(5));
        assert_eq!(wait(&[entry(&file, Ready::IN)], deadline), Ok(vec![Ready::empty()]));
    }

    #[test]
    fn a_sleeper_is_woken_by_any_of_its_files() {
        let files: Vec<_> = (0..3).map(|_| OpenFile::new(EventFd::new(0, false), 2)).collect();
        let entries: Vec<_> = files.iter().map(|f| entry(f, Ready::IN)).collect();
        let sleeper = std::thread::spawn(move || wait(&entries, None));
        files[2].write(&mut &1u64.to_ne_bytes()[..]).unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(vec![Ready::empty(), Ready::empty(), Ready::IN]));
    }
}
