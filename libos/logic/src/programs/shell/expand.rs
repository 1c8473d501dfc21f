//! From words to the fields that a command gets (XCU 2.6, word expansions).

use super::lex::{Part, Word};
use super::run::{Shell, Stop, Streams};
use crate::platform::Platform;
use alloc::vec::Vec;

/// The fields of some words.
pub fn fields<P: Platform>(shell: &mut Shell<P>, words: &[Word], streams: &Streams<P>) -> Result<Vec<Vec<u8>>, Stop> {
    let mut fields = Vec::new();
    for word in words {
        split(shell, word, streams, &mut fields)?;
    }
    Ok(fields)
}

/// One word as a single field: a file's name, a variable's value.
pub fn single<P: Platform>(shell: &mut Shell<P>, word: &Word, streams: &Streams<P>) -> Result<Vec<u8>, Stop> {
    let mut whole = Vec::new();
    for part in word {
        whole.extend(value(shell, part, streams)?.0);
    }
    Ok(whole)
}

fn split<P: Platform>(
    shell: &mut Shell<P>,
    word: &Word,
    streams: &Streams<P>,
    fields: &mut Vec<Vec<u8>>,
) -> Result<(), Stop> {
    // The field that is being put together, if one has begun.
    let mut field: Option<Vec<u8>> = None;
    for part in word {
        let (bytes, is_whole) = value(shell, part, streams)?;
        if is_whole {
            field.get_or_insert_default().extend(bytes);
            continue;
        }
        for &byte in &bytes {
            match byte {
                b' ' | b'\t' | b'\n' => fields.extend(field.take()),
                _ => field.get_or_insert_default().push(byte),
            }
        }
    }
    fields.extend(field);
    Ok(())
}

/// The bytes of a part, and whether they stay together.
fn value<P: Platform>(shell: &mut Shell<P>, part: &Part, streams: &Streams<P>) -> Result<(Vec<u8>, bool), Stop> {
    Ok(match part {
        Part::Text(text) => (text.clone(), true),
        Part::Empty => (Vec::new(), true),
        Part::Parameter { name, default, quoted } => {
            let value = shell.parameter(name).filter(|value| default.is_none() || !value.is_empty());
            (value.or_else(|| default.clone()).unwrap_or_default(), *quoted)
        }
        Part::Substitution { text, quoted } => (shell.substitute(text, streams)?, *quoted),
    })
}
