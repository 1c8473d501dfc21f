//! What ERTS sends on a program's input before the program may have it (`start_new_child` in erl_child_setup.c).

use crate::data::Sink;
use crate::file::OpenFile;
use crate::forker::PROTO_SIZE;
use crate::platform::Platform;
use alloc::vec::Vec;
use trapless_abi::{Errno, SysResult};

/// More than a request can have: the kernel's limit on arguments and environment is 2 MiB (execve(2)).
const MOST: usize = 4 << 20;
/// `FORKER_FLAG_USE_STDIO`, `_DO_READ` and `_DO_WRITE` (erl_child_setup.h).
const USE_STDIO: u32 = 1 << 0;
const DO_READ: u32 = 1 << 2;
const DO_WRITE: u32 = 1 << 3;

/// A program, and what to start it with.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// A path, or with [`Request::args`] none, a line for the shell.
    pub command: Vec<u8>,
    /// ERTS's working directory.
    pub cwd: Vec<u8>,
    /// Where the program is to run, if not there (option `cd`).
    pub directory: Option<Vec<u8>>,
    /// Variables, `NAME=VALUE` each.
    pub env: Vec<Vec<u8>>,
    /// Name and arguments (`spawn_executable`).
    pub args: Option<Vec<Vec<u8>>>,
    /// Whether input and output are the standard ones, and not descriptors 3 and 4 (option `nouse_stdio`).
    pub stdio: bool,
    /// Whether the port reads what the program writes.
    pub writes: bool,
    /// Whether the port writes what the program reads.
    pub reads: bool,
}

/// Waits for the request, and for the word that ERTS knows the program's number (`ErtsSysForkerProtoAction_Ack`).
///
/// # Errors
/// EPROTO for anything else; those of read(2).
pub fn receive<P: Platform>(input: &OpenFile<P>) -> SysResult<Request> {
    let mut size = Vec::new();
    read_all(input, &mut size, 4)?;
    let size = size[..].try_into().map(u32::from_ne_bytes).map_err(|_| Errno::EPROTO)? as usize;
    if size > MOST {
        return Err(Errno::EPROTO);
    }
    let mut block = Vec::new();
    read_all(input, &mut block, size)?;
    let mut ack = Vec::new();
    read_all(input, &mut ack, PROTO_SIZE)?;
    decode(&block).ok_or(Errno::EPROTO)
}

fn read_all<P: Platform>(input: &OpenFile<P>, to: &mut Vec<u8>, size: usize) -> SysResult<()> {
    to.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
    // The vector may have room for more, which belongs to the program.
    let mut room = Room { left: size, to };
    while room.left > 0 {
        if input.read_blocking(&mut room, None)? == 0 {
            return Err(Errno::EPROTO);
        }
    }
    Ok(())
}

/// A vector that takes so many bytes and no more, whatever its capacity.
struct Room<'a> {
    to: &'a mut Vec<u8>,
    left: usize,
}

impl Sink for Room<'_> {
    fn remaining(&self) -> usize {
        self.left
    }

    fn push(&mut self, from: &[u8]) -> SysResult<usize> {
        let n = from.len().min(self.left);
        self.to.extend_from_slice(&from[..n]);
        self.left -= n;
        Ok(n)
    }
}

fn decode(block: &[u8]) -> Option<Request> {
    let mut rest = block;
    let flags = number(&mut rest)?;
    let (command, cwd) = (string(&mut rest)?, string(&mut rest)?);
    let directory = string(&mut rest)?;
    // An empty one is the end by itself; a directory is followed by it.
    let directory = if directory.is_empty() {
        None
    } else {
        string(&mut rest).filter(Vec::is_empty)?;
        Some(directory)
    };
    let env = strings(&mut rest)?;
    let args = if rest.is_empty() { None } else { Some(strings(&mut rest)?) };
    let request = Request {
        command,
        cwd,
        directory,
        env,
        args,
        stdio: flags & USE_STDIO != 0,
        writes: flags & DO_READ != 0,
        reads: flags & DO_WRITE != 0,
    };
    rest.is_empty().then_some(request)
}

/// High byte first.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_be_bytes(*bytes))
}

fn string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let end = rest.iter().position(|&byte| byte == 0)?;
    let found = rest[..end].to_vec();
    *rest = &rest[end + 1..];
    Some(found)
}

fn strings(rest: &mut &[u8]) -> Option<Vec<Vec<u8>>> {
    let count = number(rest)?;
    (0..count).map(|_| string(rest)).collect()
}
