//! Programs that look at files.

use super::args::Options;
use super::process::{Process, Status, show};
use super::stream::Stream;
use crate::platform::Platform;
use crate::vfs::{At, Follow, Kind, Mount};
use alloc::string::String;
use alloc::vec::Vec;
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};

/// cat(1).
pub fn cat<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let names = match process.operands() {
        [] => [b"-".to_vec()].to_vec(),
        names => names.to_vec(),
    };
    let mut status = 0;
    for name in names {
        let from = match &name[..] {
            b"-" => Ok(process.stdin.clone()),
            _ => process.open(&name, OpenFlags::empty()).map(Stream::File),
        };
        match from {
            Ok(from) => loop {
                match from.read() {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => process.stdout.write(&bytes)?,
                    Err(errno) => {
                        status = process.fail(format_args!("{}: {}", show(&name), errno.description()))?;
                        break;
                    }
                }
            },
            Err(errno) => status = process.fail(format_args!("{}: {}", show(&name), errno.description()))?,
        }
    }
    Ok(status)
}

/// ls(1): names, one in a line.
pub fn ls<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let options = match Options::new(&args, b"1aA", b"") {
        Ok(options) => options,
        Err(problem) => return process.fail(format_args!("{problem} (-1, -a and -A are known)")),
    };
    let mut paths = options.operands.clone();
    if paths.is_empty() {
        paths.push(b".");
    }
    let mut status = 0;
    for path in &paths {
        match names(process, path, &options) {
            Ok(names) => {
                if paths.len() > 1 {
                    process.print(format_args!("{}:\n", show(path)))?;
                }
                names.iter().try_for_each(|name| process.stdout.write(&[name, &b"\n"[..]].concat()))?;
            }
            Err(errno) => {
                process.fail(format_args!("cannot access '{}': {}", show(path), errno.description()))?;
                status = 2;
            }
        }
    }
    Ok(status)
}

fn names<P: Platform>(process: &Process<P>, path: &[u8], options: &Options<'_>) -> SysResult<Vec<Vec<u8>>> {
    let found = process.vfs.find(&At::Cwd, &process.absolute(path), Follow::Yes)?;
    if found.kind() != Kind::Directory {
        return Ok([path.to_vec()].to_vec());
    }
    let mut names = Vec::new();
    process.open(path, OpenFlags::O_DIRECTORY)?.list(&mut |_, _, _, name| {
        let hidden = match name {
            b"." | b".." => !options.has(b'a'),
            [b'.', ..] => !options.has(b'a') && !options.has(b'A'),
            _ => false,
        };
        if !hidden {
            names.push(name.to_vec());
        }
        true
    })?;
    names.sort();
    Ok(names)
}

/// df(1): what holds files, in KiB or, with `-h`, in fitting units.
pub fn df<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let options = match Options::new(&args, b"klPah", b"xt") {
        Ok(options) => options,
        Err(problem) => return process.fail(format_args!("{problem} (-k, -l, -P, -a, -h, -x and -t are known)")),
    };
    let mut mounts = process.vfs.mounts();
    mounts.insert(0, Mount { path: "/".into(), kind: "tmpfs", dev: 0 });
    let mut rows = Vec::new();
    let mut status = 0;
    for path in &options.operands {
        match holder(process, path, &mounts) {
            Ok(mount) => rows.push(mount),
            Err(errno) => status = process.fail(format_args!("{}: {}", show(path), errno.description()))?,
        }
    }
    if options.operands.is_empty() {
        // Those without room are no place for files.
        let has_room = |mount: &&Mount| process.vfs.statfs(mount.path.as_bytes()).is_ok_and(|fs| fs.f_blocks > 0);
        rows.extend(mounts.iter().filter(|mount| options.has(b'a') || has_room(mount)));
    }
    if rows.is_empty() {
        return Ok(status);
    }
    let unit = match (options.has(b'h'), options.has(b'P')) {
        (true, _) => "Size",
        (false, true) => "1024-blocks",
        (false, false) => "1K-blocks",
    };
    process.print(format_args!("Filesystem     {unit:>11} {:>10} {:>10} Use% Mounted on\n", "Used", "Available"))?;
    for mount in rows {
        let fs = process.vfs.statfs(mount.path.as_bytes())?;
        let size = |blocks: u64| match options.has(b'h') {
            true => human(blocks * fs.f_bsize as u64),
            false => alloc::format!("{}", blocks * fs.f_bsize as u64 / 1024),
        };
        let used = fs.f_blocks - fs.f_bfree;
        let percent = if fs.f_blocks == 0 { 0 } else { (used * 100).div_ceil(fs.f_blocks) };
        process.print(format_args!(
            "{:<14} {:>11} {:>10} {:>10} {percent:>3}% {}\n",
            mount.kind,
            size(fs.f_blocks),
            size(used),
            size(fs.f_bavail),
            mount.path
        ))?;
    }
    Ok(status)
}

/// The mount that holds a file: the longest path above it.
fn holder<'a, P: Platform>(process: &Process<P>, path: &[u8], mounts: &'a [Mount]) -> SysResult<&'a Mount> {
    let node = process.vfs.find(&At::Cwd, &process.absolute(path), Follow::Yes)?;
    // The path of a directory is without links and dots; a file is where its directory is, as a path cannot lead through a file.
    let whole = process.vfs.path_of(&node).unwrap_or_else(|_| process.absolute(path));
    let is_above = |mount: &&Mount| {
        let top = mount.path.trim_end_matches('/').as_bytes();
        whole.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
    };
    mounts.iter().filter(is_above).max_by_key(|mount| mount.path.len()).ok_or(Errno::ENOENT)
}

/// A size in the largest unit of which there is at least one.
fn human(bytes: u64) -> String {
    let units = [(30, 'G'), (20, 'M'), (10, 'K')];
    match units.into_iter().find(|(shift, _)| bytes >> shift > 0) {
        Some((shift, unit)) => alloc::format!("{}.{}{unit}", bytes >> shift, (bytes >> (shift - 7) & 0x7f) * 10 / 128),
        None => alloc::format!("{bytes}"),
    }
}
