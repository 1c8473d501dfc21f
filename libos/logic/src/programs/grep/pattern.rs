//! Regular expressions (POSIX.1-2024, XBD chapter 9), as far as lines are looked for with them: literals, `.`, brackets, anchors, repetition,
//! and alternatives at the top. Groups, intervals and what GNU adds are refused.

use alloc::string::String;
use alloc::vec::Vec;

/// How a pattern is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Basic regular expressions.
    Basic,
    /// Extended ones.
    Extended,
    /// No expressions: each byte is itself.
    Fixed,
}

/// What is looked for.
pub struct Pattern {
    alternatives: Vec<Alternative>,
    ignores_case: bool,
}

#[derive(Default)]
struct Alternative {
    at_start: bool,
    atoms: Vec<Atom>,
    at_end: bool,
}

struct Atom {
    set: Set,
    is_optional: bool,
    repeats: bool,
}

impl Atom {
    fn once(set: Set) -> Self {
        Self { set, is_optional: false, repeats: false }
    }
}

/// The bytes that one atom is.
enum Set {
    Any,
    Ranges { ranges: Vec<(u8, u8)>, negated: bool },
}

impl Set {
    fn one(byte: u8) -> Self {
        Self::Ranges { ranges: [(byte, byte)].to_vec(), negated: false }
    }

    fn contains(&self, byte: u8, ignores_case: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Ranges { ranges, negated } => {
                let is_among = |byte: u8| ranges.iter().any(|(first, last)| (*first..=*last).contains(&byte));
                let in_either_case = || is_among(byte.to_ascii_lowercase()) || is_among(byte.to_ascii_uppercase());
                (is_among(byte) || ignores_case && in_either_case()) != *negated
            }
        }
    }
}

impl Pattern {
    /// Reads patterns, one a line. Case is that of ASCII.
    ///
    /// # Errors
    /// A text for people: what is wrong or not supported.
    pub fn new(text: &[u8], syntax: Syntax, ignores_case: bool) -> Result<Self, String> {
        let mut alternatives = Vec::new();
        for line in text.split(|&byte| byte == b'\n') {
            match syntax {
                Syntax::Fixed => {
                    let atoms = line.iter().map(|&byte| Atom::once(Set::one(byte))).collect();
                    alternatives.push(Alternative { atoms, ..Alternative::default() });
                }
                Syntax::Basic | Syntax::Extended => Reader { rest: line, syntax }.read(&mut alternatives)?,
            }
        }
        Ok(Self { alternatives, ignores_case })
    }

    /// The first match in a line that does not begin before `from`, of those at one place the longest: where it begins and ends. Only what is
    /// `accepted` by its beginning and end counts.
    pub fn find(&self, line: &[u8], from: usize, accepted: impl Fn(usize, usize) -> bool) -> Option<(usize, usize)> {
        (from..=line.len()).find_map(|start| {
            let ends = self.alternatives.iter().filter_map(|alternative| {
                if alternative.at_start && start > 0 {
                    return None;
                }
                let is_end = |end| (!alternative.at_end || end == line.len()) && accepted(start, end);
                self.end(&alternative.atoms, line, start, is_end)
            });
            ends.max().map(|end| (start, end))
        })
    }

    /// Where the longest match of all `atoms` ends that begins at `start`. All ways through the atoms are gone side by side, so that no
    /// pattern takes longer than its length for each byte.
    fn end(&self, atoms: &[Atom], line: &[u8], start: usize, is_end: impl Fn(usize) -> bool) -> Option<usize> {
        // Whether some way has come to the atom of this number; behind the last is the end.
        let mut reached = alloc::vec![false; atoms.len() + 1];
        let mut next = reached.clone();
        reached[0] = true;
        pass_optional(atoms, &mut reached);
        let mut longest = (reached[atoms.len()] && is_end(start)).then_some(start);
        for (at, &byte) in line.iter().enumerate().skip(start) {
            next.fill(false);
            for (number, atom) in atoms.iter().enumerate() {
                if reached[number] && atom.set.contains(byte, self.ignores_case) {
                    next[number] |= atom.repeats;
                    next[number + 1] = true;
                }
            }
            pass_optional(atoms, &mut next);
            core::mem::swap(&mut reached, &mut next);
            if reached[atoms.len()] && is_end(at + 1) {
                longest = Some(at + 1);
            }
            if !reached.contains(&true) {
                break;
            }
        }
        longest
    }
}

