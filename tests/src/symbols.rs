//! Names for addresses in what a machine prints when it dies or is asked what it does.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// Names of the code of a program or image, by the address where each begins.
///
/// # Errors
/// There is no `nm`, or it cannot read the file.
pub fn of(image: &Path) -> Result<BTreeMap<u64, String>> {
    let output = Command::new("nm").args(["--demangle", "--defined-only"]).arg(image).output();
    let output = output.context("cannot run nm (package binutils)")?;
    ensure!(output.status.success(), "nm cannot read {}", image.display());
    let text = String::from_utf8_lossy(&output.stdout);
    let symbol = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let address = u64::from_str_radix(words.next()?, 16).ok()?;
        let is_code = matches!(words.next()?, "t" | "T" | "w" | "W");
        is_code.then(|| Some((address, words.next()?.to_owned())))?
    };
    Ok(text.lines().filter_map(symbol).collect())
}

/// The same text, with names in place of the addresses of code: the image prints such an address in hexadecimal, followed by its
/// offset in the image.
pub fn name_addresses(text: &str, symbols: &BTreeMap<u64, String>) -> String {
    let mut named: Vec<String> = text.lines().map(|line| named(line, symbols).unwrap_or_else(|| line.into())).collect();
    named.push(String::new());
    named.join("\n")
}

fn named(line: &str, symbols: &BTreeMap<u64, String>) -> Option<String> {
    let (before, _) = line.trim_end().split_once(" image+0x")?;
    let (place, address) = before.rsplit_once(" 0x")?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let (start, name) = symbols.range(..=address).next_back()?;
    Some(format!("{place} {name}+{:#x}", address - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_names() {
        let symbols = BTreeMap::from([(0x10_0000, "one".to_owned()), (0x10_0040, "two::three".to_owned())]);
        let text = "thread 1\nat      0x00100044 image+0x44\r\nstack+8    0x00100010 image+0x10\nstack+9 0x00000001 image+0x1\n";
        let expected = "thread 1\nat      two::three+0x4\nstack+8    one+0x10\nstack+9 0x00000001 image+0x1\n";
        assert_eq!(name_addresses(text, &symbols), expected);
    }
}
