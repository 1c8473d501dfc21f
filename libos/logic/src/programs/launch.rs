//! From a request of ERTS to a program's end.

use super::process::{Process, Status};
use super::request::{self, Request};
use super::stream::Stream;
use super::{Program, find, shell};
use crate::forker::Start;
use crate::platform::Platform;
use crate::vfs::{At, Follow, Kind, Vfs};
use alloc::sync::Arc;
use trapless_abi::{Errno, SysResult};

/// What a program ends with that nobody listens to any more: as if SIGPIPE had ended it, told as a shell tells it.
const BROKEN_PIPE: Status = 128 + 13;

/// Runs the program that ERTS asks for, once ERTS knows that it has started. Its streams are closed when this returns.
pub fn start<P: Platform>(vfs: &Arc<Vfs<P>>, start: Start<P>) -> Status {
    match request::receive(&start.stdin).and_then(|request| run(vfs, start, request)) {
        Ok(status) => status,
        Err(Errno::EPIPE) => BROKEN_PIPE,
        // As erl_child_setup ends where it cannot go on.
        Err(errno) => errno.code() as Status,
    }
}

fn run<P: Platform>(vfs: &Arc<Vfs<P>>, start: Start<P>, request: Request) -> SysResult<Status> {
    let stderr = Stream::File(start.stderr);
    let (program, args): (Program<P>, _) = match request.args {
        Some(args) => (find(vfs, &request.command)?, args),
        None => (shell::main, [b"sh".to_vec(), b"-c".to_vec(), request.command].to_vec()),
    };
    let mut process = Process {
        vfs: vfs.clone(),
        args,
        env: request.env,
        cwd: request.cwd,
        depth: 0,
        // What is not the port's is what Erlang itself has: no input here, and the console.
        stdin: if request.stdio && request.reads { Stream::File(start.stdin) } else { Stream::Null },
        stdout: if request.stdio && request.writes { Stream::File(start.stdout) } else { stderr.clone() },
        stderr,
    };
    if let Some(directory) = &request.directory {
        let node = vfs.find(&At::Cwd, &process.absolute(directory), Follow::Yes);
        match node
            .and_then(|node| if node.kind() == Kind::Directory { vfs.path_of(&node) } else { Err(Errno::ENOTDIR) })
        {
            Ok(path) => process.cwd = path,
            Err(errno) => {
                let text = [b"spawn: Could not cd to ", &directory[..], b"\r\n"].concat();
                process.stderr.write(&text)?;
                return Err(errno);
            }
        }
    }
    program(&mut process)
}
