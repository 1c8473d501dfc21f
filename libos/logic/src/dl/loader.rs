//! Loads libraries: finds what they need, places them, relocates them, and takes away the right to write where that is not wanted.
//!
//! INV-DL-1: no page is ever writable and executable: all of a library is written to first, then each segment gets its own rights.
//! INV-DL-2: a load that fails leaves nothing mapped and nothing known.

use super::Problem;
use super::dynamic::{Calls, Dynamic, Part, text};
use super::elf::{Object, Tls};
use super::exports::Exports;
use super::relocate::{Found, Placed};
use super::symbols::{Symbols, Table, Value};
use super::{origin, search};
use crate::mm::Range;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use trapless_abi::flags::Prot;
use trapless_abi::{Errno, SysResult};

/// Most libraries that may be loaded (`link/loader/` has as many places).
pub const MAX_LIBRARIES: usize = 256;

/// The program's memory, as far as a loader needs it.
pub trait Memory {
    /// Maps `len` bytes of zeros, readable and writable, at a multiple of `align` (a power of two, at least a page).
    fn reserve(&mut self, len: u64, align: u64) -> SysResult<u64>;
    /// Writes bytes into what was reserved.
    fn write(&mut self, at: u64, bytes: &[u8]) -> SysResult<()>;
    /// Sets what may be done with pages of it.
    fn protect(&mut self, pages: Range, prot: Prot) -> SysResult<()>;
    /// Gives it back.
    fn release(&mut self, pages: Range);
}

/// What tells files apart, whatever they are called: device and inode.
pub type Identity = (u64, u64);

/// The files, as far as a loader needs them.
pub trait Files {
    /// Which file it is.
    fn identity(&self, path: &[u8]) -> SysResult<Identity>;
    /// All of it.
    fn read(&self, path: &[u8]) -> SysResult<Vec<u8>>;
}

/// A library that is loaded. All addresses are those in memory.
#[derive(Debug)]
pub struct Library {
    /// The path it was loaded from.
    pub path: Vec<u8>,
    soname: Option<Vec<u8>>,
    identity: Identity,
    /// What is added to the addresses of its file.
    pub base: u64,
    /// Its pages.
    pub pages: Range,
    /// Its dynamic section.
    pub dynamic: u64,
    /// Its program headers and their number; 0 if they are not in memory.
    pub headers: (u64, u16),
    /// What is to be called before it is used.
    pub init: Calls,
    /// What is to be called at the end.
    pub fini: Calls,
    /// Its thread-local variables.
    pub tls: Option<Tls>,
    table: Table,
    /// The numbers of the libraries it needs.
    needed: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Entry {
    library: Arc<Library>,
    /// Whether its symbols are everybody's (RTLD_GLOBAL).
    global: bool,
}

/// Why a library was not loaded, and which: the one asked for, or one that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its path, or its name if it is nowhere.
    pub library: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error loading shared library {}: {}", self.library, self.problem)
    }
}

/// The libraries that are loaded, by number. None is ever unloaded, as with musl: what a library has registered (functions for the end,
/// destructors of threads) may be called at any time.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    entries: Vec<Entry>,
}

impl Libraries {
    /// None.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The library of a number.
    pub fn get(&self, number: usize) -> Option<&Arc<Library>> {
        self.entries.get(number).map(|entry| &entry.library)
    }

    /// Loads a library with all it needs, or finds it among those that are loaded. Returns all libraries as they are then, with the new ones
    /// at the end (each behind those it needs), and the number of the one asked for. `global` is RTLD_GLOBAL.
    ///
    /// # Errors
    /// [`Failure`]; then nothing has changed.
    pub fn load(
        &self,
        path: &[u8],
        global: bool,
        exports: Exports<'_>,
        files: &dyn Files,
        memory: &mut dyn Memory,
    ) -> Result<(Self, usize), Failure> {
        let mut group = Group { known: self, fresh: Vec::new() };
        let root = group.gather(path, files)?;
        let root = group.put_in_order(root);
        let mut libraries = self.clone();
        let mut mapped = Vec::new();
        let placed = group.place(root, &mut libraries, exports, memory, &mut mapped);
        if let Err(failure) = placed {
            mapped.into_iter().for_each(|pages| memory.release(pages));
            return Err(failure);
        }
        if global {
            for number in libraries.scope(root) {
                libraries.entries[number].global = true;
            }
        }
        Ok((libraries, root))
    }

    /// What a name stands for: in a library and those that it needs, or, without one, in the image and the libraries that are everybody's.
    pub fn symbol(&self, number: Option<usize>, name: &[u8], exports: Exports<'_>) -> Option<Found> {
        match number {
            Some(number) => self.find_in(self.scope(number), name),
            None => self.find_global(name, exports),
        }
    }

    /// Looks a name up in the image first, then in the libraries that are everybody's.
    fn find_global(&self, name: &[u8], exports: Exports<'_>) -> Option<Found> {
        let global = || self.entries.iter().enumerate().filter(|(_, entry)| entry.global).map(|(number, _)| number);
        let image = exports.get(name).map(|address| (Value::Address(address), 0));
        image.or_else(|| self.find_in(global(), name))
    }

