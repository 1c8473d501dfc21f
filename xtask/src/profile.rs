//! A profile of a machine, with names for the addresses of the image, as folded stacks.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{image, symbols};

use crate::cli::ProfileOptions;

/// What stands before each line on a console.
const ON_CONSOLE: &str = "profile: ";

/// Prints the stacks, each once, what was seen most often first.
///
/// # Errors
/// The text or the image cannot be read, or there is no profile in the text.
pub fn profile(options: &ProfileOptions) -> Result<()> {
    let text = match &options.file {
        Some(file) => fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => io::read_to_string(io::stdin()).context("cannot read standard input")?,
    };
    let symbols = symbols::of(&options.image.clone().unwrap_or_else(image))?;
    let stacks = fold(&text, &symbols);
    ensure!(!stacks.is_empty(), "there are no stacks in it: see docs/debugging.md on how a profile is made");
    let mut sorted: Vec<(String, u64)> = stacks.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut out = io::stdout().lock();
    for (stack, count) in sorted {
        writeln!(out, "{stack} {count}").context("cannot write")?;
    }
    Ok(())
}

/// How often each stack was seen. Of a console's log, only the lines of the profile count; its lines may have a time before them.
fn fold(text: &str, symbols: &BTreeMap<u64, String>) -> BTreeMap<String, u64> {
    let marked = text.contains(ON_CONSOLE);
    let mut stacks = BTreeMap::new();
    for line in text.lines() {
        let line = match line.split_once(ON_CONSOLE) {
            Some((_, line)) => line,
            None if marked => continue,
            None => line,
        };
        let Some((stack, count)) = line.trim_end().rsplit_once(' ') else { continue };
        if let (Ok(count), false) = (count.parse::<u64>(), line.starts_with('#')) {
            let names: Vec<String> = stack.split(';').map(|frame| name(frame, symbols)).collect();
            *stacks.entry(names.join(";")).or_default() += count;
        }
    }
    stacks
}

/// The function that an address of the image is in. Semicolons separate frames.
fn name(frame: &str, symbols: &BTreeMap<u64, String>) -> String {
    let address = frame.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let found = address.and_then(|address| symbols.range(..=address).next_back());
    found.map_or_else(|| frame.to_owned(), |(_, name)| name.replace(';', ","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_are_named_and_added_up() {
        let symbols = BTreeMap::from([(0x40_0000, "process_main".to_owned()), (0x40_1000, "f::<[u8; 2]>".to_owned())]);
        let lines = "# 99 samples\n1_scheduler;lists:map/2;0x00400010 2\n1_scheduler;lists:map/2;0x00400020 3\n\
                     1_scheduler;'a b':c/0;0x00401004 1\n";
        let expected = BTreeMap::from([
            ("1_scheduler;lists:map/2;process_main".to_owned(), 5),
            ("1_scheduler;'a b':c/0;f::<[u8, 2]>".to_owned(), 1),
        ]);
        assert_eq!(fold(lines, &symbols), expected);
        let console: String = lines.lines().map(|line| format!("    1.234 profile: {line}\r\n")).collect();
        assert_eq!(fold(&format!("    1.000 boot 7\n{console}"), &symbols), expected);
    }
}
