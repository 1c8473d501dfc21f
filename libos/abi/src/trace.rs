//! System calls and their results as text, in the manner of strace(1).

use crate::errno::{Errno, from_raw};
use crate::table;
use core::fmt;

/// A call about to be made; displays as `read(3, 0x1000, 5)`.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Number of the call.
    pub number: usize,
    /// The six registers, whether the call uses them or not.
    pub registers: [usize; 6],
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(row) = table::row(self.number) else {
            return write!(f, "syscall_{}({:#x?})", self.number, self.registers);
        };
        write!(f, "{}(", row.name)?;
        for (i, (arg, &raw)) in row.args.iter().zip(&self.registers).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            (arg.trace)(raw, f)?;
        }
        f.write_str(")")
    }
}

/// What a call returned; displays as `5`, as an address if it is one, or as `-1 ENOENT (No such file or directory)`.
#[derive(Clone, Copy, Debug)]
pub struct Returned(
    /// The raw result, a negative error number on failure.
    pub isize,
);

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match from_raw(self.0) {
            Ok(value) if value >= 0x1_0000 => write!(f, "{value:#x}"),
            Ok(value) => write!(f, "{value}"),
            Err(code) => match Errno::from_code(code) {
                Some(errno) => write!(f, "-1 {errno} ({})", errno.description()),
                None => write!(f, "-1 (errno {code})"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::*;

    fn call(number: usize, registers: [usize; 6]) -> String {
        Call { number, registers }.to_string()
    }

    #[test]
    fn calls_read_like_strace() {
        assert_eq!(call(SYS_read, [3, 0x1000, 5, 9, 9, 9]), "read(3, 0x1000, 5)");
        assert_eq!(call(SYS_sched_yield, [1; 6]), "sched_yield()");
        assert_eq!(
            call(SYS_mmap, [0, 4096, 3, 0x22, usize::MAX, 0]),
            "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)"
        );
        assert_eq!(
            call(SYS_openat, [-100isize as usize, 0x2000, 0o2_100_000, 0, 0, 0]),
            "openat(AT_FDCWD, 0x2000, O_RDONLY|O_LARGEFILE|O_CLOEXEC, 00)"
        );
        assert_eq!(
            call(SYS_futex, [0x1000, 128, 2, 0, 0, 0]),
            "futex(0x1000, FUTEX_WAIT|FUTEX_PRIVATE_FLAG, 2, NULL, NULL, 0)"
        );
        assert_eq!(call(SYS_kill, [1, 0, 0, 0, 0, 0]), "kill(1, 0)");
        assert_eq!(call(SYS_epoll_ctl, [4, 3, 5, 0x10, 0, 0]), "epoll_ctl(4, EPOLL_CTL_MOD, 5, 0x10)");
        assert_eq!(call(SYS_io_submit, [1; 6]), "io_submit()");
        assert!(call(400, [0; 6]).starts_with("syscall_400("));
    }

    #[test]
    fn results_show_errors_by_name() {
        assert_eq!(Returned(5).to_string(), "5");
        assert_eq!(Returned(0x7f00_0000_0000).to_string(), "0x7f0000000000");
        assert_eq!(Returned(-2).to_string(), "-1 ENOENT (No such file or directory)");
        assert_eq!(Returned(-600).to_string(), "-1 (errno 600)");
    }
}
