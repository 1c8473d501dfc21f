//! The table against itself and against the kernel's headers.

use super::*;
use crate::Errno;
use std::collections::BTreeMap;

#[test]
fn numbers_are_sorted_and_found() {
    assert!(ROWS.windows(2).all(|pair| pair[0].number < pair[1].number));
    for listed in ROWS {
        assert_eq!(row(listed.number.into()).unwrap().name, listed.name);
    }
    assert_eq!(name(SYS_futex), "futex");
    assert_eq!(name(400), "?");
    assert_eq!(name(NR_MAX), "?");
    assert_eq!(name(usize::MAX), "?");
}

/// INV-TABLE-1: every number of Linux is known by name, 0..=335 and 424..=462 without a gap; ours are the last.
#[test]
fn no_gap_in_the_names() {
    let numbers: Vec<u16> = NAMES.iter().map(|&(number, _)| number).collect();
    assert_eq!(numbers, (0..=335).chain(424..=462).chain(OURS as u16..NR_MAX as u16).collect::<Vec<_>>());
}

/// The kernel's own header, of whatever version this machine has: it may know fewer calls, but no other numbers.
#[test]
fn names_are_those_of_the_kernel() {
    let header = ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"]
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok())
        .expect("the kernel's headers (Debian: linux-libc-dev) are needed to build musl anyway");
    let known: BTreeMap<u16, &str> = NAMES.iter().copied().collect();
    let mut seen = 0;
    for line in header.lines() {
        let Some((name, number)) = line.strip_prefix("#define __NR_").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let number: u16 = number.trim().parse().unwrap();
        if number <= 462 {
            assert_eq!(known.get(&number), Some(&name), "number {number}");
            seen += 1;
        }
    }
    assert!(seen > 300, "only {seen} numbers found in the header");
}

#[test]
fn each_row_stands_in_the_file_of_its_area() {
    for row in ROWS.iter().filter(|row| !row.area.is_empty()) {
        assert_eq!(row.handler, format!("{}::{}", row.area, row.name), "handlers are named as their call");
        assert_eq!(row.level.reason().is_empty(), row.level == Level::Full, "{}", row.name);
    }
}

/// What ERTS calls at boot and while it serves, by trace: none of it may be absent, but for those answered elsewhere.
#[test]
fn what_erts_calls_is_not_absent() {
    let traced = "accept access arch_prctl bind brk clock_getres close dup epoll_create1 epoll_ctl epoll_pwait exit_group \
        fcntl fstat ftruncate futex getcwd getdents64 geteuid getpid getrandom getsockname getsockopt gettid ioctl listen \
        lseek madvise mmap mprotect mremap munmap open pipe ppoll prctl prlimit64 read readlink readv recvfrom \
        rt_sigaction rt_sigprocmask sched_getaffinity sched_yield select sendmsg sendto set_tid_address setsockopt \
        sigaltstack socket socketpair stat timerfd_create timerfd_settime tkill uname write writev";
    for call in traced.split_whitespace() {
        let row = ROWS.iter().find(|row| row.name == call).expect(call);
        assert!(!row.level.is_absent(), "{call} is absent");
    }
}

/// Flags as ERTS passes them decode; flags nobody defines do not.
#[test]
fn registers_are_checked_by_row() {
    let check = |number, registers| row(number).unwrap().check(&registers);
    assert_eq!(check(SYS_mmap, [0, 1 << 30, 0, 0x4022, usize::MAX, 0]), Ok(()));
    assert_eq!(check(SYS_timerfd_create, [1, 0, 0, 0, 0, 0]), Ok(()));
    assert_eq!(check(SYS_timerfd_create, [1, 1, 0, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(check(SYS_clone, [0x7d_0f00, 0, 0, 0, 0, 0]), Ok(()));
    assert_eq!(check(SYS_madvise, [0, 0, 8, 0, 0, 0]), Ok(()));
    assert_eq!(check(SYS_madvise, [0, 0, 77, 0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(check(SYS_rt_sigaction, [9, 0, 0, 128, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(check(SYS_io_setup, [7; 6]), Ok(()), "arguments of calls without a row are not known");
}
