//! `grep`: the lines that a pattern is found in.

mod pattern;

use super::args::Options;
use super::process::{Process, Status, show};
use super::stream::Stream;
use crate::platform::Platform;
use alloc::string::String;
use alloc::vec::Vec;
use pattern::{Pattern, Syntax};
use trapless_abi::flags::OpenFlags;
use trapless_abi::{Errno, SysResult};

/// What it ends with when something is wrong.
const TROUBLE: Status = 2;
/// Bytes of a line.
const LINE_MAX: usize = 1 << 20;

/// grep(1): `grep [-EFGHchinoqsvwx] [-e PATTERN]... [PATTERN] [FILE...]`.
pub fn grep<P: Platform>(process: &mut Process<P>) -> SysResult<Status> {
    let args = process.operands().to_vec();
    let options = match Options::new(&args, b"EFGHchinoqsvwx", b"e") {
        Ok(options) => options,
        Err(problem) => return process.fail(format_args!("{problem}")).map(|_| TROUBLE),
    };
    let mut files = &options.operands[..];
    let mut patterns: Vec<&[u8]> = options.of(b'e').collect();
    if patterns.is_empty() {
        let Some((pattern, rest)) = files.split_first() else {
            return process.fail(format_args!("usage: grep [OPTION...] PATTERN [FILE...]")).map(|_| TROUBLE);
        };
        (patterns, files) = ([*pattern].to_vec(), rest);
    }
    let syntax = match (options.has(b'F'), options.has(b'E')) {
        (true, _) => Syntax::Fixed,
        (false, true) => Syntax::Extended,
        (false, false) => Syntax::Basic,
    };
    let pattern = match Pattern::new(&patterns.join(&b'\n'), syntax, options.has(b'i')) {
        Ok(pattern) => pattern,
        Err(problem) => return process.fail(format_args!("{problem}")).map(|_| TROUBLE),
    };
    let input = [&b"-"[..]];
    let files = if files.is_empty() { &input[..] } else { files };
    let is_named = options.has(b'H') || files.len() > 1 && !options.has(b'h');
    let (mut is_found, mut is_troubled) = (false, false);
    for file in files {
        let stream = match *file {
            b"-" => Ok(process.stdin.clone()),
            path => process.open(path, OpenFlags::empty()).map(Stream::File),
        };
        let name = if is_named { [*file, b":"].concat() } else { Vec::new() };
        let search = Search { process, options: &options, pattern: &pattern, name };
        match stream.and_then(|stream| search.lines(&stream)) {
            Ok(0) => {}
            Ok(_) if options.has(b'q') => return Ok(0),
            Ok(_) => is_found = true,
            // Nobody reads what it writes.
            Err(Errno::EPIPE) => return Err(Errno::EPIPE),
            Err(errno) => {
                is_troubled = true;
                if !options.has(b's') {
                    process.fail(format_args!("{}: {}", show(file), errno.description()))?;
                }
            }
        }
    }
    Ok(if is_troubled { TROUBLE } else { u8::from(!is_found) })
}

/// The search in one file.
struct Search<'a, P: Platform> {
    process: &'a Process<P>,
    options: &'a Options<'a>,
    pattern: &'a Pattern,
    /// Before each line; empty if the file is not named.
    name: Vec<u8>,
}

