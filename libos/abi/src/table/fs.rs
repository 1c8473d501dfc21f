//! Files by name, their attributes and directories.

/// Adds the rows of this area, and passes on to the next.
#[doc(hidden)]
#[macro_export]
macro_rules! __fs_rows {
    ([$($view:tt)*] $($rows:tt)*) => {
        $crate::__io_rows! {
            [$($view)*] $($rows)*
            2 open fs::open(path: Path, flags: OpenFlags, mode: Mode) full;
            4 stat fs::stat(path: Path, statbuf: Out<Stat>) full;
            5 fstat fs::fstat(fd: Fd, statbuf: Out<Stat>) full;
            6 lstat fs::lstat(path: Path, statbuf: Out<Stat>) full;
            21 access fs::access(path: Path, mode: AccessMode) full;
            73 flock fs::flock(fd: Fd, operation: FlockOp) stub "there is one process, so no lock is ever in the way";
            74 fsync fs::fsync(fd: Fd) stub "files live in memory: there is nothing to write back";
            75 fdatasync fs::fdatasync(fd: Fd) stub "files live in memory: there is nothing to write back";
            76 truncate fs::truncate(path: Path, length: Offset) full;
            77 ftruncate fs::ftruncate(fd: Fd, length: Offset) full;
            78 getdents fs::getdents(fd: Fd, dirp: Out<u8>, count: Len) absent "the C library calls getdents64";
            79 getcwd fs::getcwd(buf: Out<u8>, size: Len) full;
            80 chdir fs::chdir(path: Path) full;
            81 fchdir fs::fchdir(fd: Fd) full;
            82 rename fs::rename(oldpath: Path, newpath: Path) full;
            83 mkdir fs::mkdir(path: Path, mode: Mode) full;
            84 rmdir fs::rmdir(path: Path) full;
            85 creat fs::creat(path: Path, mode: Mode) full;
            86 link fs::link(oldpath: Path, newpath: Path) full;
            87 unlink fs::unlink(path: Path) full;
            88 symlink fs::symlink(target: Path, linkpath: Path) full;
            89 readlink fs::readlink(path: Path, buf: Out<u8>, bufsiz: Len) full;
            90 chmod fs::chmod(path: Path, mode: Mode) full;
            91 fchmod fs::fchmod(fd: Fd, mode: Mode) partial "of files with a name: EPERM for pipes and sockets";
            92 chown fs::chown(path: Path, owner: Uid, group: Gid) full;
            93 fchown fs::fchown(fd: Fd, owner: Uid, group: Gid)
                partial "of files with a name: EPERM for pipes and sockets";
            94 lchown fs::lchown(path: Path, owner: Uid, group: Gid) full;
            95 umask fs::umask(mask: Mode) full;
            132 utime fs::utime(path: Path, times: In<[i64; 2]>) absent "the C library calls utimensat";
            133 mknod fs::mknod(path: Path, mode: Mode, dev: Usize)
                absent "devices are made at boot, and nothing opens a named pipe";
            137 statfs fs::statfs(path: Path, buf: Out<Statfs>) full;
            138 fstatfs fs::fstatfs(fd: Fd, buf: Out<Statfs>) full;
            161 chroot fs::chroot(path: Path) absent "one program, one tree of files";
            162 sync fs::sync() stub "files live in memory: there is nothing to write back";
            165 mount fs::mount(source: Path, target: Path, fstype: Path, flags: Usize, data: UserPtr)
                absent "what is mounted is fixed at boot";
            166 umount2 fs::umount2(target: Path, flags: U32) absent "what is mounted is fixed at boot";
            217 getdents64 fs::getdents64(fd: Fd, dirp: Out<u8>, count: Len) full;
            221 fadvise64 fs::fadvise64(fd: Fd, offset: Offset, len: Offset, advice: I32)
                stub "files live in memory: no advice makes them faster";
            235 utimes fs::utimes(path: Path, times: In<Timeval>) absent "the C library calls utimensat";
            257 openat fs::openat(dirfd: DirFd, path: Path, flags: OpenFlags, mode: Mode) full;
            258 mkdirat fs::mkdirat(dirfd: DirFd, path: Path, mode: Mode) full;
            259 mknodat fs::mknodat(dirfd: DirFd, path: Path, mode: Mode, dev: Usize)
                absent "devices are made at boot, and nothing opens a named pipe";
            260 fchownat fs::fchownat(dirfd: DirFd, path: Path, owner: Uid, group: Gid, flags: AtFlags) full;
            261 futimesat fs::futimesat(dirfd: DirFd, path: Path, times: In<Timeval>)
                absent "the C library calls utimensat";
            262 newfstatat fs::newfstatat(dirfd: DirFd, path: Path, statbuf: Out<Stat>, flags: AtFlags) full;
            263 unlinkat fs::unlinkat(dirfd: DirFd, path: Path, flags: AtFlags) full;
            264 renameat fs::renameat(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path) full;
            265 linkat fs::linkat(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path, flags: AtFlags)
                partial "no AT_EMPTY_PATH";
            266 symlinkat fs::symlinkat(target: Path, newdirfd: DirFd, linkpath: Path) full;
            267 readlinkat fs::readlinkat(dirfd: DirFd, path: Path, buf: Out<u8>, bufsiz: Len) full;
            268 fchmodat fs::fchmodat(dirfd: DirFd, path: Path, mode: Mode) full;
            269 faccessat fs::faccessat(dirfd: DirFd, path: Path, mode: AccessMode) full;
            280 utimensat fs::utimensat(dirfd: DirFd, path: Path, times: In<[Timespec; 2]>, flags: AtFlags) full;
            285 fallocate fs::fallocate(fd: Fd, mode: U32, offset: Offset, len: Offset)
                partial "mode 0 only: no holes, no collapsing; makes the file longer and reserves no memory";
            306 syncfs fs::syncfs(fd: Fd) stub "files live in memory: there is nothing to write back";
            316 renameat2 fs::renameat2(olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path,
                flags: RenameFlags)
                partial "RENAME_NOREPLACE only";
            332 statx fs::statx(dirfd: DirFd, path: Path, flags: AtFlags, mask: StatxMask, statxbuf: Out<Statx>)
                partial "gives the fields of stat(2), no creation time and no attributes";
            439 faccessat2 fs::faccessat2(dirfd: DirFd, path: Path, mode: AccessMode, flags: AtFlags)
                partial "no AT_EMPTY_PATH";
            452 fchmodat2 fs::fchmodat2(dirfd: DirFd, path: Path, mode: Mode, flags: AtFlags) full;
        }
    };
}
