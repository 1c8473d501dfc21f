//! What is measured, in the order and the words of the report.

/// An operation of the C program.
pub struct Operation {
    pub name: &'static str,
    /// CPUs of the machine it is measured on.
    pub cpus: u32,
    pub title: &'static str,
}

const fn one(name: &'static str, title: &'static str) -> Operation {
    Operation { name, cpus: 1, title }
}

/// The loop around each operation, which is in all numbers.
pub const LOOP: &str = "empty_loop";
/// What enters no system.
pub const FLOOR: &str = "function_call";
/// The call that does nothing else.
pub const NULL: &str = "getppid";

/// Those of the C program.
pub const MICRO: [Operation; 17] = [
    one(LOOP, "empty loop"),
    one(FLOOR, "C function in another object"),
    one(NULL, "getppid: the null call"),
    one("clock_gettime", "clock_gettime, as libc does it"),
    one("clock_gettime_call", "clock_gettime by syscall(2)"),
    one("read_zero", "read 1 byte, /dev/zero"),
    one("write_null", "write 1 byte, /dev/null"),
    one("pipe_ping", "pipe, 1 byte in and out (2 calls)"),
    one("futex_wake", "futex wake, nobody waits"),
    one("epoll_wait_1", "epoll_wait(0), 1 descriptor"),
    one("epoll_wait_100", "epoll_wait(0), 100"),
    one("epoll_wait_10000", "epoll_wait(0), 10,000"),
    one("mmap_4k", "mmap, touch, munmap 4 KiB"),
    one("mmap_2m", "mmap, touch each page, munmap 2 MiB"),
    one("futex_ping_pong", "futex ping-pong, 1 CPU"),
    Operation { name: "futex_ping_pong", cpus: 2, title: "futex ping-pong, 2 CPUs" },
    one("socket_echo", "TCP echo over loopback (4 calls)"),
];

/// Those of the Erlang program and of clients on the host, as name and title.
pub const ERLANG: [(&str, &str); 13] = [
    ("os_timestamp", "os:timestamp/0"),
    ("monotonic_time", "erlang:monotonic_time/0"),
    ("file_read_1", "file:read, 1 byte"),
    ("file_read_64k", "file:read, 64 KiB"),
    ("message_ring", "message to the next process in a ring"),
    ("spawn", "spawn a process, see its end"),
    ("ets", "ets:insert and lookup"),
    ("tcp_loopback", "gen_tcp echo inside, loopback"),
    ("tcp_echo", "gen_tcp echo from the host"),
    ("http_1", "HTTP request, 1 connection"),
    ("http_32", "HTTP request, 32 connections"),
    ("http_128", "HTTP request, 128 connections"),
    ("boot", "start to first line of Erlang"),
];

/// Which operation of the C program measures a system call as Erlang makes it most of the time.
pub fn measured_as(call: &str) -> Option<&'static str> {
    Some(match call {
        "clock_gettime" => "clock_gettime",
        "read" => "read_zero",
        "write" => "write_null",
        "futex" => "futex_wake",
        "epoll_pwait" => "epoll_wait_1",
        _ => return None,
    })
}

/// What a system is, for the report.
pub fn system(name: &str) -> &'static str {
    match name {
        "direct" => "the image: a system call is a function call",
        "trap0" => "the image: the syscall instruction, taken in ring 0",
        "trap" => "the image: Erlang in ring 3, the syscall instruction leads to ring 0",
        "linux" => "a Linux guest in the same QEMU, with the same BEAM objects, C program and files",
        "native" => "the Linux that QEMU runs on, without QEMU: the same programs at the processor's true cost",
        _ => "the image, another way in",
    }
}
