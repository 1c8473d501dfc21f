//! Errors of each call, as Linux gives them, and what the trees show.

mod archive;
mod damage;
mod errors;
mod proc;
mod rename;
mod walk;

use super::*;
use crate::fake::Fake;
use std::string::String;
use trapless_abi::flags::OpenFlags;

/// A file system of `limit` bytes, and nothing in it.
fn empty(limit: u64) -> Arc<Vfs<Fake>> {
    Arc::new(Vfs::new(Tmpfs::new(1, limit).root()))
}

/// Makes a tree: `name/` is a directory, `name -> text` a link, anything else an empty file.
fn tree(paths: &[&str]) -> Arc<Vfs<Fake>> {
    let vfs = empty(16 << 20);
    for path in paths {
        let made = match path.split_once(" -> ") {
            Some((link, text)) => vfs.symlink(text.as_bytes(), &At::Cwd, link.as_bytes()),
            None if path.ends_with('/') => vfs.mkdir(&At::Cwd, path.as_bytes(), 0o777),
            None => open(&vfs, path, OpenFlags::O_CREAT | OpenFlags::O_EXCL).map(drop),
        };
        made.unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    vfs
}

fn open(vfs: &Vfs<Fake>, path: &str, flags: OpenFlags) -> SysResult<Arc<OpenFile<Fake>>> {
    vfs.open(&At::Cwd, path.as_bytes(), flags, 0o666)
}

fn stat(vfs: &Vfs<Fake>, path: &str) -> SysResult<trapless_abi::structs::Stat> {
    vfs.stat(&At::Cwd, path.as_bytes(), Follow::Yes)
}

fn read(vfs: &Vfs<Fake>, path: &str) -> SysResult<String> {
    let file = open(vfs, path, OpenFlags::empty())?;
    let mut text = Vec::with_capacity(1 << 20);
    while file.read(&mut text)? > 0 {}
    Ok(String::from_utf8(text).unwrap())
}

fn write(vfs: &Vfs<Fake>, path: &str, text: &str) {
    let file = open(vfs, path, OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC).unwrap();
    assert_eq!(file.write(&mut text.as_bytes()), Ok(text.len()));
}

/// The names in a directory, sorted, without the dots.
fn names(vfs: &Vfs<Fake>, path: &str) -> Vec<String> {
    let file = open(vfs, path, OpenFlags::O_DIRECTORY).unwrap();
    let mut names = Vec::new();
    file.list(&mut |_, _, _, name| {
        names.push(String::from_utf8(name.to_vec()).unwrap());
        true
    })
    .unwrap();
    names.retain(|n| n != "." && n != "..");
    names.sort();
    names
}
