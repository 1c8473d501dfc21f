//! Writes the newc cpio format: cpio(5), "New ASCII Format".
//!
//! Every field that could differ from build to build (owner, time, inode) has a fixed value.

use anyhow::{Context, Result};

use crate::tree::{Node, Tree};

const DIRECTORY_MODE: u32 = 0o040_755;
const FILE_MODE: u32 = 0o100_644;
const PROGRAM_MODE: u32 = 0o100_755;
const LINK_MODE: u32 = 0o120_777;
const TRAILER: &str = "TRAILER!!!";

/// How files begin that can be executed: ELF files (elf(5)) and scripts (execve(2)).
const EXECUTABLE: [&[u8]; 2] = [b"\x7fELF", b"#!"];

/// The whole archive, its trailer included. Files that look as if they could be executed may be: by Linux, and in the image those that the
/// library OS answers for.
///
/// # Errors
/// A file of 4 GiB or more, whose size the format cannot hold.
pub fn write(tree: &Tree) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (number, (path, node)) in tree.nodes().enumerate() {
        let (mode, links, content) = match node {
            Node::Directory => (DIRECTORY_MODE, 2, &[][..]),
            Node::File(content) if EXECUTABLE.iter().any(|magic| content.starts_with(magic)) => {
                (PROGRAM_MODE, 1, &content[..])
            }
            Node::File(content) => (FILE_MODE, 1, &content[..]),
            Node::Link(text) => (LINK_MODE, 1, text.as_bytes()),
        };
        let inode = u32::try_from(number + 1).context("too many files for a cpio archive")?;
        entry(&mut archive, path, [inode, mode, links], content)?;
    }
    entry(&mut archive, TRAILER, [0, 0, 1], &[])?;
    Ok(archive)
}

fn entry(archive: &mut Vec<u8>, path: &str, [inode, mode, links]: [u32; 3], content: &[u8]) -> Result<()> {
    let size = u32::try_from(content.len()).with_context(|| format!("/{path} is too large for a cpio archive"))?;
    let name_size = u32::try_from(path.len() + 1).context("a name is too long for a cpio archive")?;
    archive.extend_from_slice(b"070701");
    // ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
    for field in [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0] {
        archive.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    archive.extend_from_slice(path.as_bytes());
    archive.push(0);
    pad(archive);
    archive.extend_from_slice(content);
    pad(archive);
    Ok(())
}

/// Names and contents each end on a multiple of four bytes.
fn pad(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify;

    fn sample() -> Tree {
        let mut tree = Tree::default();
        for size in 0..9_u8 {
            let name = "x".repeat(usize::from(size) + 1);
            tree.add_file(&format!("dir/{name}"), vec![size; usize::from(size)]).unwrap();
        }
        tree.add_link("dir/y", "../dir/x").unwrap();
        tree
    }

    #[test]
    fn every_alignment_of_name_and_content_reads_back() {
        let tree = sample();
        verify::check(&write(&tree).unwrap(), &tree).unwrap();
    }

    #[test]
    fn programs_may_be_executed_and_nothing_else() {
        let mut tree = Tree::default();
        for (path, content) in
            [("cpu_sup", &b"\x7fELF..."[..]), ("script", b"#!/bin/sh\n"), ("text", b"#\x7fELF"), ("empty", b"")]
        {
            tree.add_file(path, content.to_vec()).unwrap();
        }
        let archive = write(&tree).unwrap();
        let executable = |entry: &cpio_reader::Entry<'_>| entry.mode().bits() & 0o111 != 0;
        let found: Vec<_> =
            cpio_reader::iter_files(&archive).filter(executable).map(|entry| entry.name().to_owned()).collect();
        assert_eq!(found, ["cpu_sup", "script"]);
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        assert_eq!(write(&sample()).unwrap(), write(&sample()).unwrap());
    }
}
