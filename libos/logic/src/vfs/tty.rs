//! The terminal: line discipline between a console and the program (termios(3), ioctl_tty(2)).

mod line;
mod modes;
mod output;
#[cfg(all(test, not(loom)))]
mod tests;
pub mod window;

use super::dev::device_number;
use super::node::Kind;
use crate::data::{Sink, Source};
use crate::file::{File, IoctlArg};
use crate::platform::Platform;
use crate::sync::Lock;
use crate::time::Instant;
use crate::wait::{Observer, Ready, WaitQueue};
use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::time::Duration;
use line::Line;
use output::Output;
use trapless_abi::flags::{IoctlRequest, Signal};
use trapless_abi::structs::{Stat, Termios, Winsize};
use trapless_abi::{Errno, SysResult};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Bytes of a write that are collected before the terminal is locked.
const PIECE: usize = 256;
/// ioctl: drop what was typed (0), what was not shown yet (1), or both (2).
const TCFLSH: u32 = 0x540b;
/// ioctl: session of the terminal.
const TIOCGSID: u32 = 0x5429;

/// Where a terminal shows what is written, and to whom it sends signals.
pub trait Console: Send + Sync {
    /// Takes bytes to be shown and returns how many it took. Called with the terminal's lock held: it must not block. Once it has
    /// taken less than it was given it calls [`Tty::output_ready`] when there is room again.
    fn write(&self, bytes: &[u8]) -> usize;

    /// Sends a signal (SIGINT, SIGQUIT, SIGTSTP, SIGWINCH) to the program. Called without locks.
    fn signal(&self, signal: Signal);
}

struct State {
    line: Line,
    output: Output,
    window: Winsize,
    /// The foreground process group.
    group: i32,
    /// When a read with a time limit gives up.
    deadline: Option<Instant>,
}

/// A terminal.
pub struct Tty<P: Platform> {
    state: Lock<P, State>,
    queue: WaitQueue<P>,
    console: Arc<dyn Console>,
    own: Weak<Self>,
}

impl<P: Platform> Tty<P> {
    /// A terminal on `console`, whose window is this large, in the foreground of process `pid`.
    pub fn new(console: Arc<dyn Console>, pid: i32, window: Winsize) -> Arc<Self> {
        let state = State { line: Line::new(), output: Output::new(), window, group: pid, deadline: None };
        Arc::new_cyclic(|own| Self { state: Lock::new(state), queue: WaitQueue::new(), console, own: own.clone() })
    }

    /// Takes what was typed. Not for interrupt context: it takes the terminal's lock.
    pub fn input(&self, bytes: &[u8]) {
        for &byte in bytes {
            let (signal, readable, room) = {
                let mut guard = self.state.lock();
                let state = &mut *guard;
                let stopped = state.output.stopped;
                let signal = state.line.receive(byte, &mut state.output);
                state.output.flush(|bytes| self.console.write(bytes));
                (signal, state.line.readable(), stopped && state.output.has_room())
            };
            if let Some(number) = signal {
                self.console.signal(number);
            }
            if readable {
                self.queue.notify(Ready::READABLE);
            }
            if room {
                self.queue.notify(Ready::WRITABLE);
            }
        }
    }

    /// The console has room again.
    pub fn output_ready(&self) {
        let room = {
            let mut state = self.state.lock();
            state.output.flush(|bytes| self.console.write(bytes));
            state.output.has_room()
        };
        if room {
            self.queue.notify(Ready::WRITABLE);
        }
    }

    /// Hands everything that waits to be shown to `show`: the machine is about to end.
    pub fn drain(&self, show: impl Fn(&[u8])) {
        self.state.lock().output.flush(|bytes| {
            show(bytes);
            bytes.len()
        });
    }

    /// What a read without a least number of bytes does when there are none: waits as long as VTIME says, then reads nothing.
    fn nothing_typed(&self, state: &mut State) -> SysResult<usize> {
        match state.line.time_limit() {
            None => Err(Errno::EAGAIN),
            Some(0) => Ok(0),
            Some(tenths) => match state.deadline {
                Some(at) if P::now() >= at => {
                    state.deadline = None;
                    Ok(0)
                }
                Some(_) => Err(Errno::EAGAIN),
                None => {
                    let at = P::now() + Duration::from_millis(100 * u64::from(tenths));
                    state.deadline = Some(at);
                    P::timer_arm(at, Arc::new(Expiry(self.own.clone())));
                    Err(Errno::EAGAIN)
                }
            },
        }
    }

