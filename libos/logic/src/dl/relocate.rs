//! Relocations: words of a library that depend on where it and others lie (System V ABI, AMD64 supplement, "Relocation").

use super::Problem;
use super::dynamic::{Dynamic, Part, text};
use super::elf::{Object, u64_at};
use super::symbols::{Symbol, Symbols, Value};
use trapless_abi::flags::Prot;

/// Bytes of an `Elf64_Rela`.
const RELA: u64 = 24;

const NONE: u32 = 0;
const R_64: u32 = 1;
const PC32: u32 = 2;
const COPY: u32 = 5;
const GLOB_DAT: u32 = 6;
const JUMP_SLOT: u32 = 7;
const RELATIVE: u32 = 8;
const R_32: u32 = 10;
const R_32S: u32 = 11;
const DTPMOD64: u32 = 16;
const DTPOFF64: u32 = 17;
const TPOFF64: u32 = 18;
const TLSDESC: u32 = 36;
const IRELATIVE: u32 = 37;

/// What to do about a kind of relocation that is not supported.
fn advice(kind: u32) -> &'static str {
    match kind {
        PC32 | R_32 | R_32S => "its code is not position independent: compile it with -fPIC",
        COPY => "only programs have it: link it with -shared",
        TPOFF64 => "a thread-local variable has a fixed place: compile it with -ftls-model=global-dynamic",
        TLSDESC => "compile it with -mtls-dialect=gnu",
        IRELATIVE => "functions that are chosen as it is loaded (ifunc): compile it without them",
        _ => "no compiler is known to ask for it",
    }
}

/// Where a name leads: what it stands for, and which library's it is (for thread-local ones).
pub type Found = (Value, u64);

/// A library that is being placed.
pub struct Placed<'a> {
    /// Its file.
    pub object: &'a Object<'a>,
    /// Its dynamic section.
    pub dynamic: &'a Dynamic<'a>,
    /// Its symbols.
    pub symbols: &'a Symbols<'a>,
    /// What is added to addresses of the file.
    pub base: u64,
    /// Its number among the libraries, by which it asks for its thread-local part.
    pub module: u64,
}

