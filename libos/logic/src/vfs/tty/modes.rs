//! Bits and indices of termios(3) beyond those `trapless_abi` names.

pub use trapless_abi::flags::termios::{
    B38400, CREAD, CS8, ECHO, ECHOCTL, ECHOE, ECHOK, ECHOKE, ICANON, ICRNL, IEXTEN, ISIG, IXON, ONLCR, OPOST, VEOF,
    VERASE, VINTR, VKILL, VMIN, VQUIT, VTIME,
};
use trapless_abi::structs::Termios;

/// `c_iflag`: cut to 7 bits.
pub const ISTRIP: u32 = 0o40;
/// `c_iflag`: turn NL into CR.
pub const INLCR: u32 = 0o100;
/// `c_iflag`: drop CR.
pub const IGNCR: u32 = 0o200;
/// `c_iflag`: any character lets held output go on, not VSTART alone.
pub const IXANY: u32 = 0o4000;
/// `c_iflag`: characters are UTF-8, so that erasing takes whole ones.
pub const IUTF8: u32 = 0o40_000;
/// `c_oflag`: turn CR into NL.
pub const OCRNL: u32 = 0o10;
/// `c_lflag`: echo NL even without ECHO.
pub const ECHONL: u32 = 0o100;
/// `c_lflag`: keep input when a signal is sent.
pub const NOFLSH: u32 = 0o200;
/// Index in `c_cc`: lets output go on.
pub const VSTART: usize = 8;
/// Index in `c_cc`: holds output.
pub const VSTOP: usize = 9;
/// Index in `c_cc`: sends SIGTSTP.
pub const VSUSP: usize = 10;
/// Index in `c_cc`: one more end of line.
pub const VEOL: usize = 11;
/// Index in `c_cc`: shows the line again.
pub const VREPRINT: usize = 12;
/// Index in `c_cc`: erases a word.
pub const VWERASE: usize = 14;
/// Index in `c_cc`: takes the next character as it is.
pub const VLNEXT: usize = 15;
/// Index in `c_cc`: yet one more end of line.
pub const VEOL2: usize = 16;

/// The modes of a new terminal: lines, echo, signals, as Linux has them, but for the erase of whole UTF-8 characters, which is on.
pub fn initial() -> Termios {
    let mut c_cc = [0; 19];
    for (index, value) in [
        (VINTR, 3),
        (VQUIT, 28),
        (VERASE, 127),
        (VKILL, 21),
        (VEOF, 4),
        (VMIN, 1),
        (VSTART, 17),
        (VSTOP, 19),
        (VSUSP, 26),
        (VREPRINT, 18),
        (VWERASE, 23),
        (VLNEXT, 22),
    ] {
        c_cc[index] = value;
    }
    Termios {
        c_iflag: ICRNL | IXON | IUTF8,
        c_oflag: OPOST | ONLCR,
        c_cflag: B38400 | CS8 | CREAD,
        c_lflag: ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
        c_line: 0,
        c_cc,
    }
}
