//! A row of the system call table as data, and the checks the compiler makes on all of them.

use super::{NAMES, NR_MAX, UNLISTED};
use crate::SysResult;
use crate::args::{Arg, Trace};
use core::fmt;

/// How far a call is supported, with the reason where it is not fully.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As Linux documents it.
    Full,
    /// What is missing.
    Partial(&'static str),
    /// Why a fixed answer is right.
    Stub(&'static str),
    /// Why the answer is ENOSYS.
    Absent(&'static str),
}

impl Level {
    /// The word of the table: `full`, `partial`, `stub` or `absent`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial(_) => "partial",
            Self::Stub(_) => "stub",
            Self::Absent(_) => "absent",
        }
    }

    /// The reason, empty for `full`.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Full => "",
            Self::Partial(reason) | Self::Stub(reason) | Self::Absent(reason) => reason,
        }
    }

    /// Whether there is no handler.
    pub const fn is_absent(self) -> bool {
        matches!(self, Self::Absent(_))
    }
}

/// One argument of a call.
#[derive(Clone, Copy, Debug)]
pub struct ArgInfo {
    /// Its name in the man page.
    pub name: &'static str,
    /// Its type, as the row writes it.
    pub type_name: &'static str,
    /// Writes a register as this argument.
    pub trace: fn(usize, &mut fmt::Formatter<'_>) -> fmt::Result,
    /// Whether a register decodes as this argument.
    pub check: fn(usize) -> SysResult<()>,
}

impl ArgInfo {
    /// An argument of type `T`.
    pub(super) const fn of<T: Arg + Trace>(name: &'static str, type_name: &'static str) -> Self {
        Self { name, type_name, trace: T::trace, check: check::<T> }
    }
}

/// Decodes, and keeps the error only.
fn check<T: Arg>(raw: usize) -> SysResult<()> {
    T::decode(raw).map(drop)
}

/// One call of Linux.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its number on x86_64.
    pub number: u16,
    /// Its name.
    pub name: &'static str,
    /// The part of the system it belongs to; empty if it has no row.
    pub area: &'static str,
    /// Path of the handler within the syscall modules of the libOS; empty if it has no row.
    pub handler: &'static str,
    /// Its arguments, at most six; none are known if it has no row.
    pub args: &'static [ArgInfo],
    /// How far it is supported.
    pub level: Level,
}

impl Row {
    /// Whether registers decode as the arguments of this call.
    ///
    /// # Errors
    /// That of the first argument that does not.
    pub fn check(&self, registers: &[usize; 6]) -> SysResult<()> {
        self.args.iter().zip(registers).try_for_each(|(arg, &raw)| (arg.check)(raw))
    }
}

/// Refuses an empty reason at compile time.
pub(super) const fn reason(text: &'static str) -> &'static str {
    assert!(!text.is_empty(), "a level other than full needs a reason");
    text
}

/// Puts the written rows in the order of numbers and fills in the calls without one. Refuses at compile time a number written
/// twice, a name that is not the number's, and more than six arguments.
pub(super) const fn complete(written: &[Row]) -> [Row; NAMES.len()] {
    let unlisted = Row { number: 0, name: "", area: "", handler: "", args: &[], level: Level::Absent(UNLISTED) };
    let mut rows = [unlisted; NAMES.len()];
    let mut used = 0;
    let mut i = 0;
    while i < rows.len() {
        rows[i].number = NAMES[i].0;
        rows[i].name = NAMES[i].1;
        let mut j = 0;
        while j < written.len() {
            if written[j].number == NAMES[i].0 {
                assert!(same(written[j].name, NAMES[i].1), "a row has a name that is not its number's");
                assert!(rows[i].handler.is_empty(), "two rows have the same number");
                assert!(written[j].args.len() <= 6, "a row has more than six arguments");
                rows[i] = written[j];
                used += 1;
            }
            j += 1;
        }
        i += 1;
    }
    assert!(used == written.len(), "a row has a number Linux does not know");
    rows
}

/// The place of each number in `rows`.
pub(super) const fn index(rows: &[Row]) -> [u16; NR_MAX] {
    let mut index = [u16::MAX; NR_MAX];
    let mut i = 0;
    while i < rows.len() {
        index[rows[i].number as usize] = i as u16;
        i += 1;
    }
    index
}

/// Whether two strings are equal, in constants.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut equal = a.len() == b.len();
    let mut i = 0;
    while equal && i < a.len() {
        equal = a[i] == b[i];
        i += 1;
    }
    equal
}
