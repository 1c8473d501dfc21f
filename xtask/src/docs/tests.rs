//! Which tests of the oracle make which system calls, found in their source text.

use std::{collections::BTreeMap, collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result};

/// Functions of the C library (and of `oracle.h`) that make a call of another name.
const ALIASES: &[(&str, &str)] = &[
    ("epoll_wait", "epoll_pwait"),
    ("eventfd", "eventfd2"),
    ("fstatat", "newfstatat"),
    ("getrlimit", "prlimit64"),
    ("isatty", "ioctl"),
    ("let_it_block", "nanosleep"),
    ("pause_ms", "nanosleep"),
    ("posix_fadvise", "fadvise64"),
    ("posix_fallocate", "fallocate"),
    ("pread", "pread64"),
    ("pselect", "pselect6"),
    ("pthread_create", "clone"),
    ("pthread_kill", "tkill"),
    ("pthread_sigmask", "rt_sigprocmask"),
    ("pwrite", "pwrite64"),
    ("raise", "tkill"),
    ("readdir", "getdents64"),
    ("recv", "recvfrom"),
    ("send", "sendto"),
    ("setrlimit", "prlimit64"),
    ("sigaction", "rt_sigaction"),
    ("sigpending", "rt_sigpending"),
    ("sigprocmask", "rt_sigprocmask"),
    ("sigqueue", "rt_sigqueueinfo"),
    ("sigsuspend", "rt_sigsuspend"),
    ("sigtimedwait", "rt_sigtimedwait"),
    ("sigwaitinfo", "rt_sigtimedwait"),
    ("start", "clone"),
    ("statvfs", "statfs"),
];

/// Tests by the name of the call they make, as `area.test`; `area` alone where it is made by a function that several tests share.
#[derive(Default)]
pub struct Coverage(BTreeMap<String, BTreeSet<String>>);

impl Coverage {
    /// Reads all C files of a folder.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut coverage = Self::default();
        for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if let Some(area) = between(&text, "AREA(", ")") {
                coverage.add(area, &text);
            }
        }
        Ok(coverage)
    }

    fn add(&mut self, area: &str, text: &str) {
        let mut place = area.to_owned();
        for line in text.lines() {
            if let Some(test) = line.strip_prefix("TEST(") {
                place = format!("{area}.{}", test.trim_end_matches(')'));
            }
            for call in calls(line) {
                self.0.entry(call).or_default().insert(place.clone());
            }
            if line == "}" {
                area.clone_into(&mut place);
            }
        }
    }

    /// The tests that make a call, sorted.
    pub fn tests(&self, call: &str) -> Vec<&str> {
        self.0.get(call).into_iter().flatten().map(String::as_str).collect()
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

/// Names of system calls in a line of C: of functions that are called, and of constants `SYS_name`.
fn calls(line: &str) -> Vec<String> {
    let mut calls = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = &rest[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        if let Some(name) = word.strip_prefix("SYS_") {
            calls.push(name.to_owned());
        } else if behind.starts_with('(') {
            calls.push(word.to_owned());
            calls.extend(ALIASES.iter().filter(|(function, _)| *function == word).map(|(_, call)| (*call).to_owned()));
        }
    }
    calls
}

#[cfg(test)]
mod checks {
    use super::*;

    #[test]
    fn calls_are_attributed_to_the_test_around_them() {
        let text = "static void done(void)\n{\n\tclose(fds[0]);\n}\n\nTEST(ends)\n{\n\tCALL(pread(fds[1], \"last\", 4, 0));\n\
                    \tCALL(syscall(SYS_gettid));\n}\nAREA(pipe)\n";
        let mut coverage = Coverage::default();
        coverage.add("pipe", text);
        assert_eq!(coverage.tests("close"), ["pipe"]);
        assert_eq!(coverage.tests("pread64"), ["pipe.ends"]);
        assert_eq!(coverage.tests("gettid"), ["pipe.ends"]);
        assert!(coverage.tests("pipe").is_empty());
    }
}
