//! Reading, writing and descriptors: read(2), write(2), fcntl(2), pipe(2), eventfd(2), timerfd_create(2) and relatives.

use super::netdevice;
use crate::kernel::{Open, kernel, open_file};
use crate::signals;
use crate::user::{self, Get, Put};
use alloc::sync::Arc;
use trapless_abi::structs::{Flock, Iovec, Itimerspec};
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult};
use trapless_logic::data::{Sink, Source};
use trapless_logic::eventfd::EventFd;
use trapless_logic::file::{File, IoctlArg, O_APPEND, O_NONBLOCK, O_RDWR, O_WRONLY};
use trapless_logic::pipe;
use trapless_logic::platform::Platform;
use trapless_logic::time::{Instant, duration_from_timespec};
use trapless_logic::timerfd::{Setting, TimerFd};
use trapless_platform::x86::X86;

/// SIGPIPE goes to the thread that wrote (pipe(7)).
fn broken_pipe(result: SysResult) -> SysResult {
    if result == Err(Errno::EPIPE) {
        signals::raise(Signal::SIGPIPE.number().into());
    }
    result
}

/// Most reads find what they want at once.
fn read_from(file: &Open, to: &mut dyn Sink) -> SysResult {
    match file.read(to) {
        Err(Errno::EAGAIN) if !file.nonblocking() => wait_to_read(file, to),
        done => done,
    }
}

fn wait_to_read(file: &Open, to: &mut dyn Sink) -> SysResult {
    let limit = file.file.as_socket().and_then(|s| s.receive_timeout());
    file.read_blocking(to, limit.map(|d| X86::now() + d))
}

/// Most writes are done at once.
fn write_to(file: &Open, from: &mut dyn Source) -> SysResult {
    let wanted = from.remaining();
    match file.write(from) {
        Ok(n) if n == wanted || n == 0 || file.nonblocking() => Ok(n),
        // An error after the first byte is for the next call to tell.
        Ok(n) => Ok(n + wait_to_write(file, from).unwrap_or(0)),
        Err(Errno::EAGAIN) if !file.nonblocking() => broken_pipe(wait_to_write(file, from)),
        Err(e) => broken_pipe(Err(e)),
    }
}

fn wait_to_write(file: &Open, from: &mut dyn Source) -> SysResult {
    let limit = file.file.as_socket().and_then(|s| s.send_timeout());
    file.write_blocking(from, limit.map(|d| X86::now() + d))
}

pub fn read(fd: Fd, buf: Out<u8>, count: Len) -> SysResult {
    read_from(&*open_file(fd)?, &mut user::buffer(buf.addr(), count))
}

pub fn write(fd: Fd, buf: In<u8>, count: Len) -> SysResult {
    write_to(&*open_file(fd)?, &mut user::buffer(buf.addr(), count))
}

pub fn readv(fd: Fd, iov: In<Iovec>, iovcnt: Len) -> SysResult {
    let file = open_file(fd)?;
    read_from(&file, &mut user::iovec(iov, iovcnt)?)
}

pub fn writev(fd: Fd, iov: In<Iovec>, iovcnt: Len) -> SysResult {
    let file = open_file(fd)?;
    write_to(&file, &mut user::iovec(iov, iovcnt)?)
}

/// A non-negative file offset. EINVAL.
fn position(offset: Offset) -> SysResult<u64> {
    u64::try_from(offset.0).map_err(|_| Errno::EINVAL)
}

fn read_at(file: &Open, offset: Offset, to: &mut dyn Sink) -> SysResult {
    if !file.readable() {
        return Err(Errno::EBADF);
    }
    file.file.read_at(position(offset)?, to)
}

fn write_at(file: &Open, offset: Offset, from: &mut dyn Source) -> SysResult {
    if !file.writable() {
        return Err(Errno::EBADF);
    }
    let offset = position(offset)?;
    // Linux appends whatever the offset (pwrite(2), BUGS).
    if file.flags() & O_APPEND != 0 && file.file.seekable() {
        return file.file.append(from).map(|(n, _)| n);
    }
    file.file.write_at(offset, from)
}

