//! The time of the day, kept by servers that the command line names (`ntp=`). See [`trapless_logic::ntp`].

use crate::kernel::kernel;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use trapless_abi::{Errno, SysResult};
use trapless_logic::file::File;
use trapless_logic::net::Family;
use trapless_logic::net::udp::UdpSocket;
use trapless_logic::ntp::{self, Correction, Schedule};
use trapless_logic::platform::Platform;
use trapless_logic::socket::{MsgFlags, SockAddr, Socket};
use trapless_logic::sync::Lock;
use trapless_logic::time::Instant;
use trapless_logic::wait::{Ready, block_on};
use trapless_platform::x86::X86;
use trapless_platform::{clock, thread};

/// Bytes of the thread's stack.
const STACK: usize = 32 * 1024;

/// The answer that came last.
static LATEST: Lock<X86, Option<Answer>> = Lock::new(None);

#[derive(Clone, Copy)]
struct Answer {
    server: SocketAddr,
    /// How far the clock was behind, ns.
    offset: i64,
    /// When it came, ns since boot.
    at: u64,
    /// Answers so far, and how many of them set the clock at once.
    answers: u64,
    steps: u64,
}

/// Starts the thread that asks, if somebody is to be asked.
pub fn start() {
    if kernel().config.ntp.is_empty() {
        return;
    }
    if let Err(errno) = thread::spawn_kernel("ntp", keep, 0, STACK) {
        log::warn!("the clock is not kept: {errno}");
    }
}

/// Asks the servers in their order until one answers, corrects the clock, and waits.
fn keep(_: usize) {
    let mut schedule = Schedule::default();
    loop {
        let found = kernel().config.ntp.iter().find_map(|server| Some((*server, ask(*server).ok()?)));
        if let Some((server, offset)) = found {
            correct(server, offset);
        }
        let until = X86::now() + schedule.after(found.is_some());
        while X86::now() < until {
            X86::park(Some(until));
        }
    }
}

/// How far the clock is behind this server's.
fn ask(server: SocketAddr) -> SysResult<i64> {
    let family = if server.is_ipv4() { Family::Inet } else { Family::Inet6 };
    let socket = UdpSocket::new(kernel().net.clone(), family);
    let result = exchange(&socket, server);
    socket.close();
    result
}

fn exchange(socket: &UdpSocket<X86>, server: SocketAddr) -> SysResult<i64> {
    // Others are not listened to.
    socket.connect(&SockAddr::Inet(server))?;
    let queue = socket.queue().ok_or(Errno::EINVAL)?;
    let deadline = X86::now() + ntp::PATIENCE;
    let mut nonce = [0; 8];
    X86::random(&mut nonce);
    let question = ntp::question(nonce);
    let asked = clock::realtime_ns();
    block_on(queue, Ready::WRITABLE, Some(deadline), || {
        socket.send(&mut &question[..], None, &mut Vec::new(), &[], MsgFlags::empty())
    })?;
    // What is no answer to it may come first, from whoever pretends to be the server.
    loop {
        let mut answer = Vec::with_capacity(ntp::SIZE);
        block_on(queue, Ready::READABLE, Some(deadline), || socket.recv(&mut answer, MsgFlags::empty()))?;
        if let Some(offset) = ntp::offset(&answer, nonce, asked, clock::realtime_ns()) {
            return Ok(offset);
        }
    }
}

fn correct(server: SocketAddr, offset: i64) {
    let step = match ntp::correction(offset) {
        Correction::Step(offset) => {
            clock::set_realtime_ns(clock::realtime_ns().wrapping_add_signed(offset));
            log::info!("the clock was off by {} ms, says {server}: it is set", offset / 1_000_000);
            1
        }
        Correction::Slew(offset) => {
            clock::slew_realtime(offset);
            log::debug!("the clock is off by {} us, says {server}", offset / 1000);
            0
        }
    };
    let mut latest = LATEST.lock();
    let (answers, steps) = latest.map_or((0, 0), |latest| (latest.answers, latest.steps));
    let at = X86::now().as_nanos();
    *latest = Some(Answer { server, offset, at, answers: answers + 1, steps: steps + step });
}

/// Writes what is known about the clock (/proc/trapless/clock).
pub fn write_state(w: &mut dyn fmt::Write) -> fmt::Result {
    let now = X86::now();
    writeln!(w, "realtime_ns {}", clock::realtime_ns())?;
    writeln!(w, "left_to_move_ns {}", clock::left_to_slew())?;
    let latest = *LATEST.lock();
    let Some(Answer { server, offset, at, answers, steps }) = latest else { return Ok(()) };
    writeln!(w, "server {server}\nanswers {answers}\nsteps {steps}\noffset_ns {offset}")?;
    writeln!(w, "seconds_ago {}", (now - Instant::from_nanos(at)).as_secs())
}
