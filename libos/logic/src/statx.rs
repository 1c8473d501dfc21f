//! statx(2) in terms of stat(2).

use trapless_abi::flags::StatxMask;
use trapless_abi::structs::{Stat, Statx, StatxTimestamp, Timespec};

/// The fields that stat(2) knows, in the layout of statx(2).
pub fn from_stat(stat: &Stat) -> Statx {
    let (stx_dev_major, stx_dev_minor) = split_device(stat.st_dev);
    let (stx_rdev_major, stx_rdev_minor) = split_device(stat.st_rdev);
    Statx {
        stx_mask: StatxMask::STATX_BASIC_STATS.bits(),
        stx_blksize: stat.st_blksize as u32,
        stx_nlink: stat.st_nlink as u32,
        stx_uid: stat.st_uid,
        stx_gid: stat.st_gid,
        stx_mode: stat.st_mode as u16,
        stx_ino: stat.st_ino,
        stx_size: stat.st_size as u64,
        stx_blocks: stat.st_blocks as u64,
        stx_atime: timestamp(stat.st_atim),
        stx_ctime: timestamp(stat.st_ctim),
        stx_mtime: timestamp(stat.st_mtim),
        stx_rdev_major,
        stx_rdev_minor,
        stx_dev_major,
        stx_dev_minor,
        ..Statx::default()
    }
}

fn timestamp(time: Timespec) -> StatxTimestamp {
    StatxTimestamp { tv_sec: time.tv_sec, tv_nsec: time.tv_nsec as u32, __reserved: 0 }
}

/// Major and minor number of a device number as stat(2) gives it: 12 and 20 bits, interleaved (makedev(3)).
const fn split_device(dev: u64) -> (u32, u32) {
    let major = dev >> 8 & 0xfff | dev >> 32 & 0xffff_f000;
    let minor = dev & 0xff | dev >> 12 & 0xffff_ff00;
    (major as u32, minor as u32)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn device_numbers_split_as_in_makedev() {
        assert_eq!(split_device(0x0501), (5, 1), "/dev/console");
        assert_eq!(split_device(0x1234_5678_9abc_def0), (0x1234_5cde, 0x6789_abf0));
    }

    #[test]
    fn fields_keep_their_values() {
        let stat = Stat {
            st_mode: 0o100_644,
            st_size: 5,
            st_blocks: 8,
            st_mtim: Timespec { tv_sec: -1, tv_nsec: 999_999_999 },
            ..Stat::default()
        };
        let statx = from_stat(&stat);
        assert_eq!((statx.stx_mode, statx.stx_size, statx.stx_blocks), (0o100_644, 5, 8));
        assert_eq!((statx.stx_mtime.tv_sec, statx.stx_mtime.tv_nsec), (-1, 999_999_999));
    }
}