    fn find_in(&self, numbers: impl IntoIterator<Item = usize>, name: &[u8]) -> Option<Found> {
        numbers.into_iter().find_map(|number| Some((self.get(number)?.table.get(name)?, module(number))))
    }

    /// A library and what it needs, nearest first.
    fn scope(&self, number: usize) -> Vec<usize> {
        let mut scope = alloc::vec![number];
        let mut at = 0;
        while let Some(&next) = scope.get(at) {
            for &needed in self.get(next).map_or(&[][..], |library| &library.needed) {
                if !scope.contains(&needed) {
                    scope.push(needed);
                }
            }
            at += 1;
        }
        scope
    }
}

/// The number by which a library asks for its thread-local part: 0 is nobody's.
fn module(number: usize) -> u64 {
    number as u64 + 1
}

/// A library that is to be loaded.
struct Fresh {
    path: Vec<u8>,
    identity: Identity,
    file: Vec<u8>,
    soname: Option<Vec<u8>>,
    /// The names of what it needs, and the folders where it says that they are.
    names: Vec<Vec<u8>>,
    folders: Vec<u8>,
    /// The same as numbers: of the libraries that are loaded, then of the fresh ones.
    needed: Vec<usize>,
}

impl Fresh {
    /// Reads a file, and what it says about itself.
    fn read(path: Vec<u8>, identity: Identity, files: &dyn Files) -> Result<Self, Failure> {
        let read = || -> Result<Self, Problem> {
            let file = files.read(&path)?;
            let object = Object::parse(&file)?;
            let dynamic = Dynamic::read(&object)?;
            origin::check(&object, &dynamic)?;
            let mut names = Vec::new();
            for name in dynamic.needed() {
                names.extend(Some(name?).filter(|name| !origin::is_musl(name)).map(<[u8]>::to_vec));
            }
            let soname = dynamic.soname()?.map(<[u8]>::to_vec);
            let folders = dynamic.path()?.to_vec();
            Ok(Self { path: path.clone(), identity, soname, names, folders, needed: Vec::new(), file })
        };
        read().map_err(|problem| Failure { library: text(&path), problem })
    }
}

/// The libraries that one load brings.
struct Group<'a> {
    known: &'a Libraries,
    fresh: Vec<Fresh>,
}

impl Group<'_> {
    /// Reads a library and all that it needs, those that are loaded already left out. Returns its number.
    fn gather(&mut self, path: &[u8], files: &dyn Files) -> Result<usize, Failure> {
        let root = self.find(path, None, files)?;
        let mut at = 0;
        while at < self.fresh.len() {
            for name in core::mem::take(&mut self.fresh[at].names) {
                let number = self.find(&name, Some(at), files)?;
                self.fresh[at].needed.push(number);
            }
            at += 1;
        }
        Ok(root)
    }

    /// The number of the library of a name, which is read if it is new. `asking` is the fresh one that needs it.
    fn find(&mut self, name: &[u8], asking: Option<usize>, files: &dyn Files) -> Result<usize, Failure> {
        let fail = |problem| Failure { library: text(name), problem };
        if let Some(number) = self.by_soname(name) {
            return Ok(number);
        }
        let asking = asking.map(|at| (&self.fresh[at].path[..], &self.fresh[at].folders[..]));
        for path in search::candidates(name, asking) {
            match files.identity(&path) {
                Ok(identity) => return self.add(path, identity, files),
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => return Err(fail(Problem::System(errno))),
            }
        }
        Err(match asking {
            Some((path, _)) => Failure { library: text(path), problem: Problem::Needed(text(name)) },
            None => fail(Problem::System(Errno::ENOENT)),
        })
    }

    fn add(&mut self, path: Vec<u8>, identity: Identity, files: &dyn Files) -> Result<usize, Failure> {
        let known = self.known.entries.iter().map(|entry| entry.library.identity);
        let mut all = known.chain(self.fresh.iter().map(|fresh| fresh.identity));
        if let Some(number) = all.position(|other| other == identity) {
            return Ok(number);
        }
        let number = self.known.len() + self.fresh.len();
        if number == MAX_LIBRARIES {
            return Err(Failure { library: text(&path), problem: Problem::TooMany });
        }
        self.fresh.push(Fresh::read(path, identity, files)?);
        Ok(number)
    }

    /// A library that calls itself so: only a plain name can be one's own.
    fn by_soname(&self, name: &[u8]) -> Option<usize> {
        if name.contains(&b'/') {
            return None;
        }
        let known = self.known.entries.iter().map(|entry| &entry.library.soname);
        known.chain(self.fresh.iter().map(|fresh| &fresh.soname)).position(|own| own.as_deref() == Some(name))
    }

    /// Puts each fresh library behind those it needs, for they are initialised in that order. Returns the root's new number.
    fn put_in_order(&mut self, root: usize) -> usize {
        let first = self.known.len();
        if root < first {
            return root;
        }
        // Depth first: a library is done when all that it needs is, or is being visited (a circle has no right order).
        let (mut order, mut seen) = (Vec::new(), alloc::vec![false; self.fresh.len()]);
        let mut stack = alloc::vec![(root - first, 0)];
        seen[root - first] = true;
        while let Some((at, next)) = stack.last_mut() {
            match self.fresh[*at].needed.get(*next) {
                Some(&number) => {
                    *next += 1;
                    if let Some(at) = number.checked_sub(first).filter(|&at| !seen[at]) {
                        seen[at] = true;
                        stack.push((at, 0));
                    }
                }
                None => {
                    order.push(*at);
                    stack.pop();
                }
            }
        }
        let mut place = alloc::vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        let new = |number: usize| number.checked_sub(first).map_or(number, |at| first + place[at]);
        let mut sorted: Vec<(usize, Fresh)> =
            self.fresh.drain(..).enumerate().map(|(at, one)| (place[at], one)).collect();
        sorted.sort_unstable_by_key(|&(place, _)| place);
        self.fresh.extend(sorted.into_iter().map(|(_, one)| one));
        for fresh in &mut self.fresh {
            fresh.needed.iter_mut().for_each(|number| *number = new(*number));
        }
        new(root)
    }

    /// Maps the fresh libraries, adds them to `libraries`, relocates them. `mapped` is what has to be given back if that fails.
    fn place(
        &self,
        root: usize,
        libraries: &mut Libraries,
        exports: Exports<'_>,
        memory: &mut dyn Memory,
        mapped: &mut Vec<Range>,
    ) -> Result<(), Failure> {
        let fail = |fresh: &Fresh, problem| Failure { library: text(&fresh.path), problem };
        for fresh in &self.fresh {
            let library = map(fresh, memory, mapped).map_err(|problem| fail(fresh, problem))?;
            libraries.entries.push(Entry { library: Arc::new(library), global: false });
        }
        let scope = libraries.scope(root);
        let find = |name: &[u8]| {
            libraries.find_global(name, exports).or_else(|| libraries.find_in(scope.iter().copied(), name))
        };
        for (at, fresh) in self.fresh.iter().enumerate() {
            let number = self.known.len() + at;
            let base = libraries.entries[number].library.base;
            finish(fresh, base, module(number), &find, memory).map_err(|problem| fail(fresh, problem))?;
        }
        Ok(())
    }
}

