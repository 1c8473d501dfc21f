//! For which C library a library was made.

use super::Problem;
use super::dynamic::{Dynamic, text};
use super::elf::{Object, u16_at, u32_at};
use alloc::format;

/// What musl is called where programs are linked with it dynamically: by musl itself, and by Alpine.
const MUSL: [&[u8]; 3] = [b"libc.so", b"libc.musl-x86_64.so.1", b"ld-musl-x86_64.so.1"];

/// What only glibc is called.
const GLIBC: [&[u8]; 9] = [
    b"libc.so.6",
    b"libm.so.6",
    b"libmvec.so.1",
    b"libpthread.so.0",
    b"libdl.so.2",
    b"librt.so.1",
    b"libutil.so.1",
    b"libresolv.so.2",
    b"ld-linux-x86-64.so.2",
];

/// How the names of glibc's symbol versions begin.
const VERSION: &[u8] = b"GLIBC_";

/// Whether a needed library is the C library, which is in the image.
pub fn is_musl(name: &[u8]) -> bool {
    MUSL.contains(&name)
}

/// Refuses what was linked with glibc: its structures and symbols are others than musl's.
///
/// # Errors
/// [`Problem::Glibc`]; the file is damaged.
pub fn check(object: &Object<'_>, dynamic: &Dynamic<'_>) -> Result<(), Problem> {
    for name in dynamic.needed() {
        let name = name?;
        if GLIBC.contains(&name) {
            return Err(Problem::Glibc(format!("it needs {}", text(name))));
        }
    }
    match version(object, dynamic)? {
        Some(name) => Err(Problem::Glibc(format!("it needs symbols of version {}", text(name)))),
        None => Ok(()),
    }
}

/// The first of glibc's versions that it needs (`Elf64_Verneed` and `Elf64_Vernaux`; Linux Standard Base, "Symbol Versioning").
fn version<'a>(object: &Object<'a>, dynamic: &Dynamic<'a>) -> Result<Option<&'a [u8]>, Problem> {
    const DAMAGED: Problem = Problem::Malformed("its symbol versions are impossible");
    let (mut library, count) = dynamic.versions;
    for _ in 0..count {
        let bytes = object.bytes_from(library).ok_or(DAMAGED)?;
        let [auxiliary, next] = [u32_at(bytes, 8), u32_at(bytes, 12)].map(|word| word.ok_or(DAMAGED));
        let mut at = library.checked_add(auxiliary?.into()).ok_or(DAMAGED)?;
        for _ in 0..u16_at(bytes, 2).ok_or(DAMAGED)? {
            let bytes = object.bytes_from(at).ok_or(DAMAGED)?;
            let name = dynamic.name(u32_at(bytes, 8).ok_or(DAMAGED)?.into())?;
            if name.starts_with(VERSION) {
                return Ok(Some(name));
            }
            let next = u32_at(bytes, 12).ok_or(DAMAGED)?;
            if next == 0 {
                break;
            }
            at = at.checked_add(next.into()).ok_or(DAMAGED)?;
        }
        library = match next? {
            0 => break,
            next => library.checked_add(next.into()).ok_or(DAMAGED)?,
        };
    }
    Ok(None)
}
