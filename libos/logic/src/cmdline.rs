//! The kernel command line: `key=value ... -- erl-arguments`.
//!
//! Before `--` stand settings of the libos, after it arguments as for `erl`. Both sides are split like a shell splits words: blanks
//! separate, single quotes keep everything, double quotes keep blanks and know `\"` and `\\`, a backslash keeps the next character.

use alloc::string::String;
use alloc::vec::Vec;

/// The prefix of the words that QEMU's microvm machine adds behind whatever the user gave; they are settings wherever they stand.
const VIRTIO_MMIO: &str = "virtio_mmio.device=";

/// A split command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Settings in order, split at the first `=`; a word without one has the value "".
    pub settings: Vec<(String, String)>,
    /// What follows `--`; None when there is no `--`.
    pub erl: Option<Vec<String>>,
    /// The virtio-mmio devices that the machine announces, without the prefix.
    pub virtio_mmio: Vec<String>,
}

/// Why a command line cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CmdlineError {
    /// A quote is opened at this byte and never closed.
    OpenQuote(usize),
    /// The last character is a backslash that keeps nothing.
    TrailingBackslash,
}

impl core::fmt::Display for CmdlineError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::OpenQuote(at) => write!(f, "the quote at character {at} is never closed"),
            Self::TrailingBackslash => f.write_str("the last character is a backslash with nothing behind it"),
        }
    }
}

/// Splits a whole command line.
pub fn parse(line: &str) -> Result<CommandLine, CmdlineError> {
    let mut parsed = CommandLine::default();
    for word in split_words(line)? {
        if let Some(device) = word.strip_prefix(VIRTIO_MMIO) {
            parsed.virtio_mmio.push(device.into());
        } else if let Some(erl) = &mut parsed.erl {
            erl.push(word);
        } else if word == "--" {
            parsed.erl = Some(Vec::new());
        } else {
            let (key, value) = word.split_once('=').unwrap_or((&word, ""));
            parsed.settings.push((key.into(), value.into()));
        }
    }
    Ok(parsed)
}

/// Splits a line into words as a shell does, without expansions.
pub fn split_words(line: &str) -> Result<Vec<String>, CmdlineError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<(char, usize)> = None;
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            (c, Some((q, _))) if c == q => quote = None,
            ('\\', None) => {
                let (_, kept) = chars.next().ok_or(CmdlineError::TrailingBackslash)?;
                word.get_or_insert_default().push(kept);
            }
            ('\\', Some(('"', _))) if matches!(chars.peek(), Some((_, '"' | '\\'))) => {
                word.get_or_insert_default().extend(chars.next().map(|(_, kept)| kept));
            }
            ('"' | '\'', None) => {
                quote = Some((c, at));
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some((_, at)) = quote {
        return Err(CmdlineError::OpenQuote(at));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        split_words(line).unwrap()
    }

    #[test]
    fn quotes_and_backslashes_keep_what_they_should() {
        assert_eq!(words(r#"a  'b "c' "d \"e\" \n" f\ g"#), ["a", "b \"c", "d \"e\" \\n", "f g"]);
    }

    #[test]
    fn empty_quotes_are_a_word_and_adjacent_parts_join() {
        assert_eq!(words(r#"'' a""b"#), ["", "ab"]);
    }

    #[test]
    fn open_quotes_are_errors() {
        assert_eq!(split_words("a 'b"), Err(CmdlineError::OpenQuote(2)));
        assert_eq!(split_words("a \\"), Err(CmdlineError::TrailingBackslash));
    }

    #[test]
    fn settings_end_at_the_double_dash() {
        let c =
            parse(r#"trace=net,futex verbose ip=10.0.0.2/24 -- -noshell -eval 'io:format("~p", [a=1])' --"#).unwrap();
        let s = |k: &str, v: &str| (String::from(k), String::from(v));
        assert_eq!(c.settings, [s("trace", "net,futex"), s("verbose", ""), s("ip", "10.0.0.2/24")]);
        assert_eq!(c.erl.unwrap(), ["-noshell", "-eval", r#"io:format("~p", [a=1])"#, "--"]);
    }

    #[test]
    fn no_double_dash_is_not_an_empty_argument_list() {
        assert_eq!(parse("a=1").unwrap().erl, None);
        assert_eq!(parse("--").unwrap().erl, Some(Vec::new()));
    }

    #[test]
    fn machine_words_behind_the_arguments_are_not_arguments() {
        let c = parse("-- -noshell virtio_mmio.device=512@0xfeb00e00:12").unwrap();
        assert_eq!(c.virtio_mmio, ["512@0xfeb00e00:12"]);
        assert_eq!(c.erl.unwrap(), ["-noshell"]);
    }

    /// Characters that mean something, and some that do not.
    fn text(most: usize) -> impl Strategy<Value = String> {
        const ALPHABET: [char; 12] = ['\'', '"', '\\', ' ', '\t', '\n', '=', '-', 'a', 'b', 'é', '\u{2003}'];
        proptest::collection::vec(proptest::sample::select(&ALPHABET[..]), 0..most).prop_map(String::from_iter)
    }

    /// One way to write a word so that it stays whole.
    fn quoted(word: &str, way: u8) -> String {
        match way {
            0 => ["'", &word.replace('\'', r#"'"'"'"#), "'"].concat(),
            1 => ["\"", &word.replace('\\', r"\\").replace('"', "\\\""), "\""].concat(),
            _ if word.is_empty() => "''".into(),
            _ => word.chars().flat_map(|c| ['\\', c]).collect(),
        }
    }

    proptest! {
        #[test]
        fn quoted_words_come_out_whole(
            parts in proptest::collection::vec(proptest::collection::vec((text(6), 0..3u8), 1..4), 0..6),
        ) {
            let of = |part: &[(String, u8)]| part.iter().map(|(text, _)| text.as_str()).collect::<String>();
            let words: Vec<String> = parts.iter().map(|part| of(part)).collect();
            let write = |part: &[(String, u8)]| part.iter().map(|(text, way)| quoted(text, *way)).collect::<String>();
            let line: Vec<String> = parts.iter().map(|part| write(part)).collect();
            prop_assert_eq!(split_words(&line.join(" \t")), Ok(words));
        }

        #[test]
        fn any_line_is_split_or_refused_with_the_place(line in text(40)) {
            match split_words(&line) {
                Ok(words) => {
                    let again: Vec<String> = words.iter().map(|word| quoted(word, 1)).collect();
                    prop_assert_eq!(split_words(&again.join(" ")), Ok(words.clone()));
                    let parsed = parse(&line).unwrap();
                    let erl = parsed.erl.map_or(0, |erl| 1 + erl.len());
                    prop_assert_eq!(parsed.settings.len() + erl + parsed.virtio_mmio.len(), words.len());
                }
                Err(CmdlineError::OpenQuote(at)) => prop_assert!(line[at..].starts_with(['\'', '"'])),
                Err(CmdlineError::TrailingBackslash) => prop_assert!(line.ends_with('\\')),
            }
        }
    }
}
