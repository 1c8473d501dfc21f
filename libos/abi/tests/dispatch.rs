//! How the libOS makes its dispatch table out of the system call table: a view with a C function for each row that has a
//! handler. Shown here on rows of no to six arguments, then on the real table with handlers that only tell what they got.

use trapless_abi::table::NR_MAX;
use trapless_abi::table::types::*;
use trapless_abi::{Errno, SysResult, to_raw};

/// A row of the dispatch table, with the C calling convention.
type Entry = extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;

/// What numbers without a handler do.
extern "C" fn enosys(_: usize, _: usize, _: usize, _: usize, _: usize, _: usize) -> isize {
    Errno::ENOSYS.to_raw()
}

/// Makes one entry: `entry!(level, path::of::handler(args))`. Absent rows name no handler.
macro_rules! entry {
    (absent, $($handler:ident)::+ ( $($arg:ident: $type:ty),* )) => { enosys };
    ($level:ident, $($handler:ident)::+ ( $($arg:ident: $type:ty),* )) => {{
        extern "C" fn entry(a1: usize, a2: usize, a3: usize, a4: usize, a5: usize, a6: usize) -> isize {
            fn call(registers: [usize; 6]) -> SysResult {
                let [$($arg,)* ..] = registers;
                $($handler)::+($(<$type as Arg>::decode($arg)?),*)
            }
            to_raw(call([a1, a2, a3, a4, a5, a6]))
        }
        entry
    }};
}

/// The view: an array of 512 entries.
macro_rules! dispatch {
    ($(
        $number:literal $name:ident $area:ident::$handler:ident ( $($arg:ident: $type:ty),* )
        $level:ident $($reason:literal)?;
    )*) => {
        const fn table() -> [Entry; NR_MAX] {
            let mut table: [Entry; NR_MAX] = [enosys; NR_MAX];
            $(table[$number] = entry!($level, handlers::$area::$handler($($arg: $type),*));)*
            table
        }
    };
}

mod by_arity {
    use super::*;

    mod handlers {
        pub mod demo {
            use super::super::*;

            pub fn none() -> SysResult {
                Ok(7)
            }
            pub fn one(fd: Fd) -> SysResult {
                if fd.0 < 0 { Err(Errno::EBADF) } else { Ok(0) }
            }
            pub fn two(prot: Prot, len: Len) -> SysResult {
                Ok(len.0 + prot.bits() as usize)
            }
            pub fn three(fd: Fd, buf: Out<u8>, count: Len) -> SysResult {
                Ok(fd.0 as usize + buf.addr() + count.0)
            }
            pub fn four(a: U32, b: U32, c: U32, d: U32) -> SysResult {
                Ok([a, b, c, d].iter().fold(0, |sum, n| sum * 10 + n.0 as usize))
            }
            pub fn five(a: U32, b: U32, c: U32, d: U32, e: U32) -> SysResult {
                Ok([a, b, c, d, e].iter().fold(0, |sum, n| sum * 10 + n.0 as usize))
            }
            pub fn six(a: U32, b: U32, c: U32, d: U32, e: U32, f: U32) -> SysResult {
                Ok([a, b, c, d, e, f].iter().fold(0, |sum, n| sum * 10 + n.0 as usize))
            }
        }
    }

    dispatch! {
        0 none demo::none() full;
        1 one demo::one(fd: Fd) full;
        2 two demo::two(prot: Prot, len: Len) partial "a sample";
        3 three demo::three(fd: Fd, buf: Out<u8>, count: Len) stub "a sample";
        4 four demo::four(a: U32, b: U32, c: U32, d: U32) full;
        5 five demo::five(a: U32, b: U32, c: U32, d: U32, e: U32) full;
        6 six demo::six(a: U32, b: U32, c: U32, d: U32, e: U32, f: U32) full;
        7 seven demo::no_such_handler(a: U32) absent "a sample";
    }

    #[test]
    fn entries_decode_call_and_flip_the_sign() {
        let table = table();
        let call = |number: usize| table[number](1, 2, 3, 4, 5, 6);
        assert_eq!(call(0), 7);
        assert_eq!(call(1), 0);
        assert_eq!(table[1](usize::MAX, 0, 0, 0, 0, 0), -9);
        assert_eq!(call(2), 3);
        assert_eq!(table[2](0x80, 0, 0, 0, 0, 0), -22);
        assert_eq!(call(3), 6);
        assert_eq!(call(4), 1234);
        assert_eq!(call(5), 12345);
        assert_eq!(call(6), 123456);
        assert_eq!(call(7), -38);
        assert_eq!(call(NR_MAX - 1), -38);
    }
}

mod whole_table {
    use super::*;
    use trapless_abi::table::{ROWS, SYS_clone3, SYS_execve, SYS_getpid, SYS_read};

    /// One handler a row, that returns the number of its call.
    macro_rules! fake_handlers {
        ($(
            $number:literal $name:ident $area:ident::$handler:ident ( $($arg:ident: $type:ty),* )
            $level:ident $($reason:literal)?;
        )*) => {
            mod handlers {
                $(pub mod $name {
                    #[allow(unused_imports, reason = "not all rows have arguments")]
                    use super::super::*;
                    #[allow(dead_code, reason = "absent rows are not called")]
                    pub fn $name($(_: $type),*) -> SysResult {
                        Ok($number)
                    }
                })*
            }
            // The same view as above, on rows whose area is their name, for a macro cannot gather them by area.
            dispatch! { $($number $name $name::$name($($arg: $type),*) $level $($reason)?;)* }
        };
    }

    trapless_abi::syscall_table!(fake_handlers);

    #[test]
    fn each_number_reaches_its_row() {
        let table = table();
        for row in ROWS {
            // Zeroes do not decode everywhere; then the answer is an error other than ENOSYS.
            let expected = match (row.level.is_absent(), row.check(&[0; 6])) {
                (true, _) => Errno::ENOSYS.to_raw(),
                (false, Ok(())) => isize::try_from(row.number).unwrap(),
                (false, Err(errno)) => errno.to_raw(),
            };
            assert_eq!(table[usize::from(row.number)](0, 0, 0, 0, 0, 0), expected, "{}", row.name);
        }
        assert_eq!(table[SYS_getpid](1, 2, 3, 4, 5, 6), 39);
        assert_eq!(table[SYS_read](1, 2, 3, 4, 5, 6), 0);
        assert_eq!(table[SYS_execve](0, 0, 0, 0, 0, 0), -38);
        assert_eq!(table[SYS_clone3](0, 0, 0, 0, 0, 0), -38);
    }
}