pub fn pread64(fd: Fd, buf: Out<u8>, count: Len, offset: Offset) -> SysResult {
    read_at(&*open_file(fd)?, offset, &mut user::buffer(buf.addr(), count))
}

pub fn pwrite64(fd: Fd, buf: In<u8>, count: Len, offset: Offset) -> SysResult {
    write_at(&*open_file(fd)?, offset, &mut user::buffer(buf.addr(), count))
}

pub fn preadv(fd: Fd, iov: In<Iovec>, iovcnt: Len, pos: Offset, _pos_h: Usize) -> SysResult {
    let file = open_file(fd)?;
    read_at(&file, pos, &mut user::iovec(iov, iovcnt)?)
}

pub fn pwritev(fd: Fd, iov: In<Iovec>, iovcnt: Len, pos: Offset, _pos_h: Usize) -> SysResult {
    let file = open_file(fd)?;
    write_at(&file, pos, &mut user::iovec(iov, iovcnt)?)
}

pub fn lseek(fd: Fd, offset: Offset, whence: Whence) -> SysResult {
    open_file(fd)?.seek(offset.0, whence as u32).map(|at| at as usize)
}

pub fn close(fd: Fd) -> SysResult {
    kernel().fds.close(fd.0).map(|()| 0)
}

pub fn close_range(first: U32, last: U32, flags: CloseRangeFlags) -> SysResult {
    kernel().fds.close_range(first.0, last.0, flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC)).map(|()| 0)
}

pub fn dup(oldfd: Fd) -> SysResult {
    kernel().fds.dup(oldfd.0).map(as_result)
}

pub fn dup2(oldfd: Fd, newfd: Fd) -> SysResult {
    kernel().fds.dup2(oldfd.0, newfd.0).map(as_result)
}

pub fn dup3(oldfd: Fd, newfd: Fd, flags: Dup3Flags) -> SysResult {
    kernel().fds.dup3(oldfd.0, newfd.0, flags.contains(Dup3Flags::O_CLOEXEC)).map(as_result)
}

/// A descriptor as the result of a call.
pub(super) fn as_result(fd: i32) -> usize {
    fd as usize
}

/// A new descriptor for an object.
pub(super) fn publish(file: Arc<dyn File<X86>>, flags: u32, cloexec: bool) -> SysResult {
    kernel().fds.insert(Open::new(file, flags), cloexec).map(as_result)
}

pub fn fcntl(fd: Fd, cmd: FcntlCmd, arg: Usize) -> SysResult {
    let fds = &kernel().fds;
    let file = open_file(fd)?;
    match cmd {
        FcntlCmd::F_DUPFD => fds.dup_from(fd.0, arg.0 as i32, false).map(as_result),
        FcntlCmd::F_DUPFD_CLOEXEC => fds.dup_from(fd.0, arg.0 as i32, true).map(as_result),
        FcntlCmd::F_GETFD => fds.cloexec(fd.0).map(usize::from),
        FcntlCmd::F_SETFD => fds.set_cloexec(fd.0, arg.0 & 1 != 0).map(|()| 0),
        FcntlCmd::F_GETFL => Ok(file.flags() as usize),
        FcntlCmd::F_SETFL => {
            file.set_flags(arg.0 as u32);
            Ok(0)
        }
        // One process: no lock is ever in the way.
        FcntlCmd::F_GETLK => {
            let lock = InOut::<Flock>::new(arg.0);
            lock.put(&Flock { l_type: F_UNLCK, ..lock.get()? }).map(|()| 0)
        }
        FcntlCmd::F_SETLK | FcntlCmd::F_SETLKW => InOut::<Flock>::new(arg.0).get().map(|_| 0),
        _ => Err(Errno::EINVAL),
    }
}

