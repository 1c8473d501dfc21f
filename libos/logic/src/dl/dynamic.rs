//! The dynamic section: what a library asks of its loader (System V ABI, "Dynamic Section").

use super::Problem;
use super::elf::{Object, u64_at};
use alloc::string::String;
use alloc::vec::Vec;

const DT_NEEDED: u64 = 1;
const DT_PLTRELSZ: u64 = 2;
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_STRSZ: u64 = 10;
const DT_INIT: u64 = 12;
const DT_FINI: u64 = 13;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_REL: u64 = 17;
const DT_TEXTREL: u64 = 22;
const DT_JMPREL: u64 = 23;
const DT_INIT_ARRAY: u64 = 25;
const DT_FINI_ARRAY: u64 = 26;
const DT_INIT_ARRAYSZ: u64 = 27;
const DT_FINI_ARRAYSZ: u64 = 28;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS: u64 = 30;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DT_VERNEEDNUM: u64 = 0x6fff_ffff;

/// DF_TEXTREL of DT_FLAGS.
const DF_TEXTREL: u64 = 4;
/// Most libraries that one may need.
const MAX_NEEDED: usize = 64;

/// An address and a number of bytes. Addresses are those of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its first byte; 0 if the library has no such part.
    pub address: u64,
    /// Its bytes.
    pub size: u64,
}

/// Functions that are called when a library is loaded, and when the program ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// A function, called first of all (or last, at the end); 0 for none.
    pub function: u64,
    /// An array of functions.
    pub array: Part,
}

/// A dynamic section, read.
#[derive(Debug, Default)]
pub struct Dynamic<'a> {
    strings: &'a [u8],
    /// Where the symbols are.
    pub symbols: u64,
    /// Where the hash table of System V is, or 0.
    pub hash: u64,
    /// Where the hash table of GNU is, or 0.
    pub gnu_hash: u64,
    /// Relocations.
    pub rela: Part,
    /// Those of the procedure linkage table.
    pub jump: Part,
    /// Relative ones, packed.
    pub relr: Part,
    /// What is called once it is loaded.
    pub init: Calls,
    /// What is called at the end.
    pub fini: Calls,
    /// The name it gives itself, as an offset among the strings.
    soname: Option<u64>,
    /// Where it says that what it needs lies.
    path: Option<u64>,
    needed: Vec<u64>,
    /// Where the versions are that it needs, or 0, and of how many libraries.
    pub versions: (u64, u64),
    text_relocations: bool,
}

impl<'a> Dynamic<'a> {
    /// Reads the section.
    ///
    /// # Errors
    /// It is damaged, or the library is not position independent.
    pub fn read(object: &Object<'a>) -> Result<Self, Problem> {
        let mut dynamic = Self::default();
        let mut strings = Part::default();
        let mut runpath = None;
        for at in (0..object.dynamic.len() as u64).step_by(16) {
            let word = |at| u64_at(object.dynamic, at).ok_or(Problem::CutOff("dynamic section"));
            let (tag, value) = (word(at)?, word(at + 8)?);
            match tag {
                0 => break,
                DT_NEEDED if dynamic.needed.len() == MAX_NEEDED => return Err(Problem::TooMany),
                DT_NEEDED => dynamic.needed.push(value),
                DT_STRTAB => strings.address = value,
                DT_STRSZ => strings.size = value,
                DT_SYMTAB => dynamic.symbols = value,
                DT_HASH => dynamic.hash = value,
                DT_GNU_HASH => dynamic.gnu_hash = value,
                DT_RELA => dynamic.rela.address = value,
                DT_RELASZ => dynamic.rela.size = value,
                DT_JMPREL => dynamic.jump.address = value,
                DT_PLTRELSZ => dynamic.jump.size = value,
                DT_RELR => dynamic.relr.address = value,
                DT_RELRSZ => dynamic.relr.size = value,
                DT_INIT => dynamic.init.function = value,
                DT_FINI => dynamic.fini.function = value,
                DT_INIT_ARRAY => dynamic.init.array.address = value,
                DT_INIT_ARRAYSZ => dynamic.init.array.size = value,
                DT_FINI_ARRAY => dynamic.fini.array.address = value,
                DT_FINI_ARRAYSZ => dynamic.fini.array.size = value,
                DT_SONAME => dynamic.soname = Some(value),
                DT_RPATH => dynamic.path = Some(value),
                DT_RUNPATH => runpath = Some(value),
                DT_VERNEED => dynamic.versions.0 = value,
                DT_VERNEEDNUM => dynamic.versions.1 = value,
                DT_TEXTREL => dynamic.text_relocations = true,
                DT_FLAGS => dynamic.text_relocations |= value & DF_TEXTREL != 0,
                DT_REL => return Err(Problem::Malformed("it has relocations of a kind that x86-64 has not")),
                _ => {}
            }
        }
        // One of the two; the newer counts.
        dynamic.path = runpath.or(dynamic.path);
        dynamic.strings = object
            .bytes(strings.address, strings.size)
            .filter(|strings| strings.last() == Some(&0))
            .ok_or(Problem::Malformed("it has no table of names"))?;
        dynamic.check(object)?;
        Ok(dynamic)
    }

    fn check(&self, object: &Object<'_>) -> Result<(), Problem> {
        if self.text_relocations {
            return Err(Problem::NotPositionIndependent);
        }
        let callable = |address: u64| address == 0 || object.segments.iter().any(|segment| segment.holds(address, 1));
        for calls in [self.init, self.fini] {
            let Part { address, size } = calls.array;
            let whole = size % 8 == 0 && (size == 0 || object.segments.iter().any(|s| s.holds(address, size)));
            if !callable(calls.function) || !whole {
                return Err(Problem::Malformed("its functions for the start and the end are in no segment"));
            }
        }
        Ok(())
    }

    /// The name at an offset of the table of names.
    ///
    /// # Errors
    /// There is none.
    pub fn name(&self, offset: u64) -> Result<&'a [u8], Problem> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.strings.get(offset..));
        let rest = rest.ok_or(Problem::Malformed("a name is not in its table of names"))?;
        // The table ends with a NUL.
        Ok(rest.split(|&byte| byte == 0).next().unwrap_or_default())
    }

    /// The name it gives itself.
    ///
    /// # Errors
    /// As [`Dynamic::name`].
    pub fn soname(&self) -> Result<Option<&'a [u8]>, Problem> {
        self.soname.map(|offset| self.name(offset)).transpose()
    }

    /// Where it says that what it needs lies: folders between colons.
    ///
    /// # Errors
    /// As [`Dynamic::name`].
    pub fn path(&self) -> Result<&'a [u8], Problem> {
        self.path.map_or(Ok(&b""[..]), |offset| self.name(offset))
    }

    /// The names of the libraries it needs.
    pub fn needed(&self) -> impl Iterator<Item = Result<&'a [u8], Problem>> + '_ {
        self.needed.iter().map(|&offset| self.name(offset))
    }
}

/// A name for a message.
pub(super) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
