//! Numbers of open(2), stat(2) and their relatives as the file layer reads them.

pub use crate::file::{O_ACCMODE, O_APPEND, O_NONBLOCK, O_RDWR, O_WRONLY};

/// Create the file if it is missing.
pub const O_CREAT: u32 = 0o100;
/// With [`O_CREAT`]: the file must be new.
pub const O_EXCL: u32 = 0o200;
/// Make a regular file empty.
pub const O_TRUNC: u32 = 0o1000;
/// Only a directory will do.
pub const O_DIRECTORY: u32 = 0o200_000;
/// The last component must not be a symbolic link.
pub const O_NOFOLLOW: u32 = 0o400_000;
/// Close on exec; a property of the descriptor, not of the description.
pub const O_CLOEXEC: u32 = 0o2_000_000;
/// Only a handle to the place: no reading, no writing.
pub const O_PATH: u32 = 0o10_000_000;
/// An unnamed file in a directory; includes the bit of [`O_DIRECTORY`].
pub const O_TMPFILE: u32 = 0o20_200_000;

/// Mask of the file type in `st_mode`.
pub const S_IFMT: u32 = 0o170_000;
/// Socket.
pub const S_IFSOCK: u32 = 0o140_000;
/// Symbolic link.
pub const S_IFLNK: u32 = 0o120_000;
/// Regular file.
pub const S_IFREG: u32 = 0o100_000;
/// Block device.
pub const S_IFBLK: u32 = 0o060_000;
/// Directory.
pub const S_IFDIR: u32 = 0o040_000;
/// Character device.
pub const S_IFCHR: u32 = 0o020_000;
/// Pipe.
pub const S_IFIFO: u32 = 0o010_000;
/// Permission bits with set-id and sticky.
pub const PERMISSIONS: u32 = 0o7777;

/// Longest file name, in bytes.
pub const NAME_MAX: usize = 255;
/// Longest path including its NUL, in bytes.
pub const PATH_MAX: usize = 4096;
/// Symbolic links followed in one walk (path_resolution(7)).
pub const MAX_LINKS: usize = 40;

/// access(2): may execute.
pub const X_OK: u32 = 1;
/// access(2): may write.
pub const W_OK: u32 = 2;
/// access(2): may read.
pub const R_OK: u32 = 4;

/// renameat2(2): do not replace an existing file.
pub const RENAME_NOREPLACE: u32 = 1;