/// A pattern that is being read.
struct Reader<'a> {
    rest: &'a [u8],
    syntax: Syntax,
}

impl Reader<'_> {
    fn read(mut self, alternatives: &mut Vec<Alternative>) -> Result<(), String> {
        let mut own = Alternative::default();
        while let Some(byte) = self.next() {
            let is_first = own.atoms.is_empty() && !own.at_start;
            match byte {
                b'^' if is_first => own.at_start = true,
                b'$' if self.rest.is_empty() || self.is_extended() && self.rest[0] == b'|' => own.at_end = true,
                b'|' if self.is_extended() => alternatives.push(core::mem::take(&mut own)),
                b'*' if own.atoms.is_empty() => own.atoms.push(Atom::once(Set::one(b'*'))),
                b'*' => repeat(&mut own, true, true),
                b'+' if self.is_extended() => repeat(&mut own, false, true),
                b'?' if self.is_extended() => repeat(&mut own, true, false),
                b'(' | b')' | b'{' if self.is_extended() => return Err(refusal(&[byte])),
                _ => {
                    let set = match byte {
                        b'.' => Set::Any,
                        b'[' => self.bracket()?,
                        b'\\' => Set::one(self.escaped()?),
                        byte => Set::one(byte),
                    };
                    own.atoms.push(Atom::once(set));
                }
            }
        }
        alternatives.push(own);
        Ok(())
    }

    fn is_extended(&self) -> bool {
        self.syntax == Syntax::Extended
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// The byte behind a backslash, if it is one that a backslash makes a plain one.
    fn escaped(&mut self) -> Result<u8, String> {
        let byte = self.next().ok_or("Trailing backslash")?;
        // Without a backslash these are plain in basic expressions, and with one they are more than POSIX asks for, or groups.
        let is_special = !self.is_extended() && b"(){}|+?<>".contains(&byte);
        if byte.is_ascii_punctuation() && !is_special { Ok(byte) } else { Err(refusal(&[b'\\', byte])) }
    }

    /// The set behind a `[`.
    fn bracket(&mut self) -> Result<Set, String> {
        let negated = self.rest.first() == Some(&b'^');
        self.rest = &self.rest[usize::from(negated)..];
        let mut ranges = Vec::new();
        loop {
            let first = match self.next().ok_or("Unmatched [, [^, [:, [., or [=")? {
                b']' if !ranges.is_empty() => return Ok(Set::Ranges { ranges, negated }),
                b'[' if self.rest.starts_with(b":") => {
                    let end = self.rest.windows(2).position(|two| two == b":]").ok_or("Unmatched [:")?;
                    ranges.extend_from_slice(class(&self.rest[1..end]).ok_or("Invalid character class name")?);
                    self.rest = &self.rest[end + 2..];
                    continue;
                }
                first => first,
            };
            let last = match self.rest {
                [b'-', last, ..] if *last != b']' => *last,
                _ => {
                    ranges.push((first, first));
                    continue;
                }
            };
            if last < first {
                return Err("Invalid range end".into());
            }
            self.rest = &self.rest[2..];
            ranges.push((first, last));
        }
    }
}

/// Has the last atom repeat, or be left out, too.
fn repeat(alternative: &mut Alternative, is_optional: bool, repeats: bool) {
    if let Some(atom) = alternative.atoms.last_mut() {
        atom.is_optional |= is_optional;
        atom.repeats |= repeats;
    }
}

/// A way that has come to an optional atom has come to what is behind it, too.
fn pass_optional(atoms: &[Atom], reached: &mut [bool]) {
    for (number, atom) in atoms.iter().enumerate() {
        reached[number + 1] |= reached[number] && atom.is_optional;
    }
}

fn refusal(what: &[u8]) -> String {
    alloc::format!("{} is not supported in a pattern", String::from_utf8_lossy(what))
}

