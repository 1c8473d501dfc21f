//! The linear sweep over one section.

use std::fmt;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};

/// An instruction that enters a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `syscall` (0f 05).
    Syscall,
    /// `sysenter` (0f 34).
    Sysenter,
    /// `int 0x80` (cd 80).
    Int80,
}

impl Trap {
    fn of(instruction: &Instruction) -> Option<Self> {
        match instruction.code() {
            Code::Syscall => Some(Self::Syscall),
            Code::Sysenter => Some(Self::Sysenter),
            Code::Int_imm8 if instruction.immediate8() == 0x80 => Some(Self::Int80),
            _ => None,
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syscall => "syscall",
            Self::Sysenter => "sysenter",
            Self::Int80 => "int 0x80",
        })
    }
}

/// One forbidden instruction and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub trap: Trap,
    /// Its address: virtual in a linked file, relative to the section in an object.
    pub address: u64,
    /// The section that holds it.
    pub section: String,
    /// The nearest symbol at or below it, if there is one.
    pub symbol: Option<String>,
    /// The archive member that holds it, if the file is an archive.
    pub member: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(member) = &self.member {
            write!(f, "{member}: ")?;
        }
        write!(f, "{:#x} <{}> in {}: {}", self.address, self.symbol.as_deref().unwrap_or("?"), self.section, self.trap)
    }
}

/// Disassembles `code`, which starts at address `base`, and returns the traps with their addresses.
///
/// Decoding starts afresh at `base` and at each of `starts` (ascending), so that data between two functions
/// cannot put the decoder out of step with the next one. The last instruction before a start may run across
/// it: a symbol inside an instruction must not hide that instruction.
pub(crate) fn sweep(code: &[u8], base: u64, starts: &[u64]) -> Vec<(u64, Trap)> {
    let end = base + code.len() as u64;
    let inside = starts.iter().copied().filter(|start| (base..end).contains(start));
    let mut borders: Vec<u64> = std::iter::once(base).chain(inside).chain(std::iter::once(end)).collect();
    borders.dedup();
    let mut found = Vec::new();
    for range in borders.windows(2) {
        let bytes = &code[(range[0] - base) as usize..];
        let mut decoder = Decoder::with_ip(64, bytes, range[0], DecoderOptions::NONE);
        while decoder.can_decode() && decoder.ip() < range[1] {
            let instruction = decoder.decode();
            if let Some(trap) = Trap::of(&instruction) {
                found.push((instruction.ip(), trap));
            }
        }
    }
    found.sort_by_key(|&(address, _)| address);
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_instructions_are_found() {
        let code = [0x0f, 0x05, 0x0f, 0x34, 0xcd, 0x80, 0xcd, 0x03, 0xc3];
        assert_eq!(
            sweep(&code, 0x1000, &[]),
            [(0x1000, Trap::Syscall), (0x1002, Trap::Sysenter), (0x1004, Trap::Int80)]
        );
    }

    #[test]
    fn bytes_of_two_instructions_are_not_a_syscall() {
        // and $0xf, %ecx ; add $1, %eax
        assert_eq!(sweep(&[0x83, 0xe1, 0x0f, 0x05, 1, 0, 0, 0, 0xc3], 0, &[]), []);
    }

    #[test]
    fn a_symbol_brings_the_decoder_back_into_step() {
        // One byte of data that would swallow the syscall as the start of `mov $imm32, %eax`.
        let code = [0xb8, 0x0f, 0x05, 0xc3, 0x90, 0x90];
        assert_eq!(sweep(&code, 0, &[]), []);
        assert_eq!(sweep(&code, 0, &[1]), [(1, Trap::Syscall)]);
    }

    #[test]
    fn a_symbol_inside_an_instruction_does_not_hide_it() {
        assert_eq!(sweep(&[0x0f, 0x05], 0x10, &[0x11]), [(0x10, Trap::Syscall)]);
    }

    #[test]
    fn starts_outside_the_section_are_ignored() {
        assert_eq!(sweep(&[0x0f, 0x05], 0x10, &[0, 0x12, 0x40]), [(0x10, Trap::Syscall)]);
    }
}