/// The argument of an ioctl in C memory.
struct Argument(usize);

impl IoctlArg for Argument {
    fn get(&mut self, to: &mut [u8]) -> SysResult<()> {
        trapless_platform::user::copy_in(self.0, to)
    }

    fn put(&mut self, from: &[u8]) -> SysResult<()> {
        trapless_platform::user::copy_out(self.0, from)
    }

    fn value(&self) -> usize {
        self.0
    }
}

pub fn ioctl(fd: Fd, request: IoctlRequest, argp: UserPtr) -> SysResult {
    let file = open_file(fd)?;
    let int = InOut::<i32>::new(argp.addr());
    match request {
        IoctlRequest::FIOCLEX => kernel().fds.set_cloexec(fd.0, true).map(|()| 0),
        IoctlRequest::FIONCLEX => kernel().fds.set_cloexec(fd.0, false).map(|()| 0),
        IoctlRequest::FIONBIO => {
            let on = int.get()? != 0;
            file.set_flags(if on { file.flags() | O_NONBLOCK } else { file.flags() & !O_NONBLOCK });
            Ok(0)
        }
        _ => match file.file.as_socket().filter(|_| netdevice::is_for(request)) {
            Some(socket) => netdevice::ioctl(socket, request, argp.addr()),
            None => file.file.ioctl(request.0, &mut Argument(argp.addr())),
        },
    }
}

pub fn pipe(pipefd: Out<[i32; 2]>) -> SysResult {
    pipe2(pipefd, PipeFlags::empty())
}

pub fn pipe2(pipefd: Out<[i32; 2]>, flags: PipeFlags) -> SysResult {
    if flags.contains(PipeFlags::O_DIRECT) {
        return Err(Errno::EINVAL);
    }
    let status = flags.bits() & O_NONBLOCK;
    let (reader, writer) = pipe::pipe::<X86>();
    let files = [Open::new(reader, status), Open::new(writer, status | O_WRONLY)];
    publish_pair(files, flags.contains(PipeFlags::O_CLOEXEC), pipefd)
}

/// Gives two files descriptors and tells the program; on a bad pointer it is as if nothing had happened.
pub(super) fn publish_pair(files: [Arc<Open>; 2], cloexec: bool, to: Out<[i32; 2]>) -> SysResult {
    let fds = kernel().fds.insert_pair(files, cloexec)?;
    to.put(&fds).map(|()| 0).inspect_err(|_| {
        for fd in fds {
            let _ = kernel().fds.close(fd);
        }
    })
}

pub fn eventfd(initval: U32) -> SysResult {
    eventfd2(initval, EventfdFlags::empty())
}

pub fn eventfd2(initval: U32, flags: EventfdFlags) -> SysResult {
    let file = EventFd::new(initval.0, flags.contains(EventfdFlags::EFD_SEMAPHORE));
    publish(file, O_RDWR | (flags.bits() & O_NONBLOCK), flags.contains(EventfdFlags::EFD_CLOEXEC))
}

pub fn timerfd_create(clockid: ClockId, flags: TimerfdFlags) -> SysResult {
    match clockid {
        ClockId::CLOCK_REALTIME | ClockId::CLOCK_MONOTONIC | ClockId::CLOCK_BOOTTIME => {}
        _ => return Err(Errno::EINVAL),
    }
    let file = TimerFd::<X86>::new(clockid == ClockId::CLOCK_REALTIME);
    publish(file, O_RDWR | (flags.bits() & O_NONBLOCK), flags.contains(TimerfdFlags::TFD_CLOEXEC))
}

fn timerfd(fd: Fd) -> SysResult<Arc<Open>> {
    let file = open_file(fd)?;
    if file.file.as_any().is::<TimerFd<X86>>() { Ok(file) } else { Err(Errno::EINVAL) }
}

