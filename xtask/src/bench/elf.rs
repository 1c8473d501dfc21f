//! Sections of an ELF file (elf(5)): as much as it takes to tell the parts of the image.

use anyhow::{Context, Result, ensure};

/// A section: its name, and its bytes in the file (none if it takes room in memory only, as `.bss`).
pub struct Section<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
}

const SHT_NOBITS: u64 = 8;

/// All sections of a 64-bit little-endian file.
pub fn sections(file: &[u8]) -> Result<Vec<Section<'_>>> {
    ensure!(file.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let [table, entry, count, names] =
        [(0x28, 8), (0x3a, 2), (0x3c, 2), (0x3e, 2)].map(|(at, len)| number(file, at, len));
    let header = |index: u64| {
        let at = table? + index * entry?;
        let field = |offset: u64, len: usize| number(file, usize::try_from(at + offset).ok()?, len);
        Some([field(0, 4)?, field(4, 4)?, field(24, 8)?, field(32, 8)?])
    };
    let bytes = |[_, kind, offset, size]: [u64; 4]| {
        let start = usize::try_from(offset).ok()?;
        let len = if kind == SHT_NOBITS { 0 } else { usize::try_from(size).ok()? };
        file.get(start..start.checked_add(len)?)
    };
    let read = || {
        let strings = bytes(header(names?)?)?;
        let one = |index| {
            let header = header(index)?;
            let name = strings.get(usize::try_from(header[0]).ok()?..)?;
            let name = name.split(|&byte| byte == 0).next()?;
            Some(Section { name: std::str::from_utf8(name).ok()?, bytes: bytes(header)? })
        };
        (0..count?).map(one).collect::<Option<Vec<_>>>()
    };
    read().context("the ELF file is cut off")
}

fn number(file: &[u8], at: usize, len: usize) -> Option<u64> {
    let bytes = file.get(at..at + len)?;
    Some(bytes.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_has_text() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let sections = sections(&program).unwrap();
        let text = sections.iter().find(|section| section.name == ".text").unwrap();
        assert!(text.bytes.len() > 10_000);
        assert!(sections.iter().find(|section| section.name == ".bss").unwrap().bytes.is_empty());
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(sections(&program[..program.len() - 100]).is_err());
        assert!(sections(b"#!/bin/sh").is_err());
    }
}
