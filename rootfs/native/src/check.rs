//! Whether the image can load a library: its own loader tries, with memory and files of this host.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Component, Path, PathBuf},
};

use anyhow::Result;
use trapless_abi::{Errno, SysResult, flags::Prot};
use trapless_logic::{
    dl::{
        Problem,
        exports::Exports,
        loader::{Failure, Files, Identity, Libraries, Memory},
    },
    mm::Range,
};

use crate::exports;

/// The names that ERTS and musl have for libraries.
pub struct Names {
    table: Vec<u8>,
}

impl Names {
    /// Those of an emulator's objects, and of a C library: whatever of that a library needs is linked in with it.
    ///
    /// # Errors
    /// One cannot be read.
    pub fn of(objects: &[&Path], libc: &Path) -> Result<Self> {
        let libc = exports::defined(libc).map_err(anyhow::Error::msg)?;
        let mut all = libc.clone();
        for object in objects {
            all.extend(exports::defined(object).map_err(anyhow::Error::msg)?);
        }
        // The loader's, which is linked in last.
        all.insert("trapless_tls_get_addr".to_owned());
        Ok(Self { table: table(exports::chosen(&all, &libc).into_iter().map(|(name, _)| name).collect()) })
    }

    /// Tries to load a library. What it needs is looked for below `root` only.
    ///
    /// # Errors
    /// Why the image will not load it.
    pub fn check(&self, library: &Path, root: &Path) -> Result<(), Failure> {
        let files = Below { root: root.to_owned() };
        let exports = Exports::new(&self.table);
        Libraries::new().load(library.as_os_str().as_bytes(), false, exports, &files, &mut Nowhere(1 << 32)).map(drop)
    }
}

/// The table as the image has it, with addresses that mean nothing.
fn table(names: BTreeSet<String>) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut offset = 4 + 8 * names.len();
    let mut table = number(names.len()).to_vec();
    for name in &names {
        table.extend(number(offset));
        table.extend(number(1));
        offset += name.len() + 1;
    }
    names.iter().for_each(|name| table.extend(name.bytes().chain([0])));
    table
}

/// The files below a folder.
struct Below {
    root: PathBuf,
}

impl Below {
    fn path(&self, path: &[u8]) -> SysResult<PathBuf> {
        let mut plain = PathBuf::new();
        for part in Path::new(OsStr::from_bytes(path)).components() {
            match part {
                Component::ParentDir => {
                    plain.pop();
                }
                Component::CurDir => {}
                part => plain.push(part),
            }
        }
        if plain.starts_with(&self.root) { Ok(plain) } else { Err(Errno::ENOENT) }
    }
}

impl Files for Below {
    fn identity(&self, path: &[u8]) -> SysResult<Identity> {
        let found = fs::metadata(self.path(path)?).map_err(|_| Errno::ENOENT)?;
        Ok((found.dev(), found.ino()))
    }

    fn read(&self, path: &[u8]) -> SysResult<Vec<u8>> {
        fs::read(self.path(path)?).map_err(|_| Errno::EIO)
    }
}

/// Memory that forgets all, from an address on.
struct Nowhere(u64);

impl Memory for Nowhere {
    fn reserve(&mut self, len: u64, align: u64) -> SysResult<u64> {
        let start = self.0.next_multiple_of(align);
        self.0 = start + len;
        Ok(start)
    }

    fn write(&mut self, _at: u64, _bytes: &[u8]) -> SysResult<()> {
        Ok(())
    }

    fn protect(&mut self, _pages: Range, _prot: Prot) -> SysResult<()> {
        Ok(())
    }

    fn release(&mut self, _pages: Range) {}
}

/// What to do about a library that somebody has built.
pub fn advice(failure: &Failure) -> String {
    match &failure.problem {
        // It says itself what to do.
        Problem::Glibc(_) => failure.problem.to_string(),
        problem => format!("{problem}; have its sources compiled for the image with --nif DIR"),
    }
}
