//! Typed system call arguments. Each decodes itself from a register, refusing what Linux refuses whatever the state of the
//! system, and prints itself for tracing. A handler gets values that need no further check of form.
//!
//! An `int` of C arrives sign-extended or with an undefined upper half: 32-bit types look at the low half only.

mod number;
mod pointer;

pub use number::*;
pub use pointer::*;

use crate::SysResult;
use core::fmt;

/// A value that can be made from one register.
pub trait Arg: Sized {
    /// Parses the register.
    ///
    /// # Errors
    /// What Linux answers to a value that can never be right, mostly EINVAL.
    fn decode(raw: usize) -> SysResult<Self>;
}

/// A value that can be shown as strace(1) does, even if it does not decode.
pub trait Trace {
    /// Writes the register as a value of this type.
    ///
    /// # Errors
    /// Only those of the formatter.
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use crate::structs::Stat;

    #[test]
    fn numbers_take_their_width() {
        assert_eq!(Fd::decode(0xffff_ffff_0000_0003), Ok(Fd(3)));
        assert_eq!(Fd::decode(u32::MAX as usize), Ok(Fd(-1)));
        assert_eq!(DirFd::decode(-100isize as usize), Ok(DirFd::AT_FDCWD));
        assert_eq!(Offset::decode(-1isize as usize), Ok(Offset(-1)));
        assert_eq!(Millis::decode(u32::MAX as usize).unwrap().limit(), None);
        assert_eq!(Millis::decode(5).unwrap().limit(), Some(5));
        assert_eq!(SigsetSize::decode(16), Err(Errno::EINVAL));
        assert_eq!(Len::decode(usize::MAX), Ok(Len(usize::MAX)));
        assert_eq!(Len(usize::MAX).capped(), 0x7fff_f000);
    }

    #[test]
    fn pointers_carry_their_type() {
        let stat = Out::<Stat>::decode(0x1000).unwrap();
        assert_eq!(stat.addr(), 0x1000);
        assert!(!stat.is_null());
        assert_eq!(stat.cast::<u8>().addr(), 0x1000);
        assert_eq!(stat.at(2).addr(), 0x1000 + 2 * 144);
        assert!(In::<u8>::decode(0).unwrap().non_null().is_none());
    }
}
