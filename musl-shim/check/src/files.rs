//! Files: which parts of an ELF file or of an archive are code.

use std::fmt;
use std::path::Path;

use object::read::archive::ArchiveFile;
use object::{Architecture, File, FileKind, Object, ObjectSection, ObjectSymbol, SectionFlags, elf};

use crate::sweep::{Finding, sweep};

/// Why a file could not be checked. Never means "nothing found".
#[derive(Debug)]
pub enum Error {
    /// It could not be read from disk.
    Read(std::io::Error),
    /// It is not an ELF file or an archive of such, or is damaged.
    Parse(object::Error),
    /// It is machine code of another architecture.
    Architecture(Architecture),
    /// It has no code at all: not the file that was meant.
    NoCode,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "cannot read it: {error}"),
            Self::Parse(error) => write!(f, "not a readable ELF file or archive: {error}"),
            Self::Architecture(other) => write!(f, "holds {other:?} code, not x86_64"),
            Self::NoCode => f.write_str("holds no code, so there is nothing to check"),
        }
    }
}

impl std::error::Error for Error {}

impl From<object::Error> for Error {
    fn from(error: object::Error) -> Self {
        Self::Parse(error)
    }
}

/// What a check saw.
#[derive(Debug, Default)]
pub struct Report {
    /// Bytes of code that were disassembled.
    pub code_bytes: u64,
    /// The forbidden instructions, in the order of the file.
    pub findings: Vec<Finding>,
}

/// Disassembles all code of the ELF file or `ar` archive at `path`.
///
/// # Errors
/// An unreadable or damaged file, one of another architecture, or one without code.
pub fn check(path: &Path) -> Result<Report, Error> {
    check_bytes(&std::fs::read(path).map_err(Error::Read)?)
}

fn check_bytes(data: &[u8]) -> Result<Report, Error> {
    let mut report = Report::default();
    if FileKind::parse(data)? == FileKind::Archive {
        for member in ArchiveFile::parse(data)?.members() {
            let member = member?;
            let name = String::from_utf8_lossy(member.name()).into_owned();
            check_object(member.data(data)?, Some(&name), &mut report)?;
        }
    } else {
        check_object(data, None, &mut report)?;
    }
    if report.code_bytes == 0 {
        return Err(Error::NoCode);
    }
    Ok(report)
}

fn check_object(data: &[u8], member: Option<&str>, report: &mut Report) -> Result<(), Error> {
    let file = File::parse(data)?;
    if file.architecture() != Architecture::X86_64 {
        return Err(Error::Architecture(file.architecture()));
    }
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else {
            continue;
        };
        if sh_flags & u64::from(elf::SHF_EXECINSTR) == 0 {
            continue;
        }
        let code = section.data()?;
        let mut symbols: Vec<(u64, &str)> = file
            .symbols()
            .filter(|symbol| symbol.section_index() == Some(section.index()))
            .filter_map(|symbol| Some((symbol.address(), symbol.name().ok().filter(|name| !name.is_empty())?)))
            .collect();
        symbols.sort_unstable();
        let starts: Vec<u64> = symbols.iter().map(|&(address, _)| address).collect();
        report.code_bytes += code.len() as u64;
        report.findings.extend(sweep(code, section.address(), &starts).into_iter().map(|(address, trap)| {
            let below = symbols.partition_point(|&(start, _)| start <= address);
            Finding {
                trap,
                address,
                section: section.name().unwrap_or("?").to_owned(),
                symbol: below.checked_sub(1).map(|i| symbols[i].1.to_owned()),
                member: member.map(str::to_owned),
            }
        }));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
