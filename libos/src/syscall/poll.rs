//! Waiting for events: poll(2), select(2), epoll(7).

use super::io::publish;
use crate::kernel::{Open, kernel, open_file};
use crate::signals::with_mask;
use crate::user::{Get, Put};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use trapless_abi::structs::{EpollEvent, FD_SETSIZE, FdSet, Pollfd, PselectSigmask, Sigset, Timespec, Timeval};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::epoll::{Control, Epoll, Interest};
use trapless_logic::file::O_RDWR;
use trapless_logic::platform::Platform;
use trapless_logic::poll::{self, Entry};
use trapless_logic::time::{Instant, duration_from_timespec};
use trapless_logic::wait::Ready;
use trapless_platform::x86::X86;

/// The deadline of a limit in milliseconds; None: wait for ever. No time to wait needs no clock.
fn deadline(timeout: Millis) -> Option<Instant> {
    timeout.limit().map(|ms| if ms == 0 { Instant::ZERO } else { X86::now() + Duration::from_millis(ms.into()) })
}

fn deadline_from(timeout: Option<Timespec>) -> SysResult<Option<Instant>> {
    timeout.map(|t| Ok(X86::now() + duration_from_timespec(t.tv_sec, t.tv_nsec)?)).transpose()
}

/// The signal mask of the p-calls: NULL, or a set of the kernel's size.
fn mask(set: In<Sigset>, size: usize) -> SysResult<Option<Sigset>> {
    if !set.is_null() && size != size_of::<Sigset>() {
        return Err(Errno::EINVAL);
    }
    set.get_opt()
}

fn wait_pollfds(fds: InOut<Pollfd>, nfds: Len, deadline: Option<Instant>) -> SysResult {
    if nfds.0 > kernel().fds.limit() {
        return Err(Errno::EINVAL);
    }
    let mut polled = Vec::new();
    polled.try_reserve_exact(nfds.0).map_err(|_| Errno::ENOMEM)?;
    let mut entries = Vec::with_capacity(nfds.0);
    let mut invalid = 0;
    for i in 0..nfds.0 {
        let mut p = fds.at(i).get()?;
        let file = if p.fd < 0 { None } else { kernel().fds.get(p.fd).ok() };
        let bad = p.fd >= 0 && file.is_none();
        p.revents = if bad { PollEvents::POLLNVAL.bits() as i16 } else { 0 };
        invalid += usize::from(bad);
        entries.push(Entry { file, interest: Ready::from_bits_truncate(p.events as u16 as u32) });
        polled.push(p);
    }
    // An invalid descriptor is an answer at once.
    let deadline = if invalid > 0 { Some(Instant::ZERO) } else { deadline };
    let found = poll::wait(&entries, deadline)?;
    let mut count = 0;
    for (i, (p, found)) in polled.iter_mut().zip(found).enumerate() {
        p.revents |= found.bits() as i16;
        count += usize::from(p.revents != 0);
        fds.at(i).put(p)?;
    }
    Ok(count)
}

pub fn poll(fds: InOut<Pollfd>, nfds: Len, timeout: Millis) -> SysResult {
    wait_pollfds(fds, nfds, deadline(timeout))
}

pub fn ppoll(
    fds: InOut<Pollfd>,
    nfds: Len,
    timeout: InOut<Timespec>,
    sigmask: In<Sigset>,
    sigsetsize: Len,
) -> SysResult {
    let deadline = deadline_from(timeout.get_opt()?)?;
    with_mask(mask(sigmask, sigsetsize.0)?, || wait_pollfds(fds, nfds, deadline))
}

/// The sets of select(2) in the order read, write, except.
type Sets = [InOut<FdSet>; 3];

/// What each set asks for, and what counts as an answer (select(2), "Correspondence between select() and poll()").
const ASKED: [Ready; 3] = [Ready::READABLE.union(Ready::RDBAND), Ready::WRITABLE.union(Ready::WRBAND), Ready::PRI];
const ANSWER: [Ready; 3] = [ASKED[0].union(Ready::HUP).union(Ready::ERR), ASKED[1].union(Ready::ERR), Ready::PRI];

fn wait_sets(nfds: I32, sets: Sets, deadline: Option<Instant>) -> SysResult {
    let nfds = usize::try_from(nfds.0).map_err(|_| Errno::EINVAL)?.min(FD_SETSIZE);
    let words = nfds.div_ceil(64);
    let asked = sets.map(|set| read_set(set, words));
    let [Ok(r), Ok(w), Ok(e)] = asked else { return Err(Errno::EFAULT) };
    let asked = [r, w, e];
    let mut entries = Vec::new();
    let mut fds = Vec::new();
    for fd in 0..nfds {
        let wanted = |set: &[u64; FD_SETSIZE / 64]| set[fd / 64] >> (fd % 64) & 1 != 0;
        let interest = (0..3).filter(|&i| wanted(&asked[i])).map(|i| ASKED[i]).fold(Ready::empty(), Ready::union);
        if !interest.is_empty() {
            let file: Arc<Open> = kernel().fds.get(fd as i32)?;
            entries.push(Entry { file: Some(file), interest });
            fds.push(fd);
        }
    }
    let found = poll::wait(&entries, deadline)?;
    let mut answer = [[0u64; FD_SETSIZE / 64]; 3];
    let mut count = 0;
    for (fd, found) in fds.into_iter().zip(found) {
        for i in 0..3 {
            if asked[i][fd / 64] >> (fd % 64) & 1 != 0 && found.intersects(ANSWER[i]) {
                answer[i][fd / 64] |= 1 << (fd % 64);
                count += 1;
            }
        }
    }
    for (set, bits) in sets.into_iter().zip(answer) {
        if let Some(set) = set.non_null() {
            let word = set.cast::<u64>();
            (0..words).try_for_each(|i| word.at(i).put(&bits[i]))?;
        }
    }
    Ok(count)
}