/// Maps a library and puts the bytes of its file there.
fn map(fresh: &Fresh, memory: &mut dyn Memory, mapped: &mut Vec<Range>) -> Result<Library, Problem> {
    let object = Object::parse(&fresh.file)?;
    let dynamic = Dynamic::read(&object)?;
    let symbols = Symbols::find(&object, &dynamic)?;
    let span = object.span();
    let start = memory.reserve(span.len(), object.align)?;
    let pages = Range::new(start, start + span.len());
    mapped.push(pages);
    let base = start.wrapping_sub(span.start);
    for segment in &object.segments {
        let bytes = object.bytes(segment.address, segment.file_size).unwrap_or_default();
        memory.write(base.wrapping_add(segment.address), bytes)?;
    }
    let at = |address: u64| if address == 0 { 0 } else { base.wrapping_add(address) };
    let calls = |calls: Calls| Calls {
        function: at(calls.function),
        array: Part { address: at(calls.array.address), size: calls.array.size },
    };
    Ok(Library {
        path: fresh.path.clone(),
        soname: fresh.soname.clone(),
        identity: fresh.identity,
        base,
        pages,
        dynamic: at(object.dynamic_address),
        headers: object.headers.map_or((0, 0), |(address, count)| (base.wrapping_add(address), count)),
        init: calls(dynamic.init),
        fini: calls(dynamic.fini),
        tls: object.tls.map(|tls| Tls { address: base.wrapping_add(tls.address), ..tls }),
        table: Table::collect(&symbols, &dynamic, base)?,
        needed: fresh.needed.clone(),
    })
}

/// Relocates a library and gives each part of it the rights it is to have.
fn finish(
    fresh: &Fresh,
    base: u64,
    module: u64,
    find: &dyn Fn(&[u8]) -> Option<Found>,
    memory: &mut dyn Memory,
) -> Result<(), Problem> {
    let object = Object::parse(&fresh.file)?;
    let dynamic = Dynamic::read(&object)?;
    let symbols = Symbols::find(&object, &dynamic)?;
    let placed = Placed { object: &object, dynamic: &dynamic, symbols: &symbols, base, module };
    placed.relocate(find, &mut |at, word| Ok(memory.write(at, &word.to_le_bytes())?))?;

    let moved = |range: Range| Range::new(base.wrapping_add(range.start), base.wrapping_add(range.end));
    let mut protect = |range: Range, prot| {
        if range.is_empty() { Ok(()) } else { memory.protect(moved(range), prot) }
    };
    let mut end = object.span().start;
    for segment in &object.segments {
        let pages = segment.pages();
        protect(Range::new(end, pages.start), Prot::empty())?;
        protect(pages, segment.prot)?;
        end = pages.end;
    }
    object.relro.map_or(Ok(()), |relro| protect(relro, Prot::PROT_READ))?;
    Ok(())
}
