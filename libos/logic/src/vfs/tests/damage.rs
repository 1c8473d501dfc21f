//! Archives with one byte changed, or cut off anywhere: refused, or a tree that can be used.

use super::super::cpio::{ArchiveError, Problem};
use super::archive::{entry, loaded, trailer};
use super::*;
use proptest::prelude::*;
use std::ops::Range;

/// A tree as a list: path, mode, and the content of a file or the text of a link.
type Listing = Vec<(Vec<u8>, u32, Vec<u8>)>;

fn list(vfs: &Vfs<Fake>, path: &[u8], into: &mut Listing) {
    let stat = vfs.stat(&At::Cwd, path, Follow::No).unwrap();
    let mut content = Vec::with_capacity(1 << 16);
    match stat.st_mode & 0o170_000 {
        0o040_000 => {
            let directory = vfs.open(&At::Cwd, path, OpenFlags::O_DIRECTORY, 0).unwrap();
            let mut names: Vec<Vec<u8>> = Vec::new();
            directory
                .list(&mut |_, _, _, name| {
                    names.push(name.to_vec());
                    true
                })
                .unwrap();
            names.retain(|name| name != b"." && name != b"..");
            names.sort();
            names.iter().for_each(|name| list(vfs, &[path, b"/", name].concat(), into));
        }
        0o100_000 => {
            let file = vfs.open(&At::Cwd, path, OpenFlags::empty(), 0).unwrap();
            while file.read(&mut content).unwrap() > 0 {}
            assert_eq!(content.len() as i64, stat.st_size);
        }
        _ => content = vfs.readlink(&At::Cwd, path).unwrap(),
    }
    into.push((path.to_vec(), stat.st_mode, content));
}

/// Everything in a tree, or why there is none.
fn contents(archive: &[u8]) -> Result<Listing, ArchiveError> {
    let (vfs, summary) = loaded(&[archive.to_vec()]);
    let summary = summary?;
    assert!(summary.bytes <= archive.len() as u64);
    let mut listing = Listing::new();
    list(&vfs, b"/", &mut listing);
    Ok(listing)
}

/// An archive, with the places of its files' contents and of its padding.
#[derive(Clone, Debug)]
struct Sample {
    bytes: Vec<u8>,
    contents: Vec<Range<usize>>,
    padding: Vec<Range<usize>>,
    /// Where the last byte that counts is: the NUL of the trailer's name.
    end: usize,
}

fn sample(files: Vec<(String, Vec<u8>)>) -> Sample {
    let mut sample = Sample { bytes: Vec::new(), contents: Vec::new(), padding: Vec::new(), end: 0 };
    let mut add = |mode: u32, name: &str, content: &[u8]| {
        let start = sample.bytes.len();
        let name_end = start + 110 + name.len() + 1;
        let content_start = name_end.next_multiple_of(4);
        sample.bytes.extend(entry(mode, 5, 1, name, content));
        sample.padding.push(name_end..content_start);
        if mode & 0o170_000 == 0o100_000 {
            sample.contents.push(content_start..content_start + content.len());
        }
        sample.padding.push(content_start + content.len()..sample.bytes.len());
    };
    for (n, (name, content)) in files.iter().enumerate() {
        match n % 3 {
            0 => add(0o100_644, &std::format!("{n}{name}"), content),
            1 => add(0o040_755, &std::format!("{n}{name}/{name}"), b""),
            _ => add(0o120_777, &std::format!("{n}{name}"), b"target"),
        }
    }
    sample.end = sample.bytes.len() + 110 + "TRAILER!!!".len();
    sample.bytes.extend(trailer());
    sample
}

fn samples() -> impl Strategy<Value = Sample> {
    proptest::collection::vec(("[a-z]{1,9}", proptest::collection::vec(any::<u8>(), 0..40)), 1..8).prop_map(sample)
}

proptest! {
    #[test]
    fn a_changed_byte_is_noticed_or_harmless(
        sample in samples(),
        at in any::<proptest::sample::Index>(),
        change in 1..=255u8,
    ) {
        let whole = contents(&sample.bytes).unwrap();
        let at = at.index(sample.end + 1);
        let mut bytes = sample.bytes.clone();
        bytes[at] ^= change;
        let result = contents(&bytes);
        if sample.padding.iter().any(|range| range.contains(&at)) {
            prop_assert_eq!(result, Ok(whole));
        } else if sample.contents.iter().any(|range| range.contains(&at)) {
            // There is no check sum in this format: what is damaged is that file, and nothing else.
            let differ: Vec<_> = result.unwrap().into_iter().zip(whole).filter(|(a, b)| a != b).collect();
            prop_assert_eq!(differ.len(), 1);
            let (a, b) = &differ[0];
            prop_assert_eq!((&a.0, a.1, a.2.len()), (&b.0, b.1, b.2.len()));
        } else if let Err(error) = result {
            prop_assert!(error.offset <= bytes.len() && !error.to_string().is_empty());
        }
    }

    #[test]
    fn a_lost_end_is_noticed(sample in samples(), at in any::<proptest::sample::Index>()) {
        let at = at.index(sample.end);
        let error = contents(&sample.bytes[..at]).unwrap_err();
        prop_assert!(matches!(error.problem, Problem::NoTrailer | Problem::Truncated), "cut at {}: {}", at, error);
    }

    #[test]
    fn noise_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        contents(&bytes).unwrap_err();
        contents(&[b"070701", &bytes[..]].concat()).unwrap_err();
    }
}
