//! Files and file systems.

use super::{choices, consts, flags};
use crate::SysResult;
use crate::args::{Arg, Trace};
use core::fmt;

flags! {
    /// How to open a file, open(2). Linux ignores bits it does not know.
    lenient OpenFlags: u32, "O_RDONLY" for 3 {
        O_WRONLY = 0o1, "Write only.";
        O_RDWR = 0o2, "Read and write.";
        O_CREAT = 0o100, "Create the file if it does not exist.";
        O_EXCL = 0o200, "With `O_CREAT`: fail if it exists.";
        O_NOCTTY = 0o400, "Do not make it the controlling terminal.";
        O_TRUNC = 0o1000, "Cut it to no bytes.";
        O_APPEND = 0o2000, "Write at the end.";
        O_NONBLOCK = 0o4000, "Return EAGAIN rather than wait.";
        O_SYNC = 0o4_010_000, "Write through, data and metadata.";
        O_DSYNC = 0o10_000, "Write data through.";
        O_ASYNC = 0o20_000, "Send SIGIO.";
        O_DIRECT = 0o40_000, "Bypass caches.";
        O_LARGEFILE = 0o100_000, "Without effect on x86_64; the C library sets it.";
        O_TMPFILE = 0o20_200_000, "Make an unnamed file.";
        O_DIRECTORY = 0o200_000, "Fail unless it is a directory.";
        O_NOFOLLOW = 0o400_000, "Fail if it is a symbolic link.";
        O_NOATIME = 0o1_000_000, "Do not change the access time.";
        O_CLOEXEC = 0o2_000_000, "Close on execve(2).";
        O_PATH = 0o10_000_000, "Only a name for the file, no access.";
    }
}

impl OpenFlags {
    /// The two bits of the access mode; `O_RDONLY` is 0.
    pub const O_ACCMODE: u32 = 0o3;

    /// Whether the file may be read.
    pub const fn readable(self) -> bool {
        matches!(self.bits() & Self::O_ACCMODE, 0 | 2) && !self.contains(Self::O_PATH)
    }

    /// Whether the file may be written.
    pub const fn writable(self) -> bool {
        matches!(self.bits() & Self::O_ACCMODE, 1 | 2) && !self.contains(Self::O_PATH)
    }
}

flags! {
    /// Flags of the `*at` calls, openat(2).
    strict AtFlags: u32 {
        AT_SYMLINK_NOFOLLOW = 0x100, "Do not follow a symbolic link.";
        AT_EACCESS = 0x200, "faccessat: with the effective ids. unlinkat: `AT_REMOVEDIR`.";
        AT_SYMLINK_FOLLOW = 0x400, "linkat: follow a symbolic link.";
        AT_NO_AUTOMOUNT = 0x800, "Do not trigger an automount.";
        AT_EMPTY_PATH = 0x1000, "An empty path means the descriptor itself.";
        AT_STATX_FORCE_SYNC = 0x2000, "statx: ask the server.";
        AT_STATX_DONT_SYNC = 0x4000, "statx: do not ask the server.";
    }
}

impl AtFlags {
    /// unlinkat(2): remove a directory. The same bit as `AT_EACCESS`.
    pub const AT_REMOVEDIR: Self = Self::AT_EACCESS;
}

flags! {
    /// What access(2) asks for; no bit (`F_OK`) asks whether the file exists.
    strict AccessMode: u32, "F_OK" for 7 {
        X_OK = 1, "Execute.";
        W_OK = 2, "Write.";
        R_OK = 4, "Read.";
    }
}

flags! {
    /// Flags of renameat2, rename(2).
    strict RenameFlags: u32 {
        RENAME_NOREPLACE = 1, "Fail if the new name exists.";
        RENAME_EXCHANGE = 2, "Swap the two.";
        RENAME_WHITEOUT = 4, "Leave a whiteout behind.";
    }
}

flags! {
    /// Fields asked for in statx(2). Linux ignores those it does not know.
    lenient StatxMask: u32 {
        STATX_TYPE = 0x1, "Type.";
        STATX_MODE = 0x2, "Permissions.";
        STATX_NLINK = 0x4, "Number of links.";
        STATX_UID = 0x8, "Owner.";
        STATX_GID = 0x10, "Group.";
        STATX_ATIME = 0x20, "Last access.";
        STATX_MTIME = 0x40, "Last change of content.";
        STATX_CTIME = 0x80, "Last change of status.";
        STATX_INO = 0x100, "Inode number.";
        STATX_SIZE = 0x200, "Size.";
        STATX_BLOCKS = 0x400, "Space taken.";
        STATX_BTIME = 0x800, "Creation.";
        STATX_MNT_ID = 0x1000, "Mount number.";
    }
}

impl StatxMask {
    /// Everything stat(2) gives.
    pub const STATX_BASIC_STATS: Self = Self::from_bits_truncate(0x7ff);
}

choices! {
    /// Where an offset counts from, lseek(2).
    Whence: i32, else EINVAL {
        SEEK_SET = 0, "The start.";
        SEEK_CUR = 1, "The current offset.";
        SEEK_END = 2, "The end.";
        SEEK_DATA = 3, "The next data at or after the offset.";
        SEEK_HOLE = 4, "The next hole at or after the offset.";
    }
}

flags! {
    /// What flock(2) does.
    strict FlockOp: u32 {
        LOCK_SH = 1, "Take a shared lock.";
        LOCK_EX = 2, "Take an exclusive lock.";
        LOCK_NB = 4, "Return EAGAIN rather than wait.";
        LOCK_UN = 8, "Release.";
    }
}

consts! { u32 {
    S_IFMT = 0o170_000, "The type bits of a mode, inode(7).";
    S_IFSOCK = 0o140_000, "Socket.";
    S_IFLNK = 0o120_000, "Symbolic link.";
    S_IFREG = 0o100_000, "Regular file.";
    S_IFBLK = 0o060_000, "Block device.";
    S_IFDIR = 0o040_000, "Directory.";
    S_IFCHR = 0o020_000, "Character device.";
    S_IFIFO = 0o010_000, "Pipe.";
} }

consts! { u8 {
    DT_UNKNOWN = 0, "Type of a directory entry: not known, getdents64(2).";
    DT_FIFO = 1, "Pipe.";
    DT_CHR = 2, "Character device.";
    DT_DIR = 4, "Directory.";
    DT_BLK = 6, "Block device.";
    DT_REG = 8, "Regular file.";
    DT_LNK = 10, "Symbolic link.";
    DT_SOCK = 12, "Socket.";
} }

consts! { usize {
    PATH_MAX = 4096, "Longest path in bytes, the NUL included.";
    NAME_MAX = 255, "Longest file name in bytes.";
} }

consts! { i64 {
    TMPFS_MAGIC = 0x0102_1994, "`f_type` of a file system in memory, statfs(2).";
    PROC_SUPER_MAGIC = 0x9fa0, "`f_type` of /proc.";
    SYSFS_MAGIC = 0x6265_6572, "`f_type` of /sys.";
} }

/// Permissions (and, in mknod, the type) of a file, inode(7): 16 bits, as Linux cuts them. Traced in octal, as C writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode(
    /// The bits.
    pub u16,
);

impl Arg for Mode {
    fn decode(raw: usize) -> SysResult<Self> {
        Ok(Self(raw as u16))
    }
}

impl Trace for Mode {
    fn trace(raw: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0{:o}", raw as u16)
    }
}
