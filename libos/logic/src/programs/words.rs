//! Programs that look at nothing but their arguments and their environment.

use super::process::{Process, Status, show};
use crate::platform::Platform;
use crate::vfs::{At, Follow, Kind};
use alloc::vec::Vec;
use trapless_abi::SysResult;

/// echo(1).
pub fn echo<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let (words, end): (_, &[u8]) = match process.operands() {
        [first, rest @ ..] if first == b"-n" => (rest, b""),
        all => (all, b"\n"),
    };
    process.stdout.write(&[&words.join(&b' ')[..], end].concat())?;
    Ok(0)
}

/// env(1), without arguments.
pub fn env<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    if let [first, ..] = process.operands() {
        return process.fail(format_args!("'{}': only without arguments here", show(first)));
    }
    print_all(process)
}

/// printenv(1).
pub fn printenv<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    if process.operands().is_empty() {
        return print_all(process);
    }
    let mut status = 0;
    for name in process.operands() {
        match process.variable(name) {
            Some(value) => process.stdout.write(&[value, b"\n"].concat())?,
            None => status = 1,
        }
    }
    Ok(status)
}

fn print_all<P: Platform>(process: &Process<P>) -> SysResult<Status> {
    process.env.iter().try_for_each(|pair| process.stdout.write(&[pair, &b"\n"[..]].concat()))?;
    Ok(0)
}

/// id(1): there is one user.
pub fn id<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let flags: Vec<u8> = process.operands().concat();
    let text = match &flags[..] {
        b"" => "uid=0(root) gid=0(root) groups=0(root)",
        b"-u" | b"-g" | b"-G" => "0",
        b"-un" | b"-u-n" | b"-gn" | b"-g-n" => "root",
        _ => return process.fail(format_args!("unknown arguments (-u, -g, -G, -un and -gn are known)")),
    };
    process.print(format_args!("{text}\n"))?;
    Ok(0)
}

/// test(1): 0 for true, 1 for false, 2 for what it does not understand.
pub fn test<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let mut words: Vec<&[u8]> = process.operands().iter().map(Vec::as_slice).collect();
    if process.name() == "[" && words.pop() != Some(b"]") {
        process.fail(format_args!("missing ]"))?;
        return Ok(2);
    }
    let negated = words.first() == Some(&&b"!"[..]);
    match holds(process, &words[usize::from(negated)..]) {
        Some(holds) => Ok(u8::from(holds == negated)),
        None => {
            process.fail(format_args!("cannot understand: {}", show(&words.join(&b' '))))?;
            Ok(2)
        }
    }
}

fn holds<P: Platform>(process: &Process<P>, words: &[&[u8]]) -> Option<bool> {
    Some(match words {
        [] => false,
        [text] => !text.is_empty(),
        [b"-n", text] => !text.is_empty(),
        [b"-z", text] => text.is_empty(),
        [[b'-', what], path] => {
            let node = process.vfs.find(&At::Cwd, &process.absolute(path), Follow::Yes).ok();
            let kind = node.as_ref().map(|node| node.kind());
            let stat = node.as_ref().and_then(|node| node.stat().ok());
            match what {
                b'e' | b'r' | b'w' => kind.is_some(),
                b'f' => kind == Some(Kind::Regular),
                b'd' => kind == Some(Kind::Directory),
                b'x' => stat.is_some_and(|stat| stat.st_mode & 0o111 != 0),
                b's' => stat.is_some_and(|stat| stat.st_size > 0),
                _ => return None,
            }
        }
        [a, b"=" | b"==", b] => a == b,
        [a, b"!=", b] => a != b,
        [a, operator, b] => {
            let number = |text: &[u8]| core::str::from_utf8(text).ok()?.trim().parse::<i64>().ok();
            let (a, b) = (number(a)?, number(b)?);
            match *operator {
                b"-eq" => a == b,
                b"-ne" => a != b,
                b"-lt" => a < b,
                b"-le" => a <= b,
                b"-gt" => a > b,
                b"-ge" => a >= b,
                _ => return None,
            }
        }
        _ => return None,
    })
}