/// Only as much of a set as `nfds` covers belongs to it.
fn read_set(set: InOut<FdSet>, words: usize) -> SysResult<[u64; FD_SETSIZE / 64]> {
    let mut bits = [0; FD_SETSIZE / 64];
    if let Some(set) = set.non_null() {
        for (i, word) in bits.iter_mut().take(words).enumerate() {
            *word = set.cast::<u64>().at(i).get()?;
        }
    }
    Ok(bits)
}

pub fn select(
    nfds: I32,
    readfds: InOut<FdSet>,
    writefds: InOut<FdSet>,
    exceptfds: InOut<FdSet>,
    timeout: InOut<Timeval>,
) -> SysResult {
    let limit = match timeout.get_opt()? {
        Some(t) if t.tv_sec < 0 || t.tv_usec < 0 => return Err(Errno::EINVAL),
        Some(t) => Some(Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)),
        None => None,
    };
    let deadline = limit.map(|d| X86::now() + d);
    let count = wait_sets(nfds, [readfds, writefds, exceptfds], deadline)?;
    if let Some(deadline) = deadline {
        // Linux tells how much of the limit is left.
        timeout.put(&Timeval::from_nanos((deadline - X86::now()).as_nanos() as u64))?;
    }
    Ok(count)
}

pub fn pselect6(
    nfds: I32,
    readfds: InOut<FdSet>,
    writefds: InOut<FdSet>,
    exceptfds: InOut<FdSet>,
    timeout: InOut<Timespec>,
    sigmask: In<PselectSigmask>,
) -> SysResult {
    let deadline = deadline_from(timeout.get_opt()?)?;
    let set = match sigmask.get_opt()? {
        Some(pair) => mask(In::new(pair.ss), pair.ss_len)?,
        None => None,
    };
    with_mask(set, || wait_sets(nfds, [readfds, writefds, exceptfds], deadline))
}

pub fn epoll_create(size: I32) -> SysResult {
    if size.0 <= 0 { Err(Errno::EINVAL) } else { epoll_create1(EpollCreateFlags::empty()) }
}

pub fn epoll_create1(flags: EpollCreateFlags) -> SysResult {
    publish(Epoll::<X86>::new(), O_RDWR, flags.contains(EpollCreateFlags::EPOLL_CLOEXEC))
}

/// Runs `f` on the instance behind a descriptor. EBADF, EINVAL.
fn with_epoll<R>(epfd: Fd, f: impl FnOnce(&Epoll<X86>) -> SysResult<R>) -> SysResult<R> {
    let file = open_file(epfd)?;
    file.file.as_any().downcast_ref().ok_or(Errno::EINVAL).and_then(f)
}

pub fn epoll_ctl(epfd: Fd, op: EpollOp, fd: Fd, event: In<EpollEvent>) -> SysResult {
    let file = open_file(fd)?;
    let interest = || {
        let event = event.get()?;
        let flags = EpollEvents::from_bits_truncate(event.events);
        Ok(Interest {
            events: Ready::from_bits_truncate(flags.events().bits()),
            edge: flags.contains(EpollEvents::EPOLLET),
            oneshot: flags.contains(EpollEvents::EPOLLONESHOT),
            data: event.data,
        })
    };
    let op = match op {
        EpollOp::EPOLL_CTL_ADD => Control::Add(interest()?),
        EpollOp::EPOLL_CTL_MOD => Control::Modify(interest()?),
        EpollOp::EPOLL_CTL_DEL => Control::Delete,
    };
    with_epoll(epfd, |epoll| epoll.control(fd.0, &file, op)).map(|()| 0)
}

fn wait_events(epfd: Fd, events: Out<EpollEvent>, maxevents: I32, deadline: Option<Instant>) -> SysResult {
    let max = usize::try_from(maxevents.0).ok().filter(|n| (1..=EPOLL_MAX_EVENTS).contains(n)).ok_or(Errno::EINVAL)?;
    let found = with_epoll(epfd, |epoll| epoll.wait(max, deadline))?;
    for (i, event) in found.iter().enumerate() {
        events.at(i).put(&EpollEvent { events: event.events.bits(), data: event.data })?;
    }
    Ok(found.len())
}

pub fn epoll_wait(epfd: Fd, events: Out<EpollEvent>, maxevents: I32, timeout: Millis) -> SysResult {
    wait_events(epfd, events, maxevents, deadline(timeout))
}

pub fn epoll_pwait(
    epfd: Fd,
    events: Out<EpollEvent>,
    maxevents: I32,
    timeout: Millis,
    sigmask: In<Sigset>,
    sigsetsize: Len,
) -> SysResult {
    let deadline = deadline(timeout);
    with_mask(mask(sigmask, sigsetsize.0)?, || wait_events(epfd, events, maxevents, deadline))
}

pub fn epoll_pwait2(
    epfd: Fd,
    events: Out<EpollEvent>,
    maxevents: I32,
    timeout: In<Timespec>,
    sigmask: In<Sigset>,
    sigsetsize: Len,
) -> SysResult {
    let deadline = deadline_from(timeout.get_opt()?)?;
    with_mask(mask(sigmask, sigsetsize.0)?, || wait_events(epfd, events, maxevents, deadline))
}
