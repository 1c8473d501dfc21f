//! Reading, writing and managing descriptors, and descriptors that stand for events.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __io_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__poll_rows! {
            [$($view)*] $($rows)*
            0 read io::read(fd: Fd, buf: Out<u8>, count: Len) full;
            1 write io::write(fd: Fd, buf: In<u8>, count: Len) full;
            3 close io::close(fd: Fd) full;
            8 lseek io::lseek(fd: Fd, offset: Offset, whence: Whence) full;
            16 ioctl io::ioctl(fd: Fd, request: IoctlRequest, argp: UserPtr)
                partial "requests of terminals and interfaces, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX";
            17 pread64 io::pread64(fd: Fd, buf: Out<u8>, count: Len, offset: Offset) full;
            18 pwrite64 io::pwrite64(fd: Fd, buf: In<u8>, count: Len, offset: Offset) full;
            19 readv io::readv(fd: Fd, iov: In<Iovec>, iovcnt: Len) full;
            20 writev io::writev(fd: Fd, iov: In<Iovec>, iovcnt: Len) full;
            22 pipe io::pipe(pipefd: Out<[i32; 2]>) full;
            32 dup io::dup(oldfd: Fd) full;
            33 dup2 io::dup2(oldfd: Fd, newfd: Fd) full;
            40 sendfile io::sendfile(out_fd: Fd, in_fd: Fd, offset: InOut<i64>, count: Len) full;
            72 fcntl io::fcntl(fd: Fd, cmd: FcntlCmd, arg: Usize)
                partial "no owners, no pipe sizes, no seals; record locks always succeed, for there is one process";
            275 splice io::splice(fd_in: Fd, off_in: InOut<i64>, fd_out: Fd, off_out: InOut<i64>, len: Len, flags: U32)
                absent "callers fall back to read and write";
            276 tee io::tee(fd_in: Fd, fd_out: Fd, len: Len, flags: U32) absent "callers fall back to read and write";
            278 vmsplice io::vmsplice(fd: Fd, iov: In<Iovec>, nr_segs: Len, flags: U32)
                absent "callers fall back to writev";
            282 signalfd io::signalfd(fd: Fd, mask: In<Sigset>, size: SigsetSize)
                absent "ERTS takes signals by handlers";
            283 timerfd_create io::timerfd_create(clockid: ClockId, flags: TimerfdFlags) full;
            284 eventfd io::eventfd(initval: U32) full;
            286 timerfd_settime io::timerfd_settime(fd: Fd, flags: TimerfdSetFlags, new_value: In<Itimerspec>,
                old_value: Out<Itimerspec>)
                full;
            287 timerfd_gettime io::timerfd_gettime(fd: Fd, curr_value: Out<Itimerspec>) full;
            289 signalfd4 io::signalfd4(fd: Fd, mask: In<Sigset>, size: SigsetSize, flags: U32)
                absent "ERTS takes signals by handlers";
            290 eventfd2 io::eventfd2(initval: U32, flags: EventfdFlags) full;
            292 dup3 io::dup3(oldfd: Fd, newfd: Fd, flags: Dup3Flags) full;
            293 pipe2 io::pipe2(pipefd: Out<[i32; 2]>, flags: PipeFlags) partial "no O_DIRECT";
            295 preadv io::preadv(fd: Fd, iov: In<Iovec>, iovcnt: Len, pos: Offset, pos_h: Usize) full;
            296 pwritev io::pwritev(fd: Fd, iov: In<Iovec>, iovcnt: Len, pos: Offset, pos_h: Usize) full;
            319 memfd_create io::memfd_create(name: Path, flags: MemfdFlags) absent "no shared writable mappings of files; ERTS maps its JIT code once";
            326 copy_file_range io::copy_file_range(fd_in: Fd, off_in: InOut<i64>, fd_out: Fd, off_out: InOut<i64>,
                len: Len, flags: U32)
                absent "callers fall back to read and write";
            327 preadv2 io::preadv2(fd: Fd, iov: In<Iovec>, iovcnt: Len, pos: Offset, pos_h: Usize, flags: U32)
                absent "the C library calls preadv when there are no flags";
            328 pwritev2 io::pwritev2(fd: Fd, iov: In<Iovec>, iovcnt: Len, pos: Offset, pos_h: Usize, flags: U32)
                absent "the C library calls pwritev when there are no flags";
            425 io_uring_setup io::io_uring_setup(entries: U32, params: UserPtr) absent "ERTS does its I/O by epoll";
            436 close_range io::close_range(first: U32, last: U32, flags: CloseRangeFlags) full;
        }
    };
}
