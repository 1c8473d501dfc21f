//! The programs that ports ask for.
//!
//! There is one program in an image, and ports cannot start others. But OTP and much that runs on it ask small questions of the system
//! around them by way of programs: the name of the machine, room in a file system, load and memory (os_mon). Those are answered from
//! here, by functions that read and write the port's pipes on a thread of the library OS. A [shell](shell) understands what such questions
//! are made of. Every other program is one that this system does not have.

mod args;
mod date;
mod erl;
mod files;
mod grep;
mod heart;
mod inet_gethost;
mod kill;
mod launch;
mod machine;
mod mktemp;
mod os_mon;
mod packets;
mod process;
mod ps;
mod request;
mod shell;
mod stream;
#[cfg(all(test, not(loom)))]
mod tests;
mod words;

pub use launch::start;
pub use process::{Process, Status};
pub use stream::Stream;

use crate::erl_args::BINDIR;
use crate::platform::Platform;
use crate::vfs::{At, Follow, Inode, Kind, Name, Vfs};
use trapless_abi::{Errno, SysResult};

/// A program: reads its arguments and its input, writes its output, and ends with a status.
///
/// # Errors
/// What kept it from writing its output: nobody reads it any more.
pub type Program<P> = fn(&mut Process<P>) -> SysResult<Status>;

/// The names of those that every system has, in order; [`builtin`] knows what they do.
const NAMES: [&str; 27] = [
    "[",
    "cat",
    "cpu_sup",
    "date",
    "df",
    "echo",
    "env",
    "false",
    "getconf",
    "grep",
    "heart",
    "hostname",
    "id",
    "inet_gethost",
    "kill",
    "ls",
    "memsup",
    "mktemp",
    "nproc",
    "printenv",
    "ps",
    "sh",
    "sleep",
    "test",
    "true",
    "uname",
    "uptime",
];

/// Where they are found.
const DIRECTORY: &str = "/bin";

/// ERTS looks for this one beside itself, and gives up if it does not see it there.
const BESIDE_ERTS: [&str; 1] = ["inet_gethost"];

/// What is read by who looks into such a file.
const CONTENT: &[u8] = b"This program is a part of the system.\n";

fn builtin<P: Platform>(name: &[u8]) -> Option<Program<P>> {
    Some(match name {
        b"[" | b"test" => words::test,
        b"cat" => files::cat,
        b"cpu_sup" => os_mon::cpu_sup,
        b"date" => date::date,
        b"df" => files::df,
        b"echo" => words::echo,
        b"env" => words::env,
        b"erl" => erl::erl,
        b"false" => |_| Ok(1),
        b"getconf" => machine::getconf,
        b"grep" => grep::grep,
        b"heart" => heart::heart,
        b"hostname" => machine::hostname,
        b"id" => words::id,
        b"inet_gethost" => inet_gethost::inet_gethost,
        b"kill" => kill::kill,
        b"ls" => files::ls,
        b"memsup" => os_mon::memsup,
        b"mktemp" => mktemp::mktemp,
        b"nproc" => machine::nproc,
        b"printenv" => words::printenv,
        b"ps" => ps::ps,
        b"sh" => shell::main,
        b"sleep" => machine::sleep,
        b"true" => |_| Ok(0),
        b"uname" => machine::uname,
        b"uptime" => machine::uptime,
        _ => return None,
    })
}

/// The program of that name, as execvp(3) finds one: a name without a slash among the built-in ones, a path in the file system. What
/// the file at a path does is told by its name. Where programs are kept, built-in ones are there without a file, too: in `/usr/bin`, in the
/// folder of os_mon's own.
///
/// # Errors
/// ENOENT if there is none; EACCES for a file that may not be executed, ENOEXEC for one that is no program of this system.
pub fn find<P: Platform>(vfs: &Vfs<P>, name: &[u8]) -> SysResult<Program<P>> {
    let Some(slash) = name.iter().rposition(|&byte| byte == b'/') else { return builtin(name).ok_or(Errno::ENOENT) };
    let program = builtin(&name[slash + 1..]);
    match vfs.find(&At::Cwd, name, Follow::Yes) {
        Ok(node) if node.kind() != Kind::Regular || node.stat()?.st_mode & 0o111 == 0 => Err(Errno::EACCES),
        Ok(_) => program.ok_or(Errno::ENOEXEC),
        Err(errno) => {
            program.filter(|_| name[..slash].split(|&byte| byte == b'/').any(|part| part == b"bin")).ok_or(errno)
        }
    }
}

/// Makes the programs' files, for who looks for them before asking (`os:find_executable/1`). A file that is there already stays.
///
/// # Errors
/// ENOSPC, ENOTDIR.
pub fn install<P: Platform>(vfs: &Vfs<P>) -> SysResult<()> {
    match vfs.mkdir(&At::Cwd, DIRECTORY.as_bytes(), 0o755) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    add(vfs, DIRECTORY, &NAMES)?;
    match add(vfs, BINDIR, &BESIDE_ERTS) {
        // An image without ERTS.
        Err(Errno::ENOENT) => Ok(()),
        done => done,
    }
}

fn add<P: Platform>(vfs: &Vfs<P>, directory: &str, names: &[&'static str]) -> SysResult<()> {
    let directory = Inode::of(vfs.find(&At::Cwd, directory.as_bytes(), Follow::Yes)?)?;
    for name in names {
        match directory.add_static(Name::Static(name.as_bytes()), 0o755, CONTENT) {
            Ok(_) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
