//! What the shell does itself, because it changes the shell (XCU 2.15).

use super::super::find;
use super::super::process::{Status, show};
use super::run::{Shell, Stop, Streams};
use crate::platform::Platform;
use crate::vfs::{At, Follow, Kind};
use alloc::vec::Vec;

/// Performs a command that is one of these; its status.
pub fn perform<P: Platform>(
    shell: &mut Shell<P>,
    fields: &[Vec<u8>],
    streams: &Streams<P>,
) -> Result<Option<Status>, Stop> {
    let arguments = &fields[1..];
    Ok(Some(match &fields[0][..] {
        b":" => 0,
        b"cd" => cd(shell, arguments.first().map(Vec::as_slice), streams)?,
        b"pwd" => {
            streams.stdout.write(&[&shell.cwd[..], b"\n"].concat())?;
            0
        }
        b"exit" => {
            let number = |text: &Vec<u8>| core::str::from_utf8(text).ok()?.parse::<u8>().ok();
            return Err(Stop::Exit(arguments.first().map_or(Some(shell.status), number).unwrap_or(2)));
        }
        b"export" => {
            for argument in arguments {
                let (name, value) = match argument.iter().position(|&byte| byte == b'=') {
                    Some(equals) => (&argument[..equals], Some(&argument[equals + 1..])),
                    None => (&argument[..], None),
                };
                let value = value.map(<[u8]>::to_vec).or_else(|| shell.parameter(name)).unwrap_or_default();
                shell.set(name, value);
                let named = shell.variables.iter_mut().filter(|variable| variable.name == name);
                named.for_each(|variable| variable.exported = true);
            }
            0
        }
        b"unset" => {
            shell.variables.retain(|variable| !arguments.contains(&variable.name));
            0
        }
        b"command" | b"type" | b"which" => return look_up(shell, &fields[0], arguments, streams).map(Some),
        _ => return Ok(None),
    }))
}

fn cd<P: Platform>(shell: &mut Shell<P>, path: Option<&[u8]>, streams: &Streams<P>) -> Result<Status, Stop> {
    let path = match path {
        Some(path) => path.to_vec(),
        None => shell.parameter(b"HOME").unwrap_or_else(|| b"/".to_vec()),
    };
    let absolute = shell.process(Vec::new(), streams).absolute(&path);
    let found = shell.vfs.find(&At::Cwd, &absolute, Follow::Yes);
    match found.and_then(|node| match node.kind() {
        Kind::Directory => shell.vfs.path_of(&node),
        _ => Err(trapless_abi::Errno::ENOTDIR),
    }) {
        Ok(path) => {
            shell.cwd = path;
            Ok(0)
        }
        Err(errno) => {
            shell.complain(streams, format_args!("cd: can't cd to {}: {}", show(&path), errno.description()))?;
            Ok(2)
        }
    }
}

/// `command -v NAME`, `type NAME`, `which NAME`: where a program is.
fn look_up<P: Platform>(
    shell: &mut Shell<P>,
    by: &[u8],
    arguments: &[Vec<u8>],
    streams: &Streams<P>,
) -> Result<Status, Stop> {
    let names = match arguments {
        [flag, names @ ..] if flag == b"-v" => names,
        _ if by == b"command" => {
            shell.complain(streams, format_args!("command: only -v is known"))?;
            return Ok(2);
        }
        names => names,
    };
    let mut status = 0;
    for name in names {
        match find(&shell.vfs, name) {
            Ok(_) if name.contains(&b'/') => streams.stdout.write(&[name, &b"\n"[..]].concat())?,
            Ok(_) => streams.stdout.write(&[super::super::DIRECTORY.as_bytes(), b"/", name, b"\n"].concat())?,
            Err(_) => status = if by == b"command" { 127 } else { 1 },
        }
    }
    Ok(status)
}