impl Placed<'_> {
    /// Works out all relocations. `find` looks a name up, `write` writes a word at an address.
    ///
    /// # Errors
    /// A symbol that is nowhere, a kind that is not supported, a damaged file, an error of `write`.
    pub fn relocate(
        &self,
        find: &dyn Fn(&[u8]) -> Option<Found>,
        write: &mut dyn FnMut(u64, u64) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.packed(write)?;
        for part in [self.dynamic.rela, self.dynamic.jump] {
            let table = self.table(part)?;
            for at in (0..table.len() as u64).step_by(RELA as usize) {
                self.one(table, at, find, write)?;
            }
        }
        Ok(())
    }

    fn table(&self, part: Part) -> Result<&[u8], Problem> {
        if part.size == 0 {
            return Ok(&[]);
        }
        self.object.bytes(part.address, part.size).ok_or(Problem::CutOff("relocations"))
    }

    fn one(
        &self,
        table: &[u8],
        at: u64,
        find: &dyn Fn(&[u8]) -> Option<Found>,
        write: &mut dyn FnMut(u64, u64) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let word = |at| u64_at(table, at).ok_or(Problem::CutOff("relocations"));
        let (place, info, addend) = (word(at)?, word(at + 8)?, word(at + 16)?);
        let (kind, number) = (info as u32, (info >> 32) as u32);
        let value = match kind {
            NONE => return Ok(()),
            RELATIVE => self.base.wrapping_add(addend),
            R_64 => self.address(number, find)?.wrapping_add(addend),
            GLOB_DAT | JUMP_SLOT => self.address(number, find)?,
            DTPMOD64 => self.thread_local(number, find)?.1,
            DTPOFF64 => self.thread_local(number, find)?.0.wrapping_add(addend),
            kind => return Err(Problem::Relocation(kind, advice(kind))),
        };
        self.check(place)?;
        write(self.base.wrapping_add(place), value)
    }

    /// Refuses to write to what is not writable: text relocations.
    fn check(&self, place: u64) -> Result<(), Problem> {
        match self.object.segments.iter().find(|segment| segment.holds(place, 8)) {
            Some(segment) if segment.prot.contains(Prot::PROT_WRITE) => Ok(()),
            Some(_) => Err(Problem::NotPositionIndependent),
            None => Err(Problem::Malformed("a relocation is about an address that it has not")),
        }
    }

    fn symbol(&self, number: u32) -> Result<Symbol<'_>, Problem> {
        self.symbols.get(self.dynamic, number)
    }

    /// The address of a symbol; 0 for a weak one that nobody has.
    fn address(&self, number: u32, find: &dyn Fn(&[u8]) -> Option<Found>) -> Result<u64, Problem> {
        let symbol = self.symbol(number)?;
        let found = match symbol {
            _ if number == 0 => Some(0),
            symbol if symbol.is_indirect() && symbol.is_defined() => {
                return Err(Problem::Relocation(IRELATIVE, advice(IRELATIVE)));
            }
            symbol if symbol.is_own() && symbol.is_absolute() => Some(symbol.value),
            symbol if symbol.is_own() => Some(self.base.wrapping_add(symbol.value)),
            symbol => match find(symbol.name) {
                Some((Value::Address(address), _)) => Some(address),
                Some((Value::Tls(_), _)) => {
                    return Err(Problem::Malformed("it takes a thread-local variable for an ordinary one"));
                }
                None => None,
            },
        };
        match found {
            Some(address) => Ok(address),
            None if symbol.is_weak() => Ok(0),
            None => Err(Problem::Missing(text(symbol.name))),
        }
    }

    /// Offset and library of a thread-local symbol.
    fn thread_local(&self, number: u32, find: &dyn Fn(&[u8]) -> Option<Found>) -> Result<(u64, u64), Problem> {
        let symbol = self.symbol(number)?;
        if number == 0 {
            return Ok((0, self.module));
        }
        if symbol.is_own() {
            return Ok((symbol.value, self.module));
        }
        match find(symbol.name) {
            Some((Value::Tls(offset), module)) => Ok((offset, module)),
            Some((Value::Address(_), _)) => {
                Err(Problem::Malformed("it takes an ordinary variable for a thread-local one"))
            }
            None => Err(Problem::Missing(text(symbol.name))),
        }
    }

    /// Relative relocations, packed (System V ABI, "Relative Relocation Table"): an even word is an address, an odd one a map of the 63
    /// words behind the last.
    fn packed(&self, write: &mut dyn FnMut(u64, u64) -> Result<(), Problem>) -> Result<(), Problem> {
        const WORD: u64 = 8;
        let table = self.table(self.dynamic.relr)?;
        let mut next = 0;
        for at in (0..table.len() as u64).step_by(WORD as usize) {
            let entry = u64_at(table, at).ok_or(Problem::CutOff("relocations"))?;
            if entry & 1 == 0 {
                self.add_base(entry, write)?;
                next = entry.wrapping_add(WORD);
            } else {
                for bit in (1..64).filter(|bit| entry >> bit & 1 != 0) {
                    self.add_base(next.wrapping_add((bit - 1) * WORD), write)?;
                }
                next = next.wrapping_add(63 * WORD);
            }
        }
        Ok(())
    }

    fn add_base(&self, place: u64, write: &mut dyn FnMut(u64, u64) -> Result<(), Problem>) -> Result<(), Problem> {
        self.check(place)?;
        // Behind the bytes of the file there are zeros.
        let old = self.object.bytes(place, 8).and_then(|word| u64_at(word, 0)).unwrap_or(0);
        write(self.base.wrapping_add(place), self.base.wrapping_add(old))
    }
}
