//! A library's symbols: those it has, and those it asks for (elf(5), `Elf64_Sym`).

use super::Problem;
use super::dynamic::Dynamic;
use super::elf::{Object, u16_at, u32_at, u64_at};
use alloc::vec::Vec;
use trapless_abi::Errno;

/// Bytes of an `Elf64_Sym`.
const SIZE: u64 = 24;
/// Most symbols of a library.
const MAX: u64 = 1 << 20;

const STB_LOCAL: u8 = 0;
const STB_WEAK: u8 = 2;
const STT_SECTION: u8 = 3;
const STT_FILE: u8 = 4;
const STT_TLS: u8 = 6;
const STT_GNU_IFUNC: u8 = 10;
const SHN_UNDEF: u16 = 0;
const SHN_ABS: u16 = 0xfff1;

/// One symbol.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its value: an address of the file, or an offset in the thread-local part.
    pub value: u64,
    info: u8,
    visibility: u8,
    section: u16,
}

impl Symbol<'_> {
    /// Whether the library has it, rather than asks for it.
    pub fn is_defined(&self) -> bool {
        self.section != SHN_UNDEF
    }

    /// Whether it may stay undefined.
    pub fn is_weak(&self) -> bool {
        self.info >> 4 == STB_WEAK
    }

    /// Whether the library means its own, whoever else has one of that name.
    pub fn is_own(&self) -> bool {
        self.is_defined() && (self.info >> 4 == STB_LOCAL || self.visibility != 0)
    }

    /// Whether it is a thread-local variable.
    pub fn is_tls(&self) -> bool {
        self.kind() == STT_TLS
    }

    /// Whether its value is no address.
    pub fn is_absolute(&self) -> bool {
        self.section == SHN_ABS
    }

    /// Whether a function has to be called to learn its address.
    pub fn is_indirect(&self) -> bool {
        self.kind() == STT_GNU_IFUNC
    }

    fn kind(&self) -> u8 {
        self.info & 15
    }

    /// Whether others may use it: it is global, or weak, or unique, and not hidden.
    fn is_exported(&self) -> bool {
        const HIDDEN: [u8; 2] = [1, 2];
        self.is_defined()
            && self.info >> 4 != STB_LOCAL
            && !HIDDEN.contains(&self.visibility)
            && !matches!(self.kind(), STT_SECTION | STT_FILE)
    }
}

/// The symbols of a file.
pub struct Symbols<'a> {
    table: &'a [u8],
    count: u64,
}

impl<'a> Symbols<'a> {
    /// Finds them. How many there are only their hash table says.
    ///
    /// # Errors
    /// The file is damaged.
    pub fn find(object: &Object<'a>, dynamic: &Dynamic<'a>) -> Result<Self, Problem> {
        const NONE: Problem = Problem::Malformed("it has no table of symbols");
        let count = match (dynamic.hash, dynamic.gnu_hash) {
            (0, 0) => None,
            (0, gnu) => count_gnu(object, gnu),
            // The second word is the number of chains, which is that of symbols.
            (hash, _) => object.bytes(hash, 8).and_then(|words| u32_at(words, 4)).map(u64::from),
        };
        let count = count.filter(|&count| count <= MAX).ok_or(Problem::Malformed("its hash table is impossible"))?;
        let table = object.bytes(dynamic.symbols, count * SIZE).ok_or(NONE)?;
        Ok(Self { table, count })
    }

    /// The symbol of a number.
    ///
    /// # Errors
    /// There is none, or its name is not there.
    pub fn get(&self, dynamic: &Dynamic<'a>, number: u32) -> Result<Symbol<'a>, Problem> {
        let at = u64::from(number) * SIZE;
        let read = || {
            let (name, value) = (u32_at(self.table, at)?, u64_at(self.table, at + 8)?);
            let (info, other) = (*self.table.get(at as usize + 4)?, *self.table.get(at as usize + 5)?);
            Some((name, Symbol { name: b"", value, info, visibility: other & 3, section: u16_at(self.table, at + 6)? }))
        };
        let (name, symbol) = read().ok_or(Problem::Malformed("a relocation is about a symbol that it has not"))?;
        Ok(Symbol { name: dynamic.name(name.into())?, ..symbol })
    }
}

/// How many symbols there are by GNU's hash table: one more than the last in the chains.
fn count_gnu(object: &Object<'_>, at: u64) -> Option<u64> {
    let bytes = object.bytes_from(at)?;
    let (buckets, first, bloom) = (u32_at(bytes, 0)?, u32_at(bytes, 4)?, u32_at(bytes, 8)?);
    let start = 16 + u64::from(bloom) * 8;
    let mut last = 0;
    for bucket in 0..u64::from(buckets) {
        last = last.max(u32_at(bytes, start + bucket * 4)?);
    }
    if last < first {
        // No symbol is defined; those that are asked for come before the first that is hashed.
        return Some(first.into());
    }
    let chains = start + u64::from(buckets) * 4;
    // The last of a chain has its lowest bit set.
    while u32_at(bytes, chains + u64::from(last - first) * 4)? & 1 == 0 {
        last = last.checked_add(1)?;
    }
    Some(u64::from(last) + 1)
}

/// What a library offers to others, kept when the file is gone: names in order.
#[derive(Debug, Default)]
pub struct Table {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    name: (u32, u32),
    value: Value,
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// An address.
    Address(u64),
    /// An offset in the library's thread-local part.
    Tls(u64),
}

impl Table {
    /// Collects them for a library at `base`.
    ///
    /// # Errors
    /// ENOMEM; the file is damaged; a symbol is indirect.
    pub fn collect(symbols: &Symbols<'_>, dynamic: &Dynamic<'_>, base: u64) -> Result<Self, Problem> {
        let mut table = Self::default();
        for number in 0..symbols.count {
            let symbol = symbols.get(dynamic, number as u32)?;
            if symbol.is_exported() && !symbol.is_indirect() {
                let value = match symbol {
                    symbol if symbol.is_tls() => Value::Tls(symbol.value),
                    symbol if symbol.is_absolute() => Value::Address(symbol.value),
                    symbol => Value::Address(base.wrapping_add(symbol.value)),
                };
                table.push(symbol.name, value)?;
            }
        }
        let Self { names, mut entries } = table;
        entries.sort_unstable_by(|a, b| name_of(&names, a).cmp(name_of(&names, b)));
        Ok(Self { names, entries })
    }

    fn push(&mut self, name: &[u8], value: Value) -> Result<(), Errno> {
        self.names.try_reserve(name.len()).map_err(|_| Errno::ENOMEM)?;
        self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let short = |number: usize| u32::try_from(number).map_err(|_| Errno::ENOMEM);
        self.entries.push(Entry { name: (short(self.names.len())?, short(name.len())?), value });
        self.names.extend_from_slice(name);
        Ok(())
    }

    /// What a name stands for.
    pub fn get(&self, name: &[u8]) -> Option<Value> {
        let found = self.entries.binary_search_by(|entry| name_of(&self.names, entry).cmp(name)).ok()?;
        Some(self.entries[found].value)
    }
}

fn name_of<'a>(names: &'a [u8], entry: &Entry) -> &'a [u8] {
    let (at, len) = entry.name;
    &names[at as usize..at as usize + len as usize]
}
