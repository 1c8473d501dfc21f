//! Flags, choices and other constants, by area, with the kernel's names and numbers.
//!
//! Three small macros keep the files to one line a constant: `flags!` makes a bit set, `choices!` an enum of the values an
//! argument may take, `consts!` plain numbers. The first two decode and trace themselves (`crate::args::Arg`, `Trace`).
//! A `strict` bit set refuses unknown bits with EINVAL; a `lenient` one drops them, where Linux does so too. `"X" for MASK`
//! names the absence of the bits of a mask, e.g. `O_RDONLY`.

mod fs;
mod io;
mod mem;
mod net;
mod netlink;
mod poll;
mod process;
mod signal;
mod sockopt;
mod thread;
mod time;

pub use fs::*;
pub use io::*;
pub use mem::*;
pub use net::*;
pub use netlink::*;
pub use poll::*;
pub use process::*;
pub use signal::*;
pub use sockopt::*;
pub use thread::*;
pub use time::*;

use core::fmt;

/// Declares a bit set that is also a system call argument.
macro_rules! flags {
    (
        $(#[$meta:meta])*
        $policy:ident $name:ident: $bits:ident $(, $zero:literal for $mask:literal)? {
            $($flag:ident = $value:expr, $doc:literal;)*
        }
    ) => {
        ::bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            pub struct $name: $bits {
                $(#[doc = $doc] const $flag = $value;)*
            }
        }
        impl $crate::args::Arg for $name {
            fn decode(raw: usize) -> $crate::SysResult<Self> {
                $crate::flags::flags!(@$policy raw as $bits)
            }
        }
        impl $crate::args::Trace for $name {
            fn trace(raw: usize, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let (zero, mask): (&str, $bits) = [$(($zero, $mask),)? ("0", $bits::MAX)][0];
                let zero = if raw as $bits & mask == 0 { zero } else { "" };
                $crate::flags::trace_flags(Self::from_bits_retain(raw as $bits), zero, f)
            }
        }
    };
    (@strict $bits:expr) => { Self::from_bits($bits).ok_or($crate::Errno::EINVAL) };
    (@lenient $bits:expr) => { Ok(Self::from_bits_truncate($bits)) };
}

/// Declares an enum of the values a system call argument may take; any other value is the error named after `else`.
macro_rules! choices {
    ($(#[$meta:meta])* $name:ident: $int:ident, else $errno:ident { $($choice:ident = $value:expr, $doc:literal;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types, reason = "Linux spellings")]
        #[repr($int)]
        pub enum $name { $(#[doc = $doc] $choice = $value,)* }

        impl $crate::args::Arg for $name {
            fn decode(raw: usize) -> $crate::SysResult<Self> {
                $(if raw as $int == $value { return Ok(Self::$choice); })*
                Err($crate::Errno::$errno)
            }
        }
        impl $crate::args::Trace for $name {
            fn trace(raw: usize, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match <Self as $crate::args::Arg>::decode(raw) {
                    Ok(choice) => ::core::fmt::Debug::fmt(&choice, f),
                    Err(_) => write!(f, "{:#x}", raw as $int),
                }
            }
        }
    };
}

/// Declares plain constants of one type.
macro_rules! consts {
    ($type:ty { $($name:ident = $value:expr, $doc:literal;)* }) => {
        $(#[doc = $doc] pub const $name: $type = $value;)*
    };
}

use {choices, consts, flags};

/// Writes `zero` (the name of bits that are clear), the names of the flags that are set, then unknown bits in hexadecimal.
fn trace_flags<F: bitflags::Flags<Bits: fmt::LowerHex + PartialEq + Default>>(
    flags: F,
    zero: &str,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_str(zero)?;
    let mut separator = if zero.is_empty() { "" } else { "|" };
    let mut names = flags.iter_names();
    for (name, _) in names.by_ref() {
        write!(f, "{separator}{name}")?;
        separator = "|";
    }
    let unknown = names.remaining().bits();
    if unknown != F::Bits::default() { write!(f, "{separator}{unknown:#x}") } else { Ok(()) }
}

#[cfg(test)]
mod tests;
