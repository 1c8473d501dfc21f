//! THE system call table, as data, written once.
//!
//! The rows live in one file an area, sorted by number. `syscall_table!` hands all of them to a macro, a *view*: dispatch,
//! tracing, counters, the docs page and the C header are views. A row reads
//!
//! ```text
//! 16 ioctl io::ioctl(fd: Fd, request: IoctlRequest, argp: UserPtr) partial "requests of terminals only";
//! ```
//!
//! number, Linux name, handler within the syscall modules of the libOS, typed arguments (named as in the man page), support
//! level, reason. Levels:
//! - `full;` as Linux documents it;
//! - `partial "what is missing";` the handler answers the rest with the error Linux has for it;
//! - `stub "why that is right here";` the handler checks its arguments and gives a fixed answer;
//! - `absent "why";` ENOSYS. Its handler does not exist.
//!
//! A level without its reason does not compile. Calls of Linux without a row are absent too, and known by name.

mod fs;
mod io;
mod library;
mod mem;
mod names;
mod net;
mod poll;
mod process;
mod row;
mod signal;
mod system;
mod thread;
mod time;

pub use names::*;
pub use row::*;

/// What the argument types of the rows resolve to: a view starts with `use trapless_abi::table::types::*;`.
pub mod types {
    pub use crate::args::*;
    pub use crate::flags::*;
    pub use crate::structs::*;
}

/// Hands all rows of the system call table to the macro of the given name: `syscall_table!(path::to::view)` becomes
/// `path::to::view! { 2 open fs::open(...) full; ... }`. Rows match
///
/// ```text
/// $( $number:literal $name:ident $area:ident::$handler:ident ( $($arg:ident: $type:ty),* ) $level:ident $($reason:literal)?; )*
/// ```
///
/// They come by area, and within it by number. The view must have the types of [`table::types`](crate::table::types) in
/// scope where it uses them. To skip absent rows, let it call a macro with one arm for `absent $reason:literal`.
#[macro_export]
macro_rules! syscall_table {
    ($($view:tt)*) => { $crate::__fs_rows! { [$($view)*] } };
}

/// Number of rows of a dispatch table: numbers from here on are ENOSYS without a look.
pub const NR_MAX: usize = 512;

/// Why a call without a row is absent.
pub const UNLISTED: &str = "nothing in the image asks for it";

/// Makes one `Level`, and has no arm for a level that lacks its reason.
macro_rules! level {
    (full) => {
        Level::Full
    };
    (partial $reason:literal) => {
        Level::Partial(reason($reason))
    };
    (stub $reason:literal) => {
        Level::Stub(reason($reason))
    };
    (absent $reason:literal) => {
        Level::Absent(reason($reason))
    };
}

/// Views the rows as data.
macro_rules! data {
    ($(
        $number:literal $name:ident $area:ident::$handler:ident ( $($arg:ident: $type:ty),* )
        $level:ident $($reason:literal)?;
    )*) => {
        /// The rows as written, by area.
        const WRITTEN: &[Row] = &[$(Row {
            number: $number,
            name: stringify!($name),
            area: stringify!($area),
            handler: concat!(stringify!($area), "::", stringify!($handler)),
            args: &[$(ArgInfo::of::<$type>(stringify!($arg), stringify!($type))),*],
            level: level!($level $($reason)?),
        }),*];
    };
}

mod written {
    use super::types::*;
    use super::{ArgInfo, Level, Row, reason};

    crate::syscall_table!(data);

    pub(super) static ROWS: [Row; super::NAMES.len()] = super::complete(WRITTEN);
}

/// Every system call of Linux, by number, those without a row as absent.
pub const ROWS: &[Row] = &written::ROWS;

/// Where each number is in `ROWS`; `u16::MAX` when nowhere.
static INDEX: [u16; NR_MAX] = index(&written::ROWS);

/// The row of a number, if Linux has such a call.
pub fn row(number: usize) -> Option<&'static Row> {
    ROWS.get(usize::from(*INDEX.get(number)?))
}

/// The name of a number, `?` if Linux has no such call.
pub fn name(number: usize) -> &'static str {
    row(number).map_or("?", |row| row.name)
}

#[cfg(test)]
mod tests;
