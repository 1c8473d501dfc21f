//! The process, its ids and limits.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __process_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__system_rows! {
            [$($view)*] $($rows)*
            39 getpid process::getpid() full;
            57 fork process::fork()
                partial "answered once, for ERTS's forker, whose protocol the libos speaks; else ENOSYS";
            58 vfork process::vfork()
                partial "as fork";
            59 execve process::execve(path: Path, argv: In<usize>, envp: In<usize>)
                absent "there is one program: ports are answered by the forker service";
            61 wait4 process::wait4(pid: Pid, wstatus: Out<i32>, options: WaitOptions, rusage: Out<Rusage>)
                stub "there are no children: ECHILD";
            63 uname process::uname(buf: Out<Utsname>) full;
            97 getrlimit process::getrlimit(resource: Resource, rlim: Out<Rlimit>) full;
            98 getrusage process::getrusage(who: RusageWho, usage: Out<Rusage>)
                partial "processor time of living threads, all of it as user time, and present size; the rest is 0";
            101 ptrace process::ptrace(request: I64, pid: Pid, addr: UserPtr, data: UserPtr)
                absent "debug from outside, by the gdb stub of the machine";
            102 getuid process::getuid() full;
            104 getgid process::getgid() full;
            105 setuid process::setuid(uid: Uid) partial "there is one user, 0: any other id is EPERM";
            106 setgid process::setgid(gid: Gid) partial "there is one user, 0: any other id is EPERM";
            107 geteuid process::geteuid() full;
            108 getegid process::getegid() full;
            109 setpgid process::setpgid(pid: Pid, pgid: Pid)
                partial "one process, one group: only the present group can be set, else EPERM";
            110 getppid process::getppid() full;
            111 getpgrp process::getpgrp() full;
            112 setsid process::setsid() stub "the process leads its session from the start: EPERM";
            113 setreuid process::setreuid(ruid: Uid, euid: Uid) partial "there is one user, 0: any other id is EPERM";
            114 setregid process::setregid(rgid: Gid, egid: Gid) partial "there is one user, 0: any other id is EPERM";
            115 getgroups process::getgroups(size: I32, list: Out<u32>) full;
            116 setgroups process::setgroups(size: Len, list: In<u32>)
                absent "there is one user, with no further groups";
            117 setresuid process::setresuid(ruid: Uid, euid: Uid, suid: Uid)
                partial "there is one user, 0: any other id is EPERM";
            118 getresuid process::getresuid(ruid: Out<u32>, euid: Out<u32>, suid: Out<u32>) full;
            119 setresgid process::setresgid(rgid: Gid, egid: Gid, sgid: Gid)
                partial "there is one user, 0: any other id is EPERM";
            120 getresgid process::getresgid(rgid: Out<u32>, egid: Out<u32>, sgid: Out<u32>) full;
            121 getpgid process::getpgid(pid: Pid) full;
            124 getsid process::getsid(pid: Pid) full;
            160 setrlimit process::setrlimit(resource: Resource, rlim: In<Rlimit>)
                partial "limits are kept, only RLIMIT_NOFILE is enforced";
            247 waitid process::waitid(idtype: I32, id: Pid, infop: Out<Siginfo>, options: U32, rusage: Out<Rusage>)
                stub "there are no children: ECHILD";
            302 prlimit64 process::prlimit64(pid: Pid, resource: Resource, new_limit: In<Rlimit>,
                old_limit: Out<Rlimit>)
                partial "limits are kept, only RLIMIT_NOFILE is enforced";
            317 seccomp process::seccomp(operation: U32, flags: U32, args: UserPtr)
                absent "the program and the libOS trust each other";
            322 execveat process::execveat(dirfd: DirFd, path: Path, argv: In<usize>, envp: In<usize>, flags: AtFlags)
                absent "there is one program: ports are answered by the forker service";
            434 pidfd_open process::pidfd_open(pid: Pid, flags: U32) absent "there is one process";
        }
    };
}
