//! The text of the page.

use std::fmt::Write;

use trapless_abi::table::{ROWS, Row, UNLISTED};

use super::{record::Summary, tests::Coverage};

/// How many tests are named for a call.
const NAMED: usize = 3;

const HEAD: &str = "\
# System calls

Written by `cargo xtask docs` from the table in `libos/abi/src/table`; a test fails when it is out of date.

- *level*: `full` is as Linux documents it. `partial` lacks what is said, and answers that with an error. `stub` is a fixed answer, for
  the reason given. `absent` is ENOSYS.
- *ERTS*: whether Erlang's runtime system was seen to make the call, with the flags and constants it passed: while it booted, echoed,
  answered in the shell and worked with files, ports, timers and sockets. `cargo xtask docs --record` watches it again and writes
  `tests/erts/syscalls.txt`.
- *tests*: tests of `tests/oracle` that name the call, as the function of the C library that makes it or by number; an area alone is a
  function that its tests share. Each of them prints on Linux what it prints in the image.

";

/// The page.
pub fn text(summary: &Summary, coverage: &Coverage) -> String {
    let mut text = HEAD.to_owned();
    let (rows, unlisted): (Vec<_>, Vec<_>) = ROWS.iter().partition(|row| !row.area.is_empty());
    text.push_str("| number | call | level | reason | ERTS | tests |\n|---|---|---|---|---|---|\n");
    for row in rows {
        line(&mut text, row, summary, coverage).expect("text grows");
    }
    let names: Vec<_> = unlisted.iter().map(|row| format!("`{}`", row.name)).collect();
    write!(text, "\n## Without a row\n\nENOSYS: {UNLISTED}.\n\n{}\n", names.join(" ")).expect("text grows");
    text
}

fn line(text: &mut String, row: &Row, summary: &Summary, coverage: &Coverage) -> std::fmt::Result {
    let used = match summary.calls.get(row.name) {
        Some(words) if words.is_empty() => "yes".to_owned(),
        Some(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" "),
        None => String::new(),
    };
    let tests = coverage.tests(row.name);
    let mut named = tests.iter().take(NAMED).map(|test| format!("`{test}`")).collect::<Vec<_>>().join(" ");
    if tests.len() > NAMED {
        write!(named, " and {} more", tests.len() - NAMED)?;
    }
    let (level, reason) = (row.level.name(), row.level.reason());
    writeln!(text, "| {} | `{}` | {level} | {reason} | {used} | {named} |", row.number, row.name)
}
