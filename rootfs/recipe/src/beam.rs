//! Takes out of a compiled module what running it does not need.
//!
//! A `.beam` file is an IFF form: `FOR1`, the length, `BEAM`, then chunks of four-letter name, length and content,
//! each padded to four bytes. The chunks kept are those that OTP's `beam_lib:strip/1` keeps ("significant chunks" in
//! its documentation); debug information, documentation, attributes and compile information go. Unlike
//! `beam_lib` the result is not compressed: the image should not spend its boot inflating it.

use anyhow::{Context, Result, bail, ensure};

const KEPT: [&[u8; 4]; 11] =
    [b"Atom", b"AtU8", b"Code", b"StrT", b"ImpT", b"ExpT", b"FunT", b"LitT", b"Meta", b"Line", b"Type"];
const NEEDED: [&[u8; 4]; 4] = [b"Code", b"ExpT", b"ImpT", b"StrT"];

/// The module with only the chunks it needs to run.
///
/// # Errors
/// The file is not an uncompressed `.beam` file, is cut off, or lacks a chunk that every module has.
pub fn strip(module: &[u8]) -> Result<Vec<u8>> {
    strip_but(module, &[])
}

/// The same, with the chunks in `also` kept, too.
///
/// # Errors
/// As [`strip`].
pub fn strip_but(module: &[u8], also: &[&[u8; 4]]) -> Result<Vec<u8>> {
    let chunks = chunks(module)?;
    for name in NEEDED {
        ensure!(chunks.iter().any(|(other, _)| *other == name), "it has no {} chunk", String::from_utf8_lossy(name));
    }
    let mut body = b"BEAM".to_vec();
    for (name, content) in chunks.iter().filter(|(name, _)| KEPT.contains(name) || also.contains(name)) {
        body.extend_from_slice(*name);
        body.extend_from_slice(&u32::try_from(content.len())?.to_be_bytes());
        body.extend_from_slice(content);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut form = b"FOR1".to_vec();
    form.extend_from_slice(&u32::try_from(body.len())?.to_be_bytes());
    form.extend_from_slice(&body);
    Ok(form)
}

type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

fn chunks(module: &[u8]) -> Result<Vec<Chunk<'_>>> {
    if module.starts_with(&[0x1f, 0x8b]) {
        bail!("it is compressed; compile it without +compressed");
    }
    let (mark, rest) = module.split_first_chunk::<4>().context("it is empty")?;
    ensure!(mark == b"FOR1", "it is not a .beam file");
    let (length, rest) = take_length(rest)?;
    let body = rest.get(..length).context("it is cut off")?;
    let (kind, mut rest) = body.split_first_chunk::<4>().context("it is cut off")?;
    ensure!(kind == b"BEAM", "it is not a .beam file");
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_first_chunk::<4>().context("it is cut off in a chunk's name")?;
        let (length, after) = take_length(after)?;
        found.push((name, after.get(..length).context("it is cut off in a chunk")?));
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(found)
}

fn take_length(bytes: &[u8]) -> Result<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>().context("it is cut off in a length")?;
    Ok((u32::from_be_bytes(*length) as usize, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut body = b"BEAM".to_vec();
        for (name, content) in chunks {
            body.extend_from_slice(*name);
            body.extend_from_slice(&(content.len() as u32).to_be_bytes());
            body.extend_from_slice(content);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        [b"FOR1", &(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    const MODULE: [(&[u8; 4], &[u8]); 4] = [(b"Code", b"12345"), (b"ExpT", b""), (b"ImpT", b"1"), (b"StrT", b"123")];

    #[test]
    fn debug_chunks_go_and_the_rest_stays_in_order() {
        let full = [&MODULE[..2], &[(b"Dbgi", &b"long"[..]), (b"Docs", b"x")], &MODULE[2..]].concat();
        assert_eq!(strip(&form(&full)).unwrap(), form(&MODULE));
    }

    #[test]
    fn stripping_twice_changes_nothing() {
        let once = strip(&form(&MODULE)).unwrap();
        assert_eq!(strip(&once).unwrap(), once);
    }

    #[test]
    fn a_cut_module_is_an_error_at_every_length() {
        let whole = form(&MODULE);
        for length in 0..whole.len() {
            assert!(strip(&whole[..length]).is_err(), "{length} of {}", whole.len());
        }
    }

    #[test]
    fn what_is_no_module_is_named() {
        assert!(strip(b"\x1f\x8b\x08\0").unwrap_err().to_string().contains("compressed"));
        assert!(strip(b"#!/usr/bin/escript").unwrap_err().to_string().contains("not a .beam"));
        assert!(strip(&form(&MODULE[1..])).unwrap_err().to_string().contains("Code"));
    }
}
