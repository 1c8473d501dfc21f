//! `erl`: another Erlang. One machine runs one, so another one is another machine, and whoever reads the console of this one starts it.

use super::process::{Process, Status};
use crate::platform::Platform;
use alloc::string::String;
use trapless_abi::SysResult;
use trapless_abi::flags::OpenFlags;

/// Who starts machines puts this file into the initrd; without it nobody does (docs/nodes.md).
const LEAVE: &[u8] = b"/bin/erl";

/// Asks for a machine: with a line `=machine ["-sname","b",...]` on the console, the arguments as an array of JSON's strings (RFC 8259).
///
/// The machine has a console of its own, so this is for nodes that are to be `-detached`.
pub fn erl<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    if process.open(LEAVE, OpenFlags::empty()).is_err() {
        return process
            .fail(format_args!("a machine runs one Erlang, and nobody is there who would start another machine"));
    }
    if !process.operands().iter().any(|word| word == b"-detached") {
        return process.fail(format_args!("another machine has a console of its own: only -detached is possible here"));
    }
    let words: String = process.operands().iter().map(|word| quoted(&String::from_utf8_lossy(word))).collect();
    process.stderr.write(alloc::format!("=machine [{}]\n", words.trim_end_matches(',')).as_bytes())?;
    Ok(0)
}

/// A string of JSON's, and a comma.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            c if c < ' ' => text += &alloc::format!("\\u{:04x}", u32::from(c)),
            c => text.push(c),
        }
    }
    text + "\","
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use std::vec::Vec;

    #[test]
    fn a_machine_is_asked_for() {
        let vfs = system(&[("/bin/erl", "")]);
        let asked = run(&vfs, &["erl", "-sname", "b", "-eval", "x(\"\\\n\u{e9}\").", "-detached"], b"");
        let line = "=machine [\"-sname\",\"b\",\"-eval\",\"x(\\\"\\\\\\u000a\u{e9}\\\").\",\"-detached\"]\n";
        assert_eq!(asked, (Vec::new(), line.into(), Ok(0)));
    }

    #[test]
    fn nobody_is_asked_who_is_not_there() {
        let (_, errors, status) = run(&system(&[]), &["erl", "-detached"], b"");
        assert!(errors.contains("nobody is there") && status == Ok(1), "{errors}");
        let (_, errors, status) = run(&system(&[("/bin/erl", "")]), &["erl", "-sname", "b"], b"");
        assert!(errors.contains("only -detached") && status == Ok(1), "{errors}");
    }
}
