//! `docs/syscalls.md`: the system call table as a page, with what ERTS was seen to use and what tests use.
//!
//! The page is a view of three sources that cannot drift: the table itself, a checked-in summary of a trace
//! (`tests/erts/syscalls.txt`, made by [`record`]), and the source text of the oracle's tests ([`tests`]).

mod page;
mod record;
mod tests;

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use trapless_tests::repository;

use crate::cli::DocsOptions;

/// Where the page is.
fn page_file() -> PathBuf {
    repository().join("docs/syscalls.md")
}

/// Where the summary of what ERTS uses is.
fn summary_file() -> PathBuf {
    repository().join("tests/erts/syscalls.txt")
}

/// Writes the page, after watching ERTS anew if the options ask for that.
///
/// # Errors
/// A source cannot be read, the page cannot be written, or the image does not do what it is watched doing.
pub fn docs(options: &DocsOptions) -> Result<()> {
    if options.record {
        let summary = record::record()?;
        fs::write(summary_file(), summary.to_text()).context("cannot write the summary of the trace")?;
    }
    let path = page_file();
    fs::write(&path, text()?).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// The page as it should be.
fn text() -> Result<String> {
    Ok(page::text(&record::Summary::read(&summary_file())?, &tests::Coverage::of(&repository().join("tests/oracle"))?))
}

#[cfg(test)]
mod checks {
    use super::*;
    use trapless_abi::table::{self, Level};

    #[test]
    fn the_page_is_up_to_date() {
        let found = fs::read_to_string(page_file()).unwrap_or_default();
        assert!(found == text().unwrap(), "docs/syscalls.md is out of date: run `cargo xtask docs`");
    }

    /// A call that ERTS makes has a row, and so has each flag it passes a name.
    #[test]
    fn the_table_declares_what_erts_uses() {
        let summary = record::Summary::read(&summary_file()).unwrap();
        for (name, words) in &summary.calls {
            let row = table::ROWS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no call is {name}"));
            let declared =
                !row.area.is_empty() && !matches!(row.level, Level::Absent(reason) if reason == table::UNLISTED);
            assert!(declared, "ERTS uses {name}, which has no row in the table");
            for word in words {
                assert!(!word.starts_with("0x"), "ERTS passes {name} a flag without a name: {word}");
            }
        }
    }
}
