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

/// The whole archive, its trailer included.
///
/// # Errors
/// A file of 4 GiB or more, whose size the format cannot hold.
pub fn write(tree: &Tree) -> Result<Vec<u8>> {
    write_with_programs(tree, &[])
}

/// The same, where the files named in `programs` can be executed. Linux looks at that; the image does not.
///
/// # Errors
/// As [`write`].
pub fn write_with_programs(tree: &Tree, programs: &[&str]) -> Result<Vec<u8>> {
    let mut archive = Vec::new();
    for (number, (path, node)) in tree.nodes().enumerate() {
        let (mode, links, content) = match node {
            Node::Directory => (DIRECTORY_MODE, 2, &[][..]),
            Node::File(content) if programs.contains(&path) => (PROGRAM_MODE, 1, &content[..]),
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
    fn the_same_files_give_the_same_bytes() {
        assert_eq!(write(&sample()).unwrap(), write(&sample()).unwrap());
    }
}
