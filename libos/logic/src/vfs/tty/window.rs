//! The size of a terminal's window. A serial line does not tell it, so it is told.

use trapless_abi::structs::Winsize;

/// The window of a terminal nobody told its size: what every terminal has had since the VT100.
pub const DEFAULT: Winsize = window(80, 24);

const fn window(ws_col: u16, ws_row: u16) -> Winsize {
    Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Reads a size spelled `COLUMNSxROWS`. None for anything else; both are at least 1.
#[must_use]
pub fn parse(text: &str) -> Option<Winsize> {
    let (columns, rows) = text.split_once('x')?;
    let number = |digits: &str| digits.parse().ok().filter(|&n: &u16| n > 0 && digits.as_bytes()[0] != b'+');
    Some(window(number(columns)?, number(rows)?))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_columns_and_rows() {
        assert_eq!(parse("132x50"), Some(window(132, 50)));
        assert_eq!(parse("80x24"), Some(DEFAULT));
        for wrong in ["", "80", "x", "80x", "x24", "0x24", "80x0", "80x24x1", "-1x24", "+80x24", "65536x24", "80 x 24"]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
