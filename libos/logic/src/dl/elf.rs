//! The parts of an ELF file (elf(5)) that matter to a loader.

use super::Problem;
use crate::mm::{PAGE, Range, page_up};
use alloc::vec::Vec;
use trapless_abi::Errno;
use trapless_abi::flags::Prot;

/// Most program headers a file may have: real ones have about ten.
const MAX_HEADERS: u16 = 64;
/// Most bytes of addresses a library may span.
const MAX_SPAN: u64 = 1 << 30;
/// Bytes of an `Elf64_Phdr`.
const HEADER: u64 = 56;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_TLS: u32 = 7;
const PT_GNU_RELRO: u32 = 0x6474_e552;

/// `len` bytes at `at`, if they are all there.
pub(super) fn slice(data: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(at).ok()?;
    data.get(start..start.checked_add(usize::try_from(len).ok()?)?)
}

/// A little-endian number of two bytes.
pub(super) fn u16_at(data: &[u8], at: u64) -> Option<u16> {
    Some(u16::from_le_bytes(slice(data, at, 2)?.try_into().ok()?))
}

/// A little-endian number of four bytes.
pub(super) fn u32_at(data: &[u8], at: u64) -> Option<u32> {
    Some(u32::from_le_bytes(slice(data, at, 4)?.try_into().ok()?))
}

/// A little-endian number of eight bytes.
pub(super) fn u64_at(data: &[u8], at: u64) -> Option<u64> {
    Some(u64::from_le_bytes(slice(data, at, 8)?.try_into().ok()?))
}

/// A part of the file that is mapped. Addresses are those of the file: the library's base is added to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first byte.
    pub address: u64,
    /// Bytes in memory; those behind the file's are zero.
    pub memory_size: u64,
    /// Where its bytes are in the file.
    pub offset: u64,
    /// How many.
    pub file_size: u64,
    /// What may be done with it once it is loaded.
    pub prot: Prot,
}

impl Segment {
    /// The pages it lies in.
    pub fn pages(&self) -> Range {
        let end = page_up(self.address + self.memory_size).unwrap_or(!(PAGE - 1));
        Range::new(self.address & !(PAGE - 1), end)
    }

    /// Whether `len` bytes at `address` are in it.
    pub fn holds(&self, address: u64, len: u64) -> bool {
        address >= self.address && address.checked_add(len).is_some_and(|end| end <= self.address + self.memory_size)
    }
}

/// Thread-local variables: what each thread gets a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Address of the initialised part.
    pub address: u64,
    /// Its bytes.
    pub file_size: u64,
    /// Bytes of the whole.
    pub memory_size: u64,
    /// Its alignment, a power of two.
    pub align: u64,
}

/// A file of which the headers have been read.
#[derive(Debug)]
pub struct Object<'a> {
    /// All of the file.
    pub file: &'a [u8],
    /// What is mapped, by address; no two share a page.
    pub segments: Vec<Segment>,
    /// The dynamic section.
    pub dynamic: &'a [u8],
    /// Its address.
    pub dynamic_address: u64,
    /// Thread-local variables.
    pub tls: Option<Tls>,
    /// What is only written to while it is loaded.
    pub relro: Option<Range>,
    /// Address and number of the program headers, where they are mapped.
    pub headers: Option<(u64, u16)>,
    /// The alignment its base must have, bytes.
    pub align: u64,
}

impl<'a> Object<'a> {
    /// Reads the headers.
    ///
    /// # Errors
    /// It is no shared library for this machine, or cut off, or damaged, or wants memory that is writable and executable.
    pub fn parse(file: &'a [u8]) -> Result<Self, Problem> {
        let table = header(file)?;
        let mut object = Self {
            file,
            segments: Vec::new(),
            dynamic: &[],
            dynamic_address: 0,
            tls: None,
            relro: None,
            headers: None,
            align: PAGE,
        };
        object.segments.try_reserve(table.len() / HEADER as usize).map_err(|_| Errno::ENOMEM)?;
        for at in (0..table.len() as u64).step_by(HEADER as usize) {
            object.add(table, at).ok_or(Problem::CutOff("program headers"))??;
        }
        object.check()?;
        let offset = u64_at(file, 32).unwrap_or_default();
        let place = object.segments.iter().find(|segment| {
            offset >= segment.offset && offset + table.len() as u64 <= segment.offset + segment.file_size
        });
        let count = (table.len() as u64 / HEADER) as u16;
        object.headers = place.map(|segment| (segment.address + (offset - segment.offset), count));
        Ok(object)
    }

