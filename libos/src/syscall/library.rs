//! Shared libraries, for `link/loader`: the plan is in `trapless_logic::dl`, here are the files and the memory it works on.

use crate::kernel::{Open, kernel};
use crate::user;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use trapless_abi::SysResult;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, flags};
use trapless_logic::data::Sink;
use trapless_logic::dl::exports::Exports;
use trapless_logic::dl::loader::{Files, Identity, Libraries, Library, Memory};
use trapless_logic::dl::symbols::Value;
use trapless_logic::mm::Range;
use trapless_logic::mm::space::MapRequest;
use trapless_logic::sync::Lock;
use trapless_logic::vfs::{At, Follow};
use trapless_platform::user::copy_out;
use trapless_platform::x86::X86;
use trapless_platform::{boot, mm};

/// RTLD_GLOBAL of dlopen(3).
const RTLD_GLOBAL: u32 = 0x100;
/// Stands for the program itself where a library's number is asked for.
const PROGRAM: usize = usize::MAX;
/// The largest file that is taken for a library, bytes.
const MAX_FILE: u64 = 1 << 30;

/// The libraries that are loaded. A load works on a copy: it reads files and memory, which must not happen under a lock.
static LIBRARIES: Lock<X86, Libraries> = Lock::new(Libraries::new());

/// The files of the program.
struct OfProgram;

impl OfProgram {
    fn open(path: &[u8]) -> SysResult<Arc<Open>> {
        kernel().vfs.open(&At::Cwd, path, OpenFlags::empty(), 0)
    }
}

impl Files for OfProgram {
    fn identity(&self, path: &[u8]) -> SysResult<Identity> {
        let stat = kernel().vfs.stat(&At::Cwd, path, Follow::Yes)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    fn read(&self, path: &[u8]) -> SysResult<Vec<u8>> {
        let file = Self::open(path)?;
        let size = file.file.size();
        if size > MAX_FILE {
            return Err(Errno::EFBIG);
        }
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(size as usize).map_err(|_| Errno::ENOMEM)?;
        while Sink::remaining(&bytes) > 0 && file.file.read_at(bytes.len() as u64, &mut bytes)? > 0 {}
        Ok(bytes)
    }
}

/// The program's memory.
struct Mapped;

impl Memory for Mapped {
    fn reserve(&mut self, len: u64, align: u64) -> SysResult<u64> {
        // Room to move to a multiple of `align`; what is left over at both ends is given back.
        let slack = align - flags::PAGE_SIZE as u64;
        let prot = Prot::PROT_READ | Prot::PROT_WRITE;
        let flags = MmapFlags::MAP_PRIVATE | MmapFlags::MAP_ANONYMOUS;
        let whole = Range::new(0, len.checked_add(slack).ok_or(Errno::ENOMEM)?);
        let start = mm::mmap(&MapRequest { address: 0, len: whole.end, prot, flags })?;
        let aligned = start.next_multiple_of(align);
        self.release(Range::new(start, aligned));
        self.release(Range::new(aligned + len, start + whole.end));
        Ok(aligned)
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> SysResult<()> {
        if bytes.is_empty() { Ok(()) } else { copy_out(at as usize, bytes) }
    }

    fn protect(&mut self, pages: Range, prot: Prot) -> SysResult<()> {
        mm::mprotect(pages.start, pages.len(), prot).map(drop)
    }

    fn release(&mut self, pages: Range) {
        if !pages.is_empty() {
            // There is nothing to be said if it is gone: the program may unmap what it likes.
            let _ = mm::munmap(pages.start, pages.len());
        }
    }
}

/// Loads a library with those it needs; returns its number. The new ones have the numbers behind those that there were, in the order in
/// which they are to be initialised. `mode` is that of dlopen(3); `why` gets the reason if there is an error, as text with a NUL.
pub fn dl_load(path: Path, mode: U32, why: Out<u8>, size: Len) -> SysResult {
    let path = user::path(path)?;
    let known = LIBRARIES.lock().clone();
    let loaded = known.load(&path, mode.0 & RTLD_GLOBAL != 0, exports(), &OfProgram, &mut Mapped);
    let (now, number) = loaded.or_else(|failure| {
        let mut text = failure.to_string().into_bytes();
        text.truncate(size.0.saturating_sub(1));
        text.push(0);
        copy_out(why.addr(), &text[..text.len().min(size.0)])?;
        Err(failure.problem.errno())
    })?;
    let mut libraries = LIBRARIES.lock();
    if libraries.len() != known.len() {
        // `link/loader` loads one after the other; who goes round it has to try again.
        drop(libraries);
        (known.len()..now.len()).filter_map(|new| now.get(new)).for_each(|new| Mapped.release(new.pages));
        return Err(Errno::EAGAIN);
    }
    *libraries = now;
    Ok(number)
}

/// Tells where the parts of a library are: the words of `struct dl_info` in `link/loader/loader.h`, then its path with a NUL. ENOENT if
/// there is none of that number.
pub fn dl_info(number: Usize, info: Out<u8>, size: Len) -> SysResult {
    let library = LIBRARIES.lock().get(number.0).cloned().ok_or(Errno::ENOENT)?;
    let mut bytes = Vec::new();
    for word in words(&library) {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(&library.path);
    bytes.push(0);
    if bytes.len() > size.0 {
        return Err(Errno::ERANGE);
    }
    copy_out(info.addr(), &bytes).map(|()| 0)
}

fn words(library: &Library) -> [u64; 16] {
    let tls = library.tls;
    let tls = |word: fn(trapless_logic::dl::elf::Tls) -> u64| tls.map_or(0, word);
    [
        library.base,
        library.pages.start,
        library.pages.end,
        library.dynamic,
        library.headers.0,
        library.headers.1.into(),
        library.init.function,
        library.init.array.address,
        library.init.array.size / 8,
        library.fini.function,
        library.fini.array.address,
        library.fini.array.size / 8,
        tls(|tls| tls.address),
        tls(|tls| tls.file_size),
        tls(|tls| tls.memory_size),
        tls(|tls| tls.align),
    ]
}

/// The address of a symbol in a library and those it needs, or, with a number of -1, in the program and in the libraries that are
/// everybody's. ENOENT; EINVAL for a thread-local variable, of which there is one for each thread.
pub fn dl_symbol(number: Usize, name: Path, value: Out<Usize>) -> SysResult {
    let name = user::path(name)?;
    let number = Some(number.0).filter(|&number| number != PROGRAM);
    let libraries = LIBRARIES.lock().clone();
    match libraries.symbol(number, &name, exports()) {
        Some((Value::Address(address), _)) => copy_out(value.addr(), &address.to_le_bytes()).map(|()| 0),
        Some((Value::Tls(_), _)) => Err(Errno::EINVAL),
        None => Err(Errno::ENOENT),
    }
}

fn exports() -> Exports<'static> {
    Exports::new(boot::exports())
}
