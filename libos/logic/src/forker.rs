//! The forker service: the other side of ERTS's protocol for starting programs.
//!
//! ERTS forks once at start; the child is to run `erl_child_setup` and to fork all port programs. There is no fork here. Instead
//! the libos answers fork(2) with a process id and lets this service hold the child's end of the socket pair that ERTS made just
//! before. The messages are those of `ErtsSysForkerProto` (erts/emulator/sys/unix/erl_child_setup.h): ERTS sends Start with three
//! descriptors (the port's input, output and error), the service answers Go on the second with a process id or an errno, which
//! `open_port` turns into an Erlang exception.

use crate::data::Source;
use crate::file::OpenFile;
use crate::platform::Platform;
use crate::socket::{MsgFlags, Received, Socket};
use crate::wait::{Ready, block_on};
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// Size of `ErtsSysForkerProto`.
pub const PROTO_SIZE: usize = 32;
/// `ErtsSysForkerProtoAction_Start`.
const START: u32 = 0;
/// `ErtsSysForkerProtoAction_Go`.
const GO: u32 = 2;
/// `ErtsSysForkerProtoAction_SigChld`.
const SIGCHLD: u32 = 3;
/// `THE_NON_VALUE`: a port that does not want to hear of the end.
const NO_PORT: u64 = 0;

/// A request to start a program.
pub struct Start<P: Platform> {
    /// The port that wants to hear of the program's end.
    pub port_id: u64,
    /// The program's input: the command, its directory, environment and arguments come first (`start_new_child`).
    pub stdin: Arc<OpenFile<P>>,
    /// Its output, and where the answer goes.
    pub stdout: Arc<OpenFile<P>>,
    /// Its error output.
    pub stderr: Arc<OpenFile<P>>,
}

/// Bytes that one look takes at most: a request, and what may come right before it.
const LOOK: usize = 256;

/// Waits for the next request. None when ERTS has closed its end.
pub fn next_request<P: Platform>(end: &dyn Socket<P>) -> SysResult<Option<Start<P>>> {
    let queue = end.queue().ok_or(Errno::EINVAL)?;
    loop {
        let mut message = Vec::with_capacity(LOOK);
        let received = block_on(queue, Ready::READABLE, None, || end.recv(&mut message, MsgFlags::empty()))?;
        if received.len == 0 {
            return Ok(None);
        }
        // Before the first request come the terminal's settings, which ERTS leaves with the forker when stdin is a terminal: they
        // would be restored if ERTS died, but here everything ends with it. A stream may give them together with a request, but
        // nothing behind a request, which has descriptors (unix(7)).
        if !received.rights.is_empty() {
            let request = message.last_chunk().ok_or(Errno::EPROTO)?;
            return decode(request, received).map(Some);
        }
    }
}

fn decode<P: Platform>(request: &[u8; PROTO_SIZE], received: Received<P>) -> SysResult<Start<P>> {
    let action = request.first_chunk::<4>().map(|b| u32::from_ne_bytes(*b));
    let port_id = request.get(8..16).and_then(|b| b.try_into().ok()).map(u64::from_ne_bytes);
    let rights: Result<[_; 3], _> = received.rights.try_into();
    match (action, port_id, rights) {
        (Some(START), Some(port_id), Ok([stdin, stdout, stderr])) => Ok(Start { port_id, stdin, stdout, stderr }),
        _ => Err(Errno::EPROTO),
    }
}

impl<P: Platform> Start<P> {
    /// Answers that the program cannot be started; `open_port` fails with the errno's name.
    pub fn refuse(&self, errno: Errno) -> SysResult<()> {
        self.answer(-1, i32::from(errno.code()))
    }

    /// Answers that the program has started as process `os_pid`.
    pub fn accept(&self, os_pid: i32) -> SysResult<()> {
        self.answer(os_pid, 0)
    }

    fn answer(&self, os_pid: i32, error: i32) -> SysResult<()> {
        let mut message = [0; PROTO_SIZE];
        message[0..4].copy_from_slice(&GO.to_ne_bytes());
        message[8..12].copy_from_slice(&os_pid.to_ne_bytes());
        message[12..16].copy_from_slice(&error.to_ne_bytes());
        let mut from = &message[..];
        self.stdout.write(&mut from)?;
        if from.remaining() == 0 { Ok(()) } else { Err(Errno::EPIPE) }
    }
}

/// Tells ERTS over `end` that the program of a port has ended (waitpid(2)).
pub fn report_end<P: Platform>(end: &OpenFile<P>, port_id: u64, status: u8) -> SysResult<()> {
    if port_id == NO_PORT {
        return Ok(());
    }
    let mut message = [0; PROTO_SIZE];
    message[0..4].copy_from_slice(&SIGCHLD.to_ne_bytes());
    message[8..16].copy_from_slice(&port_id.to_ne_bytes());
    // As waitpid(2) encodes an exit.
    message[16..20].copy_from_slice(&(i32::from(status) << 8).to_ne_bytes());
    end.write_blocking(&mut &message[..], None).map(drop)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use crate::file::File;
    use crate::socket::unix::{Style, UnixSocket};
    use crate::socket::unix_tests::pair;

    fn start(port_id: u64) -> [u8; PROTO_SIZE] {
        let mut message = [0; PROTO_SIZE];
        message[8..16].copy_from_slice(&port_id.to_ne_bytes());
        message
    }

    fn stream() -> (Arc<UnixSocket<Fake>>, Arc<OpenFile<Fake>>) {
        let (a, b) = pair(Style::Stream);
        (a, OpenFile::new(b, 2))
    }

    #[test]
    fn a_request_is_refused_on_its_output() {
        let (erts, service) = pair(Style::Stream);
        let (answers, output) = stream();
        erts.write(&mut &[7u8; 60][..]).unwrap(); // the terminal's settings
        let mut rights = vec![stream().1, output, stream().1];
        erts.send(&mut &start(42)[..], None, &mut rights, &[], MsgFlags::empty()).unwrap();

        let request = next_request(&*service).unwrap().unwrap();
        assert_eq!(request.port_id, 42);
        request.refuse(Errno::ENOENT).unwrap();

        let mut go = Vec::with_capacity(64);
        assert_eq!(answers.read(&mut go), Ok(PROTO_SIZE));
        assert_eq!(go[0..4], 2i32.to_ne_bytes());
        assert_eq!(go[8..16], [0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0]);
    }

    #[test]
    fn a_malformed_request_is_an_error_and_a_closed_end_the_end() {
        let (erts, service) = pair(Style::Stream);
        erts.send(&mut &[0u8; 8][..], None, &mut vec![stream().1], &[], MsgFlags::empty()).unwrap();
        assert!(matches!(next_request(&*service), Err(Errno::EPROTO)));
        erts.close();
        assert!(matches!(next_request(&*service), Ok(None)));
    }
}