    /// Takes in one program header. None if it is cut off.
    fn add(&mut self, table: &[u8], at: u64) -> Option<Result<(), Problem>> {
        let (kind, flags) = (u32_at(table, at)?, u32_at(table, at + 4)?);
        let (offset, address) = (u64_at(table, at + 8)?, u64_at(table, at + 16)?);
        let (file_size, memory_size) = (u64_at(table, at + 32)?, u64_at(table, at + 40)?);
        let align = u64_at(table, at + 48)?;
        Some(match kind {
            PT_LOAD if memory_size == 0 => Ok(()),
            PT_LOAD => self.add_segment(Segment { address, memory_size, offset, file_size, prot: prot(flags) }, align),
            PT_DYNAMIC => slice(self.file, offset, file_size).ok_or(Problem::CutOff("dynamic section")).map(|bytes| {
                self.dynamic = bytes;
                self.dynamic_address = address;
            }),
            PT_TLS => {
                let align = align.max(1);
                if file_size > memory_size || memory_size > MAX_SPAN || !align.is_power_of_two() || align > PAGE {
                    return Some(Err(Problem::Malformed("its thread-local part is impossible")));
                }
                self.tls = Some(Tls { address, file_size, memory_size, align });
                Ok(())
            }
            PT_GNU_RELRO => match address.checked_add(memory_size) {
                // What is behind the last whole page is written to later on.
                Some(end) => {
                    self.relro = Some(Range::new(address & !(PAGE - 1), end & !(PAGE - 1)));
                    Ok(())
                }
                None => Err(Problem::Malformed("its read-only part is impossible")),
            },
            _ => Ok(()),
        })
    }

    fn add_segment(&mut self, segment: Segment, align: u64) -> Result<(), Problem> {
        if segment.prot.contains(Prot::PROT_WRITE | Prot::PROT_EXEC) {
            return Err(Problem::WritableCode);
        }
        let end = segment.address.checked_add(segment.memory_size).filter(|&end| end <= MAX_SPAN);
        if end.is_none() || segment.file_size > segment.memory_size || !align.max(1).is_power_of_two() {
            return Err(Problem::Malformed("a segment is impossible"));
        }
        if slice(self.file, segment.offset, segment.file_size).is_none() {
            return Err(Problem::CutOff("segments"));
        }
        self.align = self.align.max(align.min(MAX_SPAN));
        self.segments.push(segment);
        Ok(())
    }

    /// What only shows once all headers have been read.
    fn check(&self) -> Result<(), Problem> {
        let apart = |pair: &[Segment]| pair[0].pages().end <= pair[1].pages().start;
        if self.segments.is_empty() {
            return Err(Problem::Malformed("it has no segments"));
        }
        if !self.segments.windows(2).all(apart) {
            return Err(Problem::Malformed("its segments overlap"));
        }
        if self.dynamic.is_empty() {
            return Err(Problem::Malformed("it has no dynamic section"));
        }
        let span = self.span();
        if self.relro.is_some_and(|relro| relro.start < span.start || relro.end > span.end || relro.start > relro.end) {
            return Err(Problem::Malformed("its read-only part is impossible"));
        }
        match self.tls {
            Some(tls) if self.bytes(tls.address, tls.file_size).is_none() => {
                Err(Problem::Malformed("its thread-local part is in no segment"))
            }
            _ => Ok(()),
        }
    }

    /// The pages of all segments, from the first to the last.
    pub fn span(&self) -> Range {
        let first = self.segments.first().map_or(0, |segment| segment.pages().start);
        let last = self.segments.last().map_or(0, |segment| segment.pages().end);
        Range::new(first, last)
    }

    /// Bytes of the file by their address in memory.
    pub fn bytes(&self, address: u64, len: u64) -> Option<&'a [u8]> {
        let end = address.checked_add(len)?;
        let found = self.segments.iter().find(|s| address >= s.address && end <= s.address + s.file_size)?;
        slice(self.file, found.offset + (address - found.address), len)
    }

    /// All bytes of the file from an address to the end of its segment.
    pub fn bytes_from(&self, address: u64) -> Option<&'a [u8]> {
        let found = self.segments.iter().find(|s| address >= s.address && address <= s.address + s.file_size)?;
        self.bytes(address, found.address + found.file_size - address)
    }
}

/// Checks the ELF header, and returns the table of program headers.
fn header(file: &[u8]) -> Result<&[u8], Problem> {
    const CUT_OFF: Problem = Problem::CutOff("header");
    const DYN: u16 = 3;
    const X86_64: u16 = 62;
    if !file.starts_with(b"\x7fELF") {
        return Err(Problem::NotElf);
    }
    // 64 bits, least significant byte first, version 1.
    if file.get(4..7).ok_or(CUT_OFF)? != [2, 1, 1] || u16_at(file, 18).ok_or(CUT_OFF)? != X86_64 {
        return Err(Problem::OtherMachine);
    }
    if u16_at(file, 16).ok_or(CUT_OFF)? != DYN {
        return Err(Problem::NotShared);
    }
    let (offset, size) = (u64_at(file, 32).ok_or(CUT_OFF)?, u16_at(file, 54).ok_or(CUT_OFF)?);
    let count = u16_at(file, 56).ok_or(CUT_OFF)?;
    if u64::from(size) != HEADER || count == 0 || count > MAX_HEADERS {
        return Err(Problem::Malformed("its program headers are impossible"));
    }
    slice(file, offset, u64::from(count) * HEADER).ok_or(Problem::CutOff("program headers"))
}

/// `p_flags` as rights.
fn prot(flags: u32) -> Prot {
    const PF: [(u32, Prot); 3] = [(4, Prot::PROT_READ), (2, Prot::PROT_WRITE), (1, Prot::PROT_EXEC)];
    PF.iter().filter(|(flag, _)| flags & flag != 0).fold(Prot::empty(), |rights, &(_, right)| rights | right)
}
