//! Files and file systems.

use super::Timespec;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// `struct stat`, stat(2); x86_64 layout of the kernel's `asm/stat.h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stat {
    /// Device of the file system.
    pub st_dev: u64,
    /// Inode number.
    pub st_ino: u64,
    /// Number of hard links.
    pub st_nlink: u64,
    /// Type (`S_IFMT`) and permissions.
    pub st_mode: u32,
    /// Owner.
    pub st_uid: u32,
    /// Group.
    pub st_gid: u32,
    /// Padding.
    pub __pad0: u32,
    /// Device number of a device file.
    pub st_rdev: u64,
    /// Size in bytes.
    pub st_size: i64,
    /// Preferred size of transfers in bytes.
    pub st_blksize: i64,
    /// Space taken, in units of 512 bytes.
    pub st_blocks: i64,
    /// Last access.
    pub st_atim: Timespec,
    /// Last change of content.
    pub st_mtim: Timespec,
    /// Last change of status.
    pub st_ctim: Timespec,
    /// Reserved.
    pub __unused: [i64; 3],
}

/// `struct statx_timestamp`, statx(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StatxTimestamp {
    /// Whole seconds.
    pub tv_sec: i64,
    /// Nanoseconds.
    pub tv_nsec: u32,
    /// Padding.
    pub __reserved: i32,
}

/// `struct statx`, statx(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statx {
    /// Fields that are filled in, `StatxMask`.
    pub stx_mask: u32,
    /// Preferred size of transfers in bytes.
    pub stx_blksize: u32,
    /// Attributes of the file.
    pub stx_attributes: u64,
    /// Number of hard links.
    pub stx_nlink: u32,
    /// Owner.
    pub stx_uid: u32,
    /// Group.
    pub stx_gid: u32,
    /// Type (`S_IFMT`) and permissions.
    pub stx_mode: u16,
    /// Padding.
    pub __spare0: u16,
    /// Inode number.
    pub stx_ino: u64,
    /// Size in bytes.
    pub stx_size: u64,
    /// Space taken, in units of 512 bytes.
    pub stx_blocks: u64,
    /// Attributes the file system knows.
    pub stx_attributes_mask: u64,
    /// Last access.
    pub stx_atime: StatxTimestamp,
    /// Creation.
    pub stx_btime: StatxTimestamp,
    /// Last change of status.
    pub stx_ctime: StatxTimestamp,
    /// Last change of content.
    pub stx_mtime: StatxTimestamp,
    /// Major number of a device file.
    pub stx_rdev_major: u32,
    /// Minor number of a device file.
    pub stx_rdev_minor: u32,
    /// Major number of the file system's device.
    pub stx_dev_major: u32,
    /// Minor number of the file system's device.
    pub stx_dev_minor: u32,
    /// Mount number.
    pub stx_mnt_id: u64,
    /// Memory alignment of direct I/O in bytes.
    pub stx_dio_mem_align: u32,
    /// Offset alignment of direct I/O in bytes.
    pub stx_dio_offset_align: u32,
    /// Reserved.
    pub __spare3: [u64; 12],
}

/// `struct statfs`, statfs(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statfs {
    /// Kind of file system, e.g. `TMPFS_MAGIC`.
    pub f_type: i64,
    /// Size of a block in bytes.
    pub f_bsize: i64,
    /// Number of blocks.
    pub f_blocks: u64,
    /// Free blocks.
    pub f_bfree: u64,
    /// Free blocks for unprivileged users.
    pub f_bavail: u64,
    /// Number of inodes.
    pub f_files: u64,
    /// Free inodes.
    pub f_ffree: u64,
    /// File system id.
    pub f_fsid: [i32; 2],
    /// Longest file name in bytes.
    pub f_namelen: i64,
    /// Size of a fragment in bytes.
    pub f_frsize: i64,
    /// Mount flags.
    pub f_flags: i64,
    /// Reserved.
    pub f_spare: [i64; 4],
}

/// The fixed head of `struct linux_dirent64`, getdents64(2): the name follows at once, ended by a NUL; `d_reclen` counts
/// both and rounds up to 8 bytes. Packed so that its size is the offset of the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed)]
pub struct Dirent64 {
    /// Inode number.
    pub d_ino: u64,
    /// Offset to seek to for the next entry.
    pub d_off: i64,
    /// Length of this record in bytes.
    pub d_reclen: u16,
    /// Type of file, `DT_*`.
    pub d_type: u8,
}

/// `struct flock`, fcntl(2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Flock {
    /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
    pub l_type: i16,
    /// `SEEK_SET`, `SEEK_CUR` or `SEEK_END`.
    pub l_whence: i16,
    /// Padding.
    pub __pad0: i32,
    /// First byte.
    pub l_start: i64,
    /// Number of bytes; 0 means to the end.
    pub l_len: i64,
    /// Process that holds the lock.
    pub l_pid: i32,
    /// Padding.
    pub __pad1: i32,
}