/// Runs `f` on the timer behind a descriptor. EBADF, EINVAL.
fn with_timer<R>(fd: Fd, f: impl FnOnce(&TimerFd<X86>) -> SysResult<R>) -> SysResult<R> {
    let file = timerfd(fd)?;
    file.file.as_any().downcast_ref().ok_or(Errno::EINVAL).and_then(f)
}

pub fn timerfd_settime(
    fd: Fd,
    flags: TimerfdSetFlags,
    new_value: In<Itimerspec>,
    old_value: Out<Itimerspec>,
) -> SysResult {
    let new = new_value.get()?;
    let value = duration_from_timespec(new.it_value.tv_sec, new.it_value.tv_nsec)?;
    let interval = duration_from_timespec(new.it_interval.tv_sec, new.it_interval.tv_nsec)?;
    let old = with_timer(fd, |timer| {
        let next = if value.is_zero() {
            None
        } else if flags.contains(TimerfdSetFlags::TFD_TIMER_ABSTIME) {
            let epoch = if timer.is_realtime() { X86::realtime_ns().saturating_sub(X86::now().as_nanos()) } else { 0 };
            Some(Instant::from_nanos((value.as_nanos() as u64).saturating_sub(epoch)))
        } else {
            Some(X86::now() + value)
        };
        Ok(timer.set(Setting { next, interval }))
    })?;
    old_value.put_opt(&itimerspec(old)).map(|()| 0)
}

pub fn timerfd_gettime(fd: Fd, curr_value: Out<Itimerspec>) -> SysResult {
    let setting = with_timer(fd, |timer| Ok(timer.get()))?;
    curr_value.put(&itimerspec(setting)).map(|()| 0)
}

/// What is left until the next expiration, and the interval.
fn itimerspec(setting: Setting) -> Itimerspec {
    let left = setting.next.map(|at| (at - X86::now()).as_nanos() as u64).unwrap_or(0);
    Itimerspec {
        it_value: Timespec::from_nanos(left),
        it_interval: Timespec::from_nanos(setting.interval.as_nanos() as u64),
    }
}

/// Bytes that sendfile(2) moves at once.
const CHUNK: usize = 64 * 1024;

pub fn sendfile(out_fd: Fd, in_fd: Fd, offset: InOut<i64>, count: Len) -> SysResult {
    let (to, from) = (open_file(out_fd)?, open_file(in_fd)?);
    if !from.readable() || !to.writable() {
        return Err(Errno::EBADF);
    }
    if !from.file.takes_offsets() {
        return Err(Errno::EINVAL);
    }
    let mut at = match offset.get_opt()? {
        Some(at) => u64::try_from(at).map_err(|_| Errno::EINVAL)?,
        None => from.seek(0, 1)?,
    };
    let mut buffer = alloc::vec::Vec::new();
    buffer.try_reserve_exact(CHUNK.min(count.capped())).map_err(|_| Errno::ENOMEM)?;
    let mut sent = 0;
    let result = loop {
        buffer.clear();
        let room = (count.capped() - sent).min(CHUNK);
        let n = if room == 0 { 0 } else { from.file.read_at(at, &mut Limited(&mut buffer, room))? };
        if n == 0 {
            break Ok(sent);
        }
        let mut rest = &buffer[..];
        match write_to(&to, &mut rest) {
            Ok(n) => {
                sent += n;
                at += n as u64;
            }
            Err(e) if sent == 0 => break Err(e),
            Err(_) => break Ok(sent),
        }
        if !rest.is_empty() {
            break Ok(sent);
        }
    };
    if offset.is_null() {
        from.seek(at as i64, 0)?;
    } else {
        offset.put(&(at as i64))?;
    }
    result
}

/// A vector that takes no more than some bytes.
struct Limited<'a>(&'a mut alloc::vec::Vec<u8>, usize);

impl Sink for Limited<'_> {
    fn remaining(&self) -> usize {
        self.1 - self.0.len()
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let n = from.len().min(self.remaining());
        self.0.extend_from_slice(&from[..n]);
        Ok(n)
    }
}