    /// TCSETS and its relatives.
    fn set_modes(&self, arg: &mut dyn IoctlArg, discard: bool) -> SysResult<usize> {
        let mut termios = Termios::new_zeroed();
        arg.get(termios.as_mut_bytes())?;
        {
            let mut state = self.state.lock();
            if discard {
                state.line.discard();
            }
            state.line.set_termios(termios);
            if termios.c_iflag & modes::IXON == 0 {
                state.output.stopped = false;
            }
        }
        // Leaving canonical mode may have made something readable, and output that was held by ^S goes on without flow control.
        if self.state.lock().line.readable() {
            self.queue.notify(Ready::READABLE);
        }
        self.output_ready();
        Ok(0)
    }

    fn set_window(&self, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        let mut window = Winsize::new_zeroed();
        arg.get(window.as_mut_bytes())?;
        let old = core::mem::replace(&mut self.state.lock().window, window);
        if old != window {
            self.console.signal(Signal::SIGWINCH);
        }
        Ok(0)
    }

    fn discard(&self, which: usize) -> SysResult<usize> {
        let mut state = self.state.lock();
        match which {
            0 => state.line.discard(),
            1 => state.output.discard(),
            2 => {
                state.line.discard();
                state.output.discard();
            }
            _ => return Err(Errno::EINVAL),
        }
        Ok(0)
    }
}

/// Wakes the readers of a terminal when their time is over.
struct Expiry<P: Platform>(Weak<Tty<P>>);

impl<P: Platform> Observer for Expiry<P> {
    fn notify(&self, _events: Ready) {
        if let Some(tty) = self.0.upgrade() {
            tty.queue.notify(Ready::READABLE);
        }
    }
}

impl<P: Platform> File<P> for Tty<P> {
    fn read(&self, to: &mut dyn Sink) -> SysResult<usize> {
        if to.remaining() == 0 {
            return Ok(0);
        }
        let mut state = self.state.lock();
        match state.line.read(to) {
            Err(Errno::EAGAIN) => self.nothing_typed(&mut state),
            read => {
                state.deadline = None;
                read
            }
        }
    }

    fn write(&self, from: &mut dyn Source) -> SysResult<usize> {
        let mut done = 0;
        while from.remaining() > 0 {
            if !self.state.lock().output.has_room() {
                return if done == 0 { Err(Errno::EAGAIN) } else { Ok(done) };
            }
            let mut piece = [0; PIECE];
            let n = match from.pull(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if done == 0 => return Err(e),
                Err(_) => break,
            };
            let mut guard = self.state.lock();
            let state = &mut *guard;
            for &byte in &piece[..n] {
                state.output.put(byte, state.line.termios());
            }
            state.output.flush(|bytes| self.console.write(bytes));
            done += n;
        }
        Ok(done)
    }

    fn stat(&self) -> SysResult<Stat> {
        Ok(Stat {
            st_dev: 5,
            st_ino: 2,
            st_nlink: 1,
            st_mode: Kind::Character.mode() | 0o620,
            st_rdev: device_number(5, 1),
            st_blksize: 1024,
            ..Stat::default()
        })
    }

    fn ready(&self) -> Ready {
        let state = self.state.lock();
        let mut ready = Ready::empty();
        ready.set(Ready::READABLE, state.line.readable());
        ready.set(Ready::WRITABLE, state.output.has_room());
        ready
    }

    fn queue(&self) -> Option<&WaitQueue<P>> {
        Some(&self.queue)
    }

    fn ioctl(&self, request: u32, arg: &mut dyn IoctlArg) -> SysResult<usize> {
        match IoctlRequest(request) {
            IoctlRequest::TCGETS => {
                let termios = *self.state.lock().line.termios();
                arg.put(termios.as_bytes())?;
            }
            // Output was processed under the old modes when it was written: there is nothing to wait for.
            IoctlRequest::TCSETS | IoctlRequest::TCSETSW => return self.set_modes(arg, false),
            IoctlRequest::TCSETSF => return self.set_modes(arg, true),
            IoctlRequest::TIOCGWINSZ => {
                let window = self.state.lock().window;
                arg.put(window.as_bytes())?;
            }
            IoctlRequest::TIOCSWINSZ => return self.set_window(arg),
            IoctlRequest::FIONREAD => {
                let bytes = self.state.lock().line.available();
                arg.put(&(bytes as i32).to_ne_bytes())?;
            }
            IoctlRequest::TIOCGPGRP | IoctlRequest(TIOCGSID) => {
                let group = self.state.lock().group;
                arg.put(&group.to_ne_bytes())?;
            }
            IoctlRequest::TIOCSPGRP => {
                let mut group = [0; 4];
                arg.get(&mut group)?;
                let group = i32::read_from_bytes(&group).map_err(|_| Errno::EINVAL)?;
                if group < 0 {
                    return Err(Errno::EINVAL);
                }
                self.state.lock().group = group;
            }
            IoctlRequest(TCFLSH) => return self.discard(arg.value()),
            _ => return Err(Errno::ENOTTY),
        }
        Ok(0)
    }

    fn reopen(self: Arc<Self>) -> SysResult<Arc<dyn File<P>>> {
        Ok(self)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
