//! A small shell (POSIX.1-2024, XCU chapter 2): enough for the lines by which programs question the system around them.
//!
//! Lists, `&&`, `||`, `!`, pipelines, groups, redirections, quotes, variables and command substitution are there. Loops, conditions,
//! functions, patterns, arithmetic, here-documents and background jobs are not, and are refused by name. Commands of a pipeline run one
//! after the other.

mod builtins;
mod expand;
mod lex;
mod parse;
mod run;

use super::process::{Process, Status, show};
use super::stream::Stream;
use crate::platform::Platform;
use alloc::vec::Vec;
use parse::Outcome;
use run::{Shell, Stop, Streams};
use trapless_abi::SysResult;
use trapless_abi::flags::OpenFlags;

/// Shells, groups and substitutions in one another: each takes stack.
const DEPTH_MAX: usize = 8;
/// A command whose end has not come after so many bytes is none.
const COMMAND_MAX: usize = 1 << 20;

/// `sh -c LINE [NAME [ARGUMENT...]]`, `sh -s [ARGUMENT...]`, `sh FILE [ARGUMENT...]`, or commands on the standard input.
pub fn main<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    if process.depth > DEPTH_MAX {
        return process.fail(format_args!("too deep: more than {DEPTH_MAX} shells in one another"));
    }
    let streams =
        Streams { stdin: process.stdin.clone(), stdout: process.stdout.clone(), stderr: process.stderr.clone() };
    let mut shell = Shell::new(process);
    let operands = process.operands().to_vec();
    match operands.first().map(Vec::as_slice) {
        Some(b"-c") => {
            let Some(line) = operands.get(1) else { return process.fail(format_args!("-c requires an argument")) };
            finish(&mut shell, line, &streams)
        }
        None | Some(b"-s") => interpret(&mut shell, &streams),
        Some([b'-', ..]) => process.fail(format_args!("{}: only -c and -s are known", show(&operands[0]))),
        Some(path) => match process.open(path, OpenFlags::empty()) {
            Ok(file) => interpret(&mut shell, &Streams { stdin: Stream::File(file), ..streams }),
            Err(errno) => {
                process.fail(format_args!("{}: {}", show(path), errno.description()))?;
                Ok(127)
            }
        },
    }
}

/// Performs commands as they come, each as soon as it is complete.
fn interpret<P: Platform>(shell: &mut Shell<P>, streams: &Streams<P>) -> SysResult<Status> {
    let mut text = Vec::new();
    loop {
        let bytes = streams.stdin.read()?;
        if bytes.is_empty() {
            return finish(shell, &text, streams);
        }
        text.extend_from_slice(&bytes);
        // Whole lines only: what comes next may go on with the last.
        while let Some(list) = next_command(shell, &mut text, streams)? {
            match shell.list(&list, streams) {
                Ok(()) => {}
                Err(Stop::Exit(status)) => return Ok(status),
                Err(Stop::Broken(errno)) => return Err(errno),
            }
        }
    }
}

/// The first lines that make commands; none if more must come.
fn next_command<P: Platform>(
    shell: &mut Shell<P>,
    text: &mut Vec<u8>,
    streams: &Streams<P>,
) -> SysResult<Option<parse::List>> {
    let mut end = 0;
    while let Some(line) = text[end..].iter().position(|&byte| byte == b'\n') {
        end += line + 1;
        match parse::parse(&text[..end]) {
            Outcome::Done(list) => {
                text.drain(..end);
                return Ok(Some(list));
            }
            Outcome::Incomplete if end < COMMAND_MAX => {}
            Outcome::Incomplete => {
                text.drain(..end);
                shell.complain(streams, format_args!("command too long"))?;
                end = 0;
            }
            Outcome::Wrong(problem) => {
                text.drain(..end);
                shell.complain(streams, format_args!("{problem}"))?;
                shell.status = 2;
                end = 0;
            }
        }
    }
    Ok(None)
}

/// Performs what is left when nothing more comes.
fn finish<P: Platform>(shell: &mut Shell<P>, text: &[u8], streams: &Streams<P>) -> SysResult<Status> {
    match parse::parse(text) {
        Outcome::Done(list) => match shell.list(&list, streams) {
            Ok(()) => Ok(shell.status),
            Err(Stop::Exit(status)) => Ok(status),
            Err(Stop::Broken(errno)) => Err(errno),
        },
        Outcome::Incomplete => {
            shell.complain(streams, format_args!("syntax error: unexpected end of file"))?;
            Ok(2)
        }
        Outcome::Wrong(problem) => {
            shell.complain(streams, format_args!("{problem}"))?;
            Ok(2)
        }
    }
}
