//! Reads an archive back and compares it with what should be in it.
//!
//! The reader is another than the one that wrote it (the crate `cpio_reader`), so that a mistake in [`crate::newc`]
//! shows here and not on the booted machine.

use anyhow::{Result, bail, ensure};
use cpio_reader::Mode;

use crate::tree::{Node, Tree};

/// The part of a mode that tells what kind of file it is (inode(7), `S_IFMT`).
const FILE_TYPE: u32 = 0o170_000;

/// Checks that `archive` is whole and holds exactly `tree`.
///
/// # Errors
/// Says where the archive ends early or which entry differs.
pub fn check(archive: &[u8], tree: &Tree) -> Result<()> {
    ensure!(
        archive.len().is_multiple_of(4),
        "the archive is {} bytes long, not a multiple of four: it is cut off",
        archive.len()
    );
    // Its last entry is this name, a NUL and at most three bytes of padding.
    let trailer = archive.windows(11).rposition(|window| window == b"TRAILER!!!\0");
    ensure!(trailer.is_some_and(|at| archive.len() - at < 16), "the archive has no trailer at its end: it is cut off");

    let mut expected = tree.nodes();
    let mut count = 0;
    for entry in cpio_reader::iter_files(archive) {
        let Some((path, node)) = expected.next() else {
            bail!("the archive holds /{}, which nothing put there", entry.name())
        };
        ensure!(entry.name() == path, "the archive holds /{} where /{path} should be", entry.name());
        let (kind, content) = match node {
            Node::Directory => (Mode::DIRECTORY, &[][..]),
            Node::File(content) => (Mode::REGULAR_FILE, &content[..]),
            Node::Link(text) => (Mode::SYMBOLIK_LINK, text.as_bytes()),
        };
        let same = entry.mode().bits() & FILE_TYPE == kind.bits() && entry.file() == content;
        ensure!(same, "the archive's /{path} is not what was put there");
        count += 1;
    }
    ensure!(count == tree.len(), "the archive is corrupt after {count} of {} entries", tree.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::newc;

    fn archive() -> (Vec<u8>, Tree) {
        let mut tree = Tree::default();
        tree.add_file("etc/one", b"first".to_vec()).unwrap();
        tree.add_file("etc/two", b"second".to_vec()).unwrap();
        (newc::write(&tree).unwrap(), tree)
    }

    #[test]
    fn a_cut_archive_is_an_error_at_every_length() {
        let (bytes, tree) = archive();
        for length in 0..bytes.len() {
            assert!(check(&bytes[..length], &tree).is_err(), "{length} of {}", bytes.len());
        }
    }

    #[test]
    fn a_changed_byte_is_an_error() {
        let (mut bytes, tree) = archive();
        let at = bytes.windows(6).position(|window| window == b"second").unwrap();
        bytes[at] ^= 1;
        assert!(check(&bytes, &tree).unwrap_err().to_string().contains("/etc/two"));
    }

    #[test]
    fn a_corrupt_header_is_an_error() {
        let (mut bytes, tree) = archive();
        let at = bytes.windows(6).rposition(|window| window == b"070701").unwrap();
        let second = bytes[..at].windows(6).rposition(|window| window == b"070701").unwrap();
        bytes[second] = b'9';
        assert!(check(&bytes, &tree).unwrap_err().to_string().contains("corrupt after"));
    }

    #[test]
    fn an_extra_entry_is_an_error() {
        let (bytes, _) = archive();
        assert!(check(&bytes, &Tree::default()).is_err());
    }
}
