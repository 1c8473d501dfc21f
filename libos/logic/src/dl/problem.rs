//! Why a library cannot be loaded, in words for the one who has to do something about it.

use alloc::string::String;
use core::fmt;
use trapless_abi::Errno;

/// What is wrong with a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It cannot be read, or there is no memory for it.
    System(Errno),
    /// It is no ELF file.
    NotElf,
    /// It is for another machine, or 32 bits.
    OtherMachine,
    /// It is a program or an object file.
    NotShared,
    /// The file ends before something that it says it has.
    CutOff(&'static str),
    /// What it says about itself does not add up.
    Malformed(&'static str),
    /// A segment is writable and executable at once.
    WritableCode,
    /// It has to be changed where it is executable or read-only.
    NotPositionIndependent,
    /// It was linked with glibc; what gives it away.
    Glibc(String),
    /// A library that it needs is nowhere.
    Needed(String),
    /// A symbol that nobody defines.
    Missing(String),
    /// A kind of relocation that is not supported, and what to do.
    Relocation(u32, &'static str),
    /// Too many libraries.
    TooMany,
    /// There is no such symbol in it (dlsym(3)).
    NoSymbol(String),
}

impl Problem {
    /// The error number that says the most about it.
    pub fn errno(&self) -> Errno {
        match self {
            Self::System(errno) => *errno,
            Self::Needed(_) | Self::NoSymbol(_) => Errno::ENOENT,
            Self::TooMany => Errno::ENOMEM,
            _ => Errno::ENOEXEC,
        }
    }
}

impl From<Errno> for Problem {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(errno) => f.write_str(errno.description()),
            Self::NotElf => f.write_str("it is no ELF file"),
            Self::OtherMachine => f.write_str("it is not for x86-64"),
            Self::NotShared => f.write_str("it is no shared library: link it with -shared"),
            Self::CutOff(what) => write!(f, "it is cut off: the file ends before its {what}"),
            Self::Malformed(what) => write!(f, "it is damaged: {what}"),
            Self::WritableCode => f.write_str("a segment of it is writable and executable at once, which no memory is"),
            Self::NotPositionIndependent => f.write_str("its code is not position independent: compile it with -fPIC"),
            Self::Glibc(sign) => write!(
                f,
                "it was built for glibc ({sign}), and here is musl: have its sources compiled for the image, with \
                 `cargo xtask image --nif DIR`"
            ),
            Self::Needed(name) => write!(f, "it needs {name}, which is not there"),
            Self::Missing(name) => write!(
                f,
                "symbol not found: {name} is neither in the image nor in a library that it needs (functions of the C \
                 library are there if a library that was put in with the image uses them)"
            ),
            Self::Relocation(kind, advice) => write!(f, "relocations of type {kind} are not supported: {advice}"),
            Self::TooMany => f.write_str("too many libraries are loaded"),
            Self::NoSymbol(name) => write!(f, "symbol not found: {name}"),
        }
    }
}
