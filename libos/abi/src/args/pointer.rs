//! Addresses in the program's memory, which handlers copy from and to and never borrow: other threads may write there.

use super::{Arg, Trace};
use crate::SysResult;
use core::fmt;
use core::marker::PhantomData;

/// Writes an address, `NULL` for 0.
fn trace_address(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if raw == 0 { f.write_str("NULL") } else { write!(f, "{raw:#x}") }
}

macro_rules! pointers {
    ($($(#[$meta:meta])* $name:ident;)*) => { $(
        $(#[$meta])*
        pub struct $name<T>(usize, PhantomData<fn() -> T>);

        impl<T> $name<T> {
            /// The pointer to this address.
            pub const fn new(addr: usize) -> Self {
                Self(addr, PhantomData)
            }

            /// The address.
            pub const fn addr(self) -> usize {
                self.0
            }

            /// Whether the address is 0.
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }

            /// The pointer, if it is not null: for arguments that may be left out.
            pub const fn non_null(self) -> Option<Self> {
                if self.is_null() { None } else { Some(self) }
            }

            /// The same address with another type.
            pub const fn cast<U>(self) -> $name<U> {
                $name::new(self.0)
            }

            /// The element `index` places further, wrapping round at the end of the address space.
            pub const fn at(self, index: usize) -> Self {
                Self::new(self.0.wrapping_add(index.wrapping_mul(size_of::<T>())))
            }
        }

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T> Copy for $name<T> {}

        impl<T> PartialEq for $name<T> {
            fn eq(&self, other: &Self) -> bool {
                self.0 == other.0
            }
        }

        impl<T> Eq for $name<T> {}

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                trace_address(self.0, f)
            }
        }

        impl<T> Arg for $name<T> {
            fn decode(raw: usize) -> SysResult<Self> {
                Ok(Self::new(raw))
            }
        }

        impl<T> Trace for $name<T> {
            fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                trace_address(raw, f)
            }
        }
    )* };
}

pointers! {
    /// Points to one or more `T` the call reads.
    In;
    /// Points to one or more `T` the call writes.
    Out;
    /// Points to one or more `T` the call reads and writes.
    InOut;
}

impl<T> InOut<T> {
    /// The side to read from.
    pub const fn input(self) -> In<T> {
        In::new(self.addr())
    }

    /// The side to write to.
    pub const fn output(self) -> Out<T> {
        Out::new(self.addr())
    }
}

macro_rules! addresses {
    ($($(#[$meta:meta])* $name:ident;)*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(
            /// The address.
            pub usize,
        );

        impl $name {
            /// The address.
            pub const fn addr(self) -> usize {
                self.0
            }

            /// Whether the address is 0.
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                trace_address(self.0, f)
            }
        }

        impl Arg for $name {
            fn decode(raw: usize) -> SysResult<Self> {
                Ok(Self(raw))
            }
        }

        impl Trace for $name {
            fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                trace_address(raw, f)
            }
        }
    )* };
}

addresses! {
    /// An address whose meaning is in itself (mmap(2)) or hangs on another argument (ioctl(2)).
    UserPtr;
    /// The address of a file name ended by a NUL, at most `PATH_MAX` bytes with it. The tracer, which can read memory,
    /// may show the name instead.
    Path;
}