impl<P: Platform> Search<'_, P> {
    /// Looks at all lines; how many were selected.
    ///
    /// # Errors
    /// Those of read(2) and write(2); EFBIG for a line that is too long.
    fn lines(&self, stream: &Stream<P>) -> SysResult<usize> {
        let (mut number, mut selected) = (0, 0);
        let mut text = Vec::new();
        loop {
            let bytes = stream.read()?;
            let is_end = bytes.is_empty();
            text.extend_from_slice(&bytes);
            if is_end && !text.is_empty() {
                text.push(b'\n');
            }
            let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
            for line in text[..whole].split_inclusive(|&byte| byte == b'\n') {
                number += 1;
                selected += usize::from(self.line(number, &line[..line.len() - 1])?);
                if selected > 0 && self.options.has(b'q') {
                    return Ok(selected);
                }
            }
            text.drain(..whole);
            if is_end {
                break;
            }
            if text.len() > LINE_MAX {
                return Err(Errno::EFBIG);
            }
        }
        if self.options.has(b'c') && !self.options.has(b'q') {
            self.process.stdout.write(&[&self.name[..], alloc::format!("{selected}\n").as_bytes()].concat())?;
        }
        Ok(selected)
    }

    /// Looks at one line, and shows what is to be shown of it. Whether it is selected.
    fn line(&self, number: usize, line: &[u8]) -> SysResult<bool> {
        let is_selected = self.find(line, 0).is_some() != self.options.has(b'v');
        if !is_selected || self.options.has(b'q') || self.options.has(b'c') {
            return Ok(is_selected);
        }
        if !self.options.has(b'o') {
            self.show(number, line)?;
        } else if !self.options.has(b'v') {
            let mut from = 0;
            while let Some((start, end)) = self.find(line, from) {
                if start < end {
                    self.show(number, &line[start..end])?;
                }
                from = end.max(start + 1);
            }
        }
        Ok(true)
    }

    fn find(&self, line: &[u8], from: usize) -> Option<(usize, usize)> {
        let is_word = |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        self.pattern.find(line, from, |start, end| {
            let is_whole = start == 0 && end == line.len();
            let is_apart =
                !is_word(start.checked_sub(1).and_then(|before| line.get(before))) && !is_word(line.get(end));
            (is_whole || !self.options.has(b'x')) && (is_apart || !self.options.has(b'w'))
        })
    }

    fn show(&self, number: usize, text: &[u8]) -> SysResult<()> {
        let number = if self.options.has(b'n') { alloc::format!("{number}:") } else { String::new() };
        self.process.stdout.write(&[&self.name[..], number.as_bytes(), text, b"\n"].concat())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::tests::{run, system};
    use super::*;

    /// What `grep` says, and its status.
    fn grep(words: &[&str]) -> (String, Status) {
        let vfs = system(&[("/a", "one\ntwo 2\nthree two\n"), ("/b", "Two\nno end")]);
        let (output, errors, status) = run(&vfs, &[&["grep"], words].concat(), b"in one\nin twofold\n");
        (String::from_utf8(output).unwrap() + &errors, status.unwrap())
    }

    #[test]
    fn lines_are_selected() {
        for (words, said, status) in [
            (&["two", "/a"][..], "two 2\nthree two\n", 0),
            (&["one"], "in one\n", 0),
            (&["two", "/a", "/b", "-"], "/a:two 2\n/a:three two\n-:in twofold\n", 0),
            (&["-h", "-i", "TWO", "/a", "/b"], "two 2\nthree two\nTwo\n", 0),
            (&["-v", "two", "/a"], "one\n", 0),
            (&["-c", "two", "/a"], "2\n", 0),
            (&["-nH", "e$", "/a"], "/a:1:one\n", 0),
            (&["-o", "[a-z]*o", "/a"], "o\ntwo\ntwo\n", 0),
            (&["-w", "two"], "", 1),
            (&["-x", "one", "/a"], "one\n", 0),
            (&["-e", "2", "-e", "one", "/a"], "one\ntwo 2\n", 0),
            (&["-E", "2$|end", "/a", "/b"], "/a:two 2\n/b:no end\n", 0),
            (&["-F", "e$", "/a"], "", 1),
            (&["-q", "two", "/a", "/none"], "", 0),
            (&["none", "/a"], "", 1),
        ] {
            assert_eq!(grep(words), (said.into(), status), "{words:?}");
        }
    }

    #[test]
    fn trouble_is_told() {
        for (words, said) in [
            (&["two", "/none", "/b"][..], "grep: /none: No such file or directory\n"),
            (&["-s", "one", "/none"], ""),
            (&["\\(a", "/a"], "grep: \\( is not supported in a pattern\n"),
            (&["-r", "a"], "grep: invalid option -- 'r'\n"),
            (&[], "grep: usage: grep [OPTION...] PATTERN [FILE...]\n"),
        ] {
            assert_eq!(grep(words), (said.into(), TROUBLE), "{words:?}");
        }
    }
}