/// The bytes of a named class, in the POSIX locale.
fn class(name: &[u8]) -> Option<&'static [(u8, u8)]> {
    Some(match name {
        b"alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        b"alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        b"blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        b"digit" => &[(b'0', b'9')],
        b"lower" => &[(b'a', b'z')],
        b"punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        b"space" => &[(b'\t', b'\r'), (b' ', b' ')],
        b"upper" => &[(b'A', b'Z')],
        b"xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// The first match, if there is any.
    fn first<'a>(pattern: &str, syntax: Syntax, line: &'a str) -> Option<&'a str> {
        let pattern =
            Pattern::new(pattern.as_bytes(), syntax, false).unwrap_or_else(|problem| panic!("{pattern}: {problem}"));
        pattern.find(line.as_bytes(), 0, |_, _| true).map(|(start, end)| &line[start..end])
    }

    #[test]
    fn basic_expressions_match() {
        for (pattern, line, found) in [
            ("b", "abc", Some("b")),
            ("", "abc", Some("")),
            ("[c]pu_sup", "x cpu_sup", Some("cpu_sup")),
            ("^ab*c", "abbbcd", Some("abbbc")),
            ("^b", "ab", None),
            ("b$", "ab", Some("b")),
            ("a$", "ab", None),
            ("a.c", "xaXc", Some("aXc")),
            ("a.*c", "abcbcb", Some("abcbc")),
            ("*a", "b*a", Some("*a")),
            ("a^b$c", "a^b$c", Some("a^b$c")),
            ("[^0-9]*[0-9][0-9]*$", "abc 42", Some("abc 42")),
            ("[]x]", "a]", Some("]")),
            ("[a-]*", "a-a", Some("a-a")),
            ("[[:upper:][:digit:]_]*", "AB_9c", Some("AB_9")),
            ("a+|b", "xa+|b", Some("a+|b")),
            ("\\.\\*\\[\\\\", "a.*[\\", Some(".*[\\")),
            ("a\nb", "xb", Some("b")),
        ] {
            assert_eq!(first(pattern, Syntax::Basic, line), found, "{pattern}");
        }
    }

    #[test]
    fn no_pattern_takes_for_ever() {
        // One that goes back to try anew would be at it until the sun is cold.
        let (pattern, line) = ("a*".repeat(64) + "b", "a".repeat(64));
        assert_eq!(first(&pattern, Syntax::Basic, &line), None);
        assert_eq!(first(&pattern, Syntax::Basic, &(line.clone() + "b")), Some(&*(line + "b")));
    }

    #[test]
    fn extended_expressions_match() {
        for (pattern, line, found) in [
            ("ab+c?", "xabb", Some("abb")),
            ("^a|b$", "cb", Some("b")),
            ("a$|^b", "ba", Some("b")),
            ("x|xyz|xy", "xyz", Some("xyz")),
            ("a\\+\\|", "a+|", Some("a+|")),
        ] {
            assert_eq!(first(pattern, Syntax::Extended, line), found, "{pattern}");
        }
        assert_eq!(first("a.[b]*", Syntax::Fixed, "xa.[b]*"), Some("a.[b]*"));
    }

    #[test]
    fn case_and_place_may_matter_or_not() {
        let pattern = Pattern::new(b"mem[a-z]*", Syntax::Basic, true).unwrap();
        assert_eq!(pattern.find(b"MemTOTAL: 1", 0, |_, _| true), Some((0, 8)));
        assert_eq!(pattern.find(b"MemTOTAL: 1", 1, |_, _| true), None);
        // What is not accepted is looked for anew, shorter and further on.
        assert_eq!(pattern.find(b"MemTOTAL: 1", 0, |_, end| end < 6), Some((0, 5)));
        assert_eq!(pattern.find(b"mem mem", 0, |start, _| start > 0), Some((4, 7)));
        let pattern = Pattern::new(b"[^a]", Syntax::Basic, true).unwrap();
        assert_eq!(pattern.find(b"aAb", 0, |_, _| true), Some((2, 3)));
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for (pattern, syntax, problem) in [
            ("(a)", Syntax::Extended, "( is not supported"),
            ("a{2}", Syntax::Extended, "{ is not supported"),
            ("\\(a\\)", Syntax::Basic, "\\( is not supported"),
            ("\\w", Syntax::Basic, "\\w is not supported"),
            ("a\\", Syntax::Basic, "Trailing backslash"),
            ("[a", Syntax::Basic, "Unmatched ["),
            ("[z-a]", Syntax::Basic, "Invalid range end"),
            ("[[:none:]]", Syntax::Basic, "Invalid character class name"),
        ] {
            let result = Pattern::new(pattern.as_bytes(), syntax, false);
            assert!(result.is_err_and(|said| said.contains(problem)), "{pattern}");
        }
    }
}
